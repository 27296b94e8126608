"""Training of the palm detector: samples, targets, task and evaluation."""
