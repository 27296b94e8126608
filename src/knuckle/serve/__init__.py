"""`knuckle serve`: the browser page, and an API for clients that cannot run a model. Needs `knuckle[serve]`."""
