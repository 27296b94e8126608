"""Laws of matching, precision and recall."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knuckle import metrics
from knuckle.results import FloatArray

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=40)
NAN = float("nan")


def test_matching_finds_partners_for_both_where_the_greedy_way_leaves_one() -> None:
    alike = np.array([[0.9, 0.8], [0.7, 0.1]])
    assert sorted(map(tuple, metrics.match(alike, 0.5).tolist())) == [(0, 1), (1, 0)]
    assert metrics.match_by_score([0.9, 0.8], alike, 0.5).tolist() == [0, -1]
    assert metrics.match(np.array([[np.nan, 0.4], [-np.inf, 0.5]]), 0.5).tolist() == [[1, 1]]
    assert len(metrics.match(np.zeros((2, 2)), 0.0)) == 2  # on the edge of the box still counts


@quick
@given(seeds, st.integers(1, 4), st.integers(1, 5))
def test_matching_makes_as_many_pairs_as_can_be_and_of_those_the_most_alike(seed: int, n: int, m: int) -> None:
    alike = np.random.default_rng(seed).random((n, m))
    wide = alike if n <= m else alike.T
    best = (0, 0.0)
    for columns in permutations(range(wide.shape[1]), len(wide)):
        kept = [wide[i, j] for i, j in enumerate(columns) if wide[i, j] >= 0.7]
        best = max(best, (len(kept), round(sum(kept), 9)))
    pairs = metrics.match(alike, 0.7)
    assert (len(pairs), round(float(alike[tuple(pairs.T)].sum()), 9)) == best


def test_two_poor_pairs_go_before_a_good_one() -> None:
    assert len(metrics.match([[0.99, 0.51], [0.52, 0.1]], 0.5)) == 2


@quick
@given(seeds, st.integers(1, 5), st.integers(1, 5))
def test_matching_does_not_depend_on_order(seed: int, n: int, m: int) -> None:
    random = np.random.default_rng(seed)
    alike, rows, columns = random.random((n, m)), random.permutation(n), random.permutation(m)
    pairs = {(rows[i], columns[j]) for i, j in metrics.match(alike[rows][:, columns], 0.5)}
    assert pairs == set(map(tuple, metrics.match(alike, 0.5).tolist()))


def test_a_better_score_chooses_first_and_each_truth_is_found_once() -> None:
    alike = np.array([[0.9, 0.0], [0.95, 0.6], [0.9, 0.7]])
    assert metrics.match_by_score([0.5, 0.6, 0.4], alike, 0.5).tolist() == [-1, 0, 1]


@quick
@given(seeds)
def test_iou_is_symmetric_bounded_and_blind_to_shift_and_scale(seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.random((5, 2, 2)) * 10
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    table = metrics.iou_matrix(boxes, boxes)
    assert np.allclose(table, table.T) and np.allclose(np.diag(table), 1) and ((table >= 0) & (table <= 1)).all()
    assert np.allclose(metrics.iou_matrix(boxes * 3 + 7, boxes * 3 + 7), table)


def test_a_palm_counts_when_its_centre_lies_in_the_box() -> None:
    boxes = [[0, 0, 10, 20], [5, 5, 5, 9]]
    table = metrics.centredness([[5, 10], [10, 20], [11, 10], [5, 7]], boxes)
    assert table[:, 0].tolist() == pytest.approx([1, 0, -0.2, 0.7])
    assert (table[:, 1] == -np.inf).all()  # a box without width holds nothing


def reference_average_precision(scores: FloatArray, hits: np.ndarray, truths: int) -> float:
    """COCO's definition written out: at each recall the best precision of any threshold that reaches it."""
    total = 0.0
    for percent in range(101):
        best = 0.0
        for threshold in scores:
            kept = scores >= threshold
            if 100 * hits[kept].sum() >= percent * truths:
                best = max(best, hits[kept].mean())
        total += best
    return total / 101


@quick
@given(seeds, st.integers(0, 12), st.integers(0, 4))
def test_average_precision_is_its_definition(seed: int, n: int, missed: int) -> None:
    random = np.random.default_rng(seed)
    scores, hits = random.integers(0, 6, n) / 5, random.random(n) < 0.6
    truths = max(1, int(hits.sum()) + missed)
    got = metrics.average_precision(scores, hits, truths)
    assert got == pytest.approx(reference_average_precision(scores, hits, truths))
    order = random.permutation(n)
    assert metrics.average_precision(scores[order], hits[order], truths) == pytest.approx(got)
    assert metrics.average_precision(np.exp(3 * scores), hits, truths) == pytest.approx(got)


def test_101_points_are_within_a_hundredth_of_the_whole_area() -> None:
    random = np.random.default_rng(0)
    scores, hits = random.random(300), random.random(300) < np.linspace(0.2, 0.9, 300)
    recall, precision, _ = metrics.precision_recall(scores, hits, 250)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    area = float((np.diff(recall, prepend=0) * best).sum())
    assert metrics.average_precision(scores, hits, 250) == pytest.approx(area, abs=0.01)


def test_average_precision_of_known_cases() -> None:
    assert metrics.average_precision([0.9, 0.8, 0.7], [1, 1, 1], 3) == 1
    assert metrics.average_precision([0.9, 0.8], [0, 0], 3) == 0
    # half of the truths, all hits: precision 1 at the 51 recalls 0 .. 0.50
    assert metrics.average_precision([0.9], [1], 2) == pytest.approx(51 / 101)
    # a false alarm below all hits costs nothing, above all hits it costs at every recall
    assert metrics.average_precision([0.9, 0.1], [1, 0], 1) == 1
    assert metrics.average_precision([0.1, 0.9], [1, 0], 1) == pytest.approx(0.5)


def test_precision_and_recall_of_a_known_case() -> None:
    recall, precision, thresholds = metrics.precision_recall([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 4)
    assert recall.tolist() == [0.25, 0.5, 0.5] and thresholds.tolist() == [0.9, 0.5, 0.1]
    assert precision.tolist() == pytest.approx([1, 2 / 3, 0.5])


def test_rates() -> None:
    assert metrics.per_1000(3, 200) == 15
    right = metrics.accuracy(["Left", "Right", "Left"], ["Left", "Left", None])
    assert right[:2].tolist() == [1, 0] and math.isnan(right[2]) and metrics.sum_and_count(right) == (1, 2)
