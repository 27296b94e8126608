"""`knuckle serve`: the browser page, and an HTTP and WebSocket API. Needs `knuckle[serve]`."""
