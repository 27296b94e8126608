"""Detections against labels: overlap of boxes, matching, precision and recall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from knuckle.extras import required
from knuckle.geometry import iou
from knuckle.results import FloatArray

IntArray = npt.NDArray[np.intp]
NOT_FOUND = -1


def iou_matrix(boxes: npt.ArrayLike, others: npt.ArrayLike) -> FloatArray:
    """Intersection over union |A ∩ B| / |A ∪ B| of every pair of boxes, (n, m); 0 if the union is empty.

    Source: Jaccard (1901); as the measure of detection Everingham et al. (2010), "The PASCAL VOC Challenge", eq. 4.

    Args:
        boxes, others: (n, 4) and (m, 4), x0, y0, x1, y1.
    """
    left, right = (np.asarray(b, np.float64).reshape(-1, 4) for b in (boxes, others))
    return np.stack([iou(box, right) for box in left]) if len(left) else np.zeros((0, len(right)))


def centredness(points: npt.ArrayLike, boxes: npt.ArrayLike) -> FloatArray:
    """How central each point lies in each box, (n, m): 1 at the centre, 0 on the edge, negative outside.

    1 − max(|x − cx| / (w/2), |y − cy| / (h/2)). Used where only boxes around hands are labelled: the box of a palm and
    the box of a hand have no meaningful IoU, so a palm counts as found when its centre lies in the box (`>= 0`). This
    is the pointing game of Zhang et al. (2018), "Top-down neural attention by excitation backprop", section 4.2.

    Args:
        points: (n, 2). boxes: (m, 4), x0, y0, x1, y1; a box without area contains nothing (−inf).
    """
    p, b = np.asarray(points, np.float64).reshape(-1, 2), np.asarray(boxes, np.float64).reshape(-1, 4)
    centre, half = (b[:, :2] + b[:, 2:]) / 2, (b[:, 2:] - b[:, :2]) / 2
    wide = (half[:, 0] > 0) & (half[:, 1] > 0)
    away = np.abs(p[:, None] - centre) / np.where(wide[:, None], half, 1)
    return np.where(wide, 1 - away.max(axis=2, initial=0), -np.inf)


def centre_in(box: FloatArray, others: Sequence[FloatArray]) -> bool:
    """Whether the centre of a box (4,) lies in one of some others."""
    centre = (box[:2] + box[2:]) / 2
    return bool(others) and bool((centredness(centre, np.stack(others)) >= 0).any())


def match(similarity: npt.ArrayLike, min_similarity: float) -> IntArray:
    """One-to-one pairs of rows and columns with a similarity of at least `min_similarity`, (k, 2).

    As many pairs as possible, and among those solutions the one with the largest sum of similarities. For tracks and
    landmarks, where predictions have no score to rank them: taking pairs greedily can leave two touching hands without
    partners. Bernardin & Stiefelhagen (2008), "Evaluating multiple object tracking performance: the CLEAR MOT
    metrics", section 2.1.2. For average precision use `match_by_score`.

    Args:
        similarity: (n, m), such as IoU; NaN and −inf never match.
    """
    optimize = required("scipy.optimize", "evaluate", "the metrics of matches")
    alike = np.atleast_2d(np.asarray(similarity, np.float64))
    allowed = np.isfinite(alike) & (alike >= min_similarity)
    if not allowed.any():
        return np.zeros((0, 2), np.intp)
    # Every allowed pair gains 1 plus its share of all similarity above `min_similarity`. The shares add up to less than
    # 1, so one pair more always outweighs them.
    above = np.where(allowed, alike, min_similarity) - min_similarity
    gain = np.where(allowed, 1 + above / (1 + above.sum()), 0)
    rows, columns = optimize.linear_sum_assignment(gain, maximize=True)
    kept = allowed[rows, columns]
    return np.stack([rows[kept], columns[kept]], axis=1)


def match_by_score(scores: npt.ArrayLike, similarity: npt.ArrayLike, min_similarity: float) -> IntArray:
    """The label that each prediction found, (n,); −1 for no label. By score, each takes the most similar free label.

    The protocol of COCO (Lin et al. 2014; `evaluateImg` of its evaluation code). It is greedy because in a
    precision-recall curve predictions below a threshold must not influence what those above it found. (VOC instead
    counts a prediction as false when its most similar label is taken, even if another label would fit.)

    Args:
        scores: (n,); equal scores keep their order.
        similarity: (n, m) of predictions and labels.
        min_similarity: the smallest similarity that counts as found.
    """
    ranks, alike = np.asarray(scores, np.float64), np.asarray(similarity, np.float64)
    alike = alike.reshape(len(ranks), -1) if alike.size else np.zeros((len(ranks), 0))
    found = np.full(len(ranks), NOT_FOUND, np.intp)
    free = np.ones(alike.shape[1], bool)
    for k in np.argsort(-ranks, kind="stable"):
        fit = np.where(free & (alike[k] >= min_similarity), alike[k], -np.inf)
        if fit.size and fit.max() > -np.inf:
            found[k] = fit.argmax()
            free[found[k]] = False
    return found


def precision_recall(
    scores: npt.ArrayLike, hits: npt.ArrayLike, truths: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Recall, precision and threshold, one entry per distinct score, highest first.

    At threshold s: precision = hits with score ≥ s / predictions with score ≥ s, recall = hits with score ≥ s /
    truths. Equal scores make one point, so the order of the input does not matter. Davis & Goadrich (2006), "The
    relationship between precision-recall and ROC curves".

    Args:
        scores: (n,) of all images together.
        hits: (n,) whether each prediction found a label.
        truths: number of labelled hands.
    """
    found, counted, thresholds = _running_counts(scores, hits)
    recall = found / truths if truths else np.full(len(found), np.nan)
    return recall, found / counted, thresholds


