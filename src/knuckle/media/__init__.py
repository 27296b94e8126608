"""Pixels in and out: where frames come from, where results go, drawing, the preview window."""
