"""Calibration: shift the scores of a trained network so that 0.5 is a good threshold.

A training set has other shares of hands, background and doubtful crops than tracking does, so the scores of a new
network are biased. Each function here finds the logit that should become 0; `shift_biases` in `checkpoint.py` applies
it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from knuckle.datasets import open_image
from knuckle.datasets.labels import Shot
from knuckle.geometry import letterbox
from knuckle.images import Image
from knuckle.pipeline.hand import MCP_JOINTS
from knuckle.results import FloatArray, Palm
from knuckle.train.augment import RegionNoise, crop_from_image, warp
from knuckle.train.checkpoint import shift_biases
from knuckle.train.hand.data import hand_free_region
from knuckle.train.hand.labels import is_trainable, region_of
from knuckle.train.palm.evaluator import LEAST_SCORE, detect_palms
from knuckle.train.palm.network import grid_of

TRACKED = RegionNoise(any_angle=0, lost=0)  # regions with the errors of the tracker's
CROPS_PER_PHOTO = 8
HANDS_BELOW, FREE_BELOW = 0.005, 0.999  # quantiles of the logits of hands and of hand-free crops
TOWARDS_HANDS = 0.6  # position of the new zero, from the second quantile (0) to the first (1)
FALSE_PALM_SHARE = 0.15  # false positives allowed, relative to those of the reference


@dataclass(frozen=True)
class PresenceZero:
    """The logit of presence that should become 0.

    Attributes:
        zero: the logit.
        hands, free: the quantiles of hands and of hand-free crops between which it lies.
        hands_lost, free_kept: the share of hands below it, and of hand-free crops above it.
    """

    zero: float
    hands: float
    free: float
    hands_lost: float
    free_kept: float


def presence_zero(hands: FloatArray, free: FloatArray) -> PresenceZero:
    """Separate hands from hand-free crops.

    The new zero lies between the logits of 99.5 % of the hands and of 99.9 % of the hand-free crops, a bit nearer to
    the hands: a rejected hand is soon found again, while a false positive is kept.

    Args:
        hands, free: (n,) logits of crops with and without a hand, see `presence_logits`.
    """
    low, high = float(np.quantile(hands, HANDS_BELOW)), float(np.quantile(free, FREE_BELOW))
    zero = high + TOWARDS_HANDS * (low - high)
    return PresenceZero(zero, low, high, float(np.mean(hands <= zero)), float(np.mean(free > zero)))


@torch.no_grad()
def presence_logits(network: nn.Module, crops: Iterable[Image]) -> FloatArray:
    """(n,) the network's presence output for crops (side, side, 3), before its sigmoid."""
    logits = []
    for crop in crops:
        picture = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))[None].float() / 255
        logits.append(float(network(picture, train_outputs=True)["presence_logit"]))
    return np.array(logits)


def crops_with_hands(shots: Iterable[Shot], side: int) -> Iterator[Image]:
    """Every labelled hand, cropped as the tracker would."""
    for number, shot in enumerate(shots):
        for hand in filter(is_trainable, shot.hands or ()):
            roi = TRACKED.apply(region_of(hand, MCP_JOINTS), np.random.default_rng(number))
            yield warp(open_image(shot.source), crop_from_image(roi, side, False), side, side / roi.size)


def crops_without_hands(shots: Iterable[Shot], side: int) -> Iterator[Image]:
    """Random crops of hand-free photos."""
    for number, shot in enumerate(shots):
        if shot.hands or not shot.complete:
            continue
        image, rng = open_image(shot.source), np.random.default_rng(number)
        for _ in range(CROPS_PER_PHOTO):
            roi = hand_free_region((image.shape[1], image.shape[0]), (), rng)
            if roi is not None:
                yield warp(image, crop_from_image(roi, side, False), side, side / roi.size)


PRESENCE_BIASES = {"presence.bias", "presence.2.bias"}  # of a single layer, and of a head with a hidden layer


def calibrate_presence(checkpoint: Path, zero: float, out: Path) -> None:
    """Write the checkpoint of a landmark network with its logit of presence lowered by `zero`.

    Raises:
        InputError: it is not a checkpoint of a landmark network of ours.
    """
    shift_biases(checkpoint, PRESENCE_BIASES.__contains__, zero, out)


@dataclass(frozen=True)
class PalmZero:
    """The logit of palm scores that should become 0.

    Attributes:
        zero: the logit.
        score: the same as a score.
        reference, allowed: false positives of the reference, and how many of them are allowed.
    """

    zero: float
    score: float
    reference: int
    allowed: int


def palm_zero(network: nn.Module, views: Iterable[Image], reference: Callable[[Image], list[Palm]]) -> PalmZero:
    """The lowest score at which a palm network has at most 15 % of the false positives of a reference.

    Focal loss leaves scores low, since there are hundreds of background anchors for each palm. Our network was trained
    on these photos and the reference was not. In other rooms ours has about twice as many false positives, which is
    less than half as many as the reference.

    Args:
        views: hand-free pictures, see `hand_free_views`.
        reference: finds palms at its own threshold.
    """
    grid = grid_of(network)
    count, scores = 0, [0.0]
    for view in views:
        count += len(reference(view))
        picture = letterbox(view, grid.side), (view.shape[1], view.shape[0])
        scores += [palm.score for palm in detect_palms(network, [picture], grid, LEAST_SCORE)[0]]
    allowed = int(FALSE_PALM_SHARE * count)
    best = max(float(np.sort(scores)[::-1][min(allowed, len(scores) - 1)]), LEAST_SCORE)
    return PalmZero(math.log(best / (1 - best)), best, count, allowed)


def hand_free_views(shots: Iterable[Shot]) -> Iterator[Image]:
    """Hand-free photos, whole and in quarters."""
    for shot in shots:
        image = open_image(shot.source)
        rows, columns = (np.array_split(np.arange(side), 2) for side in image.shape[:2])
        yield image
        for row in rows:
            for column in columns:
                yield image[row[0] : row[-1] + 1, column[0] : column[-1] + 1]


def calibrate_palms(checkpoint: Path, zero: PalmZero, out: Path) -> None:
    """Write the checkpoint of a palm network with its scores shifted by `zero`.

    Raises:
        InputError: it is not a checkpoint of a palm network of ours.
    """
    shift_biases(checkpoint, lambda name: name.startswith("scores.") and name.endswith(".bias"), zero.zero, out)
