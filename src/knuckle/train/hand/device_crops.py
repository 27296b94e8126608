"""Training samples of the landmark network made in batches on the device of the training, from pictures that it keeps.

The labels follow the same rules as those of `knuckle.train.hand.labels`, and the changes are those of
`knuckle.train.augment`, except that hands get no other background.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from knuckle.datasets import open_image
from knuckle.datasets.labels import LabelledHand, Shot, Visibility
from knuckle.errors import InputError
from knuckle.geometry import whole_image
from knuckle.pipeline.hand import MCP_JOINTS, PIP_JOINTS, Z_SCALE
from knuckle.results import Roi
from knuckle.train import augment_torch as changes
from knuckle.train.augment import RegionNoise, crop_from_image, warp
from knuckle.train.augment_torch import BatchRandom
from knuckle.train.compose.cutout import moved
from knuckle.train.hand.data import DISTANT, OCCLUDED, REPEATED
from knuckle.train.hand.labels import (
    ABSENT,
    HIDDEN_WEIGHT,
    LEAST_PALM,
    NEAR,
    PALM_POINTS,
    PRESENT,
    SHOWN,
    TIP_WEIGHT,
    TIPS,
    is_trainable,
    labelled_points,
    region_of,
)
from knuckle.train.loop import Batch
from knuckle.train.sources import Source

Values = npt.NDArray[Any]
STORED_PX = 288  # side of a kept picture
REACH = 1.9  # side of a kept picture relative to the hand's region: room for rotation and shift


@dataclass(frozen=True, eq=False)
class Stored:
    """Pictures with at most one hand each, and their labels, on one device.

    Attributes:
        picture: (n, 3, STORED_PX, STORED_PX) uint8.
        is_hand: (n,) bool.
        alone: (n,) whether a crop that lost the hand certainly shows no other one.
        weight: (n,) how often each is drawn.
        regions: (n, 2, 4) the tracker's region by PIP and by MCP joints; x, y, size, angle.
        landmarks, world: (n, 21, 3) pixels of the picture, metres. known, z_known, world_known: (n, 21).
        right: (n,) 1 for a right hand, 0 for a left one. side_known: (n,).
        visibility: (n, 21) values of `Visibility`. visibility_known: (n,).
    """

    picture: Tensor
    is_hand: Tensor
    alone: Tensor
    weight: Tensor
    regions: Tensor
    landmarks: Tensor
    world: Tensor
    known: Tensor
    z_known: Tensor
    world_known: Tensor
    right: Tensor
    side_known: Tensor
    visibility: Tensor
    visibility_known: Tensor


def store(sources: Sequence[Source], device: torch.device) -> Stored:
    """Cut out the hands of all datasets, and a square of each picture without a hand, and move them to a device."""
    rows: dict[str, list[Values]] = {}
    for source in sources:
        for number, shot in enumerate(source.shots):
            for row in _rows_of(shot, source.weight / len(source.shots), np.random.default_rng(number)):
                for name, value in row.items():
                    rows.setdefault(name, []).append(value)
    stacked = {name: torch.from_numpy(np.stack(values)).to(device) for name, values in rows.items()}
    return Stored(**stacked)


def _rows_of(shot: Shot, weight: float, rng: np.random.Generator) -> Iterator[dict[str, Values]]:
    """What is kept of a photo: a row of `Stored` for each hand, or one without a hand."""
    image, hands = open_image(shot.source), list(filter(is_trainable, shot.hands or ()))
    alone = len(shot.hands or ()) <= 1 and shot.complete
    if not hands:
        whole = whole_image(image.shape[1], image.shape[0])
        size = min(image.shape[:2]) * rng.uniform(0.6, 1.0)
        slack = np.maximum(np.array(image.shape[1::-1]) - size, 0) * rng.uniform(-0.5, 0.5, 2)
        cut: list[tuple[Roi, LabelledHand | None]] = [(Roi(whole.x + slack[0], whole.y + slack[1], size), None)]
    else:
        regions = [region_of(hand, MCP_JOINTS) for hand in hands]
        cut = [(Roi(r.x, r.y, REACH * r.size), hand) for r, hand in zip(regions, hands, strict=True)]
    for roi, hand in cut:
        affine = crop_from_image(roi, STORED_PX, mirrored=False)
        picture = warp(image, affine, STORED_PX, STORED_PX / roi.size)
        labels = _labels(None if hand is None else moved(hand, affine))
        here = {"picture": np.ascontiguousarray(picture.transpose(2, 0, 1)), "is_hand": np.array(hand is not None)}
        yield here | {"alone": np.array(alone), "weight": np.array(weight / len(cut), np.float32)} | labels


def _labels(hand: LabelledHand | None) -> dict[str, Values]:
    """The labels of a row of `Stored`; the hand is in pixels of the kept picture."""
    labels: dict[str, Values] = {
        "regions": np.tile(np.array([STORED_PX / 2, STORED_PX / 2, STORED_PX, 0], np.float32), (2, 1)),
        "landmarks": np.zeros((21, 3), np.float32),
        "world": np.zeros((21, 3), np.float32),
        **{name: np.zeros(21, bool) for name in ("known", "z_known", "world_known")},
        "visibility": np.zeros(21, np.uint8),
    }
    flags = {"right": False, "side_known": False, "visibility_known": False}
    if hand is not None and hand.landmarks is not None:
        known = labelled_points(hand)
        labels["known"] = known
        labels["landmarks"][:, :2] = np.where(known[:, None], hand.landmarks[:, :2], 0)
        if hand.landmarks.shape[1] == 3:
            labels["z_known"] = known & np.isfinite(hand.landmarks[:, 2])
            labels["landmarks"][:, 2] = np.where(labels["z_known"], hand.landmarks[:, 2], 0)
        rois = [region_of(hand, joints) for joints in (PIP_JOINTS, MCP_JOINTS)]
        labels["regions"] = np.array([[roi.x, roi.y, roi.size, roi.angle_rad] for roi in rois], np.float32)
        if hand.world is not None and np.isfinite(hand.world).any():
            labels["world_known"] = np.asarray(np.isfinite(hand.world).all(axis=1))
            labels["world"] = np.nan_to_num(hand.world - np.nanmean(hand.world, axis=0)).astype(np.float32)
        flags["right"], flags["side_known"] = hand.handedness == "Right", hand.handedness is not None
        if hand.visibility is not None:
            labels["visibility"], flags["visibility_known"] = hand.visibility.astype(np.uint8), True
    return labels | {name: np.array(value) for name, value in flags.items()}


@dataclass(frozen=True, eq=False)
class DeviceCrops:
    """Number of the first sample, number of samples -> a batch; depends only on these, the seed and the device.

    Attributes:
        stored: the pictures.
        side: side of the crops, pixels; a multiple of 8.
        seed: of all random choices.
        strength: of the changes of the look, 0 to 1.
        empty: share of crops without a hand, if there are pictures without one.
        pairs: see `HandCrops`.
    """

    stored: Stored
    side: int
    seed: int = 0
    strength: float = 1.0
    empty: float = 0.15
    region_noise: RegionNoise = field(default_factory=RegionNoise)
    pairs: float = 0.0

    def __post_init__(self) -> None:
        if not bool(self.stored.is_hand.any()):
            raise InputError("samples made on the device need at least one picture with a hand")

    def __call__(self, first: int, count: int) -> Batch:
        """Samples first to first + count, with the keys of `HandCrops`."""
        state = int(np.random.SeedSequence((self.seed, first)).generate_state(1)[0])
        generator = torch.Generator(self.stored.picture.device).manual_seed(state)
        random = BatchRandom(generator)
        wanted = random.chance(self.empty, count) & bool((~self.stored.is_hand).any())
        weight = torch.where(self.stored.is_hand, self.stored.weight, 0.0)
        hands = torch.multinomial(weight, count, replacement=True, generator=generator)
        weight = torch.where(self.stored.is_hand, 0.0, self.stored.weight) + (1e-9 if not wanted.any() else 0.0)
        free = torch.multinomial(weight, count, replacement=True, generator=generator)
        rows = torch.arange(count, device=random.device)
        repeats = random.chance(self.pairs, count) & ((first + rows) % 2 == 1) & (rows > 0)
        source = rows - repeats.long()
        index = torch.where(wanted, free, hands)[source]
        linear, _, stretched = (values[source] for values in changes.random_linear(count, random))
        roi = self._regions(index, random)[source]
        roi = torch.where(repeats[:, None], changes.noisy_regions(roi, REPEATED, random), roi)
        picture = changes.blurred_warp(self.stored.picture[index], roi, linear, self.side, random)
        labels = labels_in_crops(self.stored, index, roi, linear, self.side)
        labels["world_weight"] = torch.where(stretched[:, None], 0.0, labels["world_weight"])
        picture, hidden = self._covered(self._changed(picture, random), labels["landmarks"], random)
        labels["visibility"] = torch.where(hidden, 0.0, labels["visibility"])
        pairs = {"repeats": repeats.float()[:, None]} if self.pairs else {}
        return {"picture": picture.round().to(torch.uint8), **labels, **pairs}

    def _regions(self, index: Tensor, random: BatchRandom) -> Tensor:
        """(n, 4) noisy regions of hands, and any regions of pictures without a hand."""
        n = len(index)
        by = random.chance(0.5, n).long()
        near = changes.noisy_regions(self.stored.regions[index, by], self.region_noise, random)
        centre, angle = random.uniform(0, STORED_PX, n, 2), random.uniform(-math.pi, math.pi, n, 1)
        size = STORED_PX * torch.exp(random.uniform(math.log(0.15), 0.0, n, 1))
        return torch.where(self.stored.is_hand[index][:, None], near, torch.cat([centre, size, angle], dim=1))

    def _changed(self, picture: Tensor, random: BatchRandom) -> Tensor:
        """The crops with another look; some as distant hands."""
        if self.strength == 0:
            return picture
        far = random.chance(DISTANT * self.strength, len(picture))
        near = changes.worn(changes.toned(picture, self.strength, random), self.strength, random)
        if far.any():
            near[far] = changes.distant(picture[far], self.strength, random)
        return near

    def _covered(self, picture: Tensor, landmarks: Tensor, random: BatchRandom) -> tuple[Tensor, Tensor]:
        """Cover part of some crops with a noisy patch; also which landmarks (n, 21) are behind it."""
        n, side = len(picture), self.side
        extent = random.uniform(0.1, 0.4, n, 2) * side
        low = random.uniform(0, 1, n, 2) * (side - extent)
        chosen = random.chance(OCCLUDED * self.strength, n)
        ticks = torch.arange(side, device=picture.device)
        columns, rows = ((ticks >= low[:, axis, None]) & (ticks < (low + extent)[:, axis, None]) for axis in (0, 1))
        patch = (rows[:, None, :, None] & columns[:, None, None, :]) & chosen[:, None, None, None]
        noise = random.normal(1.0, *picture.shape) * random.uniform(0, 40, n)[:, None, None, None]
        colour = (random.uniform(0, 255, n, 3)[..., None, None] + noise).clamp(0, 255)
        xy = landmarks[..., :2]
        behind = ((xy >= low[:, None]) & (xy < (low + extent)[:, None])).all(dim=-1)
        return torch.where(patch, colour, picture), behind & chosen[:, None]


def device_crops(
    sources: Sequence[Source], side: int, seed: int, strength: float, pairs: float, device: torch.device
) -> DeviceCrops:
    """The samples of some datasets, made on a device; see `DeviceCrops`.

    Raises:
        InputError: no picture shows a hand.
    """
    return DeviceCrops(store(sources, device), side, seed, strength, pairs=pairs)


def labels_in_crops(stored: Stored, index: Tensor, roi: Tensor, linear: Tensor, side: int) -> dict[str, Tensor]:
    """The labels of `labels_in_crop` for regions of kept pictures, and those of `labels_without_hand` for others.

    Args:
        index: (n,) rows of `stored`.
        roi: (n, 4) regions.
        linear: (n, 2, 2) mirror and stretch.
        side: of the crops, pixels.
    """
    points, known, is_hand = stored.landmarks[index], stored.known[index], stored.is_hand[index]
    matrix, shift = changes.affine_of(roi, linear, side)
    xy = torch.einsum("nij,nkj->nki", matrix, points[..., :2]) + shift[:, None]
    inside = ((xy >= 0) & (xy < side)).all(dim=-1) & known
    near = ((xy >= -NEAR * side) & (xy < (1 + NEAR) * side)).all(dim=-1) & known
    code, has_code = stored.visibility[index], stored.visibility_known[index][:, None]
    weight = near.float()
    weight[:, TIPS] *= TIP_WEIGHT
    weight = torch.where(has_code & (code == Visibility.HIDDEN), weight * HIDDEN_WEIGHT, weight)
    share = inside.sum(dim=1) / known.sum(dim=1).clamp(min=1)
    told = inside & has_code & (code != Visibility.UNKNOWN)
    seen = inside & (code == Visibility.VISIBLE)
    shown = torch.where(told.any(dim=1), (seen & told).sum(dim=1) / told.sum(dim=1).clamp(min=1), 1.0)
    present = (share >= PRESENT) & (shown >= SHOWN) & is_hand
    sure = present | (share <= ABSENT) | (shown == 0)
    sure = torch.where(stored.alone[index], sure, present)  # a crop that lost this hand may show another one
    weight = torch.where((shown < SHOWN)[:, None], 0.0, weight)
    mirrored = torch.linalg.det(linear) < 0
    z = points[..., 2] * (side / roi[:, 2])[:, None] * Z_SCALE
    z_known = stored.z_known[index]
    world_known = stored.world_known[index] & (shown >= SHOWN)[:, None]
    right = stored.right[index] != mirrored
    as_column = {
        "palm_size": torch.where(is_hand, _error_unit(xy, known, side), 1.0),
        "presence": present.float(),
        "presence_weight": (sure | ~is_hand).float(),
        "handedness": (right & stored.side_known[index]).float(),
        "handedness_weight": (stored.side_known[index] & (share >= PRESENT)).float(),
    }
    return {
        "landmarks": torch.cat([xy, torch.where(z_known, z, 0.0)[..., None]], dim=-1) * is_hand[:, None, None],
        "landmark_weight": weight,
        "z_weight": torch.where(z_known, weight, 0.0),
        "world": _world_in_crops(stored.world[index], roi[:, 3], mirrored),
        "world_weight": world_known.float(),
        "visibility": (seen & has_code).float(),
        "visibility_weight": (has_code & (code != Visibility.UNKNOWN) & (known | (code == Visibility.ABSENT))).float(),
        **{name: value[:, None] for name, value in as_column.items()},
    }


def _error_unit(xy: Tensor, known: Tensor, side: int) -> Tensor:
    """(n,) as `error_unit_px`, but at least `LEAST_PALM` of the side."""
    palm, there = xy[:, PALM_POINTS], known[:, PALM_POINTS, None]
    low = torch.where(there, palm, math.inf).amin(dim=1)
    high = torch.where(there, palm, -math.inf).amax(dim=1)
    span = torch.where(there.sum(dim=1) > 1, high - low, 0.0).amax(dim=1)
    length = torch.linalg.vector_norm(xy[:, 9] - xy[:, 0], dim=1) * (known[:, 0] & known[:, 9])
    return torch.maximum(length, 0.7 * span).clamp(min=LEAST_PALM * side)


def _world_in_crops(world: Tensor, angle: Tensor, mirrored: Tensor) -> Tensor:
    """World landmarks (n, 21, 3) about their mean, turned into the axes of the crops."""
    c, s = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
    x, y, z = world.unbind(dim=-1)
    turned = torch.stack([c * x + s * y, -s * x + c * y, z], dim=-1)
    return torch.where(mirrored[:, None, None], turned * torch.tensor([-1.0, 1, 1], device=world.device), turned)
