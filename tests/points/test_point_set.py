"""Sets of points: what they are, what they refuse, and that JSON keeps them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from knuckle.cli.app import cli
from knuckle.errors import InputError
from knuckle.results import HAND_CONNECTIONS, HAND_POINTS, ExtraPoints, PointSet, point_set_of
from knuckle.results.point_set import NAMED, NAMES

NAILS = NAMED["nails"]
STUMP = PointSet(
    "stump", without=("ring_pip", "ring_dip", "ring_tip", "pinky_mcp", "pinky_pip", "pinky_dip", "pinky_tip")
)


@pytest.mark.parametrize("points", [*NAMED.values(), STUMP], ids=lambda points: points.name)
def test_json_keeps_a_set(points: PointSet) -> None:
    assert PointSet.from_dict(json.loads(json.dumps(points.to_dict()))) == points


@pytest.mark.parametrize("points", [*NAMED.values(), STUMP], ids=lambda points: points.name)
def test_each_of_the_21_has_a_row_of_its_own_or_that_of_a_stand_in(points: PointSet) -> None:
    for number, row in enumerate(points.rows):
        assert (points.names[row] == NAMES[number]) == (NAMES[number] not in points.without)
    assert len(points) == 21 - len(points.without) + len(points.extra) == len(set(points.names))
    assert [points.names[row] for row in range(len(points.standard))] == [NAMES[k] for k in points.standard]


def test_bones_join_what_is_there() -> None:
    assert HAND_POINTS.bones == HAND_CONNECTIONS and HAND_POINTS.is_usual
    assert NAILS.bones == (*HAND_CONNECTIONS, *((4 + 4 * k, 21 + k) for k in range(5)))
    named = [{STUMP.names[a], STUMP.names[b]} for a, b in STUMP.bones]
    assert {"ring_mcp", "middle_mcp"} in named and len(named) == 21 - 3 - 5


def test_a_finger_that_is_missing_collapses_on_its_knuckle_and_a_knuckle_on_its_neighbour() -> None:
    assert [STUMP.standing_for(name) for name in ("ring_tip", "pinky_mcp", "pinky_tip")] == ["ring_mcp"] * 3
    chosen = PointSet("nail", without=("index_tip",), extra=NAILS.extra[2:], stand_in={"index_tip": "middle_nail"})
    assert chosen.standing_for("index_tip") == "middle_nail"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"name": "x", "without": ["elbow"]}, "elbow"),
        ({"name": "x", "without": ["wrist"]}, "stand_in"),
        ({"name": "x", "extra": [{"name": "wrist", "parent": "index_tip"}]}, "twice"),
        ({"name": "x", "extra": [{"name": "a", "parent": "b"}, {"name": "b", "parent": "wrist"}]}, "before it"),
        ({"name": "x", "extra": [{"name": "Nail 1", "parent": "wrist"}]}, "a name of a-z"),
        ({"name": "x", "extra": [{"name": "tip_raw", "parent": "wrist"}]}, "does not end in"),
        ({"name": "x", "extra": [{"name": "a", "parent": "wrist", "body": {"skin": "hair"}}]}, "follow from the body"),
        ({"name": "x", "extra": [{"name": "a", "parent": "wrist", "body": {"joints": {"wrist": 2}}}]}, "add up to 1"),
        ({"name": "x", "bones": []}, "bones"),
        ({"without": []}, "'name'"),
        ([], "no set of points"),
    ],
)
def test_what_is_no_set_is_refused_in_one_line(row: object, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        PointSet.from_dict(row)
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(row))
    with pytest.raises(InputError, match=r"mine\.json"):
        point_set_of(str(file))


def test_names_and_files_name_a_set(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(STUMP.to_dict()))
    assert point_set_of(str(file)) == STUMP and point_set_of("nails") == NAILS
    with pytest.raises(InputError, match="nails, carpals"):
        point_set_of("nail")
    with pytest.raises(InputError, match="cannot be read"):
        point_set_of(str(tmp_path / "none.json"))
    refused = CliRunner().invoke(cli, ["synth", "hands", str(tmp_path / "out"), "--points", "toes"])
    assert refused.exit_code and "toes" in str(refused.exception or refused.output)


def test_extra_points_are_found_by_name_and_json_keeps_them() -> None:
    rng = np.random.default_rng(0)
    landmarks, world = rng.normal(0, 9, (2, 5, 3)).astype(np.float32).round(3)
    extra = ExtraPoints(NAILS.extra_names, landmarks, world, np.float32([0, 0.25, 0.5, 1, 1]), parents=NAILS.parents)
    assert np.array_equal(extra["ring_nail"], landmarks[3])
    assert ExtraPoints.from_dict(json.loads(json.dumps(extra.to_dict()))) == extra
    with pytest.raises(InputError, match="it has thumb_nail"):
        extra["toe_nail"]
    with pytest.raises(ValueError, match="read-only"):
        extra.landmarks[0] = 0
    some = extra.chosen(["pinky_nail", "heel"])
    assert np.array_equal(some["pinky_nail"], landmarks[4]) and np.isnan(some["heel"]).all()
    for damaged in ({}, {"names": "ab"}, {"names": ["a"]}, {"names": ["a", "a"], "landmarks": [[0, 0, 0]] * 2}):
        with pytest.raises(InputError):
            ExtraPoints.from_dict(damaged)
