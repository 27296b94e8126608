"""Show a graph: as text, picture, web page or GraphConfig, and how long its nodes take."""
