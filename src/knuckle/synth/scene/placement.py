"""Where hands go in a picture and how they are turned towards the camera."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.transform import Rotation

from knuckle.results import FloatArray
from knuckle.synth.camera import labels
from knuckle.synth.render.primitives import Camera
from knuckle.synth.scene.stage import SceneHand

HAND_M = 0.18  # an adult's hand from wrist to finger tip
NEAREST_M = 0.1  # nothing that is labelled comes nearer to the camera
ATTEMPTS = 20


def rotation(about_x: float, about_y: float, about_z: float) -> FloatArray:
    """(3, 3) rotation about the fixed axes y, then x, then z. Radians."""
    return np.asarray(Rotation.from_euler("yxz", [about_y, about_x, about_z]).as_matrix(), np.float64)


def random_rotation(rng: np.random.Generator) -> FloatArray:
    """(3, 3) rotation in any direction, for objects."""
    return rotation(*rng.uniform(-math.pi, math.pi, 3))


def random_turn(rng: np.random.Generator) -> FloatArray:
    """(3, 3) rotation of a hand: mostly upright, and palm or back towards the camera more often than an edge."""
    if rng.random() < 0.1:
        return random_rotation(rng)
    roll = rng.normal(0, 0.55) if rng.random() < 0.6 else rng.uniform(-math.pi, math.pi)
    return rotation(0, 0, roll) @ random_tilt(rng)


def random_tilt(rng: np.random.Generator) -> FloatArray:
    """(3, 3) rotation of a hand with the fingers up, away from showing its palm or its back squarely."""
    facing = 0.0 if rng.random() < 0.55 else math.pi
    return rotation(rng.normal(0, 0.45), facing + rng.normal(0, 0.65), 0)


def random_place(hand: SceneHand, frame: Camera, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Rotation and offset that show a hand anywhere in the frame, 6 % to 110 % of its shorter side long."""
    shorter = min(frame.width, frame.height)
    for _ in range(ATTEMPTS):
        share = math.exp(rng.uniform(math.log(0.06), math.log(1.1)))
        distance = float(np.clip(frame.fx * HAND_M / (share * shorter), 0.15, 6))
        turn = random_turn(rng)
        reach = np.array([0.5, 0.5])
        if rng.random() < 0.85:  # one hand in seven may leave the frame
            reach = 0.5 - 0.45 * np.minimum(share * shorter / np.array([frame.width, frame.height]), 1)
        centre = (0.5 + rng.uniform(-1, 1, 2) * reach) * [frame.width, frame.height]
        wrist = centre - frame.fx / distance * (hand.points.mean(0) @ turn.T)[:2]
        offset = np.array([*((wrist - [frame.cx, frame.cy]) / frame.fx * distance), distance])
        nearest = nearest_z(hand, turn)
        if nearest + distance > NEAREST_M:
            break
    offset[2] += max(0.0, NEAREST_M - nearest - distance)
    return turn, offset


def nearest_z(hand: SceneHand, turn: FloatArray) -> float:
    """The smallest z of a hand's mesh after a rotation (3, 3), metres; every fourth vertex is tested."""
    return float((hand.objects[0].mesh.vertices[::4] @ turn.T.astype(np.float32))[:, 2].min())


def beside(hand: SceneHand, rng: np.random.Generator) -> FloatArray:
    """(3,) position for another hand's wrist: near the first hand, rarely inside it."""
    angle, distance = rng.uniform(0, 2 * math.pi), rng.uniform(0.07, 0.22)
    x, y, z = hand.points.mean(0).astype(float)
    depth = max(NEAREST_M + 0.1, z + float(rng.normal(0, 0.08)))
    return np.array([x + distance * math.cos(angle), y + distance * math.sin(angle) + 0.06, depth])


def reaching_in(
    hand: SceneHand, frame: Camera, share: float, others: list[FloatArray], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray] | None:
    """Rotation and offset of a hand whose forearm comes from the nearest border of a square frame.

    Args:
        share: length of the hand as a share of the frame's side.
        others: (21, 3) landmarks of the hands already there. Hands may touch, but the palms stay apart.

    Returns:
        None if no free position was found.
    """
    taken = [labels.project(points, frame).mean(0) for points in others]
    for _ in range(12):
        distance = frame.fx * HAND_M / (share * frame.width)
        pixel = rng.uniform(0.06, 0.94, 2) * frame.width
        outwards = pixel - frame.width / 2
        heading = math.atan2(-outwards[0], outwards[1])  # of the forearm: 0 is down, positive turns it left
        turn = rotation(0, 0, heading + rng.normal(0, 0.5)) @ random_tilt(rng)
        offset = np.array([*((pixel - [frame.cx, frame.cy]) / frame.fx * distance), distance])
        if nearest_z(hand, turn) + distance < NEAREST_M:
            continue
        centre = labels.project(hand.points @ turn.T + offset, frame).mean(0)
        if all(np.hypot(*(centre - other)) > 0.4 * share * frame.width for other in taken):
            return turn, offset
    return None


def share_in_frame(points: FloatArray, frame: Camera) -> float:
    """The share of (n, 3) points, camera space, that the frame shows."""
    pixels = labels.project(points, frame)
    inside = (pixels > 0).all(1) & (pixels < [frame.width, frame.height]).all(1) & (points[:, 2] > NEAREST_M)
    return float(inside.mean())
