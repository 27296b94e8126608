"""Errors of landmarks, in the image and in space.

NaN in the labels is a point without a label: its error is NaN, which does not count. NaN in a prediction is a point
that was not found: its error in the image is infinite, and in space it does not count.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from knuckle.results import FloatArray

BONES = tuple((0 if point % 4 == 1 else point - 1, point) for point in range(1, 21))  # parent, child: a tree
MM_PER_M = 1000.0


def palm_size(landmarks: npt.ArrayLike) -> FloatArray:
    """Distance of the wrist and the middle finger's MCP joint in the image, (…,): the unit of the errors below.

    Zhang et al. (2020), "MediaPipe Hands: on-device real-time hand tracking", section 4. NaN if one has no label. The
    tracker and the training use other sizes of a palm, which stay large when the fingers point at the camera: see
    "palm size" in docs/glossary.md.

    Args:
        landmarks: (…, 21, 2 or more) pixels.
    """
    points = np.asarray(landmarks, np.float64)
    size: FloatArray = np.hypot(*np.moveaxis(points[..., 9, :2] - points[..., 0, :2], -1, 0))
    return size


def normalised_error(predicted: npt.ArrayLike, true: npt.ArrayLike, size: npt.ArrayLike) -> FloatArray:
    """Distance in the image by palm size, ‖p − t‖ / size, (n, k): NaN without a label, inf for a point not found.

    The mean in percent is the "MSE" of Zhang et al. (2020), tables 1 to 3, and the "mean normalised absolute error" of
    the model card. Their values agree: despite its name the former has no square in it.

    Args:
        predicted, true: (n, k, 2 or more) pixels; only x and y count.
        size: (n,) palm size of the labelled hand in pixels; without it the error is NaN.
    """
    p, t = np.asarray(predicted, np.float64)[..., :2], np.asarray(true, np.float64)[..., :2]
    by = np.asarray(size, np.float64).reshape(-1, 1)
    by = np.where(by > 0, by, np.nan)
    distance = np.hypot(*np.moveaxis(p - t, -1, 0)) / by
    labelled = np.isfinite(t).all(axis=-1) & np.isfinite(by)
    return np.where(labelled, np.where(np.isfinite(distance), distance, np.inf), np.nan)


def sum_and_count(values: npt.ArrayLike) -> tuple[float, int]:
    """Sum and number of the finite values; their ratio is the mean error of the points that were found."""
    numbers = np.asarray(values, np.float64)
    finite = numbers[np.isfinite(numbers)]
    return float(finite.sum()), finite.size


def median_error(errors: npt.ArrayLike) -> float:
    """Median over all labelled points. A point that was not found is worse than any other; inf if half were not."""
    values = np.asarray(errors, np.float64)
    labelled = np.sort(values[~np.isnan(values)])
    if not labelled.size:
        return float("nan")
    low, high = labelled[(labelled.size - 1) // 2], labelled[labelled.size // 2]
    return float(low if low == high else (low + high) / 2)


def pck(errors: npt.ArrayLike, thresholds: npt.ArrayLike) -> FloatArray:
    """Share of the labelled points with an error up to each threshold, (t,), 0..1.

    Points that were not found count as wrong at every threshold.
    "Percentage of correct keypoints": Yang & Ramanan (2013), "Articulated human detection with flexible mixtures of
    parts"; Simon et al. (2017) for hands.
    """
    values = np.asarray(errors, np.float64)
    labelled = np.sort(values[~np.isnan(values)])
    limits = np.asarray(thresholds, np.float64)
    if not labelled.size:
        return np.full(limits.shape, np.nan)
    return np.searchsorted(labelled, limits, side="right") / labelled.size


def pck_area(errors: npt.ArrayLike, reach: float) -> FloatArray:
    """Each error's part in the area under the PCK curve from 0 to `reach`, in the shape of the errors.

    max(1 − e / reach, 0): 1 without error, 0 for a point not found, NaN without a label. The mean over the labelled
    points is the area under the curve divided by its width, the AUC of Zimmermann & Brox (2017), "Learning to estimate
    3D hand pose from single RGB images", section 6. An AUC has no meaning without its `reach`: report both.
    """
    part: FloatArray = np.maximum(1 - np.asarray(errors, np.float64) / reach, 0)
    return part


def mpjpe_mm(predicted_m: npt.ArrayLike, true_m: npt.ArrayLike, root: int | None = 0) -> FloatArray:
    """Mean per joint position error of each hand in millimetres, (n,): 1/k Σ ‖p − t‖ with both roots at the origin.

    Ionescu et al. (2014), "Human3.6M", eq. 8; for hands with the wrist as root as in InterHand2.6M (Moon et al. 2020).
    Points without a label do not count; a hand without a root is NaN.

    Args:
        predicted_m, true_m: (n, k, 3) metres.
        root: the joint at the origin; None compares the points as they are.
    """
    p, t = np.asarray(predicted_m, np.float64), np.asarray(true_m, np.float64)
    if root is not None:
        p, t = p - p[:, root : root + 1], t - t[:, root : root + 1]
    return MM_PER_M * _mean_distance(p, t)


def pa_mpjpe_mm(predicted_m: npt.ArrayLike, true_m: npt.ArrayLike) -> FloatArray:
    """MPJPE of each hand after the best rotation, shift and scale of the prediction, (n,): the error of the pose alone.

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
    """The predictions rotated, scaled and shifted to lie nearest to the labels, min Σ ‖s R p + b − t‖², (n, k, d).

    Umeyama (1991), "Least-squares estimation of transformation parameters between two point patterns", eq. 39 to 43. R
    is a rotation, so a left hand does not become a right one. Points with NaN in either do not take part and stay NaN.
    A hand is NaN if all its points coincide or fewer than 3 are known.
    """
    p, t = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if not len(p):
        return p
    both = (np.isfinite(p) & np.isfinite(t)).all(axis=-1, keepdims=True)
    count = both.sum(axis=1, keepdims=True)
    some = np.where(count >= 3, count, np.nan)
    centre_p = np.where(both, p, 0).sum(axis=1, keepdims=True) / some
    centre_t = np.where(both, t, 0).sum(axis=1, keepdims=True) / some
    usable = np.isfinite(some[:, 0, 0])
    counts = both & usable[:, None, None]
    from_p, from_t = np.where(counts, p - centre_p, 0), np.where(counts, t - centre_t, 0)
    u, singular, vt = np.linalg.svd(np.swapaxes(from_t, 1, 2) @ from_p)
    signs = np.ones_like(singular)
    signs[:, -1] = np.where(np.linalg.det(u) * np.linalg.det(vt) < 0, -1, 1)
    rotation = (u * signs[:, None]) @ vt
    spread = (from_p**2).sum(axis=(1, 2))
    scale = (singular * signs).sum(axis=1) / np.where(spread > 0, spread, np.nan)
    aligned: FloatArray = scale[:, None, None] * ((p - centre_p) @ np.swapaxes(rotation, 1, 2)) + centre_t
    return aligned


def bone_lengths(points: npt.ArrayLike) -> FloatArray:
    """Length of each of `BONES` in the unit of the points, (…, 20): from the wrist to CMC or MCP, on to the tips."""
    p = np.asarray(points, np.float64)
    parents, children = np.array(BONES).T
    length: FloatArray = np.linalg.norm(p[..., children, :] - p[..., parents, :], axis=-1)
    return length


def bone_length_error_mm(predicted_m: npt.ArrayLike, true_m: npt.ArrayLike) -> FloatArray:
    """|length predicted − length true| of each bone in millimetres, (n, 20); NaN if an end has no label."""
    difference: FloatArray = MM_PER_M * np.abs(bone_lengths(predicted_m) - bone_lengths(true_m))
    return difference
