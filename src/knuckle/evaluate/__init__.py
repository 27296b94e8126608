"""How accurate is a tracker: run it on labelled photos and clips, score it, write a report.

`predict` runs a tracker over a dataset, `score` compares its predictions with the labels, `report` shows the result.
The rows of the report are listed in `image_metrics` and `clip_metrics`; their equations are in `knuckle.metrics`.
"""
