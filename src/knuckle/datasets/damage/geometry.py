"""Damage that the numbers of a label show, without its image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from knuckle.datasets.damage.finding import Finding, Kind
from knuckle.datasets.labels import LabelledHand, Shot, Visibility
from knuckle.metrics import iou_matrix
from knuckle.results import FINGERS, HAND_CONNECTIONS, FloatArray, HandLandmark

Flags = npt.NDArray[np.bool_]
# The length of each bone of `HAND_CONNECTIONS` in palm sizes: medians of the world landmarks of 83 hands in photos.
PALM_BONES = (0.42, 1.05, 0.24, 0.24, 0.24, 0.86)
FINGER_BONES = (0.32, 0.38, 0.29, 0.30, 0.24, 0.28, 0.34, 0.28, 0.25, 0.31, 0.26, 0.24, 0.26, 0.24, 0.21)
BONE_LENGTHS = np.array(PALM_BONES + FINGER_BONES)
BONES = np.array(HAND_CONNECTIONS)
# A bone may look short, since it points at the camera, but not longer than the hand is large. On the 83 hands the bones
# of a point were up to 1.16 times as long as the third longest of the other bones says.
TOO_LONG = 1.5
BEYOND = 0.02  # share of the image by which a box may reach beyond its edge
BESIDE = 0.1  # share of the box by which points may lie beside it
SAME_HAND_IOU, SAME_HAND_POINTS = 0.8, 0.05  # overlap of boxes; mean distance of points as a share of the hand


def findings_of(shot: Shot) -> Iterator[Finding]:
    """What the labels of an image contradict: its size, each other, or the anatomy of a hand."""
    hands = shot.hands or ()
    for number, hand in enumerate(hands):
        for kind, text in (*off_image(hand, shot.size), *within_hand(hand)):
            yield Finding(kind, text, shot.source, shot, number)
    for (first, one), (second, other) in combinations(enumerate(hands), 2):
        if is_same_hand(one, other):
            text = f"it is the same as hand {first + 1}"
            yield Finding("hand labelled twice", text, shot.source, shot, second)


def off_image(hand: LabelledHand, size: tuple[int, int] | None) -> Iterator[tuple[Kind, str]]:
    """Boxes and visible points beyond the edges of an image (width, height)."""
    if size is None:
        return
    limit = np.array(size, float)
    if hand.box is not None:
        beyond = np.concatenate([-hand.box[:2], hand.box[2:] - limit]) / np.tile(limit, 2)
        if beyond.max() > BEYOND:
            edges = np.round(hand.box.astype(float)).astype(int).tolist()
            yield "box off the image", f"the box {edges} reaches beyond the {size[0]} × {size[1]} image"
    if hand.landmarks is not None:
        known = np.isfinite(hand.landmarks[:, :2]).all(axis=1)
        margin = BEYOND * limit
        points = hand.landmarks[:, :2]
        out = np.asarray(((points < -margin) | (points > limit + margin)).any(axis=1) & known)
        seen = out if hand.visibility is None else out & (hand.visibility == Visibility.VISIBLE)
        if out.sum() > 0.5 * known.sum():
            yield "points off the image", f"{out.sum()} of {known.sum()} points lie beyond the edges"
        elif hand.visibility is not None and seen.any():
            yield "points off the image", f"{named(seen)} is labelled as visible beyond the edges"


def within_hand(hand: LabelledHand) -> Iterator[tuple[Kind, str]]:
    """Points that do not fit their box, or no hand."""
    if hand.landmarks is None:
        return
    points = hand.landmarks[:, :2].astype(float)
    known = np.isfinite(points).all(axis=1)
    if hand.box is not None and known.any():
        slack = BESIDE * (hand.box[2:] - hand.box[:2])
        out = ((points < hand.box[:2] - slack) | (points > hand.box[2:] + slack)).any(axis=1) & known
        if out.sum() > 0.25 * known.sum():
            yield "points beside the box", f"{out.sum()} of {known.sum()} points lie outside of the hand's box"
    yield from on_one_spot(points, known)
    if known.sum() < 12:
        return
    wrong, times = longest_bones(points)
    if times > TOO_LONG:
        name = named(np.arange(21) == wrong)
        yield "impossible bone", f"the bones of {name} are {times:.1f} times too long for this hand"


def wrong_order(shots: Sequence[Shot]) -> Iterator[Finding]:
    """Most hands of a dataset have fingers that run from the tip to the base. A single one may be a fist."""
    whole = [
        (shot, number, hand.landmarks)
        for shot in shots
        for number, hand in enumerate(shot.hands or ())
        if hand.landmarks is not None and np.isfinite(hand.landmarks[:, :2]).all()
    ]
    turned = [found for found in whole if reversed_fingers(found[2][:, :2].astype(float)) >= 3]
    if len(turned) >= 3 and len(turned) > 0.5 * len(whole):
        for shot, number, _ in turned:
            text = "its fingers run from the tip to the base, as those of most hands here: is this another order?"
            yield Finding("order of joints", text, shot.source, shot, number)


def on_one_spot(points: FloatArray, known: Flags) -> Iterator[tuple[Kind, str]]:
    """Three or more points at the same place, as after an export that filled gaps."""
    places, counts = np.unique(points[known].round(1), axis=0, return_counts=True)
    if len(places) and counts.max() >= 3:
        x, y = places[counts.argmax()]
        yield "points on one spot", f"{counts.max()} points lie at {x:.0f}, {y:.0f}"


def longest_bones(points: FloatArray) -> tuple[int, float]:
    """The point whose bones are the most too long, and how many times.

    Args:
        points: (21, 2) pixels; NaN where not labelled.
    """
    scales = np.linalg.norm(points[BONES[:, 0]] - points[BONES[:, 1]], axis=1) / BONE_LENGTHS
    known, worst = np.isfinite(scales), (0, 0.0)
    for joint in range(21):
        own = (np.int64(joint) == BONES).any(axis=1) & known
        others = np.sort(scales[~own & known])
        if own.any() and len(others) >= 8:
            worst = max(worst, (joint, float(scales[own].min() / max(others[-3], 1e-6))), key=lambda found: found[1])
    return worst


def reversed_fingers(points: FloatArray) -> int:
    """The number of fingers whose way from the wrist is shorter when their joints are taken from the other end."""

    def length(chain: tuple[int, ...]) -> float:
        return float(np.linalg.norm(np.diff(points[[0, *chain]], axis=0), axis=1).sum())

    return sum(length(finger[::-1]) < 0.8 * length(finger) for finger in FINGERS.values())


def is_same_hand(one: LabelledHand, other: LabelledHand) -> bool:
    """Whether two labels of an image mean one hand."""
    if one.landmarks is not None and other.landmarks is not None:
        away = np.linalg.norm(one.landmarks[:, :2] - other.landmarks[:, :2], axis=1)
        away = away[np.isfinite(away)]
        side = 0.0 if one.extent is None else float((one.extent[2:] - one.extent[:2]).max())
        return bool(len(away) >= 5 and away.mean() < SAME_HAND_POINTS * side)
    if one.extent is None or other.extent is None:
        return False
    return bool(iou_matrix(one.extent[None], other.extent[None])[0, 0] > SAME_HAND_IOU)


def named(which: Flags) -> str:
    """The first of these points by its name, and how many more there are."""
    numbers = np.flatnonzero(which)
    more = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
    return HandLandmark(int(numbers[0])).name.lower().replace("_", " ") + more
