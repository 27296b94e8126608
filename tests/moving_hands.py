"""A clip of two hands with known joint angles, without pictures: what sinks of motion are given."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from knuckle.results import Frame, Hand, Handedness, Roi
from knuckle.synth.body.anatomy import AVERAGE_JOINTS
from knuckle.synth.body.hand_poses import NAMED, HandPose
from knuckle.synth.body.kinematics import bone_transforms, landmarks_after

Doubles = npt.NDArray[np.float64]
MIRROR = np.diag([-1.0, 1.0, 1.0])
FRAMES, RATE, WIDTH, HEIGHT = 40, 25.0, 640, 480
FOCAL_PX = WIDTH / 2 / np.tan(np.radians(30))
# A right hand that stands upright with its palm to the camera: its own axes (ulnar, distal, dorsal) in camera space.
UPRIGHT = np.array([[-1.0, 0, 0], [0, -1, 0], [0, 0, 1]])


def posed(pose: HandPose, handedness: Handedness = "Right") -> Doubles:
    """(21, 3) landmarks of an average hand in its own frame, x ulnar (of a left hand: radial), y distal, z dorsal."""
    right = landmarks_after(AVERAGE_JOINTS, bone_transforms(AVERAGE_JOINTS, pose.angles))
    return right if handedness == "Right" else right @ MIRROR


def closing(frames: int = FRAMES) -> Doubles:
    """(frames, 21, 3) a right hand that closes from an open hand to a fist."""
    shares = np.linspace(0, 1, frames)
    return np.array([posed(NAMED["open"].mix(NAMED["fist"], float(share))) for share in shares])


def hand_at(points: Doubles, handedness: Handedness, track_id: int | None) -> Hand:
    """A hand whose landmarks are (21, 3) points of camera space, seen with a field of view of 60 degrees."""
    pixels = points[:, :2] / points[:, 2:] * FOCAL_PX + [(WIDTH - 1) / 2, (HEIGHT - 1) / 2]
    depth = (points[:, 2:] - points[0, 2]) * FOCAL_PX / points[0, 2]
    return Hand(
        landmarks=np.concatenate([pixels, depth], axis=1).astype(np.float32),
        world=(points - points.mean(axis=0)).astype(np.float32),
        handedness=handedness,
        handedness_score=0.99,
        presence=0.98,
        roi=Roi.around([*pixels.min(axis=0).tolist(), *pixels.max(axis=0).tolist()]),
        track_id=track_id,
    )


def clip(source: str = "clip.mp4") -> Iterator[tuple[Frame, list[Hand]]]:
    """Frames of a right hand (id 1) that closes and turns, and of a left one (id 2) that is seen in frames 10 to 29."""
    image = np.broadcast_to(np.uint8(0), (HEIGHT, WIDTH, 3))
    for index, points in enumerate(closing()):
        turn = Rotation.from_euler("ZY", [index, 2 * index], degrees=True).as_matrix()
        right = points @ UPRIGHT.T @ turn.T + [0.1 + 0.001 * index, 0.1, 0.6]
        hands = [hand_at(right, "Right", 1)]
        if 10 <= index < 30:
            hands.append(hand_at(right * [-1, 1, 1] + [0.05, 0, 0.1], "Left", 2))
        yield Frame(image, index, index / RATE, source), hands
