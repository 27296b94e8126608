"""Training samples of the palm detector: whole pictures with all their hands, and what each anchor should say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from knuckle.datasets import read_dataset
from knuckle.datasets.labels import LabelledHand, Shot, Visibility
from knuckle.errors import InputError
from knuckle.geometry import apply
from knuckle.images import Image
from knuckle.results import PALM_LANDMARKS, FloatArray
from knuckle.synth.camera.labels import palm_of
from knuckle.train.augment import STRANGE, Look, Random, strange, stretch
from knuckle.train.hand.data import place_of
from knuckle.train.palm.targets import AnchorGrid, AnchorTargets, targets
from knuckle.train.pictures import open_cached

KEY_POINTS = list(PALM_LANDMARKS)
# Sides of palms as shares of the picture's: hands of 5 % to 80 % of it, whose palms are 0.4 to 0.7 of them.
SMALLEST, LARGEST = 0.022, 0.6
LEAST_SHOWN = 0.7  # share of a palm's key points in view from which it must be found; below that it may be
LEAST_VISIBLE = 0.25  # the same of all landmarks that nothing covers
MOSAIC = 0.2  # share of pictures that are four or nine pictures
AT_A_HAND = 0.8  # share of views that are placed by one of their hands
ANY_WAY_ROUND = 0.4  # share of views that are turned at will; the others stand nearly upright, as most pictures do
OUT_OF_PHOTO = 0.15  # of the picture's side: how far a view may look past a photo that could fill it
MOST_ENLARGED, LEAST_COVERED = 2.5, 0.6  # further enlarged hands are blurs; smaller pictures are stamps on black
FAR_PALM, FAR_LOOK = 0.06, 0.3  # palms below that share would drown in full blur and noise


@dataclass(frozen=True, eq=False)
class PalmSource:
    """A dataset of pictures of which all hands are labelled, and how often it is drawn from."""

    name: str
    shots: Sequence[Shot]
    weight: float = 1.0

    @classmethod
    def read(cls, text: str) -> PalmSource:
        """From a command line: PATH, PATH@SPLIT, PATH:WEIGHT or PATH@SPLIT:WEIGHT.

        Raises:
            SourceError: there is no such dataset, or images are missing.
            InputError: it cannot be read, or has no picture all of whose hands are labelled.
        """
        folder, split, weight = place_of(text)
        shots = read_dataset(folder, split=split).shots
        whole = [shot for shot in shots if shot.hands is not None and shot.complete]
        if not whole:
            raise InputError(
                f"{folder} has no picture of which all hands are labelled ({len(shots)} pictures); a detector would "
                "learn that the others are no hands. See docs/training_palm.md"
            )
        return cls(folder, whole, weight)


@dataclass(frozen=True, eq=False)
class InView:
    """One hand of a picture.

    Attributes:
        box: (4,) the palm's square, or where nobody labelled the palm the whole hand's; pixels of the picture.
        points: (7, 2) key points of the palm, or None where nobody labelled them.
        shown: share of the key points within the picture and within the photo that it shows.
        covered: too much of the hand is hidden for anybody to be sure of it.
    """

    box: FloatArray
    points: FloatArray | None = None
    shown: float = 0.0
    covered: bool = False

    def moved(self, x: float, y: float) -> InView:
        points = None if self.points is None else self.points + np.array([x, y])
        return InView(self.box + np.array([x, y, x, y]), points, self.shown, self.covered)

    @property
    def side(self) -> float:
        return float((self.box[2:] - self.box[:2]).max())


def in_view(hand: LabelledHand, affine: FloatArray, size: tuple[int, int], side: int) -> InView | None:
    """A hand of a photo (width, height) in a picture (side, side) that an affine made of it; None without any label."""
    if is_labelled(hand):
        assert hand.landmarks is not None
        before = hand.landmarks[:, :2].astype(np.float64)
        after = apply(affine, before)
        palm, there = palm_of(after), before[KEY_POINTS]
        inside = (there >= 0) & (there < size) & (after[KEY_POINTS] >= 0) & (after[KEY_POINTS] < side)
        covered = hand.visibility is not None and float((hand.visibility == Visibility.VISIBLE).mean()) < LEAST_VISIBLE
        return InView(palm.box.astype(np.float64), after[KEY_POINTS], float(inside.all(axis=1).mean()), covered)
    if hand.extent is None:
        return None
    x0, y0, x1, y1 = hand.extent.astype(np.float64)
    corners = apply(affine, np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]]))
    low, high = corners.min(axis=0), corners.max(axis=0)
    return InView(np.concatenate([low, high]).clip(-1, side), None)


def is_labelled(hand: LabelledHand) -> bool:
    """Whether all seven points of the palm are known."""
    return hand.landmarks is not None and bool(np.isfinite(hand.landmarks[KEY_POINTS, :2]).all())


@dataclass(frozen=True, eq=False)
class PalmPictures:
    """Sample number -> one picture and what each anchor should say of it; a function of number and seed alone.

    Pictures are turned at will, scaled so that palm sizes spread evenly (in logarithm) over a range of 30,
    mirrored, and sometimes put together from four or nine.

    Attributes:
        grid: the anchors of the network.
        look: see `knuckle.train.augment`.
        free: the pictures of all sources that show no hand.
    """

    sources: Sequence[PalmSource]
    grid: AnchorGrid
    seed: int = 0
    look: Look = field(default_factory=Look)
    free: Sequence[Shot] = field(init=False)

    def __post_init__(self) -> None:
        free = [shot for source in self.sources for shot in source.shots if not shot.hands]
        object.__setattr__(self, "free", free)

    def __call__(self, number: int) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, number))
        picture, hands = self.drawn(rng)
        far = any(hand.points is not None and hand.side < FAR_PALM * self.grid.side for hand in hands)
        picture = Look(self.look.strength * FAR_LOOK if far else self.look.strength).changed(picture, rng)
        found = picture_targets(hands, self.grid)
        labels = {"score": found.score, "weight": found.weight, "values": found.values, "unit": found.unit}
        return {"picture": np.ascontiguousarray(picture.transpose(2, 0, 1)), **labels}

    def drawn(self, rng: Random) -> tuple[Image, list[InView]]:
        """A picture (side, side, 3) before its look is changed, and its hands."""
        side = self.grid.side
        if rng.random() >= MOSAIC:
            return self._view(self._shot(rng), side, rng)
        rows = int(rng.integers(2, 4))
        part = side // rows
        picture, hands = np.zeros((side, side, 3), np.uint8), []
        for top in range(0, rows * part, part):
            for left in range(0, rows * part, part):
                picture[top : top + part, left : left + part], seen = self._view(self._shot(rng), part, rng)
                hands += [hand.moved(left, top) for hand in seen]
        return picture, hands

    def _shot(self, rng: Random) -> Shot:
        weights = np.array([source.weight for source in self.sources])
        source = self.sources[int(rng.choice(len(weights), p=weights / weights.sum()))]
        return source.shots[int(rng.integers(len(source.shots)))]

    def _view(self, shot: Shot, side: int, rng: Random) -> tuple[Image, list[InView]]:
        image = open_cached(shot.source)
        hands = shot.hands or ()
        affine = self._affine(image, hands, side, rng)
        picture = sampled(image, affine, side, not hands, rng)
        if not hands and self.free and rng.random() < STRANGE * self.look.strength:
            behind = open_cached(self.free[int(rng.integers(len(self.free)))].source)
            other = sampled(behind, self._affine(behind, (), side, rng), side, True, rng)
            picture = strange(picture, other, rng)
        seen = (in_view(hand, affine, (image.shape[1], image.shape[0]), side) for hand in hands)
        return picture, [hand for hand in seen if hand is not None]

    def _affine(self, image: Image, hands: Sequence[LabelledHand], side: int, rng: Random) -> FloatArray:
        """(2, 3) from image to picture: a hand of the image somewhere in the picture at a size drawn at will."""
        height, width = image.shape[:2]
        labelled = [hand for hand in hands if is_labelled(hand)]
        if labelled and rng.random() < AT_A_HAND:
            chosen = labelled[int(rng.integers(len(labelled)))].landmarks
            assert chosen is not None
            palm = palm_of(chosen)
            size = max(float((palm.box[2:] - palm.box[:2]).max()), 2.0)
            wanted = math.exp(rng.uniform(math.log(SMALLEST * self.grid.side), math.log(LARGEST * side)))
            scale = min(max(wanted / size, LEAST_COVERED * side / max(width, height)), MOST_ENLARGED)
            x, y = (palm.box[:2] + palm.box[2:]) / 2
            to_x, to_y = rng.uniform(0.04 * side, 0.96 * side, 2)
        else:
            scale = side / max(width, height) * math.exp(rng.uniform(-0.5, 0.7))
            x, y, to_x, to_y = width / 2, height / 2, *rng.uniform(0.3 * side, 0.7 * side, 2)
        angle = rng.uniform(-math.pi, math.pi) if rng.random() < ANY_WAY_ROUND else rng.normal(0, 0.25)
        c, s = scale * math.cos(angle), scale * math.sin(angle)
        linear = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if rng.random() < 0.5 else 1.0, 1.0]) @ stretch(rng)
        middle = np.array([to_x, to_y]) + linear @ np.array([width / 2 - x, height / 2 - y])
        half = np.abs(linear) @ np.array([width / 2, height / 2])
        slack = OUT_OF_PHOTO * side
        middle = middle.clip(np.minimum(half, side - half) - slack, np.maximum(half, side - half) + slack)
        return np.column_stack([linear, middle - linear @ np.array([width / 2, height / 2])])


def sampled(image: Image, affine: FloatArray, side: int, reflects: bool, rng: Random) -> Image:
    """The picture (side, side, 3) that an affine tells: half of them as the run time samples, half without aliases.

    Outside of the photo it is black, as a letterbox is, or of any one colour; a photo without hands may also be
    `reflects`-ed there (a reflected hand would be a hand without a label).
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


def picture_targets(hands: Sequence[InView], grid: AnchorGrid) -> AnchorTargets:
    """`AnchorTargets` of a picture: what must be found, and where either answer is right.

    Of the latter kind are hands that nobody labelled closely, palms that are cut off or covered, and smaller or larger
    ones than a detector of this side is asked for.
    """
    sure, unsure = [], []
    for hand in hands:
        middle = (hand.box[:2] + hand.box[2:]) / 2
        within = bool(((middle >= 0) & (middle < grid.side)).all())
        sized = 0.8 * SMALLEST <= hand.side / grid.side <= 1.3 * LARGEST
        if hand.points is not None and hand.shown >= LEAST_SHOWN and within and sized and not hand.covered:
            sure.append((hand.box, hand.points))
        elif hand.points is None or hand.shown > 0:
            unsure.append(hand.box)
    boxes, points = ([each[k] for each in sure] for k in (0, 1))
    return targets(
        np.reshape(np.array(boxes, np.float64), (-1, 4)),
        np.reshape(np.array(points, np.float64), (-1, 7, 2)),
        np.reshape(np.array(unsure, np.float64), (-1, 4)),
        grid,
    )
