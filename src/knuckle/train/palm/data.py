"""Training samples of the palm detector: whole pictures with all their hands, and the targets of each anchor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from knuckle.datasets.labels import LabelledHand, Shot, Visibility, palm_of
from knuckle.extras import cv2
from knuckle.geometry import apply
from knuckle.images import Image
from knuckle.results import PALM_LANDMARKS, FloatArray
from knuckle.train import augment, sources
from knuckle.train.augment import PhotometricAugment, Random
from knuckle.train.palm.targets import HAND_PER_PALM, AnchorGrid, AnchorTargets, targets
from knuckle.train.pictures import open_cached
from knuckle.train.sources import Source

KEY_POINTS = list(PALM_LANDMARKS)
# Sides of palms relative to the picture: hands of 5 % to 80 % of the picture, whose palms are 0.4 to 0.7 of them.
SMALLEST, LARGEST = 0.022, 0.6
LEAST_SHOWN = 0.7  # with this share of its key points or its box in view a palm must be found; with less it may be
LEAST_VISIBLE = 0.25  # with this share of its landmarks not occluded a hand must be found; with fewer it may be
MOSAIC = 0.2  # share of samples that are composed of four or nine pictures
AT_A_HAND = 0.8  # share of views that are placed around one of the hands
ANY_ANGLE = 0.4  # share of views with a random rotation; the others are nearly upright, like most pictures
OUT_OF_PHOTO = 0.15  # how far a view may reach beyond a photo that could fill it; share of the side
MOST_ENLARGED = 2.5  # more enlarged hands are only blurs
LEAST_COVERED = 0.6  # side of the photo in the view, at least; smaller photos would be stamps on black
FAR_PALM, FAR_LOOK = 0.06, 0.3  # with palms smaller than this the look changes by that strength only


def read_source(text: str) -> Source:
    """Read a dataset that a palm detector can learn from: PATH[@SPLIT][:WEIGHT].

    Only images with all their hands labelled are kept: the detector would learn unlabelled hands as background.

    Raises:
        SourceError: the dataset does not exist, or images are missing.
        InputError: it cannot be read, or no image has all its hands labelled.
    """
    reason_if_empty = "has no image with all its hands labelled; see docs/training_palm.md"
    return sources.read_shots(text, lambda shot: shot.hands is not None and shot.complete, reason_if_empty)


def has_palm(hand: LabelledHand) -> bool:
    """Whether all seven key points of the palm are labelled."""
    return hand.landmarks is not None and bool(np.isfinite(hand.landmarks[KEY_POINTS, :2]).all())


def likely_palm(hand: LabelledHand) -> FloatArray | None:
    """(4,) the square of the palm; of a hand with only a box, where it usually is; None if that cannot be said."""
    if has_palm(hand):
        assert hand.landmarks is not None
        return palm_of(hand.landmarks).box
    if hand.extent is None or hand.ignore:
        return None
    low, high = hand.extent[:2], hand.extent[2:]
    middle, half = (low + high) / 2, (high - low).max() / HAND_PER_PALM / 2
    return np.concatenate([middle - half, middle + half])


@dataclass(frozen=True, eq=False)
class HandInView:
    """One hand of a picture.

    Attributes:
        box: (4,) the square of the palm, or if the palm is not labelled the box of the hand; pixels of the picture.
        points: (7, 2) key points of the palm, or None if they are not labelled.
        shown: share of the key points, or of the area of the box, inside the picture and inside its photo.
        covered: it is not certain that a palm can be found: too much of the hand is occluded, or the labels ignore this
            region.
    """

    box: FloatArray
    points: FloatArray | None = None
    shown: float = 0.0
    covered: bool = False

    def shifted(self, x: float, y: float) -> HandInView:
        """The same hand in a picture that contains this one at (x, y)."""
        points = None if self.points is None else self.points + np.array([x, y])
        return HandInView(self.box + np.array([x, y, x, y]), points, self.shown, self.covered)

    @property
    def side(self) -> float:
        """The side of the palm, pixels; for hands with only a box the usual one."""
        longer = float((self.box[2:] - self.box[:2]).max())
        return longer if self.points is not None else longer / HAND_PER_PALM


def in_view(hand: LabelledHand, affine: FloatArray, size: tuple[int, int], side: int) -> HandInView | None:
    """A hand of a photo in a picture of it; None if neither landmarks nor a box are labelled.

    Args:
        affine: (2, 3) picture from photo.
        size: (width, height) of the photo.
        side: side of the picture, pixels.
    """
    if has_palm(hand):
        assert hand.landmarks is not None
        in_photo = hand.landmarks[:, :2].astype(np.float64)
        points = apply(affine, in_photo)
        palm, key_points = palm_of(points), in_photo[KEY_POINTS]
        in_both = (key_points >= 0) & (key_points < size) & (points[KEY_POINTS] >= 0) & (points[KEY_POINTS] < side)
        visible = 1.0 if hand.visibility is None else float((hand.visibility == Visibility.VISIBLE).mean())
        shown = float(in_both.all(axis=1).mean())
        return HandInView(palm.box.astype(np.float64), points[KEY_POINTS], shown, visible < LEAST_VISIBLE)
    if hand.extent is None:
        return None
    x0, y0, x1, y1 = hand.extent.astype(np.float64)
    corners = apply(affine, np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]]))
    low, high = corners.min(axis=0), corners.max(axis=0)
    within = np.concatenate([low, high]).clip(-1, side)
    shown = float(np.prod(within[2:] - within[:2]) / max(np.prod(high - low), 1e-6))
    return HandInView(within, None, shown, hand.ignore)


@dataclass(frozen=True, eq=False)
class PalmPictures:
    """Sample number -> one picture and the targets of its anchors; depends only on the number and the seed.

    Pictures are rotated, mirrored, and scaled so that the logarithms of the palm sizes are spread evenly over a range
    of 30. Some are composed of four or nine pictures.

    Attributes:
        sources: the images.
        grid: the anchors of the network.
        seed: of all random choices.
        look: see `knuckle.train.augment`.
        free: the hand-free images of all sources.
    """

    sources: Sequence[Source]
    grid: AnchorGrid
    seed: int = 0
    look: PhotometricAugment = field(default_factory=PhotometricAugment)
    free: Sequence[Shot] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "free", sources.hand_free(self.sources))

    def __call__(self, number: int) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, number))
        picture, hands = self._picture(rng)
        far = any(hand.points is not None and hand.side < FAR_PALM * self.grid.side for hand in hands)
        picture = PhotometricAugment(self.look.strength * FAR_LOOK if far else self.look.strength).apply(picture, rng)
        found = picture_targets(hands, self.grid)
        labels = {name: getattr(found, name) for name in ("score", "weight", "values", "unit", "bag")}
        return {"picture": np.ascontiguousarray(picture.transpose(2, 0, 1)), **labels}

    def _picture(self, rng: Random) -> tuple[Image, list[HandInView]]:
        """A picture (side, side, 3) before its look is changed, and its hands."""
        side = self.grid.side
        if rng.random() >= MOSAIC:
            return self._view(sources.draw(self.sources, rng)[1], side, rng)
        rows = int(rng.integers(2, 4))
        part = side // rows
        picture, hands = np.zeros((side, side, 3), np.uint8), []
        for top in range(0, rows * part, part):
            for left in range(0, rows * part, part):
                tile, seen = self._view(sources.draw(self.sources, rng)[1], part, rng)
                picture[top : top + part, left : left + part] = tile
                hands += [hand.shifted(left, top) for hand in seen]
        return picture, hands

    def _view(self, shot: Shot, side: int, rng: Random) -> tuple[Image, list[HandInView]]:
        """A random view (side, side, 3) of a photo, and its hands."""
        image = open_cached(shot.source)
        hands = shot.hands or ()
        affine = self._affine(image, hands, side, rng)
        picture = resampled(image, affine, side, not hands, rng)
        if not hands and self.free and rng.random() < augment.HARDER_NEGATIVES * self.look.strength:
            behind = open_cached(self.free[int(rng.integers(len(self.free)))].source)
            other = resampled(behind, self._affine(behind, (), side, rng), side, True, rng)
            picture = augment.harder_negative(picture, other, rng)
        seen = (in_view(hand, affine, (image.shape[1], image.shape[0]), side) for hand in hands)
        return picture, [hand for hand in seen if hand is not None]

    def _affine(self, image: Image, hands: Sequence[LabelledHand], side: int, rng: Random) -> FloatArray:
        """(2, 3) picture from image, which puts one hand at a random position and size."""
        height, width = image.shape[:2]
        palms = [palm for hand in hands if (palm := likely_palm(hand)) is not None]
        if palms and rng.random() < AT_A_HAND:
            box = palms[int(rng.integers(len(palms)))]
            size = max(float((box[2:] - box[:2]).max()), 2.0)
            wanted = math.exp(rng.uniform(math.log(SMALLEST * self.grid.side), math.log(LARGEST * side)))
            scale = min(max(wanted / size, LEAST_COVERED * side / max(width, height)), MOST_ENLARGED)
            x, y = ((box[:2] + box[2:]) / 2).tolist()
            to_x, to_y = rng.uniform(0.04 * side, 0.96 * side, 2)
        else:
            scale = side / max(width, height) * math.exp(rng.uniform(-0.5, 0.7))
            x, y, to_x, to_y = width / 2, height / 2, *rng.uniform(0.3 * side, 0.7 * side, 2)
        angle = rng.uniform(-math.pi, math.pi) if rng.random() < ANY_ANGLE else rng.normal(0, 0.25)
        c, s = scale * math.cos(angle), scale * math.sin(angle)
        mirror = np.diag([-1.0 if rng.random() < 0.5 else 1.0, 1.0])
        linear = np.array([[c, -s], [s, c]]) @ mirror @ augment.random_stretch(rng)
        centre = np.array([width / 2, height / 2])
        middle = np.array([to_x, to_y]) + linear @ (centre - [x, y])
        half, slack = np.abs(linear) @ centre, OUT_OF_PHOTO * side
        middle = middle.clip(np.minimum(half, side - half) - slack, np.maximum(half, side - half) + slack)
        return np.column_stack([linear, middle - linear @ centre])


def resampled(image: Image, affine: FloatArray, side: int, reflects: bool, rng: Random) -> Image:
    """Resample an image with a (2, 3) affine, picture from image: (side, side, 3).

    Half of the pictures are sampled bilinearly, with aliases as at run time, and half without. Outside the photo the
    picture is black, as in a letterbox, or of a random colour.

    Args:
        reflects: the outside may also reflect the photo. Not for photos of hands: their reflections have no labels.
    """
    scale = math.sqrt(abs(float(np.linalg.det(affine[:, :2]))))
    smooth = rng.random() < 0.5
    while smooth and scale < 0.5 and min(image.shape[:2]) > 2:
        image = np.asarray(cv2.pyrDown(image), np.uint8)
        affine, scale = affine @ np.diag([2.0, 2.0, 1.0]), scale * 2
    kind = rng.random()
    colour = rng.integers(0, 256, 3).tolist() if kind < 0.3 else (0, 0, 0)
    border = cv2.BORDER_REFLECT_101 if reflects and kind > 0.6 else cv2.BORDER_CONSTANT
    picture = cv2.warpAffine(image, affine, (side, side), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=colour)
    return np.asarray(picture, np.uint8)


def picture_targets(hands: Sequence[HandInView], grid: AnchorGrid) -> AnchorTargets:
    """The targets of the anchors of a picture.

    The loss ignores the regions of palms that are cut off or covered, and of palms much smaller or larger than the
    detector is meant for. In the box of a hand without landmarks the best anchor should have a palm.
    """
    boxes, points, ignored, only_boxes = [], [], [], []
    for hand in hands:
        middle = (hand.box[:2] + hand.box[2:]) / 2
        within = bool(((middle >= 0) & (middle < grid.side)).all())
        sized = 0.8 * SMALLEST <= hand.side / grid.side <= 1.3 * LARGEST
        found = hand.shown >= LEAST_SHOWN and within and sized and not hand.covered
        if found and hand.points is None:
            only_boxes.append(hand.box)
        elif found:
            boxes.append(hand.box)
            points.append(hand.points)
        elif hand.points is None or hand.shown > 0:
            ignored.append(hand.box)
    return targets(
        np.reshape(np.array(boxes, np.float64), (-1, 4)),
        np.reshape(np.array(points, np.float64), (-1, 7, 2)),
        np.reshape(np.array(ignored, np.float64), (-1, 4)),
        grid,
        np.reshape(np.array(only_boxes, np.float64), (-1, 4)),
    )
