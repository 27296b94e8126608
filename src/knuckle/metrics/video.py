"""Tracks through time: jitter, lag, lost time, identity."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.extras import required
from knuckle.metrics.detection import iou_matrix, match
from knuckle.results import FloatArray

FLAT = 1e-6  # correlations that differ by less have no peak, as those of a straight line with itself


def steps(points: npt.ArrayLike, size: npt.ArrayLike) -> FloatArray:
    """How far each point moved from frame to frame in % of the palm, 100 ‖x_t − x_{t−1}‖ / size, (t − 1, k).

    In a clip in which nothing moves all of it is error; otherwise see `jitter`. NaN next to frames without the hand.

    Args:
        points: (t, k, 2 or 3) pixels of one hand, only x and y count; rows of NaN where it was not found.
        size: palm size in pixels, one or (t,).
    """
    lengths: FloatArray = 100 * np.linalg.norm(np.diff(_in_palms(points, size), axis=0), axis=-1)
    return lengths


def jitter(points: npt.ArrayLike, size: npt.ArrayLike) -> FloatArray:
    """Jitter in % of the palm per frame, 100 ‖x_{t−1} − 2x_t + x_{t+1}‖ / (√3 size), (t − 2, k).

    A hand is never quite still, and the steps of a slow motion are not an error. A second difference removes any
    constant velocity. Noise of variance σ² that is new in each frame has variance 2σ² in first differences and 6σ² in
    second differences, hence √3: the figure is the step that this noise would make on a hand that does not move. Noise
    that lasts several frames, as after smoothing, counts less than it does in `steps`. Differences as an estimate of
    noise on an unknown smooth curve: Gasser, Sroka & Jennen-Steinmetz (1986), "Residual variance and residual pattern
    in nonlinear regression".

    Args: as for `steps`. NaN next to frames without the hand.
    """
    second = np.diff(_in_palms(points, size), n=2, axis=0)
    lengths: FloatArray = 100 * np.linalg.norm(second, axis=-1) / math.sqrt(3)
    return lengths


def _in_palms(points: npt.ArrayLike, size: npt.ArrayLike) -> FloatArray:
    """The points in palms, by the median palm size of the clip: a fluctuating size would add to the error."""
    if not np.size(points):
        return np.zeros((0, *np.shape(points)[1:2], 2))
    scale = float(np.nanmedian(np.asarray(size, np.float64)))
    return np.asarray(points, np.float64)[..., :2] / scale


def lag_ms(times_s: npt.ArrayLike, true: npt.ArrayLike, predicted: npt.ArrayLike, max_lag_s: float = 0.5) -> float:
    """How many milliseconds the predictions are behind the labels; positive is late, NaN if it cannot be measured.

    The τ with the largest correlation of predicted(t) with true(t − τ), both resampled to even steps; a parabola finds
    the peak between steps. Knapp & Carter (1976), "The generalized correlation method for estimation of time delay";
    the parabola: Jacovitti & Scarano (1993), "Discrete time techniques for time delay estimation". A filter that
    shrinks the motion does not change the result. It cannot be measured if the clip has fewer than 8 frames, nothing
    moves, or the best τ is ± max_lag_s.

    Args:
        times_s: (t,) rising.
        true, predicted: (t, d) the same points over time, in any unit; NaN where not found.
    """
    times, a, b = (np.asarray(values, np.float64) for values in (times_s, true, predicted))
    if len(times) < 8:
        return float("nan")
    a, b = a.reshape(len(times), -1), b.reshape(len(times), -1)
    step = float(np.median(np.diff(times)))
    grid = times[0] + step * np.arange(1 + math.floor((times[-1] - times[0]) / step + 1e-6))
    a, b = (np.stack([np.interp(grid, times, column) for column in signal.T], axis=1) for signal in (a, b))
    reach = min(math.ceil(max_lag_s / step), len(grid) // 2)
    fits = np.array([_correlation(a, b, shift) for shift in range(-reach, reach + 1)])
    peak = int(np.argmax(np.where(np.isnan(fits), -np.inf, fits)))
    if (
        not 0 < peak < 2 * reach
        or np.isnan(fits[peak - 1 : peak + 2]).any()
        or np.nanmax(fits) - np.nanmin(fits) < FLAT
    ):
        return float("nan")
    before, at, after = fits[peak - 1 : peak + 2]
    return float(1000 * step * (peak - reach + (before - after) / (2 * (before - 2 * at + after))))


def _correlation(a: FloatArray, b: FloatArray, shift: int) -> float:
    """Correlation of b with a `shift` samples earlier; NaN if less than a quarter is known in both or nothing moves."""
    first, second = (a[: len(a) - shift], b[shift:]) if shift >= 0 else (a[-shift:], b[:shift])
    known = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    if known.sum() < len(a) / 4:
        return float("nan")
    first, second = (signal[known] - signal[known].mean(axis=0) for signal in (first, second))
    power = float((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / math.sqrt(power)) if power > 0 else float("nan")


def time_lost_s(times_s: npt.ArrayLike, visible: npt.ArrayLike, found: npt.ArrayLike) -> FloatArray:
    """Seconds from each return of a hand into view until it is found, (r,); 0 if it is found at once.

    Only returns count: a hand must have been in view, then out of view, then in view again. If it leaves, or the clip
    ends, before it is found, the whole time that it was in view counts, to the end of its last frame.

    Args:
        times_s: (t,) of the frames, rising.
        visible, found: (t,) whether the hand was in view, and whether it was found.
    """
    times, in_view, hit = np.asarray(times_s, np.float64), np.asarray(visible, bool), np.asarray(found, bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], in_view, [False]]).astype(int)))
    frame_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    lost = []
    for start, end in edges.reshape(-1, 2)[1:]:
        hits = np.flatnonzero(hit[start:end])
        until = times[start + hits[0]] if hits.size else times[end - 1] + frame_s
        lost.append(until - times[start])
    return np.array(lost, np.float64)


class TrackedFrame(NamedTuple):
    """One frame of a clip: ids of its n labelled hands, ids of its m predicted hands, their similarities (n, m)."""

    true_ids: Sequence[int]
    seen_ids: Sequence[int]
    similarity: FloatArray


class Identity(NamedTuple):
    """The identity metrics of Ristani et al.; `hits`, `false_ids`, `missed` are IDTP, IDFP, IDFN."""

    idf1: float
    precision: float
    recall: float
    hits: int
    false_ids: int
    missed: int


def identity(frames: Iterable[TrackedFrame], min_similarity: float = 0.5) -> Identity:
    """How long hands kept their own ids: IDF1 = 2 IDTP / (2 IDTP + IDFP + IDFN), 0..1.

    Each labelled hand is paired with at most one id for the whole clip, so that as many frames as possible are right
    (IDTP); every other prediction is false (IDFP), every other label is missed (IDFN). Ristani et al. (2016),
    "Performance measures and a data set for multi-target, multi-camera tracking", eq. 1 to 6. The solution is exact:
    IDTP + IDFN and IDTP + IDFP are given, so the smallest IDFP + IDFN has the largest IDTP.

    Args:
        frames: of one clip. To join clips, give each clip its own ids.
        min_similarity: the similarity (such as IoU) from which a prediction covers a labelled hand.

    Raises:
        InputError: an id occurs twice in one frame.
    """
    optimize = required("scipy.optimize", "evaluate", "the metrics of tracks")
    together: Counter[tuple[int, int]] = Counter()
    true_count: Counter[int] = Counter()
    seen_count: Counter[int] = Counter()
    for true_ids, seen_ids, similarity in map(_checked, frames):
        true_count.update(true_ids)
        seen_count.update(seen_ids)
        together.update((true_ids[i], seen_ids[j]) for i, j in np.argwhere(similarity >= min_similarity))
    gain = np.array([[together[t, s] for s in seen_count] for t in true_count], np.float64)
    hits = int(gain[optimize.linear_sum_assignment(gain, maximize=True)].sum()) if gain.size else 0
    truths, predictions = sum(true_count.values()), sum(seen_count.values())
    return Identity(
        _share(2 * hits, truths + predictions),
        _share(hits, predictions),
        _share(hits, truths),
        hits,
        predictions - hits,
        truths - hits,
    )


def id_switches(frames: Iterable[TrackedFrame], min_similarity: float = 0.5) -> int:
    """How often a labelled hand is found under another id than the last time it was found.

    A pair of the previous frame stays as long as it is similar enough; the others are matched anew: Bernardin &
    Stiefelhagen (2008), "Evaluating multiple object tracking performance: the CLEAR MOT metrics", section 2.1.2.
    """
    last: dict[int, int] = {}
    switches = 0
    for true_ids, seen_ids, similarity in map(_checked, frames):
        kept = np.array([[last.get(t) == s for s in seen_ids] for t in true_ids], bool).reshape(similarity.shape)
        allowed = similarity >= min_similarity
        held = kept & allowed
        busy = held.any(axis=1, keepdims=True) | held.any(axis=0, keepdims=True)
        pairs = [*np.argwhere(held), *match(np.where(allowed & ~busy, similarity, np.nan), min_similarity)]
        for i, j in pairs:
            switches += last.get(true_ids[i], seen_ids[j]) != seen_ids[j]
            last[true_ids[i]] = seen_ids[j]
    return switches


def id_changes(boxes: Sequence[npt.ArrayLike], ids: Sequence[Sequence[int]], min_iou: float = 0.5) -> tuple[int, int]:
    """Without labels: how many overlapping hands of successive frames have different ids, and how many overlap.

    Pairs are matched by an IoU of at least `min_iou`. This detects an id that changes from one frame to the next. It
    does not detect an id that is lost in a gap or stays with the wrong hand, so it does not replace `identity`.

    Args:
        boxes: per frame (m, 4), x0, y0, x1, y1.
        ids: per frame the m ids.
    """
    changes = pairs = 0
    for k in range(1, len(boxes)):
        linked = match(iou_matrix(boxes[k - 1], boxes[k]), min_iou)
        pairs += len(linked)
        changes += sum(ids[k - 1][i] != ids[k][j] for i, j in linked)
    return changes, pairs


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _checked(frame: TrackedFrame) -> TrackedFrame:
    for ids in frame[:2]:
        if len(set(ids)) < len(ids):
            raise InputError(f"an id may occur only once in a frame, got {list(ids)}")
    shape = (len(frame[0]), len(frame[1]))
    return TrackedFrame(frame[0], frame[1], np.asarray(frame[2], np.float64).reshape(shape))
