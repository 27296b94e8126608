"""Metrics: pure functions of arrays, each with its equation and source. `evaluate` and `train` compute them.

`detection` compares boxes, matches predictions to labels and ranks them; `landmarks` has errors in the image and in
space; `calibration` judges probabilities; `video` judges tracks; `intervals` says how sure a figure is.

Many functions give one value per sample (a point, a hand, a frame). The figure of a report is the mean of these values
over all samples that count, see `sum_and_count`. What cannot be measured is NaN, never 0 or 1.
"""

from knuckle.metrics.calibration import Reliability, accuracy, auroc, brier, reliability, std_factor
from knuckle.metrics.detection import (
    average_precision,
    centre_in,
    centredness,
    iou_matrix,
    match,
    match_by_score,
    per_1000,
    precision_recall,
)
from knuckle.metrics.intervals import Interval, bootstrap, bootstrap_ratio, bootstrap_ratio_difference, wilson
from knuckle.metrics.landmarks import (
    BONES,
    bone_length_error_mm,
    bone_lengths,
    median_error,
    mpjpe_mm,
    normalised_error,
    pa_mpjpe_mm,
    palm_size,
    pck,
    pck_area,
    procrustes,
    sum_and_count,
)
from knuckle.metrics.video import (
    Identity,
    TrackedFrame,
    id_changes,
    id_switches,
    identity,
    jitter,
    lag_ms,
    steps,
    time_lost_s,
)

__all__ = [
    "BONES",
    "Identity",
    "Interval",
    "Reliability",
    "TrackedFrame",
    "accuracy",
    "auroc",
    "average_precision",
    "bone_length_error_mm",
    "bone_lengths",
    "bootstrap",
    "bootstrap_ratio",
    "bootstrap_ratio_difference",
    "brier",
    "centre_in",
    "centredness",
    "id_changes",
    "id_switches",
    "identity",
    "iou_matrix",
    "jitter",
    "lag_ms",
    "match",
    "match_by_score",
    "median_error",
    "mpjpe_mm",
    "normalised_error",
    "pa_mpjpe_mm",
    "palm_size",
    "pck",
    "pck_area",
    "per_1000",
    "precision_recall",
    "procrustes",
    "reliability",
    "std_factor",
    "steps",
    "sum_and_count",
    "time_lost_s",
    "wilson",
]
