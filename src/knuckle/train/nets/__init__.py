"""The networks, one file each, with the shape after each stage as a comment."""
