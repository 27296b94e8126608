"""Training: networks from labelled images, for both tasks. Needs the extra `train`; no other package imports it."""
