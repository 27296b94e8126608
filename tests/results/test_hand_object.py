"""`Hand` as a value: equality, immutability, pickling, what it shows of itself, and what its points say."""

from __future__ import annotations

import base64
import copy
import io
import json
import math
import pickle
import re
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import numpy as np
import pytest
from conftest import make_hand
from PIL import Image as pillow

import knuckle
from knuckle import InputError
from knuckle.geometry import turn
from knuckle.results import FINGERS, ExtraPoints, Gesture, Hand, Palm


def test_hands_with_the_same_values_are_equal_and_any_other_field_tells_them_apart() -> None:
    one, other = make_hand(), make_hand()
    assert one == other and hash(one) == hash(other) and len({one, other}) == 1
    changes = {
        "landmarks": one.landmarks + 1,
        "world": one.world * 2,
        "handedness": "Right",
        "handedness_score": 0.6,
        "presence": 0.5,
        "roi": replace(one.roi, size=1.0),
        "palm_score": 0.7,
        "track_id": 3,
        "visibility": np.zeros(21),
        "landmarks_raw": one.landmarks + 2,
        "landmark_std": np.ones(21),
        "gesture": Gesture("Victory", 0.9),
        "world_raw": one.world * 3,
        "camera": one.world + 1,
        "camera_std": one.world * 0,
        "extra": ExtraPoints(("nail",), one.landmarks[:1], one.world[:1]),
    }
    assert {field.name for field in fields(Hand) if field.compare} == set(changes)
    for name, value in changes.items():
        assert replace(one, **{name: value}) != one, name
    assert one != "a hand" and replace(one, picture=lambda: None) == one


def test_palms_are_equal_by_value() -> None:
    one, other = (Palm(np.arange(4.0), np.zeros((7, 2)), 0.5) for _ in range(2))
    assert one == other and hash(one) == hash(other) and one != replace(one, box=np.zeros(4))


def test_a_hand_cannot_be_changed() -> None:
    points = make_hand().landmarks.copy()
    hand = replace(make_hand(), landmarks=points, landmarks_raw=points)
    with pytest.raises(FrozenInstanceError):
        hand.presence = 0.5  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        hand.mood = "good"  # type: ignore[attr-defined]
    for values in (hand.landmarks, hand.world, hand.landmarks_raw):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 0
    points[:] = 0  # the array of the caller
    assert hand == replace(make_hand(), landmarks_raw=hand.landmarks)
    assert not hasattr(hand, "__dict__")


def test_copies_and_pickles_are_equal_and_cannot_be_changed_either() -> None:
    hand = replace(make_hand(), visibility=np.ones(21), track_id=2, picture=lambda: None)
    for again in (pickle.loads(pickle.dumps(hand)), copy.copy(hand), copy.deepcopy(hand)):
        assert again == hand and not again.landmarks.flags.writeable and not again.visibility.flags.writeable


def test_a_dictionary_keeps_what_the_network_says_of_its_error() -> None:
    hand = replace(make_hand(), visibility=np.full(21, 0.5), landmark_std=np.linspace(1, 5, 21))
    row = json.loads(json.dumps(hand.to_dict()))
    again = Hand.from_dict(row)
    assert again.landmark_std is not None and again.visibility is not None
    np.testing.assert_allclose(again.landmark_std, np.linspace(1, 5, 21), atol=1e-3)
    assert again.to_dict() == row
    assert Hand.from_dict(make_hand().to_dict()).landmark_std is None
    del row["landmark_std"]  # files of earlier versions have no such key
    assert Hand.from_dict(row).landmark_std is None


def test_a_row_without_landmarks_is_no_hand() -> None:
    with pytest.raises(InputError, match=r"needs landmarks, world, .*got a row with track_id"):
        Hand.from_dict({"track_id": 1})


def test_repr_is_one_short_line() -> None:
    assert repr(make_hand()) == "Hand(Left, presence=0.99, box=(76, 20, 119, 100))"
    assert repr(replace(make_hand(), track_id=7)).endswith(", track_id=7)")


def shown(hand: Hand) -> pillow.Image | None:
    """The picture in the HTML of a hand."""
    found = re.search(r"base64,([\w+/=]+)'", hand._repr_html_())
    return pillow.open(io.BytesIO(base64.b64decode(found.group(1)))) if found else None


def test_html_shows_the_skeleton_on_its_part_of_the_image() -> None:
    image = np.full((200, 300, 3), (200, 30, 40), np.uint8)
    html = replace(make_hand(), picture=lambda: image)._repr_html_()
    assert html.count("<line") == 21 and html.count("<circle") == 21 and "Hand(Left, presence=0.99" in html
    picture = shown(replace(make_hand(), picture=lambda: image))
    assert picture is not None
    red, green, blue = np.median(np.asarray(picture), axis=(0, 1))
    assert red > 150 > 80 > max(green, blue)  # RGB, not BGR


