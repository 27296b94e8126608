"""Damage that the landmark network sees: it finds another side, or the points elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from knuckle.datasets.damage.finding import Finding
from knuckle.datasets.labels import LabelledHand, Shot
from knuckle.images import Image
from knuckle.pipeline.hand import HandLandmarker, roi_from_landmarks
from knuckle.pipeline.networks import Networks
from knuckle.pipeline.options import TrackerOptions
from knuckle.results import FloatArray, Hand, Roi

SURE_OF_HAND, SURE_OF_SIDE = 0.9, 0.8
ELSEWHERE = 0.3  # mean distance of the points, as a share of the hand


def findings_seen(shot: Shot, image: Image, networks: Networks) -> Iterator[Finding]:
    """The hands of an image that the network, and its view of the mirror image, see otherwise than the labels.

    Only hands with all points labelled are looked at, and only those that the network surely sees both times.
    """
    whole = {
        number: hand
        for number, hand in enumerate(shot.hands or ())
        if hand.landmarks is not None and np.isfinite(hand.landmarks[:, :2]).all()
    }
    if not whole:
        return
    landmarker = networks.hand_landmarker(networks.completed(TrackerOptions()))
    regions = [roi_from_landmarks(points_of(hand)) for hand in whole.values()]
    views = zip(landmarker.read(image, regions), read_mirrored(image, regions, landmarker), strict=True)
    for (number, label), roi, (view, mirrored) in zip(whole.items(), regions, views, strict=True):
        if min(view.presence, mirrored.presence) < SURE_OF_HAND:
            continue
        other = {"Left": "Right", "Right": "Left"}[mirrored.handedness]
        sure = min(view.handedness_score, mirrored.handedness_score) > SURE_OF_SIDE
        if label.handedness and sure and view.handedness == other != label.handedness:
            text = f"it is labelled {label.handedness}, and looks like a {other.lower()} hand"
            yield Finding("swapped side", text, shot.source, shot, number)
        if (away := distance(points_of(label), view, roi)) > ELSEWHERE:
            text = f"the network sees the points {100 * away:.0f} % of the hand away on average"
            yield Finding("points elsewhere", text, shot.source, shot, number)


def read_mirrored(image: Image, regions: Sequence[Roi], landmarker: HandLandmarker) -> list[Hand]:
    """The hands in regions of an image as its mirror image shows them there, in pixels of the mirror image."""
    turned = [replace(roi, x=image.shape[1] - 1 - roi.x, angle_rad=-roi.angle_rad) for roi in regions]
    return landmarker.read(np.ascontiguousarray(image[:, ::-1]), turned)


def points_of(hand: LabelledHand) -> FloatArray:
    """(21, 2) pixels of a hand with landmarks."""
    assert hand.landmarks is not None
    return np.asarray(hand.landmarks[:, :2], np.float32)


def distance(points: FloatArray, view: Hand, roi: Roi) -> float:
    """Mean distance of the points of a label and of a view, as a share of the hand (half of its region)."""
    return float(np.linalg.norm(points - view.landmarks[:, :2], axis=1).mean() / (0.5 * roi.size))