def average_precision(scores: npt.ArrayLike, hits: npt.ArrayLike, truths: int) -> float:
    """Average precision, 0..1; NaN without labelled hands.

    AP = 1/101 Σ_r max_{r' ≥ r} p(r') over the recalls r = 0, 0.01, … 1: COCO's 101 points (Lin et al. 2014, "Microsoft
    COCO: common objects in context", and its evaluation code), because published figures for hand detectors are
    COCO's AP50. The area under all points (VOC since 2010) differs by at most 0.01. Equal scores count together.

    Args: as for `precision_recall`.
    """
    if not truths:
        return float("nan")
    found, counted, _ = _running_counts(scores, hits)
    if not len(found):
        return 0.0
    best = np.maximum.accumulate((found / counted)[::-1])[::-1]
    needed = ceil_division(np.arange(101) * truths, 100)
    reached_at = np.searchsorted(found, needed)
    return float(np.append(best, 0.0)[reached_at].mean())


def ceil_division(numerator: IntArray, denominator: int) -> IntArray:
    """⌈numerator / denominator⌉ in integers, so that no rounding of floats decides which recall is reached."""
    return -(-numerator // denominator)


def _running_counts(scores: npt.ArrayLike, hits: npt.ArrayLike) -> tuple[IntArray, IntArray, FloatArray]:
    """Hits and predictions at or above each distinct score, and these scores, highest first."""
    ranks, good = np.asarray(scores, np.float64), np.asarray(hits, bool)
    order = np.argsort(-ranks, kind="stable")
    ranks = ranks[order]
    last = np.append(ranks[1:] != ranks[:-1], True) if len(ranks) else np.zeros(0, bool)
    counted = np.flatnonzero(last) + 1
    return np.cumsum(good[order])[last], counted, ranks[last]


def per_1000(events: float, images: int) -> float:
    """Events per 1000 images, such as false positives on hand-free images: 1000 · events / images."""
    return 1000 * events / images if images else float("nan")
