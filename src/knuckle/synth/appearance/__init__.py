"""What bodies, clothes and objects look like: skin with its textures, and random materials."""
