"""Hands that were shown close to a camera, cut out and pasted small into rooms and in front of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knuckle.datasets.labels import LabelledHand
from knuckle.extras import cv2
from knuckle.images import Image
from knuckle.results import HAND_CONNECTIONS, FloatArray
from knuckle.train.augment import backlit
from knuckle.train.compose.cutout import LONGEST_PX, Random, grab_cut, largest_part, moved, warp_cutout

Mask = npt.NDArray[np.bool_]
CUT_SIDE = 160  # the longer side of a hand's photo while it is cut out, pixels
BACKLIT = 0.2  # share of hands with the light behind them
SMALLEST, LARGEST = 0.05, 0.45  # a hand's longer side, relative to the picture's
MOST_OUTLINE = 0.12  # share of the outline of the search area that the hand may touch
ATTEMPTS = 10  # random positions of a hand in a picture


@dataclass(frozen=True)
class CutHand:
    """A hand without its background: photo (h, w, 3), mask (h, w) 255 or 0, and its label in their pixels."""

    photo: Image
    mask: Image
    hand: LabelledHand


def resized(photo: Image, hands: Sequence[LabelledHand], side: int = LONGEST_PX) -> tuple[Image, list[LabelledHand]]:
    """The photo with its longer side `side` pixels long, and its hands."""
    size = side / max(photo.shape[:2])
    picture = cv2.resize(photo, None, fx=size, fy=size, interpolation=cv2.INTER_AREA if size < 1 else cv2.INTER_LINEAR)
    return np.asarray(picture, np.uint8), [moved(hand, _resizing(size)) for hand in hands]


def _resizing(size: float) -> FloatArray:
    """The (2, 3) affine of `cv2.resize`; pixel centres are at integers."""
    return np.array([[size, 0, (size - 1) / 2], [0, size, (size - 1) / 2]])


def cut_out_hand(photo: Image, hand: LabelledHand) -> CutHand | None:
    """A hand and its arm; None if the photo cuts the hand off, or if its edge is not found."""
    size = CUT_SIDE / max(photo.shape[:2])
    photo = np.asarray(cv2.resize(photo, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC), np.uint8)
    hand = moved(hand, _resizing(size))
    assert hand.landmarks is not None
    points = hand.landmarks[:, :2]
    if (points < 0).any() or (points >= photo.shape[1::-1]).any():
        return None
    surely, near = _around_bones(points, photo.shape[:2])
    if near.all():
        return None
    guess = np.where(surely, cv2.GC_FGD, np.where(near, cv2.GC_PR_FGD, cv2.GC_BGD)).astype(np.uint8)
    found = largest_part(grab_cut(photo, guess, iterations=4).astype(np.uint8))
    # If GrabCut fails, the cut-out fills the search area up to its outline.
    outline = near & (cv2.erode(near.astype(np.uint8), np.ones((3, 3)), borderValue=1) == 0)
    if found[surely].mean() < 0.99 or found[outline].mean() > MOST_OUTLINE:
        return None
    return CutHand(photo, np.where(found, 255, 0).astype(np.uint8), hand)


def _around_bones(points: FloatArray, size: tuple[int, ...]) -> tuple[Mask, Mask]:
    """(height, width) where the hand certainly is, and where it and its arm may be."""
    surely, near = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    palm = float(np.linalg.norm(points[9] - points[0]))

    def line(into: Image, start: FloatArray, stop: FloatArray, width: float) -> None:
        first, last = np.rint([start, stop]).astype(int).tolist()
        cv2.line(into, first, last, 1, max(1, round(width * palm)))

    for a, b in HAND_CONNECTIONS:
        line(surely, points[a], points[b], 0.08)
        line(near, points[a], points[b], 0.5)
    line(near, points[0], points[0] + 3 * (points[0] - points[[5, 9, 13, 17]].mean(axis=0)), 0.9)
    return surely > 0, near > 0


def paste_hand(
    picture: Image, hands: Sequence[LabelledHand], cut: CutHand, rng: Random, backlit_share: float = BACKLIT
) -> tuple[Image, list[LabelledHand]]:
    """The picture with one more hand, at a random size, angle and position that touches no other hand.

    If ten positions are all taken, the picture stays as it is.
    """
    assert cut.hand.landmarks is not None
    points = cut.hand.landmarks[:, :2]
    height, width = picture.shape[:2]
    share = float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST))))
    scale = share * max(height, width) / float(np.ptp(points, axis=0).max())
    mirrored = bool(rng.random() < 0.5)
    angle = float(rng.normal(0, 0.5)) if rng.random() < 0.7 else float(rng.uniform(-np.pi, np.pi))
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    for _ in range(ATTEMPTS):
        centre = rng.uniform(0.04, 0.96, 2) * (width, height)
        affine = np.column_stack([linear, centre - linear @ points.mean(axis=0)])
        hand = moved(cut.hand, affine)
        if not any(touches(hand, other) for other in hands):
            return blend(picture, cut, affine, rng, backlit_share), [*hands, hand]
    return picture, list(hands)


def blend(picture: Image, cut: CutHand, affine: FloatArray, rng: Random, backlit_share: float = BACKLIT) -> Image:
    """Lay a cut-out over a picture, in the light of the place with random changes, or backlit.

    Args:
        affine: (2, 3) picture from the cut-out.
    """
    hand, cover = warp_cutout(cut.photo, cut.mask, affine, (picture.shape[1], picture.shape[0]))
    there = cover[..., 0] > 0.5
    if not there.any():
        return picture
    if rng.random() < backlit_share:
        hand, picture = backlit(np.asarray(hand, np.uint8), there.astype(np.uint8) * 255, picture, rng)
        return np.asarray(np.rint(hand * cover + picture * (1 - cover)), np.uint8)
    place = cv2.blur(picture, (81, 81))[there].mean(axis=0)
    light = (place.mean() / max(float(hand[there].mean()), 1.0)) ** rng.uniform(0, 0.5)
    light = float(np.clip(light * np.exp(rng.normal(-0.15, 0.3)), 0.2, 1.6))
    tint = np.exp(rng.normal(0, 0.05, 3))
    shown = np.clip(hand * (light * tint), 0, 255)
    return np.asarray(np.rint(shown * cover + picture * (1 - cover)), np.uint8)


def touches(one: LabelledHand, other: LabelledHand) -> bool:
    """Whether the boxes of two hands touch, after enlarging them by a quarter."""
    (a0, a1), (b0, b1) = _enlarged_box(one), _enlarged_box(other)
    return bool(((a0 < b1) & (b0 < a1)).all())


def _enlarged_box(hand: LabelledHand) -> tuple[FloatArray, FloatArray]:
    """The corners (2,) of a hand's box, enlarged by a quarter; the box of the landmarks if there are any."""
    if hand.landmarks is not None:
        low, high = hand.landmarks[:, :2].min(axis=0), hand.landmarks[:, :2].max(axis=0)
    else:
        assert hand.box is not None
        low, high = np.asarray(hand.box[:2], float), np.asarray(hand.box[2:], float)
    return low - (high - low) / 8, high + (high - low) / 8
