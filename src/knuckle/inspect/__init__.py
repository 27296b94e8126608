"""A graph as text, picture, page or GraphConfig, and how long its nodes took."""
