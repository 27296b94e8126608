"""What leaves the pipeline is finite, whatever a network answers; the tracker goes on with the next frame."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import knuckle
from knuckle.errors import InputError
from knuckle.models.bundle import Bundle, NetworkFile
from knuckle.pipeline.palm import anchors
from knuckle.pipeline.tracker import Networks
from knuckle.results import Hand, Palm, Roi
from knuckle.testing import FakeNetwork

IMAGE = np.zeros((48, 64, 3), np.uint8)
FILE = NetworkFile("none", "")
BUNDLE = Bundle(
    "fake",
    FILE,
    FILE,
    "",
    "",
    palm_strides=((64, 1),),
    second_look=True,
    hand_outputs={name: name for name in ("landmarks", "presence", "handedness", "world", "visibility", "log_sigma")},
)
# Numbers as a damaged file or an overflow makes them.
numbers = st.one_of(
    st.floats(width=32),
    st.floats(-300, 300, width=32),
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1.0, 3e38, -3e38, 1e-38]),
)
law = settings(derandomize=True, max_examples=60, deadline=None)


def arrays(count: int) -> st.SearchStrategy[np.ndarray]:
    """Arrays with the same number everywhere except in a few places."""
    places = st.dictionaries(st.integers(0, count - 1), numbers, max_size=3)
    return st.builds(lambda base, others: filled(count, base, others), numbers, places)


def filled(count: int, base: float, others: dict[int, float]) -> np.ndarray:
    array = np.linspace(0, 1, count, dtype=np.float32) * 60 if base == 1.0 else np.full(count, base, np.float32)
    for place, number in others.items():
        array[place] = number
    return array


hand_answers = st.fixed_dictionaries(
    {
        "landmarks": arrays(63),
        "presence": arrays(1) | st.just(np.ones(1, np.float32)),
        "handedness": arrays(1) | st.just(np.ones(1, np.float32)),
        "world": arrays(63),
        "visibility": arrays(21),
        "log_sigma": arrays(21),
    }
)
CELLS = len(anchors(192, ((64, 1),)))
SOUND_PALM = np.tile(np.array([0, 0, 40, 40, *range(14)], np.float32), (CELLS, 1))
palm_answers = st.fixed_dictionaries(
    {
        "Identity": arrays(CELLS * 18).map(lambda array: array.reshape(CELLS, 18)) | st.just(SOUND_PALM),
        "Identity_1": arrays(CELLS).map(lambda array: array.reshape(CELLS, 1)),
    }
)


def numbers_of(result: Any) -> np.ndarray:
    """All numbers of a hand or palm."""
    parts = []
    for field in fields(result):
        value = getattr(result, field.name)
        if isinstance(value, Roi):
            value = [value.x, value.y, value.size, value.angle_rad]
        if isinstance(value, (float, list, np.ndarray)):
            parts.append(np.ravel(np.asarray(value, np.float64)))
    return np.concatenate(parts)


def networks_with(palm: dict[str, np.ndarray], hand: dict[str, np.ndarray]) -> Networks:
    palms = FakeNetwork(192, {name: [array] for name, array in palm.items()})
    hands = FakeNetwork(224, {name: [array] for name, array in hand.items()})
    return Networks(palms, hands, BUNDLE)


@law
@given(palm_answers, hand_answers, hand_answers)
def test_hands_and_palms_are_finite(
    palm: dict[str, np.ndarray], first: dict[str, np.ndarray], second: dict[str, np.ndarray]
) -> None:
    results: list[Hand | Palm] = []
    for hand in (first, second):
        networks = networks_with(palm, hand)
        tracker = knuckle.HandTracker(networks, min_palm_score=0.5)
        for _ in range(3):
            results += tracker(IMAGE)
        results += knuckle.detect(IMAGE, networks) + knuckle.detect_palms(IMAGE, networks)
        results += [found for found in knuckle.landmarks_in(IMAGE, [Roi(30, 20, 40)], networks) if found]
        results += knuckle.detect([IMAGE, IMAGE], networks)[1]
    assert all(np.isfinite(numbers_of(result)).all() for result in results)


def test_a_tracker_recovers_from_a_frame_whose_landmarks_fall_into_one_point() -> None:
    points = np.stack([np.tile([80, 100, 120], 7), np.linspace(60, 180, 21), np.zeros(21)], axis=1).astype(np.float32)
    sound = points.ravel()
    answers = {
        "landmarks": [sound, sound, sound, np.full(63, 100, np.float32), sound],
        "presence": [np.ones(1, np.float32)],
        "handedness": [np.ones(1, np.float32)],
        "world": [sound / 1000],
        "visibility": [np.ones(21, np.float32)],
        "log_sigma": [np.zeros(21, np.float32)],
    }
    palm = {"Identity": [SOUND_PALM], "Identity_1": [np.full((CELLS, 1), 9, np.float32)]}
    networks = Networks(FakeNetwork(192, palm), FakeNetwork(224, answers), BUNDLE)
    tracker = knuckle.HandTracker(networks, max_hands=1)
    counts = [len(tracker(IMAGE)) for _ in range(6)]
    assert counts[0] == counts[-1] == 1


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e30])
def test_regions_that_are_no_numbers_are_refused(number: float) -> None:
    networks = networks_with({"Identity": SOUND_PALM, "Identity_1": np.zeros((CELLS, 1), np.float32)}, {})
    for roi in (Roi(number, 0, 10), Roi(0, number, 10), Roi(0, 0, number)):
        with pytest.raises(InputError, match="finite numbers"):
            knuckle.landmarks_in(IMAGE, [roi], networks)
