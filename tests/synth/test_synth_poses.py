"""Hand poses: joints stay within their limits, fingers do not overlap, motion has no jumps."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knuckle.errors import InputError
from knuckle.synth.body.anatomy import AVERAGE_JOINTS, FINGERS, HIGH, INDEX, LOW, THICKNESS, clamp
from knuckle.synth.body.hand_poses import ASL, NAMED, TOUCH_M, HandPose, eased, pose_of, random_pose
from knuckle.synth.body.kinematics import bone_transforms, landmarks_after, overlap

ROUNDING = 1e-6


def landmarks(pose: HandPose) -> np.ndarray:
    return landmarks_after(AVERAGE_JOINTS, bone_transforms(AVERAGE_JOINTS, pose.angles))


def test_limits_and_couplings_hold_for_thousands_of_random_angles() -> None:
    wild = np.random.default_rng(0).normal(0, 3, (5000, len(LOW)))
    angles = clamp(wild)
    assert (angles >= LOW - ROUNDING).all() and (angles <= HIGH + ROUNDING).all()
    for finger in FINGERS:
        mcp, spread, pip, dip = (angles[:, INDEX[f"{finger}_{j}"]] for j in ("mcp", "spread", "pip", "dip"))
        follows = 2 / 3 * np.maximum(pip, 0)
        assert (np.abs(dip - follows) <= np.radians(40) + ROUNDING).all()
        widest = np.maximum(-LOW[INDEX[f"{finger}_spread"]], HIGH[INDEX[f"{finger}_spread"]])
        bent = mcp > np.radians(80)
        assert bent.any() and (np.abs(spread[bent]) <= 0.16 * widest).all()


def test_clamping_twice_is_clamping_once() -> None:
    angles = clamp(np.random.default_rng(1).normal(0, 2, (2000, len(LOW))))
    np.testing.assert_allclose(clamp(angles), angles, atol=ROUNDING)


def test_random_poses_keep_their_ranges_and_do_not_run_into_themselves() -> None:
    rng = np.random.default_rng(2)
    seen = set()
    for _ in range(400):
        name, pose = random_pose(rng)
        seen.add(name)
        assert overlap(AVERAGE_JOINTS, pose.angles) < TOUCH_M
        np.testing.assert_allclose(clamp(pose.angles), pose.angles, atol=ROUNDING)
    assert {"mixed", "each", "free"} < seen and len(seen) > 50


def test_only_poses_that_were_asked_for() -> None:
    rng = np.random.default_rng(3)
    assert {random_pose(rng, among=("ok", "asl_L"))[0] for _ in range(60)} <= {"ok", "asl_L", "relaxed"}
    apart, curled = [], []
    for _ in range(200):
        name, pose = random_pose(rng, among=("pinching",))
        assert name in ("pinching", "relaxed") and overlap(AVERAGE_JOINTS, pose.angles) < TOUCH_M
        points = landmarks(pose)
        palm = np.linalg.norm(points[9] - points[0])
        apart.append(np.linalg.norm(points[4] - points[8]) / palm)
        curled.append(np.linalg.norm(points[16] - points[0]) / palm)
    assert min(apart) < 0.35 and max(apart) > 1.2  # touching to far apart
    assert np.median(curled) < 1.3  # the ring finger is folded


def test_same_seed_same_poses() -> None:
    first, second = ([random_pose(np.random.default_rng(5)) for _ in range(3)] for _ in range(2))
    for (name, pose), (name_again, pose_again) in zip(first, second, strict=True):
        assert name == name_again and np.array_equal(pose.angles, pose_again.angles)


@pytest.mark.parametrize("name", NAMED)
def test_named_poses_are_within_reach_and_digits_do_not_run_into_each_other(name: str) -> None:
    angles = NAMED[name].angles
    np.testing.assert_allclose(clamp(angles), angles, atol=ROUNDING)
    assert overlap(AVERAGE_JOINTS, angles) < 0.008


def test_the_whole_alphabet_is_there_and_letters_differ() -> None:
    assert sorted(ASL) == [chr(ord("A") + k) for k in range(26)]
    shapes = {letter: landmarks(NAMED[f"asl_{letter}"]) for letter in ASL}
    alike = {("I", "J"), ("G", "Q"), ("K", "P"), ("H", "U"), ("M", "N")}  # these differ only in movement or direction
    for first in ASL:
        for second in ASL:
            if first < second and (first, second) not in alike:
                apart = np.linalg.norm(shapes[first] - shapes[second], axis=1).max()
                assert apart > 0.009, (first, second)


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("ok", 4, 8),
        ("pinch", 4, 8),
        ("six", 4, 20),
        ("seven", 4, 16),
        ("eight", 4, 12),
        ("asl_F", 4, 8),
        ("snap", 4, 12),
    ],
)
def test_finger_tips_that_should_touch_do(name: str, first: int, second: int) -> None:
    points = landmarks(NAMED[name])
    flesh = 0.093 * (THICKNESS["dp"] * 2.12)  # both tips are half a finger thick
    assert np.linalg.norm(points[first] - points[second]) < flesh + 0.006


@pytest.mark.parametrize("name", ["fist", "point", "thumb_up", "asl_S"])
def test_folded_fingers_lie_in_the_palm(name: str) -> None:
    points = landmarks(NAMED[name])
    palm = np.linalg.norm(points[9])
    for tip in (12, 16, 20):
        assert points[tip, 2] < 0 and np.linalg.norm(points[tip] - points[9] * 0.75) < 0.55 * palm


@settings(max_examples=60)
@given(st.integers(0, 2**31), st.floats(0, 1))
def test_bones_keep_their_lengths(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    angles = LOW + (HIGH - LOW) * (share * rng.uniform(size=len(LOW)))
    points, rest = landmarks(HandPose(clamp(angles))), AVERAGE_JOINTS[:21]
    for k in range(1, 21):
        if k % 4:
            length = np.linalg.norm(points[k + 1] - points[k])
            np.testing.assert_allclose(length, np.linalg.norm(rest[k + 1] - rest[k]), atol=1e-9)


def test_zero_angles_are_a_flat_hand() -> None:
    points = landmarks(HandPose())
    for first in (5, 9, 13, 17):
        along = np.diff(points[first : first + 4], axis=0)
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        np.testing.assert_allclose(along, [[0, 1, 0]] * 3, atol=1e-6)


def test_bending_bends_towards_the_palm_by_that_angle() -> None:
    for joint, first in (("mcp", 5), ("pip", 6), ("dip", 7)):
        # The end joint cannot bend by 30° alone: the middle one goes along in both.
        base = pose_of(index_pip=40, index_dip=20)
        more = base.replacing(**{f"index_{joint}": {"mcp": 30, "pip": 70, "dip": 50}[joint]})
        before, after = (np.diff(landmarks(pose)[first : first + 2], axis=0)[0] for pose in (base, more))
        angle = np.arccos(before @ after / np.linalg.norm(before) / np.linalg.norm(after))
        np.testing.assert_allclose(np.degrees(angle), 30, atol=1e-3)
        assert after[2] < before[2] or joint != "mcp"


def test_a_mixture_begins_and_ends_with_its_poses_and_has_no_jumps() -> None:
    first, second = NAMED["fist"], NAMED["open"]
    np.testing.assert_allclose(first.mix(second, 0).angles, first.angles, atol=ROUNDING)
    np.testing.assert_allclose(first.mix(second, 1).angles, second.angles, atol=ROUNDING)
    path = np.array([landmarks(first.mix(second, share)) for share in np.linspace(0, 1, 201)])
    steps = np.linalg.norm(np.diff(path, axis=0), axis=2).max(axis=1)
    assert steps.max() < 0.004 and steps.max() < 6 * np.median(steps)


def test_an_eased_motion_starts_and_stops_softly() -> None:
    path = np.array([eased(t) for t in np.linspace(0, 1, 101)])
    assert path[0] == 0 and path[-1] == 1 and (np.diff(path) > 0).all()
    assert np.diff(path)[0] < 1e-4 and np.diff(path)[-1] < 1e-4 and eased(-1) == 0 and eased(2) == 1


def test_an_unknown_angle_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"index_pop.*index_pip"):
        pose_of(index_pop=3)


def test_poses_load_neither_torch_nor_anny() -> None:
    code = (
        "import sys, knuckle.synth.body.hand_poses, knuckle.synth.body.model, knuckle.synth.body.whole_body\n"
        "print([m for m in ('torch', 'anny', 'moderngl', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
