"""Hands in named poses without a body model: landmarks of an average skeleton, as a perfect network reads them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from knuckle.results import Hand, Roi
from knuckle.synth.body.anatomy import AVERAGE_JOINTS
from knuckle.synth.body.hand_poses import NAMED
from knuckle.synth.body.kinematics import bone_transforms, landmarks_after

TO_CAMERA = np.array([-1.0, -1.0, 1.0])  # palm to the camera, fingers up


def posed_hand(
    pose: str,
    handedness: str = "Right",
    turned_deg: tuple[float, float, float] = (0, 0, 0),
    centre: tuple[float, float] = (320, 240),
    palm_px: float = 80,
) -> Hand:
    """A hand in a pose of `NAMED`, turned about the camera's x, y and z axes; z turns clockwise on screen."""
    points = landmarks_after(AVERAGE_JOINTS, bone_transforms(AVERAGE_JOINTS, NAMED[pose].angles)) * TO_CAMERA
    points = points - points[9]
    if handedness == "Left":
        points[:, 0] *= -1
    world = points @ Rotation.from_euler("xyz", turned_deg, degrees=True).as_matrix().T
    landmarks = world / np.linalg.norm(points[0]) * palm_px + [*centre, 0]
    return Hand(
        landmarks=landmarks.astype(np.float32),
        world=world.astype(np.float32),
        handedness=handedness,  # type: ignore[arg-type]
        handedness_score=0.99,
        presence=0.99,
        roi=Roi(*centre, 4 * palm_px, 0.0),
    )


def misread(hand: Hand, palms: float) -> Hand:
    """The hand with its index finger read further away, by palm lengths at its tip, and its thumb as much nearer."""
    world = hand.world.copy()
    away = palms * np.linalg.norm(world[9] - world[0]) * np.array([0.2, 0.5, 0.8, 1])
    world[5:9, 2] += away
    world[1:5, 2] -= away
    return replace(hand, world=world)
