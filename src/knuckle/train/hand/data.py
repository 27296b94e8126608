"""Training samples of the landmark network: any labelled dataset that `knuckle evaluate` reads, as augmented crops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from knuckle.datasets import file_of, read_dataset
from knuckle.datasets.image_source import names_in, read_member, source_in
from knuckle.datasets.labels import LabelledHand, Shot, Visibility
from knuckle.errors import InputError
from knuckle.geometry import apply, iou, whole_image
from knuckle.images import Image
from knuckle.pipeline.hand import MCP_JOINTS, PIP_JOINTS, Z_SCALE, roi_from_landmarks
from knuckle.results import FINGERTIPS, FloatArray, Roi
from knuckle.train.augment import (
    STRANGE,
    Jitter,
    Look,
    Random,
    backlit,
    crop_from_image,
    cut,
    from_afar,
    on_background,
    patch,
    strange,
    stretch,
    world_in_crop,
)
from knuckle.train.pictures import open_cached

PRESENT = 0.6  # share of the landmarks inside the crop from which it holds a hand; below ABSENT it holds none
ABSENT = 0.2
SHOWN = 0.15  # share of them that must be visible: a fist from behind shows more, a hand behind a box less
PALM_POINTS = [0, 5, 9, 13, 17]
TIPS = list(FINGERTIPS)
TIP_WEIGHT, HIDDEN_WEIGHT = 1.5, 0.5  # tips are what people look at; hidden points can only be guessed
LEAST_POINTS, LEAST_PX = 12, 8  # hands with fewer labelled landmarks, or smaller, are left out
FROM_AFAR, BACKLIT = 0.2, 0.3  # shares of crops that show few pixels, and of new backgrounds that the light comes from
MASK = ".mask.png"  # beside a shard's KEY.jpg: above 0 where a hand is
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Source:
    """A dataset, and how often it is drawn from.

    Attributes:
        weight: relative to the other sources'.
        masked: the pictures (by `Shot.source`) that have a mask of their hands.
    """

    name: str
    shots: Sequence[Shot]
    weight: float = 1.0
    masked: frozenset[str] = frozenset()

    @classmethod
    def read(cls, text: str) -> Source:
        """From a command line: PATH, PATH@SPLIT, PATH:WEIGHT or PATH@SPLIT:WEIGHT.

        Raises:
            SourceError: there is no such dataset, or images are missing.
            InputError: it cannot be read, or no image shows a labelled hand or surely none.
        """
        folder, split, weight = place_of(text)
        try:
            shots = [shot for shot in read_dataset(folder, split=split).shots if is_useful(shot)]
        except InputError as error:
            hint = f"; write {folder}@SPLIT" if "say which split" in str(error) else ""
            raise InputError(f"{error}{hint}") from error
        if not shots:
            raise InputError(f"{folder} has no image with a hand's landmarks and none that surely has no hand")
        return cls(folder, shots, weight, _with_masks(shots))


def place_of(text: str) -> tuple[str, str | None, float]:
    """Path, split and weight of PATH[@SPLIT][:WEIGHT]; what exists under its whole name has no split.

    Raises:
        InputError: the weight is not above 0.
    """
    path, _, last = text.rpartition(":")
    try:
        weight = float(last) if path else 1.0
    except ValueError:
        path, weight = text, 1.0
    path = path or text
    if not 0 < weight < math.inf:
        raise InputError(f"{text}: the weight must be above 0")
    folder, _, split = path.rpartition("@")
    return (path, None, weight) if not folder or Path(path).exists() else (folder, split, weight)


def _with_masks(shots: Sequence[Shot]) -> frozenset[str]:
    """Those whose shard holds KEY.mask.png too."""
    shards = {file_of(shot.source) for shot in shots if file_of(shot.source) != shot.source}
    masked = {
        source_in(Path(shard), name.removesuffix(MASK))
        for shard in shards
        for name in names_in(Path(shard))
        if name.endswith(MASK)
    }
    return frozenset(shot.source for shot in shots if shot.source.rpartition(".")[0] in masked)


def is_useful(shot: Shot) -> bool:
    """Whether a landmark network can learn from it: a hand with most landmarks, or surely none."""
    if not shot.hands:
        return shot.hands is not None and shot.complete
    return any(map(is_taught, shot.hands))


def is_taught(hand: LabelledHand) -> bool:
    """Whether enough of a hand is labelled, and it is not a speck."""
    known = _labelled(hand)
    if hand.landmarks is None or known.sum() < LEAST_POINTS:
        return False
    return bool(np.ptp(hand.landmarks[known, :2], axis=0).max() >= LEAST_PX)


def _labelled(hand: LabelledHand) -> Flags:
    if hand.landmarks is None:
        return np.zeros(21, bool)
    return np.asarray(np.isfinite(hand.landmarks[:, :2]).all(axis=1))


@dataclass(frozen=True, eq=False)
class HandCrops:
    """Sample number -> one crop with all that is known of it; a function of the number and the seed alone.

    Attributes:
        sources: where pictures come from.
        side: of the crop, pixels.
        seed: of the choice and all augmentation.
        jitter, look: see `knuckle.train.augment`; `augmented=False` gives plain crops of the first source, in order.
        empty: share of crops that hold no hand, where a picture allows it.
        other_background: share of pictures with a mask whose hands are put before another picture.
    """

    sources: Sequence[Source]
    side: int
    seed: int = 0
    jitter: Jitter = field(default_factory=Jitter)
    look: Look = field(default_factory=Look)
    empty: float = 0.15
    other_background: float = 0.3
    augmented: bool = True
    backgrounds: Sequence[Shot] = field(init=False)

    def __post_init__(self) -> None:
        free = [shot for source in self.sources for shot in source.shots if not shot.hands]
        object.__setattr__(self, "backgrounds", free)

    def __call__(self, number: int) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, number))
        weights = np.array([source.weight for source in self.sources])
        source = self.sources[rng.choice(len(weights), p=weights / weights.sum()) if self.augmented else 0]
        place = int(rng.integers(len(source.shots))) if self.augmented else number % len(source.shots)
        shot = source.shots[place]
        image = open_cached(shot.source)
        hands = [hand for hand in shot.hands or () if is_taught(hand)]
        wants_none = self.augmented and rng.random() < self.empty
        if not hands or (wants_none and shot.complete):
            roi = elsewhere(image, shot.hands or (), rng)
            if roi is not None:
                return self._sample(image, roi, None, rng)
        if not hands:
            return self._sample(image, whole_image(image.shape[1], image.shape[0]), None, rng)
        hand = hands[int(rng.integers(len(hands)))] if self.augmented else hands[0]
        if not self.augmented:
            return self._sample(image, region(hand, MCP_JOINTS), hand, rng)
        roi = region(hand, PIP_JOINTS if rng.random() < 0.5 else MCP_JOINTS)  # the reference's way, and a bit off
        mask = None
        if shot.source in source.masked and self.backgrounds and rng.random() < self.other_background:
            mask = open_mask(shot.source)
        sample = self._sample(image, self.jitter.moved(roi, rng), hand, rng, mask)
        if len(shot.hands or ()) > 1 or not shot.complete:
            sample["presence_weight"] *= sample["presence"]  # the hand may be gone, but another be there
        return sample

    def _sample(
        self, image: Image, roi: Roi, hand: LabelledHand | None, rng: Random, mask: Image | None = None
    ) -> dict[str, Any]:
        mirrored = self.augmented and rng.random() < 0.5
        stretched = stretch(rng) if self.augmented else np.eye(2)
        affine = crop_from_image(roi, self.side, mirrored, stretched)
        picture = cut(image, affine, self.side, self.side / roi.size)
        if mask is not None:
            cover, background = cut(mask, affine, self.side, self.side / roi.size), self._background(rng)
            if rng.random() < BACKLIT * self.look.strength:
                picture, background = backlit(picture, cover, background, rng)
            picture = on_background(picture, cover, background)
        if hand is None and self.backgrounds and self.augmented and rng.random() < STRANGE * self.look.strength:
            picture = strange(picture, self._background(rng), rng)
        visible = np.ones(21, np.float32)
        if self.augmented:
            picture, visible = self._changed(picture, hand, affine, rng)
        labels = no_labels() if hand is None else labels_of(hand, roi, affine, self.side, mirrored)
        labels["visibility"] *= visible
        if not np.array_equal(stretched, np.eye(2)):
            labels["world_weight"] = _one(0)  # nobody knows what a stretched hand is in space
        return {"picture": np.ascontiguousarray(picture.transpose(2, 0, 1)), **labels}

    def _background(self, rng: Random) -> Image:
        """Any square of any picture without a hand."""
        image = open_cached(self.backgrounds[int(rng.integers(len(self.backgrounds)))].source)
        height, width = image.shape[:2]
        size = rng.uniform(0.3, 1.0) * min(height, width)
        roi = Roi(rng.uniform(size / 2, width - size / 2), rng.uniform(size / 2, height - size / 2), size)
        return cut(image, crop_from_image(roi, self.side, bool(rng.random() < 0.5)), self.side, self.side / size)

    def _changed(
        self, picture: Image, hand: LabelledHand | None, affine: FloatArray, rng: Random
    ) -> tuple[Image, FloatArray]:
        """Look changed, sometimes with a plain or noisy patch in the way; landmarks behind it are hidden."""
        visible = np.ones(21, np.float32)
        afar = rng.random() < FROM_AFAR * self.look.strength
        picture = from_afar(picture, self.look, rng) if afar else self.look.changed(picture, rng)
        if rng.random() < 0.15 * self.look.strength:
            rows, columns = patch(self.side, rng)
            picture = picture.copy()
            noise = rng.normal(0, rng.uniform(0, 40), (rows.stop - rows.start, columns.stop - columns.start, 3))
            picture[rows, columns] = np.clip(rng.uniform(0, 255, 3) + noise, 0, 255).astype(np.uint8)
            if hand is not None and hand.landmarks is not None:
                x, y = apply(affine, hand.landmarks[:, :2].astype(np.float64)).T
                behind = (x >= columns.start) & (x < columns.stop) & (y >= rows.start) & (y < rows.stop)
                visible[behind] = 0
        return picture, visible


def open_mask(source: str) -> Image:
    """(height, width) uint8, 255 where a hand is, of a picture of a shard.

    Raises:
        SourceError: it has none. InputError: it is no picture.
    """
    shard = Path(file_of(source))
    name = source[len(str(shard)) + 1 :].rpartition(".")[0] + MASK
    mask = cv2.imdecode(np.frombuffer(read_member(shard, name), np.uint8), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise InputError(f"{name} of {shard} is not a picture that can be read")
    return np.asarray(np.where(mask > 0, 255, 0), np.uint8)


def region(hand: LabelledHand, joints: tuple[int, int, int]) -> Roi:
    """The region that the tracker would cut for these landmarks."""
    assert hand.landmarks is not None
    points = hand.landmarks[:, :2].astype(np.float32)
    known = _labelled(hand)
    points[~known] = points[known].mean(axis=0)
    return roi_from_landmarks(points, joints)


def elsewhere(image: Image, hands: Sequence[LabelledHand], rng: Random) -> Roi | None:
    """A region of the image that touches no hand, or None where a few tries found none."""
    height, width = image.shape[:2]
    for _ in range(8):
        size = float(np.exp(rng.uniform(np.log(0.15), np.log(1.0)))) * max(width, height)
        roi = Roi(rng.uniform(0, width), rng.uniform(0, height), size, rng.uniform(-np.pi, np.pi))
        reach = 0.6 * size
        box = np.array([roi.x - reach, roi.y - reach, roi.x + reach, roi.y + reach])
        boxes = [extent for hand in hands if (extent := hand.extent) is not None]
        if not boxes or iou(box, np.stack(boxes).astype(float)).max() == 0:
            return roi
    return None


def no_labels() -> dict[str, FloatArray]:
    """What is known of a crop without a hand: that it has none."""
    zeros = np.zeros(21, np.float32)
    return {
        "landmarks": np.zeros((21, 3), np.float32),
        "landmark_weight": zeros,
        "z_weight": zeros.copy(),
        "palm_size": _one(1),
        "world": np.zeros((21, 3), np.float32),
        "world_weight": _one(0),
        "presence": _one(0),
        "presence_weight": _one(1),
        "handedness": _one(0),
        "handedness_weight": _one(0),
        "visibility": zeros.copy(),
        "visibility_weight": zeros.copy(),
    }


def labels_of(hand: LabelledHand, roi: Roi, affine: FloatArray, side: int, mirrored: bool) -> dict[str, FloatArray]:
    """All labels of a hand in a crop, each with a weight that is 0 where nobody labelled it."""
    assert hand.landmarks is not None
    known = _labelled(hand)
    out = no_labels()
    points = np.where(known[:, None], hand.landmarks[:, :2], 0).astype(np.float64)
    xy = apply(affine, points)
    out["landmarks"][:, :2] = xy
    inside = ((xy >= 0) & (xy < side)).all(axis=1) & known
    near = ((xy >= -0.25 * side) & (xy < 1.25 * side)).all(axis=1) & known
    out["landmark_weight"] = near.astype(np.float32)
    out["landmark_weight"][TIPS] *= TIP_WEIGHT
    if hand.visibility is not None:
        out["landmark_weight"][hand.visibility == Visibility.HIDDEN] *= HIDDEN_WEIGHT
    if hand.landmarks.shape[1] == 3 and np.isfinite(hand.landmarks[:, 2]).all():
        out["landmarks"][:, 2] = hand.landmarks[:, 2] * (side / roi.size) * Z_SCALE
        out["z_weight"] = out["landmark_weight"].copy()
    out["palm_size"] = _one(max(_palm_size(xy, known), 0.08 * side))
    if hand.world is not None and np.isfinite(hand.world).all():
        out["world"], out["world_weight"] = world_in_crop(hand.world, roi, mirrored).astype(np.float32), _one(1)
    share, shown = inside.sum() / max(1, known.sum()), shown_of(hand, inside)
    out["presence"] = _one(share >= PRESENT and shown >= SHOWN)
    out["presence_weight"] = _one((share >= PRESENT and shown >= SHOWN) or share <= ABSENT or shown == 0)
    if shown < SHOWN:  # something stands before the hand: where it is can only be guessed
        for name in ("landmark_weight", "z_weight", "world_weight"):
            out[name] = np.zeros_like(out[name])
    if hand.handedness is not None:
        out["handedness"] = _one((hand.handedness == "Right") != mirrored)
        out["handedness_weight"] = _one(share >= PRESENT)
    if hand.visibility is not None:
        said = (hand.visibility != Visibility.UNKNOWN) & known
        out["visibility"] = ((hand.visibility == Visibility.VISIBLE) & inside).astype(np.float32)
        out["visibility_weight"] = said.astype(np.float32)
    return out


def shown_of(hand: LabelledHand, inside: Flags) -> float:
    """Share of the landmarks in the crop that can be seen; 1 where nobody knows."""
    if hand.visibility is None:
        return 1.0
    told = hand.visibility[inside]
    told = told[told != Visibility.UNKNOWN]
    return float((told == Visibility.VISIBLE).mean()) if len(told) else 1.0


def _one(value: float) -> FloatArray:
    return np.array([value], np.float32)


def _palm_size(xy: FloatArray, known: Flags) -> float:
    """Wrist to middle MCP, or, where the palm is seen edge on, what its other points span."""
    points = xy[PALM_POINTS][known[PALM_POINTS]]
    span = float(np.ptp(points, axis=0).max()) if len(points) > 1 else 0.0
    direct = float(np.hypot(*(xy[9] - xy[0]))) if known[0] and known[9] else 0.0
    return max(direct, 0.7 * span)
