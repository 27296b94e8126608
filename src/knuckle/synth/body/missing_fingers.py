"""Hands without some fingers: the skin of a finger is drawn back to a stump; its points are absent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.results import FINGERS, PointSet
from knuckle.results.point_set import NAMES
from knuckle.synth.body.anatomy import BONE, Doubles, Floats, unit
from knuckle.synth.body.further_points import finger_share

CUT = 0.3  # where on the first bone beyond the palm a finger ends, as a share of the bone's length
DOME = 0.006  # metres: height of the round end
ANY = "any"  # stands for a finger that is drawn anew for each person


def checked(missing: Sequence[str]) -> tuple[str, ...]:
    """The names of missing fingers.

    Raises:
        InputError: there is no such finger.
    """
    if unknown := [name for name in missing if name not in (*FINGERS, ANY)]:
        raise InputError(f"there is no finger {unknown[0]!r}; fingers are {', '.join(FINGERS)}, or {ANY}")
    return tuple(missing)


def absent_points(missing: Sequence[str]) -> list[int]:
    """Numbers of the landmarks that a hand without these fingers does not have: all but the first of each finger."""
    return [point for finger in missing for point in FINGERS[finger][1:]]


def absent_extra(points: PointSet, missing: Sequence[str]) -> npt.NDArray[np.bool_]:
    """(k,) whether a hand without these fingers lacks each extra point: it lacks the point's parent, or the skin."""
    gone = {NAMES[point] for point in absent_points(missing)}
    for one in points.extra:
        if one.parent in gone or (one.body or {}).get("finger") in missing:
            gone.add(one.name)
    return np.array([one.name in gone for one in points.extra], bool)


def without_fingers(
    rest: Floats, skin: Floats, joints: Doubles, missing: Sequence[str]
) -> tuple[Floats, npt.NDArray[np.float32]]:
    """Vertices (n, 3) at rest and their shares of the bones (n, bones), with a stump for each missing finger.

    Every vertex beyond the cut moves along the finger to the stump's round end, so the mesh keeps its triangles.

    Args:
        joints: (28, 3) of the right hand at rest, in the space of the vertices.
    """
    placed, skin = rest.astype(np.float64), skin.copy()
    for finger in missing:
        points = FINGERS[finger]
        chain = joints[list(points)]
        first = 0 if finger != "thumb" else 1  # the thumb ends at its MCP joint, whose metacarpal remains
        moved = _stump(placed, chain[first:], CUT if finger != "thumb" else 0.0)
        share = np.clip(2 * finger_share(skin, finger), 0, 1)[:, None]
        placed += share * (moved - placed)
        kept = BONE[f"{finger}_pp"] if finger != "thumb" else BONE["thumb_mc"]
        gone = [BONE[f"{finger}_{bone}"] for bone in (("mp", "dp") if finger != "thumb" else ("pp", "dp"))]
        skin[:, kept] += skin[:, gone].sum(axis=1)
        skin[:, gone] = 0
    return placed.astype(np.float32), skin


def _stump(vertices: Doubles, chain: Doubles, cut: float) -> Doubles:
    """The vertices with those beyond the cut on a dome; `chain` (m, 3) are the finger's joints from the cut bone on."""
    axis = unit(chain[1] - chain[0])
    first = float(np.linalg.norm(chain[1] - chain[0]))
    best, along, aside = np.full(len(vertices), np.inf), np.zeros(len(vertices)), np.zeros_like(vertices)
    before = 0.0
    for number, (start, end) in enumerate(pairwise(chain)):
        bone, length = unit(end - start), float(np.linalg.norm(end - start))
        reach = (vertices - start) @ bone
        place = np.clip(reach, 0 if number else -np.inf, length)
        away = vertices - start - place[:, None] * bone
        nearer = np.linalg.norm(away, axis=1) < best
        best = np.where(nearer, np.linalg.norm(away, axis=1), best)
        along, aside = np.where(nearer, before + place, along), np.where(nearer[:, None], away, aside)
        before += length
    angle = np.pi / 2 * np.clip((along - cut * first) / (before - cut * first), 0, 1)
    across = aside - (aside @ axis)[:, None] * axis
    end = chain[0] + (cut * first + DOME * np.sin(angle))[:, None] * axis
    return np.where((angle > 0)[:, None], end + np.cos(angle)[:, None] * across, vertices)
