"""Training samples of the landmark network: augmented crops of labelled images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets import file_of
from knuckle.datasets.image_source import is_in_shard, names_in, read_member, source_in
from knuckle.datasets.labels import LabelledHand, Shot
from knuckle.errors import InputError
from knuckle.extras import cv2
from knuckle.geometry import apply, iou, whole_image
from knuckle.images import Image
from knuckle.pipeline.hand import MCP_JOINTS, PIP_JOINTS
from knuckle.results import HAND_POINTS, FloatArray, PointSet, Roi
from knuckle.train import augment, sources
from knuckle.train.augment import PhotometricAugment, Random, RegionNoise, crop_from_image, warp
from knuckle.train.hand.candidates import CandidateCrops
from knuckle.train.hand.labels import for_points, is_trainable, labels_in_crop, labels_without_hand, region_of, scalar
from knuckle.train.pictures import open_cached
from knuckle.train.sources import Source

DISTANT, BACKLIT = 0.2, 0.3  # share of crops that look like distant hands; share of new backgrounds that are backlit
OCCLUDED = 0.15  # share of crops with a patch over part of them
# A crop that repeats another one is moved as little as the tracker's region is from frame to frame.
REPEATED = RegionNoise(0.012, 0.015, math.radians(1.5), any_angle=0.0, lost=0.0, tracked=0.0)
MASK = ".mask.png"  # KEY.mask.png lies beside KEY.jpg in a shard; it is above 0 where a hand is


def read_source(text: str) -> Source:
    """Read a dataset that a landmark network can learn from: PATH[@SPLIT][:WEIGHT].

    Images are kept that show a hand with enough labelled landmarks, or certainly no hand.

    Raises:
        SourceError: the dataset does not exist, or images are missing.
        InputError: it cannot be read, or no image is usable.
    """
    reason_if_empty = "has no image with the landmarks of a hand and no image that certainly shows no hand"
    source = sources.read_shots(text, _is_usable, reason_if_empty)
    return replace(source, masked=_with_masks(source.shots))


def _is_usable(shot: Shot) -> bool:
    if not shot.hands:
        return shot.hands is not None and shot.complete
    return any(map(is_trainable, shot.hands))


def _with_masks(shots: Sequence[Shot]) -> frozenset[str]:
    """The images whose shard also holds their mask."""
    masked: set[str] = set()
    for shard in {file_of(shot.source) for shot in shots if is_in_shard(shot.source)}:
        names = (name for name in names_in(Path(shard)) if name.endswith(MASK))
        masked.update(source_in(Path(shard), name.removesuffix(MASK)) for name in names)
    return frozenset(shot.source for shot in shots if shot.source.rpartition(".")[0] in masked)


def open_mask(source: str) -> Image:
    """The mask of an image in a shard: (height, width) uint8, 255 where a hand is.

    Raises:
        SourceError: it has none.
        InputError: it is not an image.
    """
    shard = Path(file_of(source))
    name = source[len(str(shard)) + 1 :].rpartition(".")[0] + MASK
    mask = cv2.imdecode(np.frombuffer(read_member(shard, name), np.uint8), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise InputError(f"{name} of {shard} is not an image that can be read")
    return np.asarray(np.where(mask > 0, 255, 0), np.uint8)


def hand_free_region(size: tuple[int, int], hands: Sequence[LabelledHand], rng: Random) -> Roi | None:
    """A random region of an image (width, height) that touches no hand; None if eight attempts fail."""
    width, height = size
    for _ in range(8):
        side = float(np.exp(rng.uniform(np.log(0.15), np.log(1.0)))) * max(width, height)
        roi = Roi(rng.uniform(0, width), rng.uniform(0, height), side, rng.uniform(-np.pi, np.pi))
        reach = 0.6 * side
        box = np.array([roi.x - reach, roi.y - reach, roi.x + reach, roi.y + reach])
        boxes = [extent for hand in hands if (extent := hand.extent) is not None]
        if not boxes or iou(box, np.stack(boxes).astype(float)).max() == 0:
            return roi
    return None


def plain_sample(shot: Shot, side: int, rng: Random, points: PointSet = HAND_POINTS) -> dict[str, Any]:
    """A sample without augmentation, to judge a network: the crop that the tracker would cut for the first hand.

    An image without a usable hand gives a random hand-free region.
    """
    image = open_cached(shot.source)
    size = image.shape[1], image.shape[0]
    hand = next(filter(is_trainable, shot.hands or ()), None)
    if hand is None:
        roi = hand_free_region(size, shot.hands or (), rng) or whole_image(*size)
    else:
        roi = region_of(hand, MCP_JOINTS)
    affine = crop_from_image(roi, side, mirrored=False)
    empty = labels_without_hand(points)
    labels = empty if hand is None else labels_in_crop(hand, roi, affine, side, mirrored=False, points=points)
    return {"picture": _channels_first(warp(image, affine, side, side / roi.size)), **labels}


def _channels_first(picture: Image) -> Image:
    return np.ascontiguousarray(picture.transpose(2, 0, 1))


@dataclass(frozen=True, eq=False)
class HandCrops:
    """Sample number -> one augmented crop and its labels; a function of the number and the seed only.

    Attributes:
        sources: the images.
        side: side of the crop, pixels.
        seed: of all random choices.
        region_noise, look: see `knuckle.train.augment`.
        empty: share of crops without a hand, if the image has room for one.
        other_background: share of images with a mask whose hands get another background.
        candidates: regions on which presence is learned, besides these crops.
        points: the points to learn.
        pairs: share of the samples that come in pairs: one of even number and, after it, the same moved a little.
        backgrounds: the hand-free images of all sources.
    """

    sources: Sequence[Source]
    side: int
    seed: int = 0
    region_noise: RegionNoise = field(default_factory=RegionNoise)
    look: PhotometricAugment = field(default_factory=PhotometricAugment)
    empty: float = 0.15
    other_background: float = 0.3
    candidates: CandidateCrops | None = None
    points: PointSet = HAND_POINTS
    pairs: float = 0.0
    backgrounds: Sequence[Shot] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "backgrounds", sources.hand_free(self.sources))

    def __call__(self, number: int) -> dict[str, Any]:
        """A sample with the labels of `labels_in_crop`.

        With `pairs` also `repeats`: 1 if it is the sample before it, moved a little.
        """
        own = np.random.default_rng((self.seed, number))
        if not self.pairs:
            return self._drawn(own)
        if number % 2 == 0 or np.random.default_rng((self.seed, number, 1)).random() >= self.pairs:
            return {**self._drawn(own), "repeats": scalar(False)}
        first = np.random.default_rng((self.seed, number - 1))
        return {**self._drawn(first, moved_by=own), "repeats": scalar(True)}

    def _drawn(self, rng: Random, moved_by: Random | None = None) -> dict[str, Any]:
        """A sample that is drawn by `rng`; its region is moved a little by `moved_by`."""
        if self.candidates is not None and rng.random() < self.candidates.options.share:
            return self.candidates.sample(rng)
        source, shot = sources.draw(self.sources, rng)
        image = open_cached(shot.source)
        size = image.shape[1], image.shape[0]
        hands = list(filter(is_trainable, shot.hands or ()))
        wants_none = rng.random() < self.empty
        if not hands or (wants_none and shot.complete):
            roi = hand_free_region(size, shot.hands or (), rng)
            if roi is not None:
                return self.sample(image, roi, None, rng)
        if not hands:
            return self.sample(image, whole_image(*size), None, rng)
        hand = hands[int(rng.integers(len(hands)))]
        joints = PIP_JOINTS if rng.random() < 0.5 else MCP_JOINTS  # half like the tracker, half slightly off
        roi = region_of(hand, joints)
        mask = None
        if shot.source in source.masked and self.backgrounds and rng.random() < self.other_background:
            mask = open_mask(shot.source)
        roi = self.region_noise.apply(roi, rng)
        sample = self.sample(image, roi if moved_by is None else REPEATED.apply(roi, moved_by), hand, rng, mask)
        if len(shot.hands or ()) > 1 or not shot.complete:
            sample["presence_weight"] *= sample["presence"]  # a crop that lost this hand may show another one
        return sample

    def sample(
        self, image: Image, roi: Roi, hand: LabelledHand | None, rng: Random, mask: Image | None = None
    ) -> dict[str, Any]:
        """One region of an image, augmented.

        Args:
            hand: the hand in the region, or None.
            mask: (height, width) of the image, 255 where the hand is: gives the hand another background.

        Returns:
            picture (3, side, side) uint8, and the labels of `labels_in_crop`.
        """
        mirrored = bool(rng.random() < 0.5)
        stretched = augment.random_stretch(rng)
        affine = crop_from_image(roi, self.side, mirrored, stretched)
        picture = warp(image, affine, self.side, self.side / roi.size)
        if mask is not None:
            cover, background = warp(mask, affine, self.side, self.side / roi.size), self._background(rng)
            if rng.random() < BACKLIT * self.look.strength:
                picture, background = augment.backlit(picture, cover, background, rng)
            picture = augment.with_background(picture, cover, background)
        if hand is None and self.backgrounds and rng.random() < augment.HARDER_NEGATIVES * self.look.strength:
            picture = augment.harder_negative(picture, self._background(rng), rng)
        is_distant = rng.random() < DISTANT * self.look.strength
        picture = augment.distant(picture, self.look, rng) if is_distant else self.look.apply(picture, rng)
        labels = labels_without_hand(self.points)
        if hand is not None:
            labels = labels_in_crop(hand, roi, affine, self.side, mirrored, self.points)
        if rng.random() < OCCLUDED * self.look.strength:
            picture, hidden = self._occluded(picture, hand, affine, rng)
            labels["visibility"][hidden] = 0
        if not np.array_equal(stretched, np.eye(2)):
            labels["world_weight"] = np.zeros(
                len(self.points), np.float32
            )  # the shape of a stretched hand in 3D is unknown
        return {"picture": _channels_first(picture), **labels}

    def _background(self, rng: Random) -> Image:
        """A random square of a random hand-free image."""
        image = open_cached(self.backgrounds[int(rng.integers(len(self.backgrounds)))].source)
        height, width = image.shape[:2]
        size = rng.uniform(0.3, 1.0) * min(height, width)
        roi = Roi(rng.uniform(size / 2, width - size / 2), rng.uniform(size / 2, height - size / 2), size)
        return warp(image, crop_from_image(roi, self.side, bool(rng.random() < 0.5)), self.side, self.side / size)

    def _occluded(
        self, picture: Image, hand: LabelledHand | None, affine: FloatArray, rng: Random
    ) -> tuple[Image, list[int]]:
        """Cover part of a crop with a plain or noisy patch; also the landmarks that are behind it."""
        rows, columns = augment.occluder(self.side, rng)
        picture = picture.copy()
        noise = rng.normal(0, rng.uniform(0, 40), (rows.stop - rows.start, columns.stop - columns.start, 3))
        picture[rows, columns] = np.clip(rng.uniform(0, 255, 3) + noise, 0, 255).astype(np.uint8)
        if hand is None or hand.landmarks is None:
            return picture, []
        landmarks = for_points(hand, self.points).landmarks
        assert landmarks is not None
        x, y = apply(affine, landmarks[:, :2].astype(np.float64)).T
        hidden = (x >= columns.start) & (x < columns.stop) & (y >= rows.start) & (y < rows.stop)
        return picture, np.flatnonzero(hidden).tolist()
