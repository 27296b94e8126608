"""Laws of trackers with real networks: how many hands, which ids, and the same results in every way of running."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import blank, draw_hand

import knuckle
from knuckle.images import Image
from knuckle.pipeline.tracker import Networks
from knuckle.results import Hand

law = settings(derandomize=True, max_examples=8, deadline=None)
PLACES = ((110, 130), (330, 130), (110, 350), (330, 350))  # where hands are drawn, pixels
# The int8 form of our landmark network: the largest distance of a landmark from where the float form has it, as a share
# of the region. On 22 hands in real photos it was at most 0.017.
INT8_TOLERANCE = 0.03
# Threads share the work of a layer differently, so sums are rounded differently. Pixels.
THREADS_TOLERANCE = 0.01


@pytest.fixture(scope="module")
def fast() -> Networks:
    return knuckle.load("knuckle-fast", threads=1)


@pytest.fixture(scope="module")
def frames() -> list[Image]:
    """Real frames with two hands."""
    clip = Path(__file__).resolve().parents[2] / "examples" / "hands.mp4"
    return [frame.image for frame in knuckle.read(clip) if 50 <= frame.index < 66]


def scene(shown: frozenset[int]) -> Image:
    """Drawn hands at some of the places."""
    image = blank(440, 480)
    for number in sorted(shown):
        x, y = PLACES[number]
        draw_hand(image, x, y, 150, 0.1 * number, right=number % 2 == 1)
    return image


def same(found: Sequence[Sequence[Hand]], expected: Sequence[Sequence[Hand]]) -> bool:
    """Whether the hands of several images are equal to the last bit."""
    return [[hand.to_dict() for hand in hands] for hands in found] == [
        [hand.to_dict() for hand in hands] for hands in expected
    ]


shown = st.frozensets(st.integers(0, 3), max_size=4)


@law
@given(st.integers(1, 4), st.lists(shown, min_size=4, max_size=8))
def test_at_most_max_hands_and_ids_that_never_repeat(
    fast: Networks, max_hands: int, film: list[frozenset[int]]
) -> None:
    tracker, gone, before, newest = (
        knuckle.HandTracker(fast, max_hands=max_hands, remember_s=0.5),
        set[int](),
        set[int](),
        0,
    )
    for number, places in enumerate(film):
        hands = tracker(scene(places), float(number))  # a second apart: who is not there now is forgotten
        ids = [hand.track_id for hand in hands if hand.track_id is not None]
        assert len(hands) == len(ids) == len(set(ids)) <= max_hands
        new = sorted(set(ids) - before)
        assert not gone & set(ids), "an id came back"
        assert all(one > newest for one in new), "a new id is not above all earlier ones"
        newest, gone, before = max([newest, *ids]), gone | before - set(ids), set(ids)
    assert len(knuckle.detect(scene(frozenset(range(4))), fast, max_hands=max_hands)) == max_hands


def test_a_list_of_images_gives_what_each_gives_alone(fast: Networks, frames: list[Image]) -> None:
    images = [*frames[:5], scene(frozenset()), scene(frozenset({0, 1, 2})), frames[9][::2, ::2]]
    alone = [knuckle.detect(image, fast) for image in images]
    assert any(alone) and not all(alone)
    assert same(knuckle.detect(images, fast), alone)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads: int, fast: Networks, frames: list[Image]) -> None:
    several = knuckle.load("knuckle-fast", threads=threads)
    for image in frames[:4]:
        expected, found = knuckle.detect(image, fast), knuckle.detect(image, several)
        assert len(found) == len(expected) == 2
        for one, other in zip(expected, found, strict=True):
            assert np.abs(one.landmarks - other.landmarks).max() < THREADS_TOLERANCE


def test_trackers_in_threads_give_what_one_gives_alone(fast: Networks, frames: list[Image]) -> None:
    def follow(found: list[list[Hand]]) -> None:
        tracker = knuckle.HandTracker(fast)
        found += [tracker(image, number / 30) for number, image in enumerate(frames)]

    alone, results = list[list[Hand]](), [list[list[Hand]]() for _ in range(8)]
    follow(alone)
    assert all(alone)
    running = [threading.Thread(target=follow, args=(found,)) for found in results]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert all(same(found, alone) for found in results)


def test_int8_gives_the_landmarks_of_float(frames: list[Image]) -> None:
    floats, ints = (knuckle.load("knuckle", threads=1, precision=form) for form in ("float", "int8"))
    assert floats.hand is not ints.hand
    for image in frames[::5]:
        hands = knuckle.detect(image, floats)
        assert len(hands) == 2
        others = knuckle.landmarks_in(image, [hand.roi for hand in hands], ints)
        for hand, other in zip(hands, others, strict=True):
            assert other is not None and other.handedness == hand.handedness
            gap = np.hypot(*(other.landmarks - hand.landmarks)[:, :2].T).max()
            assert gap < INT8_TOLERANCE * hand.roi.size
