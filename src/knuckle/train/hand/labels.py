"""What the landmark network should predict for one crop: every label with a weight, 0 where nobody labelled it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from knuckle.datasets.labels import CORRECTED_WEIGHT, LabelledHand, Visibility
from knuckle.geometry import apply
from knuckle.metrics import palm_size
from knuckle.pipeline.hand import Z_SCALE, roi_from_landmarks
from knuckle.results import FINGERTIPS, HAND_POINTS, ExtraPoints, FloatArray, PointSet, Roi
from knuckle.train.augment import world_in_crop

Flags = npt.NDArray[np.bool_]

# A crop holds a hand if it shows at least PRESENT of its landmarks, and no hand below ABSENT. In between, and where
# fewer than SHOWN of the landmarks in the crop are visible, presence is not learned. The back of a fist
# shows more landmarks than that.
PRESENT, ABSENT, SHOWN = 0.6, 0.2, 0.15
NEAR = 0.25  # landmarks are learned up to this share of the side outside the crop
TIPS = list(FINGERTIPS)
PALM_POINTS = [0, 5, 9, 13, 17]
TIP_WEIGHT, HIDDEN_WEIGHT = 1.5, 0.5  # users look at fingertips; hidden points can only be guessed
LEAST_POINTS, LEAST_PX = 12, 8  # hands with fewer labelled landmarks, or smaller ones, are not trained on
LEAST_PALM = 0.08  # palm size used as the unit of errors, at least; share of the side


def for_points(hand: LabelledHand, points: PointSet) -> LabelledHand:
    """The labels of a hand in the rows of a set: its arrays have a row for each point of the set instead of 21."""
    if points.is_usual or hand.landmarks is None:
        return hand
    standard, unlabelled = points.standard, np.full((0, 3), np.nan, np.float32)
    extra = (hand.extra or ExtraPoints((), unlabelled, unlabelled)).chosen(points.extra_names)
    seen = np.full(len(extra), Visibility.UNKNOWN, np.uint8) if extra.visibility is None else extra.visibility
    visibility, corrected = hand.visibility, hand.corrected
    return replace(
        hand,
        landmarks=np.concatenate([hand.landmarks[standard], extra.landmarks[:, : hand.landmarks.shape[1]]]),
        world=None if hand.world is None else np.concatenate([hand.world[standard], extra.world]),
        visibility=None if visibility is None else np.concatenate([visibility[standard], seen]),
        corrected=None if corrected is None else np.concatenate([corrected[standard], np.zeros(len(extra), bool)]),
    )


def labelled_points(hand: LabelledHand) -> Flags:
    """(K,) which landmarks are labelled: 21, or those of `for_points`."""
    if hand.landmarks is None:
        return np.zeros(21, bool)
    return np.asarray(np.isfinite(hand.landmarks[:, :2]).all(axis=1))


def is_trainable(hand: LabelledHand) -> bool:
    """Whether enough of a hand is labelled, and it is large enough."""
    known = labelled_points(hand)
    if hand.landmarks is None or known.sum() < LEAST_POINTS:
        return False
    return bool(np.ptp(hand.landmarks[known, :2], axis=0).max() >= LEAST_PX)


def region_of(hand: LabelledHand, joints: tuple[int, int, int]) -> Roi:
    """The region that the tracker would crop for these landmarks; missing ones are replaced by the mean of the others.

    Args:
        joints: the joints that define the direction of the hand, see `roi_from_landmarks`.
    """
    assert hand.landmarks is not None
    points = hand.landmarks[:, :2].astype(np.float32)
    known = labelled_points(hand)
    points[~known] = points[known].mean(axis=0)
    return roi_from_landmarks(points, joints)


def labels_without_hand(points: PointSet = HAND_POINTS) -> dict[str, FloatArray]:
    """The labels of a crop without a hand: only its absence is known."""
    zeros = np.zeros(len(points), np.float32)
    return {
        "landmarks": np.zeros((len(points), 3), np.float32),
        "landmark_weight": zeros,
        "z_weight": zeros.copy(),
        "palm_size": scalar(1),
        "world": np.zeros((len(points), 3), np.float32),
        "world_weight": zeros.copy(),
        "presence": scalar(0),
        "presence_weight": scalar(1),
        "handedness": scalar(0),
        "handedness_weight": scalar(0),
        "visibility": zeros.copy(),
        "visibility_weight": zeros.copy(),
    }


def labels_in_crop(
    hand: LabelledHand, roi: Roi, affine: FloatArray, side: int, mirrored: bool, points: PointSet = HAND_POINTS
) -> dict[str, FloatArray]:
    """The labels of a hand in a crop: the inverse of `HandLandmarker.decode`.

    Args:
        roi: the region that was cropped.
        affine: (2, 3) crop from image.
        side: side of the crop, pixels.
        mirrored: whether the affine mirrors.
        points: the K points to learn.

    Returns:
        landmarks (K, 3): x and y in crop pixels, z in the network's scale. world (K, 3): metres about the mean of those
        of the 21. presence, handedness (1,): 0 or 1; visibility (K,): 0 or 1. palm_size (1,): crop pixels. Each with a
        NAME_weight: (K,) for world and visibility; z has its own, z_weight, and landmarks have landmark_weight (K,).
    """
    assert hand.landmarks is not None
    all_known = labelled_points(hand)
    all_xy = apply(affine, np.where(all_known[:, None], hand.landmarks[:, :2], 0).astype(np.float64))
    unit = error_unit_px(all_xy, all_known)
    hand = for_points(hand, points)
    assert hand.landmarks is not None
    known = labelled_points(hand)
    out = labels_without_hand(points)
    xy = apply(affine, np.where(known[:, None], hand.landmarks[:, :2], 0).astype(np.float64))
    out["landmarks"][:, :2] = xy
    inside = ((xy >= 0) & (xy < side)).all(axis=1) & known
    near = ((xy >= -NEAR * side) & (xy < (1 + NEAR) * side)).all(axis=1) & known
    out["landmark_weight"] = near.astype(np.float32)
    out["landmark_weight"][list(points.tips)] *= TIP_WEIGHT
    if hand.visibility is not None:
        out["landmark_weight"][hand.visibility == Visibility.HIDDEN] *= HIDDEN_WEIGHT
    if hand.corrected is not None:
        out["landmark_weight"][hand.corrected] *= CORRECTED_WEIGHT
    if hand.landmarks.shape[1] == 3:
        z_known = known & np.isfinite(hand.landmarks[:, 2])
        out["landmarks"][:, 2] = np.where(z_known, hand.landmarks[:, 2], 0) * (side / roi.size) * Z_SCALE
        out["z_weight"] = np.where(z_known, out["landmark_weight"], np.float32(0))
    out["palm_size"] = scalar(max(unit, LEAST_PALM * side))
    if hand.world is not None and np.isfinite(hand.world).any():
        world = world_in_crop(hand.world, roi, mirrored, len(points.standard)).astype(np.float32)
        out["world_weight"] = np.asarray(np.isfinite(world).all(axis=1), np.float32)
        out["world"] = np.nan_to_num(world)
    share, shown = inside.sum() / max(1, known.sum()), _visible_share(hand, inside)
    is_present = share >= PRESENT and shown >= SHOWN
    out["presence"] = scalar(is_present)
    out["presence_weight"] = scalar(is_present or share <= ABSENT or shown == 0)
    if shown < SHOWN:  # an object covers the hand, whose position can only be guessed
        for name in ("landmark_weight", "z_weight", "world_weight"):
            out[name] = np.zeros_like(out[name])
    if hand.handedness is not None:
        out["handedness"] = scalar((hand.handedness == "Right") != mirrored)
        out["handedness_weight"] = scalar(share >= PRESENT)
    if hand.visibility is not None:
        out["visibility"] = ((hand.visibility == Visibility.VISIBLE) & inside).astype(np.float32)
        told = ((hand.visibility != Visibility.UNKNOWN) & known) | (hand.visibility == Visibility.ABSENT)
        out["visibility_weight"] = told.astype(np.float32)  # a point that the hand does not have is never visible
    return out


def _visible_share(hand: LabelledHand, inside: Flags) -> float:
    """The share of visible landmarks among those inside the crop; 1 if their visibility is not labelled."""
    if hand.visibility is None:
        return 1.0
    codes = hand.visibility[inside]
    codes = codes[codes != Visibility.UNKNOWN]
    return float((codes == Visibility.VISIBLE).mean()) if len(codes) else 1.0


def error_unit_px(xy: FloatArray, known: Flags) -> float:
    """What training divides errors by: the palm size, but at least 0.7 times the span of the wrist and the finger MCPs.

    When the fingers point at the camera, the palm size (`metrics.palm_size`) is nearly 0, and the errors of such a hand
    would outweigh all others.

    Args:
        xy: (21, 2) crop pixels. known: (21,) which of them are labelled.
    """
    points = xy[PALM_POINTS][known[PALM_POINTS]]
    span = float(np.ptp(points, axis=0).max()) if len(points) > 1 else 0.0
    length = float(palm_size(xy)) if known[0] and known[9] else 0.0
    return max(length, 0.7 * span)


def scalar(value: float) -> FloatArray:
    """A single label: (1,) float32."""
    return np.array([value], np.float32)
