"""What is in a picture: people, clothes, objects, background, and where the crop is cut."""
