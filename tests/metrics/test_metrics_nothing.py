"""What nothing must give: NaN for figures, empty arrays, and no warning."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from knuckle import metrics
from knuckle.metrics import TrackedFrame

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=40)
NAN = float("nan")


def test_of_nothing_every_share_is_nan_and_nothing_warns() -> None:
    empty: list[float] = []
    shares = [
        metrics.auroc(empty, empty),
        metrics.per_1000(0, 0),
        metrics.average_precision(empty, empty, 0),
        metrics.median_error(empty),
        metrics.identity([]).idf1,
        metrics.lag_ms(empty, np.zeros((0, 2)), np.zeros((0, 2))),
        metrics.wilson(0, 0).value,
        metrics.bootstrap_ratio([], [], []).value,
    ]
    assert np.isnan(shares).all(), shares


def test_of_nothing_every_array_is_empty() -> None:
    empty = np.zeros((0, 21, 3))
    assert metrics.iou_matrix([], []).shape == (0, 0)
    assert metrics.iou_matrix([], [[0, 0, 1, 1]]).shape == (0, 1)
    assert metrics.centredness([], [[0, 0, 1, 1]]).shape == (0, 1)
    assert metrics.centredness([[0, 0]], []).shape == (1, 0)
    assert metrics.match(np.zeros((0, 3)), 0.5).shape == metrics.match(np.zeros((3, 0)), 0.5).shape == (0, 2)
    assert metrics.match_by_score([], np.zeros((0, 2)), 0.5).shape == (0,)
    assert metrics.match_by_score([0.5], np.zeros((1, 0)), 0.5).tolist() == [-1]
    assert [len(column) for column in metrics.precision_recall([], [], 3)] == [0, 0, 0]
    assert metrics.normalised_error(empty, empty, []).shape == (0, 21)
    assert metrics.mpjpe_mm(empty, empty).shape == metrics.pa_mpjpe_mm(empty, empty).shape == (0,)
    assert metrics.bone_length_error_mm(empty, empty).shape == (0, 20)
    assert np.isnan(metrics.pck([], [0.1, 0.2])).all()
    assert metrics.sum_and_count([]) == (0, 0) and metrics.pck_area(np.zeros((0, 21)), 0.5).shape == (0, 21)
    assert metrics.brier([], []).shape == metrics.accuracy([], []).shape == (0,)
    assert metrics.jitter(np.zeros((0, 21, 2)), 10).shape == metrics.jitter(np.zeros((2, 21, 2)), 10).shape == (0, 21)
    assert metrics.time_lost_s([], [], []).shape == (0,)
    assert metrics.id_switches([]) == 0 and metrics.id_changes([], []) == (0, 0)


def test_truths_without_predictions_score_zero_and_not_nan() -> None:
    assert metrics.average_precision([], [], 5) == 0
    assert metrics.identity([TrackedFrame([1], [], np.zeros((1, 0)))]).idf1 == 0
    lost = metrics.normalised_error(np.full((1, 21, 2), NAN), np.ones((1, 21, 2)), [10])
    assert metrics.pck_area(lost, 9.0).max() == 0 and metrics.pck(lost, [9.0]).tolist() == [0]
    assert metrics.sum_and_count(lost) == (0, 0) and metrics.median_error(lost) == math.inf
