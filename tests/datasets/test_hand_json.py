"""Labels as JSON: what is written is read back, codes of files become `Visibility` and codes again."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

from knuckle.datasets import LabelledHand, Visibility
from knuckle.datasets.hand_json import hand_from_json, hand_to_json

RANDOM = np.random.default_rng(0)
WHOLE = LabelledHand(
    box=np.array([1, 2, 30, 40], np.float32),
    landmarks=RANDOM.uniform(0, 40, (21, 3)).astype(np.float32),
    world=RANDOM.normal(0, 0.05, (21, 3)).astype(np.float32),
    handedness="Left",
    visibility=np.arange(21, dtype=np.uint8) % 4,
    palm=np.array([5, 6, 20, 21], np.float32),
    track_id=7,
    self_occluded=np.arange(21) % 4 == Visibility.HIDDEN,
    centre=np.array([0.1, 0.2, 0.6], np.float32),
    mask_id=3,
    about={"pose": "open"},
)


def test_every_field_survives_json() -> None:
    again = hand_from_json(json.loads(json.dumps(hand_to_json(WHOLE))), details=True)
    for field in fields(LabelledHand):
        before, after = getattr(WHOLE, field.name), getattr(again, field.name)
        if isinstance(before, np.ndarray):
            assert after.dtype == before.dtype, field.name
            np.testing.assert_allclose(after, before, atol=1e-3, err_msg=field.name)
        else:
            assert after == before, field.name


@pytest.mark.parametrize("name", [field.name for field in fields(LabelledHand)])
def test_a_field_without_a_label_stays_without(name: str) -> None:
    alone = LabelledHand(**{name: getattr(WHOLE, name)})
    again = hand_from_json(json.loads(json.dumps(hand_to_json(alone))), details=True)
    others = [field for field in fields(LabelledHand) if field.name not in (name, "self_occluded", "mask_id")]
    assert all(getattr(again, other.name) is other.default for other in others)
    assert again.mask_id in (0, WHOLE.mask_id)


def test_landmarks_without_a_label_are_null() -> None:
    points = np.full((21, 2), np.nan, np.float32)
    points[4] = 1.5, 2.5
    found = hand_to_json(LabelledHand(landmarks=points))
    assert found["landmarks"][3] == [None, None] and found["landmarks"][4] == [1.5, 2.5]
    np.testing.assert_array_equal(hand_from_json(found).landmarks, points)


def test_codes_of_files_are_translated() -> None:
    found = hand_to_json(WHOLE)
    assert found["visibility"][:4] == [None, 3, 1, 0]  # unknown, outside, hidden by the hand itself, visible
    by_something = hand_to_json(LabelledHand(visibility=np.full(21, Visibility.HIDDEN, np.uint8)))
    assert set(by_something["visibility"]) == {2}
    missing = hand_to_json(LabelledHand(visibility=np.full(21, Visibility.ABSENT, np.uint8)))
    assert set(missing["visibility"]) == {4}
    for broken in ([5] * 21, [0] * 20, ["a"] * 21, [0.5] * 21):
        with pytest.raises(ValueError, match=r"21|0 to 4"):
            hand_from_json({"visibility": broken})
