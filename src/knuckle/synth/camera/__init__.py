"""What a camera does to light, and the truth about every hand it sees."""
