"""Accuracy: run any hand tracker on labelled photos and clips, score it, write a report.

`labels` read datasets, `predict` runs a tracker, `metrics` are pure functions, `score` brings labels and predictions
together, `report` shows the outcome. The words that pass between them are in `truth`.
"""
