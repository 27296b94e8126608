"""The networks: one file each, the shape after each stage as a comment."""
