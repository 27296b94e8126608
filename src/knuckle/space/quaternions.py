"""Rotation matrices as quaternions x, y, z, w."""

from __future__ import annotations

from typing import Any

import numpy as np

from knuckle.extras import required
from knuckle.space.bones import Doubles


def rotations(matrices: Doubles) -> Any:
    """The n `scipy` rotations of (..., 3, 3) matrices.

    Raises:
        MissingExtraError: SciPy is not installed.
    """
    transform = required("scipy.spatial.transform", "motion", "Rotations")
    return transform.Rotation.from_matrix(np.asarray(matrices).reshape(-1, 3, 3))


def quaternions(matrices: Doubles) -> Doubles:
    """(..., 4) unit quaternions of (..., 3, 3) rotation matrices; w is not negative."""
    found = rotations(matrices).as_quat(canonical=True)
    return np.asarray(found, np.float64).reshape(*matrices.shape[:-2], 4)


def without_flips(quaternions: Doubles) -> Doubles:
    """(T, ..., 4) the same rotations, where each quaternion has the sign that is nearer to that of the frame before."""
    against = (quaternions[1:] * quaternions[:-1]).sum(axis=-1, keepdims=True) < 0
    signs = np.cumprod(np.where(against, -1.0, 1.0), axis=0)
    return np.concatenate([quaternions[:1], quaternions[1:] * signs])