@pytest.mark.parametrize("x", [-500, 5, 299, 5000])
def test_html_works_beyond_the_border_and_without_an_image(x: float) -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    inside = shown(replace(make_hand(x), picture=lambda: image)) is not None
    assert inside == (0 < x < 300)
    assert "<line" in make_hand(x)._repr_html_() and shown(make_hand(x)) is None
    gone = replace(make_hand(x), picture=lambda: None)
    assert shown(gone) is None
    broken = replace(make_hand(x), landmarks=np.full((21, 3), np.nan))
    assert "<svg" not in broken._repr_html_()


def test_normalized_divides_by_the_size_of_the_image() -> None:
    hand = replace(make_hand(), landmarks=np.full((21, 3), [320, 120, -64], np.float32))
    assert np.allclose(hand.normalized(640, 480), [0.5, 0.25, -0.1])


def bent(angle_deg: float) -> Hand:
    """A hand whose index finger is bent by this angle at its PIP joint, towards the palm."""
    hand = make_hand()
    world = hand.world.astype(np.float64)
    joint = world[6].copy()
    for number in (7, 8):
        x, y, z = world[number] - joint
        y, z = turn(np.array([y, z]), math.radians(angle_deg))
        world[number] = joint + np.array([x, y, z])
    return replace(hand, world=world)


@pytest.mark.parametrize("angle_deg", [0, 30, 90, 150])
def test_angles_are_those_between_the_bones(angle_deg: float) -> None:
    hand = bent(angle_deg)
    assert hand.angle("index_pip", unit="deg") == pytest.approx(180 - angle_deg, abs=1e-3)
    assert hand.angle(6) == hand.angle("INDEX_PIP") == pytest.approx(math.radians(180 - angle_deg), abs=1e-5)
    assert hand.angle("index_dip", "deg") == pytest.approx(180, abs=1e-3)


def test_every_joint_has_an_angle_and_nothing_else_has_one() -> None:
    hand = make_hand()
    joints = [number for numbers in FINGERS.values() for number in numbers[:3]]
    assert all(0 < hand.angle(joint) <= math.pi for joint in joints)
    for wrong in sorted(set(range(21)) - set(joints)):
        with pytest.raises(InputError, match="is no joint"):
            hand.angle(wrong)
    for wrong in ("index", "elbow", 21, -1):
        with pytest.raises(InputError, match="landmarks are: wrist, thumb_cmc"):
            hand.angle(wrong)
    with pytest.raises(InputError, match="'rad' or 'deg'"):
        hand.angle("index_pip", "turns")  # type: ignore[arg-type]


def test_distances_in_three_units() -> None:
    hand = make_hand(size=80)
    assert hand.distance("wrist", "middle_mcp") == pytest.approx(1)
    assert hand.distance("wrist", "middle_mcp", unit="px") == pytest.approx(hand.palm_size)
    assert hand.distance("wrist", "middle_tip", unit="m") == pytest.approx(0.18, abs=1e-4)
    twice = replace(hand, world=hand.world * 2)
    assert twice.distance("thumb_tip", "index_tip") == pytest.approx(hand.distance("thumb_tip", "index_tip"))
    with pytest.raises(InputError, match="'palm', 'px' or 'm'"):
        hand.distance("wrist", "middle_tip", unit="inch")  # type: ignore[arg-type]


def test_a_finger_that_bends_is_no_longer_extended() -> None:
    assert [bent(angle).is_extended("index") for angle in (0, 30, 120, 160)] == [True, True, False, False]
    with pytest.raises(InputError, match="fingers are: thumb, index"):
        make_hand().is_extended("toe")


def test_extended_fingers_of_photographed_gestures(shared: Path) -> None:
    """Call: thumb and pinky. Four: all but the thumb. Rock: index and pinky (people hold the thumb either way)."""
    truth = {"call": "T...P", "four": ".IMRP", "rock": "?I..P"}
    right = total = 0
    for gesture, letters in truth.items():
        for path in sorted((shared / "data" / "photos" / "gestures40").glob(f"{gesture}_*.jpg")):
            (frame,) = knuckle.read(path)
            for hand in knuckle.detect(frame.image, "mediapipe", max_hands=1):
                for finger, letter in zip(FINGERS, letters, strict=True):
                    if letter != "?":
                        right += hand.is_extended(finger) == (letter != ".")
                        total += 1
    assert total > 100 and right / total > 0.97
