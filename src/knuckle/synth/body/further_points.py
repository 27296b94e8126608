"""Where the points beyond the 21 are on a posed hand: on its skin, or between its joints; see `PointSet`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.results import PointSet
from knuckle.results.point_set import NAMES
from knuckle.synth.body.anatomy import HAND_BONES, PIVOTS, Doubles, Floats

JOINTS = (*NAMES, *(name for name in PIVOTS if name != "elbow"))  # the elbow moves with the forearm
# How deep a point lies below the skin, in lengths of the palm: those on the skin, and those of joints, as in
# `knuckle.synth.camera.labels.FLESH`.
ON_SKIN, IN_JOINTS = 0.03, 0.24
EDGE = 0.5  # the masks of `template_hand.hand_masks` are above it inside of their region

Masks = Mapping[str, npt.NDArray[np.float32]]


def joints_after(landmarks: Doubles, joints: Doubles) -> Doubles:
    """(27, 3) the `JOINTS` of a posed hand.

    Args:
        landmarks: (21, 3) of the pose.
        joints: (28, 3) at rest. The pivots in the palm never move.
    """
    return np.concatenate([landmarks, joints[len(NAMES) : len(JOINTS)]])


def further_points(points: PointSet, joints: Doubles, vertices: Floats, masks: Masks, skin: Floats) -> Floats:
    """(k, 3) the extra points of a set; NaN for those that do not follow from the body.

    Args:
        joints: (27, 3) posed `JOINTS`.
        vertices: (n, 3) of the posed skin, in the same space.
        masks: (n,) by name, of `template_hand.hand_masks`.
        skin: (n, bones) shares of `HAND_BONES`.

    Raises:
        InputError: a point names a joint that the body does not have.
    """
    found = np.full((len(points.extra), 3), np.nan, np.float32)
    for row, one in enumerate(points.extra):
        body: Mapping[str, Any] = one.body or {}
        if "joints" in body:
            if unknown := set(body["joints"]) - set(JOINTS):
                raise InputError(f"{one.name} follows from {sorted(unknown)[0]!r}; joints are: {', '.join(JOINTS)}")
            found[row] = sum(weight * joints[JOINTS.index(name)] for name, weight in body["joints"].items())
        elif body:
            weights = np.clip(masks[body["skin"]] - EDGE, 0, None) * (finger_share(skin, body["finger"]) > EDGE)
            found[row] = weights @ vertices / max(float(weights.sum()), 1e-9)
    return found


def finger_share(skin: Floats, finger: str) -> Floats:
    """(n,) how much of each vertex moves with the bones of a finger beyond the palm."""
    bones = [k for k, name in enumerate(HAND_BONES) if name.startswith(finger) and not name.endswith("_mc")]
    return np.asarray(skin[:, bones].sum(axis=1), np.float32)


def depths(points: PointSet) -> Floats:
    """(k,) how deep below the skin each extra point lies, in lengths of the palm."""
    return np.array([IN_JOINTS if one.body and "joints" in one.body else ON_SKIN for one in points.extra], np.float32)
