"""Which anchor predicts which palm. The anchors are those that `knuckle.pipeline.palm` decodes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from knuckle.pipeline.palm import anchors
from knuckle.results import FloatArray

# An anchor within NEAR palm sides of the centre of a palm predicts it; MediaPipe's anchors fire within 0.2 to 0.3 on
# photos. The loss ignores anchors up to IGNORED sides, or up to AROUND strides for palms smaller than a cell.
NEAR, IGNORED, AROUND = 0.3, 0.55, 0.75
HAND_PER_PALM = 1.9  # longer side of a hand's box relative to its palm's square
# In a box without landmarks the palm lies in the middle part of this side, and has a size between these limits relative
# to the usual one.
MIDDLE, LEAST_PALM, MOST_PALM = 0.7, 0.65, 1.45
Span = tuple[float, float]
NO_BOXES = np.zeros((0, 4))


@dataclass(frozen=True)
class AnchorGrid:
    """All anchors of a network.

    Attributes:
        side: side of the network's input, pixels.
        strides: (stride, anchors per cell) of each grid, as in `knuckle.pipeline.palm.PalmModel`.
        spans: for each grid and each anchor of a cell, the smallest and the largest palm that it predicts, relative to
            the side.
    """

    side: int
    strides: tuple[tuple[int, int], ...]
    spans: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True, eq=False)
class AnchorTargets:
    """What a palm network should predict for one picture.

    Attributes:
        score: (anchors,) 1 for anchors that predict a palm, else 0.
        weight: (anchors,) 0 for ignored anchors. The anchors of a palm have 1 / sqrt(their number), so that a large
            palm, which has many, does not outweigh a small one. 1 for the others.
        values: (anchors, 18) centre, width, height and seven key points in pixels relative to the anchor; 0 where score
            is 0.
        unit: (anchors,) side of the predicted palm in pixels, 1 where score is 0.
        bag: (anchors,) 1, 2, … for anchors that may predict the palm of the first, second, … hand with only a box; at
            least one of a bag should. 0 for the others. All of a bag have score 0 and weight 0.
    """

    score: FloatArray
    weight: FloatArray
    values: FloatArray
    unit: FloatArray
    bag: npt.NDArray[np.int64]


@lru_cache
def _layout(grid: AnchorGrid) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The centre (anchors, 2), span (anchors, 2) and stride (anchors,) of every anchor."""
    cells = [math.ceil(grid.side / stride) ** 2 for stride, _ in grid.strides]
    spans = [np.tile(np.array(each, np.float64), (n, 1)) for n, each in zip(cells, grid.spans, strict=True)]
    strides = [np.full(n * each, stride, float) for n, (stride, each) in zip(cells, grid.strides, strict=True)]
    return anchors(grid.side, grid.strides).astype(np.float64), np.concatenate(spans), np.concatenate(strides)


def targets(
    boxes: FloatArray, keypoints: FloatArray, ignored: FloatArray, grid: AnchorGrid, hand_boxes: FloatArray = NO_BOXES
) -> AnchorTargets:
    """Match palms to anchors by size and distance; an anchor near two palms predicts the nearer one.

    Each palm gets at least one anchor, unless more palms than anchors share a cell.

    Args:
        boxes: (n, 4) palm squares x0, y0, x1, y1 in input pixels.
        keypoints: (n, 7, 2) input pixels.
        ignored: (m, 4) regions that may hold palms without labels.
        hand_boxes: (k, 4) boxes of whole hands whose palms are somewhere inside.
    """
    centres, spans, strides = _layout(grid)
    score, values = np.zeros(len(centres), np.float32), np.zeros((len(centres), 18), np.float32)
    weight, unit = np.ones(len(centres), np.float32), np.ones(len(centres), np.float32)
    for x0, y0, x1, y1 in [*ignored, *hand_boxes]:
        weight[((centres >= [x0, y0]) & (centres <= [x1, y1])).all(axis=1)] = 0
    if len(boxes):
        squares, points = boxes.astype(np.float64), keypoints.astype(np.float64)
        middles, sides = (squares[:, :2] + squares[:, 2:]) / 2, (squares[:, 2:] - squares[:, :2]).max(axis=1)
        px = np.linalg.norm(centres[None] - middles[:, None], axis=2)
        fits = (spans[None, :, 0] <= sides[:, None] / grid.side) & (sides[:, None] / grid.side < spans[None, :, 1])
        weight[(px < np.maximum(IGNORED * sides[:, None], AROUND * strides)).any(axis=0)] = 0
        owner = _owners(px, fits, sides)
        taken = np.flatnonzero(owner >= 0)
        mine = owner[taken]
        score[taken], unit[taken] = 1, sides[mine]
        weight[taken] = 1 / np.sqrt(np.bincount(mine, minlength=len(boxes)))[mine]
        relative = np.concatenate([middles[:, None], points], axis=1)[mine] - centres[taken, None]
        size = squares[mine, None, 2:] - squares[mine, None, :2]
        values[taken] = np.concatenate([relative[:, :1], size, relative[:, 1:]], axis=1).reshape(-1, 18)
    return AnchorTargets(score, weight, values, unit, _bags(hand_boxes, weight > 0, grid))


def _bags(hand_boxes: FloatArray, taught: npt.NDArray[np.bool_], grid: AnchorGrid) -> npt.NDArray[np.int64]:
    """The bag of each anchor (see `AnchorTargets`). An anchor in two boxes belongs to the smaller one.

    Args:
        hand_boxes: (k, 4) input pixels.
        taught: (anchors,) anchors that another label teaches; they are in no bag.
    """
    centres, spans, _ = _layout(grid)
    bag = np.zeros(len(centres), np.int64)
    sides = (hand_boxes[:, 2:] - hand_boxes[:, :2]).max(axis=1)
    for number in np.argsort(-sides):
        middle, size = (
            (hand_boxes[number, :2] + hand_boxes[number, 2:]) / 2,
            np.ptp(hand_boxes[number].reshape(2, 2), 0),
        )
        palm = sides[number] / HAND_PER_PALM / grid.side
        inside = (np.abs(centres - middle) <= MIDDLE / 2 * size).all(axis=1)
        sized = (spans[:, 0] <= MOST_PALM * palm) & (LEAST_PALM * palm < spans[:, 1])
        bag[inside & sized & ~taught] = number + 1
    return bag


def _owners(px: FloatArray, fits: npt.NDArray[np.bool_], sides: FloatArray) -> npt.NDArray[np.intp]:
    """(anchors,) the palm that each anchor predicts, or -1.

    Args:
        px: (palms, anchors) distances in pixels.
        fits: (palms, anchors) whether the palm has the right size for the anchor.
        sides: (palms,) pixels.
    """
    away = np.where(fits, px / np.maximum(sides, 1e-6)[:, None], np.inf)
    wanted = np.where(away < NEAR, away, np.inf)
    owner = np.where(np.isfinite(wanted).any(axis=0), wanted.argmin(axis=0), -1)
    counts = np.bincount(owner[owner >= 0], minlength=len(sides))
    for palm in np.argsort(sides):  # the smallest first, since they have the fewest anchors to choose from
        if counts[palm]:
            continue
        spare = (owner < 0) | (counts[owner] > 1)
        nearest = int(np.argmin(np.where(spare, away[palm], np.inf)))
        if not np.isfinite(away[palm, nearest]) or not spare[nearest]:
            continue
        if owner[nearest] >= 0:
            counts[owner[nearest]] -= 1
        owner[nearest], counts[palm] = palm, 1
    return owner
