"""Laws of bone frames: they are rotations, turn with the hand, mirror with it, point where anatomy says, never jump."""

from __future__ import annotations

import numpy as np
import pytest
from moving_hands import MIRROR, closing, posed
from scipy.spatial.transform import Rotation

import knuckle
from knuckle.results import Handedness
from knuckle.space.bones import (
    JOINT_INDEX,
    JOINTS,
    METACARPALS,
    PARENTS,
    bone_frames,
    joint_positions,
    landmarks_of_joints,
    palm_frame,
)
from knuckle.synth.body.hand_poses import NAMED, pose_of, random_pose

SIDES: tuple[Handedness, ...] = ("Left", "Right")
OTHER = {"Left": "Right", "Right": "Left"}


@pytest.fixture(scope="module")
def poses() -> np.ndarray:
    """(60, 21, 3) random poses of a right hand."""
    rng = np.random.default_rng(3)
    return np.array([posed(random_pose(rng)[1]) for _ in range(60)])


def angles_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Degrees between rotation matrices."""
    turns = Rotation.from_matrix((np.swapaxes(first, -1, -2) @ second).reshape(-1, 3, 3))
    return np.degrees(turns.magnitude()).reshape(first.shape[:-2])


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("scale", (1e-3, 1.0, 500.0))
def test_frames_are_right_handed_rotations_of_any_points(side: Handedness, scale: float) -> None:
    points = scale * np.random.default_rng(1).normal(size=(100, 21, 3))
    frames = bone_frames(points, side)
    assert np.allclose(np.swapaxes(frames, -1, -2) @ frames, np.eye(3), atol=1e-9)
    assert np.allclose(np.linalg.det(frames), 1)


@pytest.mark.parametrize("side", SIDES)
def test_bones_lead_along_minus_z_to_the_next_joint(poses: np.ndarray, side: Handedness) -> None:
    points = poses if side == "Right" else poses @ MIRROR
    frames, joints = bone_frames(points, side), joint_positions(points, palm_frame(points, side))
    for joint, parent in enumerate(PARENTS):
        if parent > 0:
            bone = joints[:, joint] - joints[:, parent]
            assert np.allclose(-frames[:, parent, :, 2], bone / np.linalg.norm(bone, axis=1, keepdims=True))
        if JOINTS[joint].endswith("tip"):
            assert np.array_equal(frames[:, joint], frames[:, parent])


def test_axes_of_an_open_hand_are_those_of_anatomy() -> None:
    flat = posed(pose_of(index_pip=5, middle_pip=5, ring_pip=5, pinky_pip=5))
    for side in SIDES:
        frames = bone_frames(flat if side == "Right" else flat @ MIRROR, side)
        wrist = frames[0]
        assert np.allclose(wrist[:, 1], [0, 0, 1], atol=0.1)  # out of the back of either hand
        assert np.allclose(wrist[:, 2], [0, -1, 0], atol=1e-6)  # from the fingers to the arm
        assert np.allclose(wrist[:, 0], [1, 0, 0], atol=0.1)  # a right hand's little finger, a left hand's thumb
        fingers = [joint for joint, name in enumerate(JOINTS) if not name.startswith(("wrist", "thumb"))]
        assert (frames[fingers, 2, 1] > 0.85).all()
        nail = frames[JOINT_INDEX["thumb_distal"], :, 1]
        assert nail[0] * (1 if side == "Right" else -1) < -0.7  # the nail of the thumb looks away from the fingers


@pytest.mark.parametrize("side", SIDES)
def test_turning_and_moving_the_hand_turns_every_frame_alike(poses: np.ndarray, side: Handedness) -> None:
    turn = Rotation.random(random_state=5).as_matrix()
    assert np.allclose(bone_frames(poses @ turn.T + [3, -1, 2], side), turn @ bone_frames(poses, side), atol=1e-9)
    assert np.allclose(bone_frames(7 * poses, side), bone_frames(poses, side), atol=1e-9)


def test_the_mirrored_hand_has_mirrored_frames(poses: np.ndarray) -> None:
    assert np.allclose(bone_frames(poses @ MIRROR, "Left"), MIRROR @ bone_frames(poses, "Right") @ MIRROR)


def test_frames_are_continuous_from_open_to_fist_and_back() -> None:
    for names in (("open", "fist"), ("stop", "hook"), ("thumb_up", "four"), ("wide", "ok")):
        first, last = (NAMED[name] for name in names)
        frames = bone_frames(np.array([posed(first.mix(last, s)) for s in np.linspace(0, 1, 300)]), "Right")
        assert angles_between(frames[:-1], frames[1:]).max() < 2


def test_frames_of_straight_fingers_do_not_spin_with_noise() -> None:
    """A straight finger has no plane. A millimetre of noise must not roll its bones freely."""
    rng = np.random.default_rng(2)
    straight = posed(pose_of())
    frames = bone_frames(straight + rng.normal(0, 0.001, (200, 21, 3)), "Right")
    spread = angles_between(frames, np.broadcast_to(bone_frames(straight, "Right"), frames.shape))
    assert np.percentile(spread, 99) < 22


def test_the_palm_stays_where_it_is_when_fingers_close(poses: np.ndarray) -> None:
    """The renderer's hands have one palm in all poses, but it cups."""
    palms = palm_frame(poses, "Right")
    assert angles_between(palms, np.broadcast_to(palm_frame(posed(pose_of()), "Right"), palms.shape)).max() < 15
    clip = palm_frame(closing(30), "Right")
    assert angles_between(clip[:1].repeat(30, axis=0), clip).max() < 10


