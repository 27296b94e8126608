"""z from depth maps, and the agreement of two people."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_hand
from PIL import Image as pillow

from knuckle.datasets import read_dataset
from knuckle.errors import InputError
from knuckle.label import agreement, depth
from knuckle.label.folder import Folder
from knuckle.label.session import Person

SIZE = (320, 240)


@pytest.fixture
def hand() -> dict[str, Any]:
    """A hand of our JSON lines whose points all have z = 5."""
    points = make_hand(150, 190, 100).landmarks[:, :2]
    landmarks = [[float(x), float(y), 5.0] for x, y in points]
    return {"landmarks": landmarks, "handedness": "Left", "visibility": [0] * 20 + [2]}


@pytest.fixture
def photo(tmp_path: Path, hand: dict[str, Any]) -> Path:
    """A photo with a depth map of half its size: 500 mm, and 40 mm nearer in the half with the fingertips."""
    pillow.new("RGB", SIZE, (90, 60, 30)).save(tmp_path / "a.jpg")
    far = np.full((120, 160), 500, np.uint16)
    far[: round(hand["landmarks"][5][1] / 2) - 6] = 460
    far[:, :20] = 0
    pillow.fromarray(far).save(tmp_path / "a.depth.png")
    return tmp_path / "a.jpg"


def test_visible_points_get_the_depth_and_hidden_ones_keep_theirs(photo: Path, hand: dict[str, Any]) -> None:
    opened = Folder(str(photo.parent), None)  # type: ignore[arg-type]  nothing is proposed here
    assert opened.photos.shown == ["a.jpg"]  # the map is no photo
    opened.photos.save(0, {"hands": [hand], "accepted": True, "doubtful": False})
    (shot,) = read_dataset(opened.out).shots
    z = (shot.hands or ())[0].landmarks[:, 2]  # type: ignore[index]
    nearer = -40 * (320 / 2 / math.tan(math.radians(30))) / 500
    np.testing.assert_allclose(z[[0, 8, 20]], [0, nearer, 5], atol=0.01)


def test_unknown_depth_and_other_files_change_nothing(photo: Path, hand: dict[str, Any]) -> None:
    map_ = depth.read_depth(photo.with_name("a.depth.png"))
    hand["landmarks"][0][:2] = [10, 100]  # where the map knows nothing
    assert depth.set_z(hand, map_, SIZE) == 0 and hand["landmarks"][8][2] == 5
    pillow.new("RGB", (160, 120)).save(photo.with_name("a.depth.png"))
    with pytest.raises(InputError, match="16-bit grey PNG"):
        depth.read_depth(photo.with_name("a.depth.png"))


def moved(hand: dict[str, Any], by: float) -> dict[str, Any]:
    return hand | {"landmarks": [[x + by, y, z] for x, y, z in hand["landmarks"]]}


def test_the_distance_of_two_people_is_in_palm_sizes(hand: dict[str, Any]) -> None:
    palm = math.dist(hand["landmarks"][0][:2], hand["landmarks"][9][:2])
    other = moved(hand, 0.05 * palm) | {"handedness": "Right"}
    far = moved(hand, 5 * palm)
    found = agreement.agree(("anna", "ben"), [hand], [far, other])
    assert found.alone == 1 and found.same_side == 0
    np.testing.assert_allclose(found.apart, np.full((1, 21), 0.05), atol=1e-4)
    assert agreement.summary([found]) == {
        "photos": 1, "hands": 1, "alone": 1, "median": 5.0, "tenth": 5.0, "same_side": 0.0
    }  # fmt: skip
    assert agreement.summary([]) is None


def test_somebody_blind_sees_no_labels_of_others(photo: Path, hand: dict[str, Any]) -> None:
    folder = str(photo.parent)
    anna = Folder(folder, None, person=Person("anna"))  # type: ignore[arg-type]
    anna.photos.save(0, {"hands": [hand], "accepted": True, "doubtful": False})
    ben = Folder(folder, None, person=Person("ben", blind=True))  # type: ignore[arg-type]
    assert anna.photos.overview()[0]["accepted"] and not ben.photos.overview()[0]["accepted"]
    assert ben.agreement() is None
    ben.photos.save(0, {"hands": [moved(hand, 3)], "accepted": True, "doubtful": False})
    found = ben.agreement()
    assert found is not None and found["photos"] == found["hands"] == 1 and 0 < found["median"] < 10
    anna.overview()
    assert anna.agreement() == found
