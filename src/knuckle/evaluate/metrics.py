"""Measures of detection, classification and calibration: pure functions of numpy arrays.

A share of nothing is NaN, never 0 or 1: what was not measured must not look measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.geometry import iou
from knuckle.results import FloatArray

IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]
NOT_FOUND = -1


def assign(cost: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    """The pairs of rows and columns with the least sum of costs: min(n, m) pairs, rows rising; exact.

    The Hungarian method with shortest augmenting paths and potentials, O(n² m): Kuhn (1955), "The Hungarian method for
    the assignment problem"; in this form Jonker & Volgenant (1987), "A shortest augmenting path algorithm for dense
    and sparse linear assignment problems".

    Args:
        cost: (n, m) finite numbers.

    Raises:
        InputError: the costs are no matrix or not finite.
    """
    costs = np.asarray(cost, np.float64)
    if costs.ndim != 2 or not np.isfinite(costs).all():
        raise InputError(f"cost must be a matrix of finite numbers, got shape {costs.shape}; see `match` for limits")
    if costs.shape[0] > costs.shape[1]:
        columns, rows = assign(costs.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    n, m = costs.shape
    row_of = np.full(m + 1, NOT_FOUND, np.intp)  # the last column is where each row's path begins
    u, v = np.zeros(n), np.zeros(m + 1)
    for row in range(n):
        _augment(costs, row, row_of, u, v)
    columns = np.flatnonzero(row_of[:m] != NOT_FOUND)
    order = np.argsort(row_of[columns])
    return row_of[columns][order], columns[order]


def _augment(costs: FloatArray, row: int, row_of: IntArray, u: FloatArray, v: FloatArray) -> None:
    """Give `row` a column along the cheapest path of reassignments; changes row_of, u, v."""
    m = costs.shape[1]
    row_of[m], column = row, m
    nearest, before = np.full(m, np.inf), np.full(m, m, np.intp)
    done = np.zeros(m + 1, bool)
    while row_of[column] != NOT_FOUND:
        done[column] = True
        here = row_of[column]
        reduced = costs[here] - u[here] - v[:m]
        closer = ~done[:m] & (reduced < nearest)
        nearest[closer], before[closer] = reduced[closer], column
        following = int(np.argmin(np.where(done[:m], np.inf, nearest)))
        step = nearest[following]
        u[row_of[done]] += step
        v[done] -= step
        nearest[~done[:m]] -= step
        column = following
    while column != m:
        row_of[column] = row_of[before[column]]
        column = before[column]


def iou_matrix(boxes: npt.ArrayLike, others: npt.ArrayLike) -> FloatArray:
    """(n, m) intersection over union |A ∩ B| / |A ∪ B| of boxes x0, y0, x1, y1; 0 for empty unions.

    Source: Jaccard (1901); as the measure of detection Everingham et al. (2010), "The PASCAL VOC Challenge", eq. 4.
    """
    left, right = (np.asarray(b, np.float64).reshape(-1, 4) for b in (boxes, others))
    return np.stack([iou(box, right) for box in left]) if len(left) else np.zeros((0, len(right)))


def centredness(points: npt.ArrayLike, boxes: npt.ArrayLike) -> FloatArray:
    """(n, m) how central each (x, y) lies in each box: 1 at the centre, 0 on the edge, below 0 outside.

    1 − max(|x − cx| / (w/2), |y − cy| / (h/2)). Where only boxes around hands are labelled, a palm counts as found
    when its centre lies in the box, `>= 0`: squares of palms and boxes of hands have no IoU worth comparing. This is
    the pointing game of Zhang et al. (2018), "Top-down neural attention by excitation backprop", section 4.2.
    """
    p, b = np.asarray(points, np.float64).reshape(-1, 2), np.asarray(boxes, np.float64).reshape(-1, 4)
    centre, half = (b[:, :2] + b[:, 2:]) / 2, (b[:, 2:] - b[:, :2]) / 2
    wide = (half[:, 0] > 0) & (half[:, 1] > 0)
    away = np.abs(p[:, None] - centre) / np.where(wide[:, None], half, 1)
    return np.where(wide, 1 - away.max(axis=2, initial=0), -np.inf)


def match(similarity: npt.ArrayLike, least: float) -> IntArray:
    """One-to-one pairs (k, 2) of rows and columns that are at least so similar: as many pairs as can be, and of
    those the pairs with the largest sum of similarities.

    For tracks and landmarks, where no score ranks the predictions and a pair taken greedily can leave two hands
    that touch without partners (Bernardin & Stiefelhagen 2008, "Evaluating multiple object tracking performance: the
    CLEAR MOT metrics", section 2.1.2, match so too). See `match_by_score` for average precision.

    Args:
        similarity: (n, m), such as IoU; NaN and −inf never match.
    """
    alike = np.atleast_2d(np.asarray(similarity, np.float64))
    if not alike.size:
        return np.zeros((0, 2), np.intp)
    allowed = np.isfinite(alike) & (alike >= least)
    if not allowed.any():
        return np.zeros((0, 2), np.intp)
    above = np.where(allowed, alike, least) - least
    rows, columns = assign(-np.where(allowed, 1 + above / (1 + above.sum()), 0))
    kept = allowed[rows, columns]
    return np.stack([rows[kept], columns[kept]], axis=1)


def match_by_score(scores: npt.ArrayLike, similarity: npt.ArrayLike, least: float) -> IntArray:
    """(n,) the truth that each prediction found, or −1: the best score first, each takes the most similar free truth.

    The protocol of COCO (Lin et al. 2014; `evaluateImg` of its evaluation code), greedy because a precision-recall
    curve needs that predictions below a threshold have no say in what the ones above it found. (VOC instead calls
    a prediction false whose most similar truth is taken, even where another one would do.)

    Args:
        scores: (n,); equal scores in the order given.
        similarity: (n, m) of predictions and truths.
    """
    ranks, alike = np.asarray(scores, np.float64), np.asarray(similarity, np.float64)
    alike = alike.reshape(len(ranks), -1) if alike.size else np.zeros((len(ranks), 0))
    found = np.full(len(ranks), NOT_FOUND, np.intp)
    free = np.ones(alike.shape[1], bool)
    for k in np.argsort(-ranks, kind="stable"):
        fit = np.where(free & (alike[k] >= least), alike[k], -np.inf)
        if fit.size and fit.max() > -np.inf:
            found[k] = fit.argmax()
            free[found[k]] = False
    return found


def precision_recall(
    scores: npt.ArrayLike, hits: npt.ArrayLike, truths: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Recall, precision and threshold, one entry per different score, highest first.

    At threshold s: precision = hits with score ≥ s / predictions with score ≥ s, recall = hits with score ≥ s /
    truths. Equal scores make one point, so the order of the input has no say. Davis & Goadrich (2006), "The
    relationship between precision-recall and ROC curves".

    Args:
        scores: (n,) of all images together.
        hits: (n,) whether each prediction found a truth.
        truths: number of labelled hands.
    """
    found, counted, thresholds = _cumulated(scores, hits)
    recall = found / truths if truths else np.full(len(found), np.nan)
    return recall, found / counted, thresholds


def _cumulated(scores: npt.ArrayLike, hits: npt.ArrayLike) -> tuple[IntArray, IntArray, FloatArray]:
    """Hits and predictions down to each different score, and these scores, highest first."""
    ranks, good = np.asarray(scores, np.float64), np.asarray(hits, bool)
    order = np.argsort(-ranks, kind="stable")
    ranks = ranks[order]
    last = np.append(ranks[1:] != ranks[:-1], True) if len(ranks) else np.zeros(0, bool)
    counted = np.flatnonzero(last) + 1
    return np.cumsum(good[order])[last], counted, ranks[last]


def average_precision(scores: npt.ArrayLike, hits: npt.ArrayLike, truths: int) -> float:
    """Mean over the recalls r = 0, 0.01, … 1 of the best precision at any recall ≥ r; NaN without truths.

    AP = 1/101 Σ_r max_{r' ≥ r} p(r'): COCO's 101 points (Lin et al. 2014, "Microsoft COCO: common objects in
    context", and its evaluation code), because the published figures for hand detectors are COCO's AP50. The
    area under all points (VOC since 2010) is at most 0.01 away. 0..1; equal scores count together.

    Args: as for `precision_recall`.
    """
    if not truths:
        return float("nan")
    found, counted, _ = _cumulated(scores, hits)
    if not len(found):
        return 0.0
    best = np.maximum.accumulate((found / counted)[::-1])[::-1]
    needed = -(-np.arange(101) * truths // 100)  # whole hits for each recall: no rounding decides a point
    place = np.searchsorted(found, needed)
    return float(np.append(best, 0.0)[place].mean())


def per_1000(events: float, images: int) -> float:
    """Events per 1000 images, such as hands reported where there are none: 1000 · events / images."""
    return 1000 * events / images if images else float("nan")


def accuracy(predicted: Sequence[Any], true: Sequence[Any]) -> float:
    """Share of equal labels among those that are labelled (not None), such as "Left" and "Right"."""
    pairs = [(p, t) for p, t in zip(predicted, true, strict=True) if t is not None]
    return sum(p == t for p, t in pairs) / len(pairs) if pairs else float("nan")


def auroc(scores: npt.ArrayLike, outcomes: npt.ArrayLike) -> float:
    """Chance that a positive scores above a negative, ties half: the area under the ROC curve; NaN for one class.

    (R₊ − n₊(n₊+1)/2) / (n₊ n₋) with R₊ the sum of the positives' ranks: Hanley & McNeil (1982), "The meaning and use of
    the area under a receiver operating characteristic curve"; Fawcett (2006), section 7.
    """
    values, positive = np.asarray(scores, np.float64), np.asarray(outcomes, bool)
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def brier(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike) -> float:
    """Mean squared distance of probability and outcome, 1/n Σ (p − o)²; 0 is perfect, 0.25 is what "½" always gets.

    Brier (1950), "Verification of forecasts expressed in terms of probability".
    """
    p, o = np.asarray(probabilities, np.float64), np.asarray(outcomes, np.float64)
    return float(np.mean((p - o) ** 2)) if len(p) else float("nan")


class Reliability(NamedTuple):
    """Per bin of probability: (b,) mean probability and frequency of the outcome, NaN in empty bins, and samples."""

    probability: FloatArray
    frequency: FloatArray
    samples: IntArray


def reliability(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike, bins: int = 10) -> Reliability:
    """How often the outcome came, for each bin of the probability that was given for it.

    Bins of equal width over 0..1, the last one with its upper edge: Niculescu-Mizil & Caruana (2005), "Predicting good
    probabilities with supervised learning"; Guo et al. (2017), "On calibration of modern neural networks".

    Raises:
        InputError: a probability is not within 0..1.
    """
    p, o = np.asarray(probabilities, np.float64), np.asarray(outcomes, np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise InputError("probabilities must be within 0..1; pass scores of another range through a sigmoid first")
    place = np.minimum((p * bins).astype(np.intp), bins - 1)
    count = np.bincount(place, minlength=bins)
    some = np.where(count > 0, count, np.nan)
    probability, frequency = (np.bincount(place, weights, bins) / some for weights in (p, o))
    return Reliability(probability, frequency, count)


def expected_calibration_error(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike, bins: int = 10) -> float:
    """Mean distance of probability and frequency, ECE = Σ_b n_b/n |freq_b − prob_b|, 0..1.

    Naeini et al. (2015), "Obtaining well calibrated probabilities using Bayesian binning". It grows by chance alone
    where bins hold few samples; `brier` does not.
    """
    probability, frequency, count = reliability(probabilities, outcomes, bins)
    if not count.sum():
        return float("nan")
    filled = count > 0
    gaps = np.abs(frequency[filled] - probability[filled])
    return float(np.average(gaps, weights=count[filled]))
