"""Pseudo-labels: labels for photos and clips that nobody labelled, kept where several views of a hand agree."""