def test_frames_do_not_depend_on_earlier_frames() -> None:
    clip = closing(20)
    assert np.allclose(bone_frames(clip[::-1], "Right")[::-1], bone_frames(clip, "Right"))
    assert np.allclose(bone_frames(clip[7], "Right"), bone_frames(clip, "Right")[7])


@pytest.mark.parametrize("side", SIDES)
def test_degenerate_hands_have_frames_too(side: Handedness) -> None:
    line = np.linspace(0, 1, 21)[:, None] * [0.0, -1.0, 0.0]
    hand = posed(NAMED["open"])
    no_palm, no_bone = hand.copy(), hand.copy()
    no_palm[[5, 9, 13, 17]] = no_palm[0]
    no_bone[[6, 7]] = no_bone[5]
    sideways = hand.copy()
    sideways[6:9] = sideways[5] + np.arange(1, 4)[:, None] * [-0.02, 0, 0]
    thumb_back = hand.copy()
    thumb_back[2:5] = thumb_back[1] - np.arange(1, 4)[:, None] * (hand[2] - hand[1])
    for points in (np.zeros((21, 3)), np.ones((21, 3)), line, no_palm, no_bone, sideways, thumb_back):
        frames = bone_frames(points, side)
        assert np.allclose(np.swapaxes(frames, -1, -2) @ frames, np.eye(3), atol=1e-6)
        assert np.allclose(np.linalg.det(frames), 1)


def test_a_bone_without_length_goes_on_like_the_one_before_it() -> None:
    hand = posed(NAMED["open"])
    hand[8] = hand[7]
    frames = bone_frames(hand, "Right")
    before, after = JOINT_INDEX["index_intermediate"], JOINT_INDEX["index_distal"]
    assert np.allclose(frames[before, :, 2], frames[after, :, 2])


def test_landmarks_come_back_from_joints(poses: np.ndarray) -> None:
    joints = joint_positions(poses, palm_frame(poses, "Right"))
    assert np.allclose(landmarks_of_joints(joints), poses)


def test_estimated_metacarpals_are_as_long_as_anatomy_says() -> None:
    """Buryanov & Kotiuk 2010 measured 46, 68, 65, 58 and 54 mm."""
    hand = posed(pose_of())
    joints = joint_positions(hand, palm_frame(hand, "Right"))
    lengths = [float(np.linalg.norm(joints[base + 1] - joints[base])) * 1000 for base in METACARPALS]
    assert lengths == pytest.approx([46, 68, 65, 58, 54], abs=9)


@pytest.mark.parametrize(
    ("points", "side", "words"),
    [
        (np.zeros((20, 3)), "Left", r"\(\.\.\., 21, 3\), got an array of shape \(20, 3\)"),
        (np.full((21, 3), np.nan), "Left", "finite"),
        (np.zeros((21, 3)), "left", "'Left' or 'Right', got 'left'"),
    ],
)
def test_other_input_is_refused(points: np.ndarray, side: Handedness, words: str) -> None:
    with pytest.raises(knuckle.InputError, match=words):
        bone_frames(points, side)
