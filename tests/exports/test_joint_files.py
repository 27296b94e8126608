"""OpenXR joints, and wrist poses with joint angles, as JSON lines."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from moving_hands import MIRROR, clip, posed
from scipy.spatial.transform import Rotation

import knuckle
from knuckle.exports.joint_angles import JointAnglesSink
from knuckle.exports.openxr import OPENXR_JOINTS, OpenXrSink, openxr_hand
from knuckle.media.write_common import FileSink
from knuckle.space.angles import ANGLE_NAMES
from knuckle.synth.body.hand_poses import NAMED

FORWARD, UP = np.array([0.0, 0, -1]), np.array([0.0, 1, 0])


def written(sink: type[FileSink], folder: Path) -> list[dict]:
    with sink(folder / "hands.jsonl") as file:
        for frame, hands in clip():
            file.write(frame, hands)
    return [json.loads(line) for line in (folder / "hands.jsonl").read_text().splitlines()]


def test_the_joints_are_those_of_openxr_in_its_order() -> None:
    """XrHandJointEXT of openxr.h, version 1.1."""
    fingers = [
        f"{finger}_{joint}"
        for finger in ("index", "middle", "ring", "little")
        for joint in ("metacarpal", "proximal", "intermediate", "distal", "tip")
    ]
    thumb = ["thumb_metacarpal", "thumb_proximal", "thumb_distal", "thumb_tip"]
    assert list(OPENXR_JOINTS) == ["palm", "wrist", *thumb, *fingers] and len(OPENXR_JOINTS) == 26


@pytest.mark.parametrize("side", ("Left", "Right"))
def test_each_bone_leads_along_minus_z_and_the_back_of_the_hand_is_up(side: knuckle.Handedness) -> None:
    points = posed(NAMED["open"], side) * [1, -1, -1]  # y down, as cameras see it: fingers up, the back away
    found = openxr_hand(points, side)
    turns = Rotation.from_quat(found.orientations)
    for index, name in enumerate(OPENXR_JOINTS[2:-1], 2):
        if not name.endswith("tip"):
            bone = found.positions[index + 1] - found.positions[index]
            assert np.allclose(turns[index].apply(FORWARD), bone / np.linalg.norm(bone), atol=1e-6)
    assert np.allclose(turns[1].apply(UP), [0, 0, 1], atol=0.1)
    assert turns[0].apply(UP)[2] > 0.99 and turns[0].apply(FORWARD)[1] > 0.99
    palm, middle = found.positions[0], found.positions[[11, 12]]
    assert np.allclose(palm, middle.mean(axis=0))
    assert ((found.radii > 0.004) & (found.radii < 0.025)).all()
    tips = [index for index, name in enumerate(OPENXR_JOINTS) if name.endswith("tip")]
    assert (found.radii[tips] < found.radii[np.array(tips) - 1]).all()


def test_the_mirrored_hand_has_mirrored_joints() -> None:
    right = posed(NAMED["claw"])
    one, other = openxr_hand(right, "Right"), openxr_hand(right @ MIRROR, "Left")
    assert np.allclose(one.positions @ MIRROR, other.positions) and np.allclose(one.radii, other.radii)
    assert np.allclose(
        MIRROR @ Rotation.from_quat(one.orientations).as_matrix() @ MIRROR,
        Rotation.from_quat(other.orientations).as_matrix(),
    )


def test_files_of_openxr_joints(tmp_path: Path) -> None:
    rows = written(OpenXrSink, tmp_path)
    assert [len(row["hands"]) for row in rows] == [1 + (10 <= k < 30) for k in range(40)]
    assert rows[5]["time_s"] == 0.2 and rows[5]["width"] == 640
    for row, (_, hands) in zip(rows, clip(), strict=True):
        for entry, hand in zip(row["hands"], hands, strict=True):
            assert entry["hand"] == hand.handedness.lower() and entry["track_id"] == hand.track_id
            assert [joint["joint"] for joint in entry["joints"]] == list(OPENXR_JOINTS)
            tip, wrist = (np.array(entry["joints"][at]["position"]) for at in (10, 1))
            assert np.allclose(tip - wrist, (hand.world[8] - hand.world[0]) * [1, -1, -1], atol=2e-3)
            assert wrist[2] < -0.3  # in front of a camera that looks along -z
            assert all(math.isclose(np.linalg.norm(joint["orientation"]), 1, abs_tol=1e-4) for joint in entry["joints"])


def test_files_of_joint_angles(tmp_path: Path) -> None:
    rows = written(JointAnglesSink, tmp_path)
    entries = [row["hands"][0] for row in rows]
    assert list(entries[0]["angles_rad"]) == list(ANGLE_NAMES)
    flexion = [entry["angles_rad"]["index_pip_flexion"] for entry in entries]
    assert flexion[0] < 0.2 < 1.7 < flexion[-1] and np.diff(flexion).min() > -0.01  # the hand closes
    assert entries[0]["curls"]["ring"] < 0.1 < 0.9 < entries[-1]["curls"]["ring"]
    # The hand turns by 1 degree about z and 2 about y in each frame. Its palm cups when it closes.
    turns = Rotation.from_quat([entry["wrist"]["orientation_xyzw"] for entry in entries])
    expected = Rotation.from_euler("ZY", [[k, 2 * k] for k in range(40)], degrees=True)
    assert np.degrees((turns * turns[0].inv() * expected.inv()).magnitude()).max() < 10
    left, right = rows[15]["hands"][1], rows[15]["hands"][0]  # the left hand is the mirror image of the right one
    assert left["handedness"] == "Left"
    for name in ANGLE_NAMES:
        assert left["angles_rad"][name] == pytest.approx(right["angles_rad"][name], abs=0.01)


def test_positions_in_the_camera_are_the_true_ones(tmp_path: Path) -> None:
    """The hands of the clip have the size that is assumed, and the camera the field of view that is assumed."""
    rows = written(JointAnglesSink, tmp_path)
    for index, row in enumerate(rows):
        x, y, z = row["hands"][0]["wrist"]["position_m"]
        assert (x, y) == pytest.approx((0.1 + 0.001 * index, 0.1), abs=0.02) and z == pytest.approx(0.6, abs=0.06)
