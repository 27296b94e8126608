"""One hand read from several crops: where the readings agree, their median is the label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from knuckle.datasets.labels import LabelledHand
from knuckle.geometry import iou
from knuckle.images import Image
from knuckle.metrics import palm_size
from knuckle.pipeline.hand import HandLandmarker, roi_from_landmarks
from knuckle.pipeline.tracker import HandTracker
from knuckle.results import PALM_LANDMARKS, FloatArray, Frame, Hand, Handedness, Roi

ANGLES_DEG, SCALES = (-25, 0, 25), (0.85, 1.0, 1.2, 1.4)  # of the twelve views
SHIFT = 0.06  # of a view, at most; share of the side of the region
SAME_HAND = 0.4  # IoU from which two boxes belong to the same hand
PALM = list(PALM_LANDMARKS)
LEAST_PALM = 0.12  # palm size at least, as a share of the region; hands seen edge-on have nearly none


@dataclass(frozen=True)
class Agreement:
    """How well the readings of a hand must agree. Distances are in palm sizes.

    Attributes:
        views: number of views, of twelve, that must show a hand.
        palm_only: compare the seven points of the palm, not all landmarks.
        typical: largest distance of a point from the median over the views, for the median point.
        worst: the same for the worst point.
        one_handedness: all views must agree on left or right. Otherwise a hand on which they disagree has none.
    """

    views: int = 12
    palm_only: bool = False
    typical: float = 0.06
    worst: float = 0.24
    one_handedness: bool = True


LANDMARKS_AGREE = Agreement()
PALM_AGREES = Agreement(views=9, palm_only=True, worst=0.2, one_handedness=False)


def read_with_agreement(image: Image, roi: Roi, landmarker: HandLandmarker, rule: Agreement) -> Hand | None:
    """Read a hand from twelve views around a region, and return the median; None if they do not agree.

    The region is first refined twice, as the tracker does. A hand on whose side the views disagree has the handedness
    "".
    """
    for _ in range(2):
        hands = landmarker.gate(landmarker.read(image, [roi]))
        if not hands:
            return None
        roi = roi_from_landmarks(hands[0].landmarks)
    found = landmarker.gate(landmarker.read(image, views_of(roi)))
    sides = {hand.handedness for hand in found}
    if len(found) < rule.views or (rule.one_handedness and len(sides) > 1):
        return None
    points = np.stack([hand.landmarks for hand in found])
    median = np.median(points, axis=0).astype(np.float32)
    compared = PALM if rule.palm_only else list(range(21))
    away = np.linalg.norm(points[:, compared, :2] - median[compared, :2], axis=2)
    unit = palm_span(median) if rule.palm_only else max(float(palm_size(median)), LEAST_PALM * roi.size)
    if np.median(away) > rule.typical * unit or np.median(away, axis=0).max() > rule.worst * unit:
        return None
    world = np.median(np.stack([hand.world for hand in found]), axis=0).astype(np.float32)
    side = cast(Handedness, sides.pop() if len(sides) == 1 else "")  # "": the views disagree; see `label_of`
    hand: Hand = replace(hands[0], landmarks=median, landmarks_raw=median, world=world, roi=roi, handedness=side)
    return hand


def views_of(roi: Roi) -> list[Roi]:
    """Twelve rotated, scaled and shifted regions, always the same ones for the same region."""
    rng, views = np.random.default_rng(0), []
    for angle in ANGLES_DEG:
        for scale in SCALES:
            dx, dy = rng.uniform(-SHIFT, SHIFT, 2) * roi.size
            turned = roi.angle_rad + math.radians(angle)
            views.append(replace(roi, x=roi.x + dx, y=roi.y + dy, size=roi.size * scale, angle_rad=turned))
    return views


def palm_span(points: FloatArray) -> float:
    """The longer side of the upright box around the seven points of a palm, pixels.

    Palms are compared by their seven points, so this is their unit. Unlike `metrics.palm_size` it stays large when the
    fingers point at the camera.
    """
    return float(np.ptp(points[PALM, :2], axis=0).max())


def label_of(hand: Hand) -> LabelledHand:
    """A hand as a label."""
    return LabelledHand(landmarks=hand.landmarks, world=hand.world, handedness=hand.handedness or None)


def unsure(box: FloatArray) -> LabelledHand:
    """A region that may show hands without labels. It teaches neither hand nor background."""
    return LabelledHand(box=box, ignore=True)


def whole_photo(image: Image) -> LabelledHand:
    """The whole photo as such a region: somewhere in it there are hands that are not labelled."""
    return unsure(np.array([0.0, 0.0, image.shape[1], image.shape[0]]))


def track_both_ways(frames: Sequence[Frame], models: str, hands: int) -> list[tuple[list[Hand], list[Hand]]]:
    """For each frame of a clip the hands of a tracker that runs forwards, and of one that runs backwards.

    Args:
        models: a bundle.
        hands: number of hands that are tracked, at most.
    """
    forwards, backwards = (
        HandTracker(models=models, max_hands=hands, min_palm_score=0.4, search_every=1) for _ in range(2)
    )
    before = [forwards(frame.image, frame.time_s) for frame in frames]
    after = [backwards(frame.image, frames[-1].time_s - frame.time_s) for frame in reversed(frames)]
    return list(zip(before, after[::-1], strict=True))


def merge_directions(
    forwards: Sequence[Hand], backwards: Sequence[Hand], max_distance: float = 0.15
) -> list[LabelledHand]:
    """The labels of one frame, from a tracker that runs forwards through a clip and one that runs backwards.

    Where both agree on a palm, the mean of both hands is the label. The other hands become regions to ignore.

    Args:
        max_distance: largest mean distance between the points of two palms that agree, in palm spans.
    """
    known: list[LabelledHand] = []
    unmatched, alone = list(backwards), []
    for hand in forwards:
        near = min(unmatched, key=lambda other: palm_distance(hand, other), default=None)
        if near is None or palm_distance(hand, near) > max_distance:
            alone.append(hand)
            continue
        unmatched.remove(near)
        landmarks, world = (hand.landmarks_raw + near.landmarks_raw) / 2, (hand.world + near.world) / 2
        side = hand.handedness if hand.handedness == near.handedness else None
        known.append(LabelledHand(landmarks=landmarks, world=world, handedness=side))
    boxes: list[FloatArray] = []
    for hand in (*alone, *unmatched):
        if not overlaps(hand.box, boxes):
            boxes.append(hand.box)
    return known + list(map(unsure, boxes))


def overlaps(box: FloatArray, boxes: Sequence[FloatArray], min_iou: float = SAME_HAND) -> bool:
    """Whether a box overlaps one of some others by an IoU of at least `min_iou`."""
    return bool(boxes) and bool(iou(box, np.stack(boxes)).max() >= min_iou)


def palm_distance(hand: Hand, other: Hand) -> float:
    """The mean distance between the points of two palms, in spans of the first one."""
    palm, others = hand.landmarks_raw[PALM, :2], other.landmarks_raw[PALM, :2]
    return float(np.linalg.norm(palm - others, axis=1).mean()) / max(palm_span(hand.landmarks_raw), 1.0)
