"""`PersonHand`: what a clip says about one person's hand, which does not change: the shape of the palm, the size.

World landmarks are a network's guess from each frame alone. Palms in them stretch and shrink from frame to frame, and
bent or foreshortened fingers come out short. The palm of a hand is nearly rigid, so its mean over the frames is better
than the palm of any of them, and positions from it are steadier (docs/space.md has the figures).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from knuckle.results import FINGERS, FloatArray
from knuckle.space.camera import Floats

PALM = [0, 1, 5, 9, 13, 17]  # wrist, thumb CMC, and the four MCP joints
MIDDLE = [0, 9, 10, 11, 12]  # wrist to the tip of the middle finger
REMEMBERED = 300  # frames in the means; 10 s at 30 frames per second
# Fingers come out short when they are bent, and never long: this share of the frames has a shorter one.
LENGTH_PERCENTILE = 90


@dataclass(frozen=True, eq=False)
class PersonHand:
    """One person's hand over a clip.

    Attributes:
        palm: (6, 3) mean of the palms of the world landmarks, metres, around its middle, in the first frame's axes.
        frames: number of frames in it, at most `REMEMBERED`.
        lengths: of the hand in those frames, in lengths of the palm from the wrist to the middle finger's MCP.
    """

    palm: Floats
    frames: int
    lengths: tuple[float, ...]

    @property
    def length_m(self) -> float:
        """Length of the hand as the world landmarks have it, metres."""
        palm = float(np.linalg.norm(self.palm[PALM.index(9)] - self.palm[0]))
        return palm * float(np.percentile(self.lengths, LENGTH_PERCENTILE))


def learned(before: PersonHand | None, world: FloatArray) -> PersonHand:
    """What is known of the hand after (21, 3) more world landmarks."""
    points = np.asarray(world, np.float64)
    palm = points[PALM] - points[PALM].mean(axis=0)
    palm_m = max(float(np.linalg.norm(points[9] - points[0])), 1e-9)
    ratio = hand_length(points) / palm_m
    if before is None:
        return PersonHand(palm, 1, (ratio,))
    frames = min(before.frames + 1, REMEMBERED)
    turned = palm @ alignment(palm, before.palm).T
    lengths = (*before.lengths, ratio)[-REMEMBERED:]
    return PersonHand(before.palm + (turned - before.palm) / frames, frames, lengths)


def shaped(person: PersonHand, world: FloatArray) -> Floats:
    """(21, 3) world landmarks with the palm of the person, and the fingers moved along with their MCP joints."""
    points: Floats = np.asarray(world, np.float64).copy()
    middle = points[PALM].mean(axis=0)
    moved = person.palm @ alignment(person.palm, points[PALM] - middle).T + middle - points[PALM]
    for number, landmark in enumerate(PALM):
        finger = next((joints for joints in FINGERS.values() if joints[0] == landmark), (landmark,))
        points[list(finger)] += moved[number]
    return points


def hand_length(points: Floats) -> float:
    """Length from the wrist to the tip of the middle finger along the bones, in the unit of the (21, 3) points."""
    return float(np.linalg.norm(np.diff(points[MIDDLE], axis=0), axis=1).sum())


def alignment(points: Floats, target: Floats) -> Floats:
    """(3, 3) the rotation of (k, 3) points around 0 that brings them nearest to their targets (Kabsch 1976)."""
    u, _, v = np.linalg.svd(target.T @ points)
    return np.asarray(u @ np.diag([1, 1, np.sign(np.linalg.det(u @ v))]) @ v, np.float64)
