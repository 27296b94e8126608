"""Measures of landmarks in the image and in space: pure functions of numpy arrays.

In the truth a NaN is a point without a label, which counts for nothing; in a prediction it is a point that was not
found, which counts as infinitely wrong in the image and is left out in space.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from knuckle.results import FloatArray, HandLandmark

FINGERTIPS = (
    HandLandmark.THUMB_TIP,
    HandLandmark.INDEX_TIP,
    HandLandmark.MIDDLE_TIP,
    HandLandmark.RING_TIP,
    HandLandmark.PINKY_TIP,
)
BONES = tuple((0 if point % 4 == 1 else point - 1, point) for point in range(1, 21))  # parent, child: a tree
MM_PER_M = 1000.0


def palm_size(landmarks: npt.ArrayLike) -> FloatArray:
    """(…,) distance of wrist and middle MCP in the image, the unit of the errors below.

    Zhang et al. (2020), "MediaPipe Hands: on-device real-time hand tracking", section 4; NaN where one has no label.

    Args:
        landmarks: (…, 21, 2 or more) pixels.
    """
    points = np.asarray(landmarks, np.float64)
    size: FloatArray = np.hypot(*np.moveaxis(points[..., 9, :2] - points[..., 0, :2], -1, 0))
    return size


def normalised_error(predicted: npt.ArrayLike, true: npt.ArrayLike, size: npt.ArrayLike) -> FloatArray:
    """(n, k) distance in the image by palm size, ‖p − t‖ / size: NaN without a label, inf for a point not found.

    The mean of it in percent is the "MSE" of Zhang et al. (2020), tables 1 to 3, and the "mean normalised absolute
    error" of the model card, whose values agree: no square is in it.

    Args:
        predicted, true: (n, k, 2 or more) pixels; only x and y count.
        size: (n,) the true hand's palm size; an error without it has no meaning and is NaN.
    """
    p, t = np.asarray(predicted, np.float64)[..., :2], np.asarray(true, np.float64)[..., :2]
    by = np.asarray(size, np.float64).reshape(-1, 1)
    by = np.where(by > 0, by, np.nan)
    distance = np.hypot(*np.moveaxis(p - t, -1, 0)) / by
    labelled = np.isfinite(t).all(axis=-1) & np.isfinite(by)
    return np.where(labelled, np.where(np.isfinite(distance), distance, np.inf), np.nan)


def mean_error(errors: npt.ArrayLike) -> float:
    """Mean over the labelled points that were found; the found rate says how many those are."""
    values = np.asarray(errors, np.float64)
    found = values[np.isfinite(values)]
    return float(found.mean()) if found.size else float("nan")


def median_error(errors: npt.ArrayLike) -> float:
    """Median over all labelled points, one that was not found being worse than any other; inf where half are."""
    values = np.asarray(errors, np.float64)
    labelled = np.sort(values[~np.isnan(values)])
    if not labelled.size:
        return float("nan")
    low, high = labelled[(labelled.size - 1) // 2], labelled[labelled.size // 2]
    return float(low if low == high else (low + high) / 2)


def found_rate(errors: npt.ArrayLike) -> float:
    """Share of the labelled points that were found at all."""
    values = np.asarray(errors, np.float64)
    labelled = ~np.isnan(values)
    return float(np.isfinite(values[labelled]).mean()) if labelled.any() else float("nan")


def per_joint(errors: npt.ArrayLike, statistic: Callable[[FloatArray], float] = mean_error) -> FloatArray:
    """(k,) a statistic of each column of (n, k) errors."""
    return np.array([statistic(column) for column in np.asarray(errors, np.float64).T])


def pck(errors: npt.ArrayLike, thresholds: npt.ArrayLike) -> FloatArray:
    """(t,) share of the labelled points with an error up to each threshold; those not found are wrong at any.

    "Percentage of correct keypoints": Yang & Ramanan (2013), "Articulated human detection with flexible mixtures of
    parts"; Simon et al. (2017) for hands. 0..1.
    """
    values = np.asarray(errors, np.float64)
    labelled = np.sort(values[~np.isnan(values)])
    limits = np.asarray(thresholds, np.float64)
    if not labelled.size:
        return np.full(limits.shape, np.nan)
    return np.searchsorted(labelled, limits, side="right") / labelled.size


def area_under(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Mean height of a curve, trapezoids over its range of x: of a PCK curve its AUC, 1 when nothing is wrong.

    Zimmermann & Brox (2017), "Learning to estimate 3D hand pose from single RGB images", section 6. An AUC says
    nothing without its range of thresholds: give it with the figure.
    """
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    width = xs[-1] - xs[0] if xs.size > 1 else 0.0
    return float(np.sum(np.diff(xs) * (ys[1:] + ys[:-1]) / 2) / width) if width > 0 else float("nan")


