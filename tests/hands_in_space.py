"""Hands of known shape at known places, and what cameras see of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from knuckle.results import Hand, Roi
from knuckle.space.camera import Camera

FINGERS = ((-0.030, 0.020, (0.045, 0.035, 0.028)), (-0.024, 0.090, (0.043, 0.026, 0.021)))
FINGERS += ((0.0, 0.093, (0.048, 0.029, 0.022)), (0.022, 0.087, (0.044, 0.027, 0.022)))
FINGERS += ((0.041, 0.078, (0.036, 0.021, 0.019)),)


def hand_shape(bend_rad: float = 0.3, length_m: float = 0.19) -> np.ndarray:
    """(21, 3) metres: a hand with bent fingers that points up the image, its palm towards the camera."""
    points = [(0.0, 0.0, 0.0)]
    for x, y, bones in FINGERS:
        place, angle = np.array([x, -y, 0.006 * np.cos(40 * x)]), 0.0
        points.append(tuple(place))
        for bone in bones:
            angle += bend_rad
            place = place + bone * np.array([0.25 * np.sign(x) * (abs(x) > 0.01), -np.cos(angle), -np.sin(angle)])
            points.append(tuple(place))
    shape = np.array(points)
    chain = np.linalg.norm(np.diff(shape[[0, 9, 10, 11, 12]], axis=0), axis=1).sum()
    shape = shape * length_m / chain
    return shape - shape.mean(axis=0)


def turned(shape: np.ndarray, degrees: Sequence[float]) -> np.ndarray:
    """The shape turned by these degrees about x, y and z."""
    return shape @ Rotation.from_euler("xyz", degrees, degrees=True).as_matrix().T


def hand_at(pixels: np.ndarray, world: np.ndarray, track_id: int | None = 1, side: str = "Left", **more: Any) -> Hand:
    """A result with these (21, 2) landmarks in the image and (21, 3) world landmarks."""
    landmarks = np.column_stack([pixels, np.zeros(21)]).astype(np.float64)
    box = [*landmarks[:, :2].min(axis=0), *landmarks[:, :2].max(axis=0)]
    return Hand(landmarks, world, side, 0.95, 0.99, Roi.around(box), track_id=track_id, **more)


def looking_at(target: Sequence[float], position: Sequence[float], camera: Camera, name: str) -> Camera:
    """The camera at a place in the world, looking at another, upright."""
    forward = np.subtract(target, position) / np.linalg.norm(np.subtract(target, position))
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return replace(camera, rotation=rotation, translation=-rotation @ np.asarray(position, float), name=name)


def rig(camera: Camera | None = None, count: int = 4, radius_m: float = 1.2) -> list[Camera]:
    """Cameras around the origin that look at it, on an arc of 120 degrees, at different heights."""
    camera = camera or Camera.from_fov((1280, 720), 60)
    angles = np.linspace(-np.pi / 3, np.pi / 3, count)
    places = [(radius_m * np.sin(a), 0.3 * np.cos(3 * a), -radius_m * np.cos(a)) for a in angles]
    return [looking_at((0, 0, 0), place, camera, f"cam_{k}") for k, place in enumerate(places)]
