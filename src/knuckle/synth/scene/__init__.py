"""What is in a picture: people, clothes, objects, backgrounds, and the regions that crops show."""
