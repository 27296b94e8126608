"""Whole samples, with the real body model and the real renderer."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("moderngl")
from knuckle.datasets.hand_json import hand_to_json
from knuckle.datasets.labels import Visibility
from knuckle.errors import Error, InputError
from knuckle.synth.body.hand_poses import OPEN
from knuckle.synth.camera import labels
from knuckle.synth.render.mesh import place
from knuckle.synth.render.primitives import Camera, SceneObject
from knuckle.synth.scene import object_meshes, people, random_hands, random_objects, random_scenes
from knuckle.synth.scene.random_hands import SceneMix
from knuckle.synth.scene.stage import Stage
from knuckle.synth.scene.studio import Sample, Studio
from knuckle.synth.write.preview import contact_sheet, draw_labels
from knuckle.synth.write.recipe import Recipe
from knuckle.synth.write.shards import read_shard, write_shards


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(128)


@pytest.fixture(scope="module")
def hand_crops(studio: Studio) -> list[Sample]:
    return [studio.hand_crop(np.random.default_rng([1, k])) for k in range(24)]


@pytest.fixture(scope="module")
def scenes(studio: Studio) -> list[Sample]:
    return [studio.scene(np.random.default_rng([2, k])) for k in range(16)]


def test_the_same_random_state_gives_the_same_sample(studio: Studio, hand_crops: list[Sample]) -> None:
    for k in (0, 5, 11):
        again = studio.hand_crop(np.random.default_rng([1, k]))
        assert np.array_equal(again.image, hand_crops[k].image)
        assert [hand_to_json(hand) for hand in again.hands] == [hand_to_json(hand) for hand in hand_crops[k].hands]


def test_landmarks_are_an_independent_projection_of_the_world(hand_crops: list[Sample], scenes: list[Sample]) -> None:
    checked = 0
    for sample in (*hand_crops, *scenes):
        camera = labels.camera_from_dict(sample.camera)
        if camera.distortion:
            continue
        matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
        for hand in sample.hands:
            points = (hand.world + hand.centre).astype(float)
            theirs, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, np.zeros(4))
            near = points[:, 2] > 0.05
            assert np.allclose(theirs[near, 0], hand.landmarks[near, :2], atol=0.05)
            checked += 1
    assert checked > 20


def test_visible_landmarks_lie_on_their_own_hand(hand_crops: list[Sample], scenes: list[Sample]) -> None:
    checked = 0
    for sample in (*hand_crops, *scenes):
        for hand in sample.hands:
            pixels = np.rint(hand.landmarks[:, :2]).astype(int)
            for (x, y), seen, by_itself in zip(pixels, hand.visibility, hand.self_occluded, strict=True):
                if seen == Visibility.OUTSIDE:
                    continue
                near = sample.mask[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
                if by_itself and seen == Visibility.HIDDEN:
                    assert sample.mask[y, x] == hand.mask_id
                if seen == Visibility.VISIBLE and hand.palm_size > 12:
                    checked += 1
                    assert (near == hand.mask_id).any()
    assert checked > 200


def test_a_hand_behind_a_box_is_occluded_and_one_in_front_is_not(studio: Studio) -> None:
    camera = Camera(128, 128, 200, 200, 63.5, 63.5)
    rng = np.random.default_rng(0)
    person = random_hands.random_person(studio.body, rng)
    hand = people.dressed_hand(studio.body.posed_hand(person.shape, OPEN, "Right"), person, 1, "open")
    room = random_scenes.random_room(rng)
    box = object_meshes.make("box", (0.5, 0.5, 0.02))
    for depth, expected in ((0.3, Visibility.HIDDEN), (0.9, Visibility.VISIBLE)):
        placed = hand.moved(np.eye(3), (0, 0.05, 0.6))
        wall = tuple(SceneObject(place(mesh, np.eye(3), (0, 0, depth)), person.skin, 100) for _, mesh in box)
        sample = studio.shoot(Stage((placed,), wall, room.surroundings, room.rotation), camera, rng)
        assert (sample.hands[0].visibility == expected).mean() > 0.8
        assert not sample.hands[0].self_occluded.any() or depth > 0.6


def test_every_crop_has_its_hand_or_says_that_there_is_none(hand_crops: list[Sample]) -> None:
    kinds = [sample.scene["crop"]["kind"] for sample in hand_crops]
    assert {"palm", "track", "nothing"} <= set(kinds)
    for sample, kind in zip(hand_crops, kinds, strict=True):
        if kind == "nothing":
            assert not sample.hands
        elif kind != "wrong":
            assert (sample.hands[0].visibility != Visibility.OUTSIDE).sum() >= 6
    usual = [s.hands[0] for s, kind in zip(hand_crops, kinds, strict=True) if kind in ("palm", "track")]
    heading = [hand.landmarks[9, :2] - hand.landmarks[0, :2] for hand in usual]
    assert np.mean([-y > abs(x) for x, y in heading]) > 0.8  # a tracker's crops are upright


def test_a_margin_shows_more_around_the_same_hand(studio: Studio) -> None:
    wide = Studio(128, margin=2.0)
    seen = 0
    for k in range(4):
        near, far = (s.hand_crop(np.random.default_rng([1, k])) for s in (studio, wide))
        if near.hands and far.hands:
            first, second = (hand.landmarks[:, :2] - 64 for hand in (near.hands[0], far.hands[0]))
            assert np.allclose(first, 2 * second, atol=0.1) or labels.camera_from_dict(near.camera).distortion
            seen += 1
    assert seen


def test_left_and_right_are_mirror_images(studio: Studio) -> None:
    person = random_hands.random_person(studio.body, np.random.default_rng(3))
    left, right = (studio.body.posed_hand(person.shape, OPEN, side) for side in ("Left", "Right"))
    assert np.allclose(left.landmarks * [-1, 1, 1], right.landmarks, atol=1e-6)


def test_scenes_hold_hands_of_many_sizes(scenes: list[Sample]) -> None:
    sizes = [hand.palm[2] - hand.palm[0] for sample in scenes for hand in sample.hands]
    assert any(not sample.hands for sample in scenes) and any(len(sample.hands) > 1 for sample in scenes)
    assert max(sizes) > 5 * min(sizes)


def test_pixels_are_replaced_where_a_shader_overflows(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = studio.renderer.draw

    def draw(*arguments: object) -> object:
        picture = drawn(*arguments)  # type: ignore[arg-type]
        picture.rgb[40:42, 50:53] = np.nan
        return picture

    monkeypatch.setattr(studio.renderer, "draw", draw)
    image = studio.hand_crop(np.random.default_rng([1, 2])).image
    monkeypatch.undo()
    whole = studio.hand_crop(np.random.default_rng([1, 2])).image
    assert (np.abs(image.astype(int) - whole).max(-1) > 40).mean() < 0.02


def test_objects_face_outwards_and_are_finite() -> None:
    for kind in object_meshes.MAKERS:
        low, high = random_objects.SIZES[kind]
        for size in (low, high):
            for _, mesh in object_meshes.make(kind, size):
                assert np.isfinite(mesh.vertices).all() and np.isfinite(mesh.normals).all()
                assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-3)
                corner = mesh.vertices[mesh.faces].astype(float)
                across = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
                assert np.einsum("ij,ij->", across, mesh.normals[mesh.faces].mean(1)) > 0
    with pytest.raises(InputError, match="no object"):
        object_meshes.make("spoon", (1,))
    with pytest.raises(InputError, match="above 0"):
        object_meshes.make("ball", (0,))


def test_rings_lie_around_the_finger(studio: Studio) -> None:
    person = random_hands.random_person(studio.body, np.random.default_rng(3))
    hand = studio.body.posed_hand(person.shape, OPEN, "Right")
    start, end = hand.landmarks[13].astype(float), hand.landmarks[14].astype(float)
    ring = object_meshes.band(hand.mesh, (start + end) / 2, end - start, 0.004, 0.001, 0.0135)
    assert ring is not None
    radius = np.linalg.norm(ring.vertices - ring.vertices.mean(0), axis=1)
    assert radius.min() > 0.005 and radius.max() < 0.017


def test_contact_sheets_show_every_picture(hand_crops: list[Sample]) -> None:
    pictures = [draw_labels(sample.image, sample.hands, zoom=1) for sample in hand_crops[:6]]
    sheet = contact_sheet(pictures, 4)
    assert sheet.shape == (128 * 2 + 2, 128 * 4 + 6, 3)
    assert np.array_equal(sheet[130:, 130:258], pictures[5])
    with pytest.raises(InputError, match="one size"):
        contact_sheet([pictures[0], pictures[1][:64]])


def test_several_processes_make_the_same_shards_as_one(tmp_path: Path) -> None:
    recipe = Recipe("hands", 6, 64, seed=8, per_shard=3)
    write_shards(tmp_path / "one", recipe)
    write_shards(tmp_path / "two", recipe, workers=2)
    for name in ("hands-000000.tar", "hands-000001.tar"):
        pairs = zip(read_shard(tmp_path / "one" / name), read_shard(tmp_path / "two" / name), strict=True)
        for (key, files), (other_key, other) in pairs:
            assert key == other_key and files == other


def test_only_poses_that_were_asked_for() -> None:
    studio = Studio(64, poses=("ok", "pinching"))
    shown = [hand for k in range(8) for hand in studio.hand_crop(np.random.default_rng(k)).hands]
    assert len(shown) >= 4
    assert {hand.about["pose"] for hand in shown} <= {"ok", "pinching", "relaxed"}
    assert not any(hand.about.get("holds") for hand in shown)


def test_reading_labels_needs_no_renderer() -> None:
    code = (
        "import sys, knuckle.synth.camera.labels; print([m for m in ('moderngl', 'anny', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_bad_background_is_one_line_and_leaves_no_partial_shard(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "bad.jpg").write_text("not a picture")
    out = tmp_path / "out"
    with pytest.raises(Error, match=r"bad\.jpg"):
        write_shards(out, Recipe("hands", 40, 64, backgrounds=str(photos)))
    assert not list(out.glob("*.tar")) and not list(out.glob("*.part"))


def test_the_example_of_the_documents_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs/synthetic.md").read_text()
    (example,) = re.findall(r"^```python {\.no-run}\n(.*?)^```$", page, re.S | re.M)
    exec(compile(example, "docs/synthetic.md", "exec"), {"__name__": "__main__"})
    first, *hands = capsys.readouterr().out.splitlines()
    assert first == "(256, 256, 3)" and hands


def test_the_mix_decides_what_crops_show() -> None:
    mix = SceneMix(no_hand=0.0, people=0.0, paired=0.0, holding=1.0, gloves=1.0)
    studio = Studio(64, mix=mix)
    shown = [studio.hand_crop(np.random.default_rng([3, k])) for k in range(6)]
    hands = [sample.hands[0] for sample in shown if sample.hands]
    assert len(hands) >= 4 and all(sample.scene["crop"]["kind"] != "nothing" for sample in shown)
    assert all(hand.about["holds"] and hand.about["glove"] for hand in hands)
    none = Studio(64, mix=SceneMix(no_hand=1.0)).hand_crop(np.random.default_rng(3))
    assert none.scene["crop"]["kind"] == "nothing" and not none.hands
