"""Training of the landmark network: samples, labels, task and evaluation; and the visibility head."""
