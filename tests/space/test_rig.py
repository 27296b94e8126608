"""Rigs: forward and inverse kinematics are inverses of each other, lengths are a person's, bad frames do not count."""

from __future__ import annotations

import numpy as np
import pytest
from moving_hands import MIRROR, closing, posed
from scipy.spatial.transform import Rotation

import knuckle
from knuckle.results import Handedness
from knuckle.space.bones import JOINT_INDEX, PARENTS, landmarks_of_joints
from knuckle.space.rig import pose_of, relative_to_parents, rig_of
from knuckle.synth.body.hand_poses import random_pose

SIDES: tuple[Handedness, ...] = ("Left", "Right")


def stiff_palms(count: int) -> np.ndarray:
    """(count, 21, 3) random poses of right hands whose palms do not cup, so that all lengths are constant."""
    rng = np.random.default_rng(8)
    return np.array([posed(random_pose(rng)[1].replacing(cup=0)) for _ in range(count)])


@pytest.mark.parametrize("side", SIDES)
def test_forward_of_inverse_gives_the_landmarks_back(side: Handedness) -> None:
    turns = Rotation.random(60, random_state=1).as_matrix()
    points = stiff_palms(60) @ np.swapaxes(turns, 1, 2) + np.random.default_rng(1).normal(size=(60, 1, 3))
    points = points if side == "Right" else points @ MIRROR
    rig = rig_of(points, side)
    back = landmarks_of_joints(rig.place(points[:, 0], pose_of(rig, points)))
    exact = [0, *range(2, 21)]
    assert np.abs(back - points)[:, [0, *range(5, 21)]].max() < 1e-6
    assert np.abs(back - points)[:, exact].max() < 0.004  # the base of the thumb is an estimate
    again = landmarks_of_joints(rig.place(back[:, 0], pose_of(rig, back)))
    assert np.abs(again - back).max() < 1e-9


def test_cupping_palms_come_back_to_a_millimetre() -> None:
    rng = np.random.default_rng(5)
    points = np.array([posed(random_pose(rng)[1]) for _ in range(100)])
    rig = rig_of(points, "Right")
    back = landmarks_of_joints(rig.place(points[:, 0], pose_of(rig, points)))
    assert np.abs(back - points)[:, [0, *range(5, 21)]].max() < 0.0015


def test_lengths_are_constant_and_those_of_the_person() -> None:
    for size in (0.8, 1.2):
        points = size * closing(30)
        rig = rig_of(points, "Right")
        joints = rig.place(points[:, 0], pose_of(rig, points))
        bones = np.linalg.norm(joints[:, 1:] - joints[:, PARENTS[1:]], axis=-1)
        assert np.ptp(bones, axis=0).max() < 1e-12
        phalanx = bones[0, JOINT_INDEX["index_intermediate"] - 1]
        assert phalanx == pytest.approx(np.linalg.norm(points[0, 6] - points[0, 5]))


def test_bad_frames_do_not_change_the_rig() -> None:
    points = closing(41)
    noisy = points.copy()
    noisy[::4] *= np.random.default_rng(3).uniform(0.3, 3, (11, 1, 1))
    assert np.allclose(rig_of(noisy, "Right").offsets, rig_of(points, "Right").offsets, atol=0.0015)


def test_turning_the_hand_turns_its_wrist_only() -> None:
    points = closing(10)
    turn = Rotation.from_euler("xyz", [20, -50, 130], degrees=True).as_matrix()
    rig = rig_of(points, "Right")
    still, turned = (relative_to_parents(pose_of(rig, one)) for one in (points, points @ turn.T + 4))
    assert np.allclose(turned[:, 0], turn @ still[:, 0])
    assert np.allclose(turned[:, 1:], still[:, 1:])


@pytest.mark.parametrize("side", SIDES)
def test_the_rest_pose_is_an_open_hand(side: Handedness) -> None:
    points = closing(10) if side == "Right" else closing(10) @ MIRROR
    rig = rig_of(points, side)
    rest = rig.rest
    assert np.allclose(np.swapaxes(rest, -1, -2) @ rest, np.eye(3)) and np.allclose(np.linalg.det(rest), 1)
    joints = rig.place(np.zeros(3), rest)
    tips = joints[[JOINT_INDEX[f"{finger}_tip"] for finger in ("thumb", "index", "middle", "ring", "pinky")]]
    across = tips[:, 0] * (1 if side == "Right" else -1)
    assert (np.diff(across) > 0.005).all()  # side by side, from the thumb to the little finger
    assert (tips[1:, 2] < -0.12).all() and (rest[6:, 1, 1] > 0.9).all()


def test_no_frames_are_refused() -> None:
    for points in (np.zeros((0, 21, 3)), np.zeros((21, 3))):
        with pytest.raises(knuckle.InputError, match=r"\(frames, 21, 3\)"):
            rig_of(points, "Left")