def mpjpe_mm(predicted_m: npt.ArrayLike, true_m: npt.ArrayLike, root: int | None = 0) -> FloatArray:
    """(n,) mean per joint position error in millimetres, 1/k Σ ‖p − t‖ with both roots at the origin.

    Ionescu et al. (2014), "Human3.6M", eq. 8; for hands with the wrist as root as in InterHand2.6M (Moon et al. 2020).
    Points without a label and hands without a root are left out.

    Args:
        predicted_m, true_m: (n, k, 3) metres.
        root: the joint to align; None compares as given.
    """
    p, t = np.asarray(predicted_m, np.float64), np.asarray(true_m, np.float64)
    if root is not None:
        p, t = p - p[:, root : root + 1], t - t[:, root : root + 1]
    return MM_PER_M * _mean_distance(p, t)


def pa_mpjpe_mm(predicted_m: npt.ArrayLike, true_m: npt.ArrayLike) -> FloatArray:
    """(n,) the same after the best turn, shift and scale of the prediction: the error of the pose alone.

    Zimmermann et al. (2019), "FreiHAND"; see `procrustes`.
    """
    return MM_PER_M * _mean_distance(procrustes(predicted_m, true_m), np.asarray(true_m, np.float64))


def _mean_distance(p: FloatArray, t: FloatArray) -> FloatArray:
    distance = np.linalg.norm(p - t, axis=-1)
    labelled = np.isfinite(distance)
    some = np.where(labelled.any(axis=-1), labelled.sum(axis=-1), np.nan)
    mean: FloatArray = np.where(labelled, distance, 0).sum(axis=-1) / some
    return mean


def procrustes(predicted: npt.ArrayLike, true: npt.ArrayLike) -> FloatArray:
    """(n, k, d) predictions turned, shifted and scaled to lie nearest to the truth, min Σ ‖s R p + b − t‖².

    Umeyama (1991), "Least-squares estimation of transformation parameters between two point patterns", eq. 39 to 43. R
    is a rotation: a left hand does not become a right one. Points with NaN in either have no say and stay NaN; a
    hand whose points are all in one place, or fewer than 3, is NaN.
    """
    p, t = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if not len(p):
        return p
    both = (np.isfinite(p) & np.isfinite(t)).all(axis=-1, keepdims=True)
    count = both.sum(axis=1, keepdims=True)
    some = np.where(count >= 3, count, np.nan)
    centre_p, centre_t = (np.where(both, points, 0).sum(axis=1, keepdims=True) / some for points in (p, t))
    usable = np.isfinite(some[:, 0, 0])
    from_p, from_t = (
        np.where(both & usable[:, None, None], points - c, 0) for points, c in ((p, centre_p), (t, centre_t))
    )
    u, singular, vt = np.linalg.svd(np.swapaxes(from_t, 1, 2) @ from_p)
    signs = np.ones_like(singular)
    signs[:, -1] = np.where(np.linalg.det(u) * np.linalg.det(vt) < 0, -1, 1)
    rotation = (u * signs[:, None]) @ vt
    spread = (from_p**2).sum(axis=(1, 2))
    scale = (singular * signs).sum(axis=1) / np.where(spread > 0, spread, np.nan)
    aligned: FloatArray = scale[:, None, None] * ((p - centre_p) @ np.swapaxes(rotation, 1, 2)) + centre_t
    return aligned


def bone_lengths(points: npt.ArrayLike) -> FloatArray:
    """(…, 20) length of each of `BONES`, wrist to CMC or MCP and so on to the tips, in the unit of the points."""
    p = np.asarray(points, np.float64)
    parents, children = np.array(BONES).T
    length: FloatArray = np.linalg.norm(p[..., children, :] - p[..., parents, :], axis=-1)
    return length


def bone_length_error_mm(predicted_m: npt.ArrayLike, true_m: npt.ArrayLike) -> FloatArray:
    """(n, 20) |length predicted − length true| in millimetres; NaN where an end has no label."""
    difference: FloatArray = MM_PER_M * np.abs(bone_lengths(predicted_m) - bone_lengths(true_m))
    return difference
