"""MediaPipe's APIs on Knuckle's pipeline: its graphs, the legacy solutions and the Tasks API."""
