"""Which anchor predicts which palm: the anchors are those of `knuckle.pipeline.palm`, which the detector decodes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from knuckle.pipeline.palm import anchors
from knuckle.results import FloatArray

# An anchor stands for a palm where it lies within NEAR palm sides of its centre, as the reference's own do (0.2 to 0.3
# on photos); up to UNSURE sides, or AROUND strides for palms smaller than a cell, either answer is right.
NEAR, UNSURE, AROUND = 0.3, 0.55, 0.75
Span = tuple[float, float]


@dataclass(frozen=True)
class AnchorGrid:
    """All anchors of a network.

    Attributes:
        side: of the network's input, pixels.
        strides: (stride, anchors per cell) of each grid, as `knuckle.pipeline.palm.PalmModel` has them.
        spans: per grid and anchor of a cell, the least and the largest palm that it stands for, shares of the side.
    """

    side: int
    strides: tuple[tuple[int, int], ...]
    spans: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True, eq=False)
class AnchorTargets:
    """What a palm network should say about one picture.

    Attributes:
        score: (anchors,) 1 where an anchor stands for a palm, else 0.
        weight: (anchors,) 0 where either answer would be right; the anchors of a palm 1 / sqrt(their number), so that
            a large palm, which has many, does not outvote a small one; else 1.
        values: (anchors, 18) centre, width, height and seven key points, pixels relative to the anchor; 0 where
            score is 0.
        unit: (anchors,) side of the palm that an anchor stands for, 1 where it stands for none.
    """

    score: FloatArray
    weight: FloatArray
    values: FloatArray
    unit: FloatArray


@lru_cache
def _places(grid: AnchorGrid) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of every anchor: its centre (anchors, 2), its span (anchors, 2), its stride (anchors,)."""
    cells = [math.ceil(grid.side / stride) ** 2 for stride, _ in grid.strides]
    spans = [np.tile(np.array(each, np.float64), (n, 1)) for n, each in zip(cells, grid.spans, strict=True)]
    strides = [np.full(n * each, stride, float) for n, (stride, each) in zip(cells, grid.strides, strict=True)]
    return anchors(grid.side, grid.strides).astype(np.float64), np.concatenate(spans), np.concatenate(strides)


def targets(boxes: FloatArray, keypoints: FloatArray, unsure: FloatArray, grid: AnchorGrid) -> AnchorTargets:
    """Match palms to anchors: by size to spans, by distance to cells; the nearer of two palms gets an anchor.

    Each palm has at least one anchor, unless more palms than anchors are crowded into one cell.

    Args:
        boxes: (n, 4) palm squares x0, y0, x1, y1 in input pixels. keypoints: (n, 7, 2) input pixels.
        unsure: (m, 4) regions that may or may not hold a palm: hands that nobody looked at closely.
    """
    centres, spans, strides = _places(grid)
    score, values = np.zeros(len(centres), np.float32), np.zeros((len(centres), 18), np.float32)
    weight, unit = np.ones(len(centres), np.float32), np.ones(len(centres), np.float32)
    for x0, y0, x1, y1 in unsure:
        weight[((centres >= [x0, y0]) & (centres <= [x1, y1])).all(axis=1)] = 0
    if len(boxes):
        squares, points = boxes.astype(np.float64), keypoints.astype(np.float64)
        middles, sides = (squares[:, :2] + squares[:, 2:]) / 2, (squares[:, 2:] - squares[:, :2]).max(axis=1)
        px = np.linalg.norm(centres[None] - middles[:, None], axis=2)
        fits = (spans[None, :, 0] <= sides[:, None] / grid.side) & (sides[:, None] / grid.side < spans[None, :, 1])
        weight[(px < np.maximum(UNSURE * sides[:, None], AROUND * strides)).any(axis=0)] = 0
        owner = _owners(px, fits, sides)
        taken = np.flatnonzero(owner >= 0)
        mine = owner[taken]
        score[taken], unit[taken] = 1, sides[mine]
        weight[taken] = 1 / np.sqrt(np.bincount(mine, minlength=len(boxes)))[mine]
        there = np.concatenate([middles[:, None], points], axis=1)[mine] - centres[taken, None]
        extent = squares[mine, None, 2:] - squares[mine, None, :2]
        values[taken] = np.concatenate([there[:, :1], extent, there[:, 1:]], axis=1).reshape(-1, 18)
    return AnchorTargets(score, weight, values, unit)


def _owners(px: FloatArray, fits: npt.NDArray[np.bool_], sides: FloatArray) -> npt.NDArray[np.intp]:
    """(anchors,) the palm that each anchor stands for, or -1; all arguments (palms, …)."""
    away = np.where(fits, px / np.maximum(sides, 1e-6)[:, None], np.inf)
    wanted = np.where(away < NEAR, away, np.inf)
    owner = np.where(np.isfinite(wanted).any(axis=0), wanted.argmin(axis=0), -1)
    counts = np.bincount(owner[owner >= 0], minlength=len(sides))
    for palm in np.argsort(sides):  # the smallest first: they have the fewest to choose from
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
