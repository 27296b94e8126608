"""BVH and glTF: other programs' readers put every joint where the hand was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_hands import FRAMES, RATE, clip, hand_at

from knuckle.exports.bvh import BvhSink, even_times
from knuckle.exports.gltf import GltfSink
from knuckle.exports.motion import HandMotion, MotionSink
from knuckle.media.reader import STILL
from knuckle.results import Frame, Hand
from knuckle.space.bones import JOINTS

READERS = Path(__file__).parent / "readers"
EVERY = (0, 12, 25, 38)  # frames that are compared
HIDDEN = (0, 38)  # those of them without the left hand
BLENDER = os.environ.get("KNUCKLE_BLENDER_PYTHON")  # a Python that has the package bpy


class Motions(MotionSink):
    """Keeps the motions."""

    def content(self, motions: Any) -> bytes:
        self.kept: list[HandMotion] = list(motions)
        return b"-"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("motion")
    sinks = {"bvh": BvhSink(folder / "hands.bvh"), "glb": GltfSink(folder / "hands.glb")}
    for frame, hands in clip():
        for sink in sinks.values():
            sink.write(frame, hands)
    for sink in sinks.values():
        sink.close()
        assert sink.written and sink.path.is_file()
    return {name: sink.path for name, sink in sinks.items()}


@pytest.fixture(scope="module")
def motions(tmp_path_factory: pytest.TempPathFactory) -> list[HandMotion]:
    with Motions(tmp_path_factory.mktemp("kept") / "kept") as sink:
        for frame, hands in clip():
            sink.write(frame, hands)
    return sink.kept


def expected(motions: list[HandMotion], frame: int) -> dict[str, np.ndarray]:
    """Where each joint is in a frame by the rig, for the hands that are seen in it."""
    found = {}
    for motion in motions:
        (at,) = np.nonzero(motion.frame_numbers == frame)
        for number in at:
            places = motion.rig.place(motion.wrist[number], motion.frames[number])
            found |= {f"{motion.name}_{name}": place for name, place in zip(JOINTS, places, strict=True)}
    return found


def same_places(got: dict[str, list[float]], truth: dict[str, np.ndarray], tips: bool = True) -> None:
    names = [name for name in truth if tips or not name.endswith("tip")]
    assert names
    error = max(float(np.abs(np.array(got[name][:3]) - truth[name]).max()) for name in names)
    assert error < 1e-4, f"{1000 * error} mm"


def node(script: str, *arguments: object) -> Any:
    if not shutil.which("node") or not (READERS / "node_modules").is_dir():
        pytest.skip("needs Node and: npm install --prefix tests/exports/readers")
    done = subprocess.run(["node", READERS / script, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_rig_follows_the_landmarks(motions: list[HandMotion]) -> None:
    assert [motion.name for motion in motions] == ["right_1", "left_2"]
    assert [len(motion.times_s) for motion in motions] == [FRAMES, 20]
    truth = {frame.index: hands for frame, hands in clip()}
    for motion, side in zip(motions, ("Right", "Left"), strict=True):
        wrist = {number: place for number, place in zip(motion.frame_numbers, motion.wrist, strict=True)}
        for number, place in wrist.items():
            (hand,) = [hand for hand in truth[int(number)] if hand.handedness == side]
            tip = motion.rig.place(place, motion.frames[int(number) - motion.frame_numbers[0]])[9]
            across = hand.world[8] - hand.world[0]
            assert np.allclose(tip - place, across * [1, -1, -1], atol=0.004)


def test_three_js_shows_both_files_as_the_rig_moves(files: dict[str, Path], motions: list[HandMotion]) -> None:
    read = node("three.mjs", files["glb"], files["bvh"], *(frame / RATE for frame in EVERY))
    assert read["meshes"] == ["right_1_mesh", "left_2_mesh"]
    for glb, bvh, frame in zip(read["glb"], read["bvh"], EVERY, strict=True):
        truth = expected(motions, frame)
        same_places(glb, truth)
        same_places(bvh, truth, tips=False)
        assert glb["right_1_wrist"][3] == pytest.approx(1)
        assert glb["left_2_wrist"][3] == pytest.approx(0 if frame in HIDDEN else 1)


def test_the_khronos_validator_finds_nothing(files: dict[str, Path]) -> None:
    report = node("validate.mjs", files["glb"])
    assert report["issues"]["messages"] == []
    assert report["info"]["animationCount"] == 1 and report["info"]["hasSkins"]


@pytest.mark.skipif(not BLENDER, reason="KNUCKLE_BLENDER_PYTHON names no Python with bpy")
@pytest.mark.parametrize("kind", ("glb", "bvh"))
def test_blender_shows_the_file_as_the_rig_moves(kind: str, files: dict[str, Path], motions: list[HandMotion]) -> None:
    command = [str(BLENDER), READERS / "blender.py", files[kind], int(RATE), *EVERY]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for got, frame in zip(json.loads(done.stdout.splitlines()[-1]), EVERY, strict=True):
        same_places(got, expected(motions, frame), tips=kind == "glb")


def test_a_reader_of_bvh_finds_the_skeletons(files: dict[str, Path], motions: list[HandMotion]) -> None:
    bvh = pytest.importorskip("bvh").Bvh(files["bvh"].read_text())
    assert bvh.nframes == FRAMES and bvh.frame_time == pytest.approx(1 / RATE)
    names = bvh.get_joints_names()
    assert names[0] == "hands" and len(names) == 1 + 2 * 20
    for motion in motions:
        for joint, name in enumerate(JOINTS[1:], 1):
            if not name.endswith("tip"):
                offset = np.linalg.norm(bvh.joint_offset(f"{motion.name}_{name}"))
                assert offset == pytest.approx(np.linalg.norm(motion.rig.offsets[joint]), abs=2e-6)
    wrist = [bvh.frame_joint_channel(0, "right_1_wrist", f"{axis}position") for axis in "XYZ"]
    assert wrist == pytest.approx(motions[0].wrist[0].tolist(), abs=1e-5)
    before, lost = (bvh.frame_joint_channel(at, "left_2_index_distal", "Xrotation") for at in (29, 39))
    assert before == lost  # a hand that is lost keeps its last pose


def test_trimesh_finds_closed_capsules_around_the_bones(files: dict[str, Path]) -> None:
    scene = pytest.importorskip("trimesh").load(files["glb"])
    assert sorted(scene.geometry) == ["left_2", "right_1"]
    for mesh in scene.geometry.values():
        assert mesh.body_count == 27  # 24 bones and 3 bars between the knuckles
        assert mesh.volume > 0 and mesh.is_winding_consistent  # the triangles face outwards
        assert 0.15 < mesh.extents.max() < 0.26  # metres


def test_gltf_has_skins_and_times_of_the_frames(files: dict[str, Path]) -> None:
    gltf = pytest.importorskip("pygltflib").GLTF2().load(str(files["glb"]))
    assert [len(skin.joints) for skin in gltf.skins] == [25, 25]
    assert {channel.target.path for channel in gltf.animations[0].channels} == {"translation", "rotation", "scale"}
    ranges = [(one.min[0], one.max[0]) for one in gltf.accessors if one.type == "SCALAR" and one.max]
    assert ranges[0] == pytest.approx((0, 39 / RATE)) and ranges[1] == pytest.approx((10 / RATE, 29 / RATE))


def photos() -> list[tuple[Frame, list[Hand]]]:
    """Three photos, of which the second has no hand and the third has two."""
    (_, (one,)), *_ = clip()
    image = np.broadcast_to(np.uint8(0), (480, 640, 3))
    hand = hand_at(np.add(one.world.astype(float), [0, 0, 0.5]), "Right", None)
    hands = [[hand], [], [hand, hand]]
    return [(Frame(image, k, STILL, f"{k}.jpg"), own) for k, own in enumerate(hands)]


@pytest.mark.parametrize("sink", (BvhSink, GltfSink))
def test_photos_and_empty_runs_can_be_written(sink: type[MotionSink], tmp_path: Path) -> None:
    for name, frames in (("photos", photos()), ("one", photos()[:1]), ("none", photos()[1:2]), ("nothing", [])):
        with sink(tmp_path / name) as file:
            for frame, hands in frames:
                file.write(frame, hands)
        assert file.written and (tmp_path / name).stat().st_size > 100
        assert len(file.motions()) == sum(len(hands) for _, hands in frames)
    if sink is GltfSink and (READERS / "node_modules").is_dir():
        for name in ("photos", "one", "none", "nothing"):
            assert [one["message"] for one in node("validate.mjs", tmp_path / name)["issues"]["messages"]] == []


def test_sources_follow_each_other_and_keep_their_hands_apart(tmp_path: Path) -> None:
    with Motions(tmp_path / "kept") as sink:
        for source in ("a.mp4", "b.mp4"):
            for frame, hands in clip(source):
                sink.write(frame, hands)
    assert [motion.name for motion in sink.kept] == ["right_1", "left_2", "right_1_2", "left_2_2"]
    times = np.array(sink.times_s)
    assert (np.diff(times) > 0).all() and times[FRAMES] - times[FRAMES - 1] == pytest.approx(1)


def test_uneven_times_become_even_ones_of_the_same_length() -> None:
    assert np.allclose(even_times(np.array([0, 0.04, 0.08, 0.16, 0.2])), [0, 0.04, 0.08, 0.12, 0.16, 0.2])
    assert np.allclose(even_times(np.array([3.0])), [3.0])
