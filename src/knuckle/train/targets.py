"""Which anchor should say what: palms onto the anchors of `knuckle.palm`, the ones that the run time decodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knuckle.palm import anchors
from knuckle.results import FloatArray

# An anchor stands for a palm where it lies within NEAR palm sides of its centre; up to UNSURE it is left out of
# the score's loss. Sizes are shares of the input side: palms below go to the fine grid, above to the coarse one.
NEAR, UNSURE = 0.3, 0.55
BETWEEN = (0.12, 0.18)


@dataclass(frozen=True, eq=False)
class AnchorTargets:
    """What a palm network should say about one picture.

    Attributes:
        score: (anchors,) 1 where an anchor stands for a palm, else 0.
        weight: (anchors,) 0 where either answer would be right, else 1.
        values: (anchors, 18) centre, width, height and seven key points, pixels relative to the anchor; 0 where
            score is 0.
        unit: (anchors,) side of the palm that an anchor stands for, 1 where it stands for none.
    """

    score: FloatArray
    weight: FloatArray
    values: FloatArray
    unit: FloatArray


def targets(
    boxes: FloatArray,
    keypoints: FloatArray,
    unsure: FloatArray,
    side: int,
    strides: tuple[tuple[int, int], ...],
) -> AnchorTargets:
    """Match palms to anchors: by size to a grid, by distance to cells; each palm has at least its nearest anchor.

    Args:
        boxes: (n, 4) palm squares x0, y0, x1, y1 in input pixels. keypoints: (n, 7, 2) input pixels.
        unsure: (m, 4) regions that may or may not hold a palm: hands that nobody looked at closely.
    """
    centres = anchors(side, strides).astype(np.float64)
    level = np.repeat(np.arange(len(strides)), [(side // stride) ** 2 * per_cell for stride, per_cell in strides])
    out = AnchorTargets(
        np.zeros(len(centres), np.float32),
        np.ones(len(centres), np.float32),
        np.zeros((len(centres), 18), np.float32),
        np.ones(len(centres), np.float32),
    )
    for x0, y0, x1, y1 in unsure:
        within = (centres[:, 0] >= x0) & (centres[:, 0] <= x1) & (centres[:, 1] >= y0) & (centres[:, 1] <= y1)
        out.weight[within] = 0
    best = np.full(len(centres), np.inf)
    for box, points in zip(boxes.astype(np.float64), keypoints.astype(np.float64), strict=True):
        _mark(out, best, centres, level, box, points, side)
    return out


def _mark(
    out: AnchorTargets,
    best: FloatArray,
    centres: FloatArray,
    level: npt.NDArray[np.int_],
    box: FloatArray,
    points: FloatArray,
    side: int,
) -> None:
    """One palm onto its anchors; where two palms want an anchor the one whose centre is nearer gets it."""
    centre, size = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
    distance = np.linalg.norm(centres - centre, axis=1) / max(size, 1e-6)
    on_level = np.isin(level, levels_of(size / side))
    wanted = on_level & (distance < NEAR)
    nearest = np.flatnonzero(on_level)[np.argmin(distance[on_level])]
    wanted[nearest] = True
    maybe = (distance < UNSURE) & ~wanted & (out.score == 0)
    out.weight[maybe] = 0
    wanted &= distance < best
    best[wanted] = distance[wanted]
    out.score[wanted], out.weight[wanted], out.unit[wanted] = 1, 1, size
    relative = np.concatenate([[centre, [0, 0]], points])[None] - centres[wanted, None]
    relative[:, 1] = box[2:] - box[:2]
    out.values[wanted] = relative.reshape(-1, 18)


def levels_of(share: float) -> list[int]:
    """The grids that a palm of this share of the side belongs to: fine 0, coarse 1, both in between."""
    low, high = BETWEEN
    return [0] if share < low else [1] if share > high else [0, 1]
