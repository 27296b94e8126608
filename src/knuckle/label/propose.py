"""What the tracker sees in a photo before a person corrects it, and how far its views disagree."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from knuckle.datasets.hand_json import hand_to_json
from knuckle.datasets.labels import LabelledHand, Visibility
from knuckle.images import Image
from knuckle.metrics import palm_size
from knuckle.pipeline.detect import detect
from knuckle.pipeline.hand import roi_from_landmarks, without_absent
from knuckle.pipeline.networks import Networks
from knuckle.pipeline.options import TrackerOptions
from knuckle.results import FloatArray, Hand, Roi

ANGLES_RAD = [math.tau * k / 12 for k in range(12)]
CLICK_SIZES = (0.2, 0.35, 0.6)  # sides of the boxes tried around a click; shares of the shorter side
AGREE = 0.35  # palm sizes: mean distance of the landmarks of two views that see the same hand
HIDDEN_BELOW = 0.5  # visibility
MAX_HANDS = 8
# An open right hand in its box, wrist down: where a hand begins that the network does not see.
OPEN_HAND = np.array(
    [(0.5, 1), (0.3, 0.9), (0.17, 0.77), (0.08, 0.66), (0, 0.57)]
    + [(0.33 + 0.14 * f, y + d) for f, d in enumerate((0.02, 0, 0.03, 0.12)) for y in (0.5, 0.3, 0.15, 0.0)],
    np.float32,
)


def propose(image: Image, networks: Networks) -> tuple[list[dict[str, Any]], float]:
    """The hands of a photo as labels to correct, and the doubt about them.

    The doubt is the mean over the hands of how far the photo and its mirror image disagree: the distance of the
    landmarks in palm sizes, 1 for a hand that only one of them shows, and 0.5 more for another side.
    """
    seen = detect(image, networks, max_hands=MAX_HANDS)
    mirror = np.ascontiguousarray(image[:, ::-1])
    others = [unmirrored(hand, image.shape[1]) for hand in detect(mirror, networks, max_hands=MAX_HANDS, mirrored=True)]
    doubts = []
    for hand in seen:
        near = min(others, key=lambda other: distance(hand, other), default=None)
        if near is None or distance(hand, near) > 1:
            doubts.append(1.0)
            continue
        others.remove(near)
        doubts.append(distance(hand, near) + 0.5 * (hand.handedness != near.handedness))
    doubts += [1.0] * len(others)
    return [as_label(hand) for hand in seen], float(np.mean(doubts)) if doubts else 0.0


def unmirrored(hand: Hand, width: int) -> Hand:
    """A hand of the mirror image in the pixels of the image."""
    landmarks = np.array(hand.rows("landmarks"))
    landmarks[:, 0] = width - 1 - landmarks[:, 0]
    return hand.with_rows({"landmarks": landmarks})


def distance(hand: Hand, other: Hand) -> float:
    """The mean distance of the landmarks of two hands, in palm sizes of the first."""
    away = np.nanmean(np.linalg.norm(hand.landmarks[:, :2] - other.landmarks[:, :2], axis=1))
    return float(away) / max(float(palm_size(hand.landmarks)), 1.0)


def as_label(hand: Hand) -> dict[str, Any]:
    """A hand of the tracker as a hand of our JSON lines."""
    visible = np.full(21, Visibility.VISIBLE, np.uint8)
    if hand.visibility is not None:
        visible[hand.visibility < HIDDEN_BELOW] = Visibility.HIDDEN
    visible[np.isnan(hand.landmarks[:, 0])] = Visibility.ABSENT
    extra = hand.extra
    if extra is not None:
        shown = np.ones(len(extra)) if extra.visibility is None else extra.visibility
        codes = np.where(shown < HIDDEN_BELOW, Visibility.HIDDEN, Visibility.VISIBLE).astype(np.uint8)
        extra = replace(extra, visibility=codes)
    label = LabelledHand(
        landmarks=hand.landmarks,
        world=hand.world,
        handedness=hand.handedness or None,
        visibility=visible,
        track_id=hand.track_id,
        extra=extra,
    )
    return hand_to_json(label)


def add_hand(image: Image, networks: Networks, place: FloatArray) -> tuple[dict[str, Any], bool]:
    """The hand at a place that a person shows, and whether the network sees one there.

    The place is looked at in twelve directions. Of the views that show a hand, the largest group that agrees gives the
    median. Without any, an open right hand in the place is returned, to be dragged into shape.

    Args:
        place: (2,) a click on the hand, or (4,) a box around it; image pixels.
    """
    boxes = boxes_around(place, image) if len(place) == 2 else [place]
    regions = [Roi.around(box.tolist(), angle) for box in boxes for angle in ANGLES_RAD]
    landmarker = networks.hand_landmarker(networks.completed(TrackerOptions()))
    found = [hand for hand in landmarker.gate(landmarker.read(image, regions)) if is_at(hand, place)]
    if not found:
        low, high = boxes[len(boxes) // 2].reshape(2, 2)
        hidden = np.full(21, Visibility.VISIBLE, np.uint8)
        points = (low + OPEN_HAND * (high - low)).astype(np.float32)
        return hand_to_json(LabelledHand(landmarks=points, handedness="Right", visibility=hidden)), False
    groups = [[other for other in found if distance(hand, other) < AGREE] for hand in found]
    group = max(groups, key=lambda hands: (len(hands), sum(hand.presence for hand in hands)))
    median = np.median(np.stack([hand.landmarks for hand in group]), axis=0)
    best = max(group, key=lambda hand: hand.presence)
    refined = landmarker.gate(landmarker.read(image, [roi_from_landmarks(median)]))
    chosen = refined[0] if refined and is_at(refined[0], place) else best
    return as_label(without_absent([chosen], landmarker.points)[0]), True


def boxes_around(point: FloatArray, image: Image) -> list[FloatArray]:
    """Square boxes of several sizes around a click."""
    halves = [share * min(image.shape[:2]) / 2 for share in CLICK_SIZES]
    return [np.concatenate([point - half, point + half]) for half in halves]


def is_at(hand: Hand, place: FloatArray) -> bool:
    """Whether a hand is where the person pointed: around the click, or with its middle in the box."""
    low, high = hand.landmarks[:, :2].min(axis=0), hand.landmarks[:, :2].max(axis=0)
    if len(place) == 2:
        slack = 0.2 * (high - low)
        return bool(((low - slack <= place) & (place <= high + slack)).all())
    middle = (low + high) / 2
    return bool(((place[:2] <= middle) & (middle <= place[2:])).all())
