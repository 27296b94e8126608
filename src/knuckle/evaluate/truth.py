"""Import path of version 0.1: labels are in `knuckle.datasets.labels` now, figures in `knuckle.evaluate.results`."""

import warnings

from knuckle.datasets.labels import Clip, Dataset, LabelledBy, LabelledHand, Shot, Visibility
from knuckle.evaluate.results import Case, Curve, Figure, ImagePrediction, Predictions, Row, Score, Table

TrueHand, Seen = LabelledHand, ImagePrediction
HIDDEN_UNKNOWN, OUTSIDE, HIDDEN, VISIBLE = tuple(Visibility)[:4]
warnings.warn(
    "knuckle.evaluate.truth is now knuckle.datasets.labels and knuckle.evaluate.results",
    DeprecationWarning,
    stacklevel=2,
)

__all__ = [
    "HIDDEN",
    "HIDDEN_UNKNOWN",
    "OUTSIDE",
    "VISIBLE",
    "Case",
    "Clip",
    "Curve",
    "Dataset",
    "Figure",
    "LabelledBy",
    "Predictions",
    "Row",
    "Score",
    "Seen",
    "Shot",
    "Table",
    "TrueHand",
]
