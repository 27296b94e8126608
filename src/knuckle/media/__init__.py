"""Pixels in and out: sources of frames, files of results, drawing, the preview window."""
