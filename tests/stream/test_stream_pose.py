"""Curls, pinch, the axes of the wrist and the bones of avatars, from points."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import make_hand
from scipy.spatial.transform import Rotation

import knuckle
from knuckle.results import FINGERS
from knuckle.space.bones import palm_frame
from knuckle.stream.humanoid import (
    BONE_NAMES,
    LOWER_ARM_M,
    REST_DIRECTIONS,
    SHOULDER_M,
    UPPER_ARM_M,
    avatar_wrist,
    hand_rotation,
    humanoid_bones,
    resting_bones,
)
from knuckle.stream.pose import finger_curls, palm_axes, pinch_strength, quaternion_of, wrist_position

SIDES = ("Left", "Right")
CAMERA_FROM_UNITY = -np.eye(3)


def t_pose(side: str) -> np.ndarray:
    """(21, 3) in the camera's axes: an avatar's hand as it is at rest, its palm down."""
    points = np.zeros((21, 3))
    for row, (finger, numbers) in enumerate(FINGERS.items()):
        start = np.array([-0.03, 0, 0.02]) if finger == "thumb" else np.array([-0.09, 0, 0.025 - 0.02 * (row - 1)])
        for place, number in enumerate(numbers):
            points[number] = start + 0.03 * place * np.array(REST_DIRECTIONS[row])
    if side == "Right":
        points[:, 0] *= -1
    return points @ CAMERA_FROM_UNITY


def bones(points: np.ndarray, wrist: np.ndarray, side: str) -> np.ndarray:
    return humanoid_bones(points, hand_rotation(palm_frame(points, side), side), tuple(wrist), side)


def shoulder(side: str) -> np.ndarray:
    return np.array(SHOULDER_M) * (-1 if side == "Left" else 1, 1, 1)


@pytest.mark.parametrize("side", SIDES)
def test_the_rest_pose_of_an_avatar_turns_no_bone(side: str) -> None:
    out = -1 if side == "Left" else 1
    middle = t_pose(side)[9] - t_pose(side)[0]  # it must lie straight ahead of the wrist, and so it does nearly
    turn = Rotation.align_vectors([[-out, 0, 0]], [middle])[0]
    stretched = shoulder(side) + np.array([out * (UPPER_ARM_M + LOWER_ARM_M), 0, 0])
    found = bones(turn.apply(t_pose(side)), stretched, side)
    np.testing.assert_allclose(np.abs(found[:, 3]), 1, atol=0.01)


@pytest.mark.parametrize("side", SIDES)
def test_turning_an_avatar_s_bones_by_the_rotations_gives_the_person_s_hand(side: str) -> None:
    generator, out = np.random.default_rng(3), -1 if side == "Left" else 1
    for _ in range(20):
        points = t_pose(side) + generator.normal(0, 0.01, (21, 3))
        points = points @ Rotation.random(rng=generator).as_matrix().T
        wrist = shoulder(side) + generator.normal(0, 0.17, 3)
        found = Rotation.from_quat(bones(points, wrist, side))
        upper, lower = found[0], found[0] * found[1]
        reached = shoulder(side) + upper.apply([out * UPPER_ARM_M, 0, 0]) + lower.apply([out * LOWER_ARM_M, 0, 0])
        distance = np.linalg.norm(wrist - shoulder(side))
        if 0.05 < distance < 0.999 * (UPPER_ARM_M + LOWER_ARM_M):
            np.testing.assert_allclose(reached, wrist, atol=1e-6)
        else:  # too far: the arm points to it
            way = (reached - shoulder(side)) / np.linalg.norm(reached - shoulder(side))
            np.testing.assert_allclose(way, (wrist - shoulder(side)) / distance, atol=1e-6)
        hand = lower * found[2]
        for row, numbers in enumerate(FINGERS.values()):
            rest = np.array(REST_DIRECTIONS[row]) * (-out, 1, 1)
            total = hand
            for level in range(3):
                total = total * found[3 + 3 * row + level]
                bone = (points[numbers[level + 1]] - points[numbers[level]]) @ CAMERA_FROM_UNITY
                np.testing.assert_allclose(total.apply(rest), bone / np.linalg.norm(bone), atol=1e-6)


@pytest.mark.parametrize("side", SIDES)
def test_an_elbow_is_below_a_raised_hand_and_a_resting_arm_hangs(side: str) -> None:
    out = -1 if side == "Left" else 1
    raised = Rotation.from_quat(bones(t_pose(side), np.array([0.15 * out, 1.4, 0.4]), side)[0])
    assert raised.apply([out, 0, 0])[1] < -0.2
    assert Rotation.from_quat(resting_bones(side)[0]).apply([out, 0, 0])[1] < -0.9


def test_the_names_of_bones_are_unity_s() -> None:
    assert len(BONE_NAMES) == 18 == len(resting_bones("Left"))
    assert {"UpperArm", "Hand", "ThumbProximal", "IndexIntermediate", "LittleDistal"} <= set(BONE_NAMES)


@pytest.mark.parametrize("side", SIDES)
def test_the_axes_of_the_wrist_are_those_of_space(side: str) -> None:
    for points in np.random.default_rng(2).normal(0, 0.1, (50, 21, 3)):
        np.testing.assert_allclose(palm_axes(points.tolist(), side), palm_frame(points, side), atol=1e-9)


def test_quaternions_agree_with_scipy() -> None:
    for rotation in Rotation.random(200, rng=np.random.default_rng(1)):
        expected = rotation.as_quat(canonical=True)
        np.testing.assert_allclose(quaternion_of(rotation.as_matrix()), expected, atol=1e-9)


@pytest.mark.parametrize("side", SIDES)
def test_the_wrist_has_openxr_s_axes(side: str) -> None:
    """With the fingers up, z leads down to the forearm; y leads out of the back of the hand, away from the camera if
    the palm faces it.
    """
    points = make_hand().world.astype(float)  # its thumb is on the left side of the image
    axes = palm_frame(points, side)
    assert np.linalg.det(axes) == pytest.approx(1)
    np.testing.assert_allclose(axes[:, 2], [0, 1, 0], atol=0.1)
    thumb_is_left = points[4, 0] < 0
    shows_its_palm = thumb_is_left == (side == "Left")
    assert axes[2, 1] == pytest.approx(1 if shows_its_palm else -1, abs=0.1)


def test_straight_fingers_have_no_curl_and_bent_ones_have() -> None:
    world = make_hand().world.astype(float)
    assert finger_curls(world)[1:].max() == 0
    bent = world.copy()
    for place, turn in enumerate((80, 180, 260)):  # degrees against the palm, at the PIP, DIP and tip
        way = np.array([0, -np.cos(np.radians(turn)), np.sin(np.radians(turn))])
        bent[6 + place] = bent[5 + place] + 0.03 * way
    curls = finger_curls(bent)
    assert curls[1] == 1 and curls[2:].max() == 0


def test_a_pinch_closes_as_the_tips_meet() -> None:
    world = make_hand().world.astype(float)
    apart = pinch_strength(world)
    world[4] = world[8]
    assert apart == 0 and pinch_strength(world) == 1


def test_a_wrist_is_farther_away_if_the_hand_is_smaller_and_on_the_avatar_s_own_side() -> None:
    hands = (make_hand(500, 300, size) for size in (160, 80))
    near, far = (avatar_wrist(wrist_position(hand.landmarks, hand.world, (640, 480))) for hand in hands)
    assert near[2] > far[2]  # the avatar looks along +z, to the camera
    assert near[0] < 0  # the right half of the image is the person's left


def test_poses_of_a_real_clip_are_plausible() -> None:
    """The clip shows open hands from second 1.3 to 2.2, victory signs around second 3, and rings from 4 on."""
    tracker, curls, pinches = knuckle.HandTracker(), {}, {}
    for frame in knuckle.read("examples/hands.mp4"):
        hands = tracker(frame.image, frame.time_s)
        if frame.index in (60, 90, 126):
            curls[frame.index] = np.mean([finger_curls(hand.world) for hand in hands], axis=0)
            pinches[frame.index] = [pinch_strength(hand.world) for hand in hands]
    assert curls[60][1:].max() < 0.35 < 0.5 < curls[90][3:].min()
    assert curls[90][1:3].max() < 0.5
    assert max(pinches[60]) < 0.2 < 0.7 < min(pinches[126])
