"""Drawing hands of a video: what is remembered from frame to frame."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import make_hand

import knuckle
from knuckle.media.drawer import HandDrawer, SteadyVisibility, mirror
from knuckle.results import Hand, Palm

IMAGE = np.dstack([np.tile(np.arange(160, dtype=np.uint8), (120, 1))] * 3)


def seen(visibility: float, x: float = 80, track_id: int = 1) -> Hand:
    return replace(make_hand(x, 90, 50), track_id=track_id, visibility=np.full(21, visibility, np.float32))


def changes(values: list[float], step_s: float) -> int:
    """How often one joint changes between hidden and visible."""
    steady = SteadyVisibility()
    shown = []
    for k, value in enumerate(values):
        visibility = steady(seen(value), k * step_s).visibility
        assert visibility is not None
        shown.append(bool(visibility[8] > 0.5))
    return sum(one != other for one, other in pairwise(shown))


def test_joints_do_not_flicker_but_follow_what_stays() -> None:
    noise = np.random.default_rng(0).uniform(0.1, 0.9, 300).tolist()
    assert changes(noise, 1 / 30) <= 1
    assert changes([0.9, 0.1] * 100, 1 / 30) <= 1
    assert changes([0.95] * 30 + [0.05] * 30 + [0.95] * 30, 1 / 30) == 2
    assert changes([0.05] * 30 + [0.95] * 30, 1 / 30) == 1


@pytest.mark.parametrize("name", ["rotation", "scale", "translation"])
def test_hidden_joints_change_at_most_once_a_second_on_real_clips(shared: Path, name: str) -> None:
    tracker, steady = knuckle.HandTracker("knuckle"), SteadyVisibility()
    shown, end_s = [], 0.0
    for frame in knuckle.read(shared / "data" / "video" / f"ti1k_{name}_1.mp4"):
        (hand,) = tracker(frame.image, frame.time_s)[:1]
        visibility = steady(hand, frame.time_s).visibility
        assert visibility is not None
        shown.append(visibility > 0.5)
        end_s = frame.time_s
    assert (np.diff(shown, axis=0) != 0).sum() <= end_s, "changes of all 21 joints together"


def test_tracks_and_photos_are_kept_apart() -> None:
    steady = SteadyVisibility()
    steady(seen(0.9, track_id=1), 0.0)
    (low, high) = steady(seen(0.1, track_id=2), 0.0).visibility, steady(seen(0.1, track_id=1), 0.01).visibility
    assert low is not None and high is not None and low.max() == 0 and high.min() == 1
    photo = replace(seen(0.3), track_id=None)
    assert steady(photo, 0.0) is photo and steady(make_hand(), 0.0).visibility is None
    again = steady(seen(0.1, track_id=1), 9.0).visibility
    assert again is not None and again.max() == 0, "a track that was long gone starts anew"


def test_the_mirror_image_has_readable_text_and_hands_in_their_places() -> None:
    hand = replace(make_hand(50, 90, 50), track_id=1)
    drawn = HandDrawer(regions=True)(IMAGE, [hand], 0.0, mirrored=True)
    expected = knuckle.draw_hands(IMAGE[:, ::-1], [mirror(hand, 160)], regions=True)  # type: ignore[list-item]
    assert np.array_equal(drawn, expected)
    assert not np.array_equal(drawn, HandDrawer(regions=True)(IMAGE, [hand], 0.0)[:, ::-1]), "text is no mirror image"
    back = mirror(mirror(hand, 160), 160)
    assert isinstance(back, Hand) and back.roi == hand.roi and np.allclose(back.landmarks, hand.landmarks)
    palm = Palm(np.array([10.0, 20, 50, 60]), np.full((7, 2), [30.0, 40.0]), 0.75)
    flipped = Palm(np.array([109.0, 20, 149, 60]), np.full((7, 2), [129.0, 40.0]), 0.75)
    assert np.array_equal(HandDrawer()(IMAGE, [palm], mirrored=True), knuckle.draw_palms(IMAGE[:, ::-1], [flipped]))


def test_the_image_is_not_changed_unless_asked() -> None:
    before = IMAGE.copy()
    HandDrawer(trails_s=1.0, fps=True)(IMAGE, [seen(0.9)])
    assert np.array_equal(IMAGE, before)
    assert HandDrawer()(before, [seen(0.9)], copy=False) is before and not np.array_equal(IMAGE, before)


def test_trails_follow_the_index_fingertip_and_end() -> None:
    drawer, blank = (
        HandDrawer(landmarks=False, labels=False, ids=False, trails_s=0.5),
        np.zeros((120, 160, 3), np.uint8),
    )
    for k in range(10):
        picture = drawer(blank, [seen(0.9, x=20 + 10 * k)], k / 30)
    tip_y = int(seen(0.9).landmarks[8, 1])
    lit = np.flatnonzero(picture[tip_y].any(axis=1))
    assert lit.min() < 30 and lit.max() > 95
    assert not drawer(blank, [], 2.0).any(), "a trail ends after its time"
    drawer(blank, [seen(0.9, x=20)], 3.0)
    assert not drawer(blank, [seen(0.9, x=120)], 3.45)[tip_y, 40:100].any(), "a trail does not bridge a gap"


def test_labels_stay_in_their_place() -> None:
    drawer, blank = HandDrawer(landmarks=False), np.zeros((240, 320, 3), np.uint8)
    places = []
    for k in range(20):
        hand = replace(make_hand(150, 150 + k, 60), track_id=1)
        rows, columns = np.nonzero(drawer(blank, [hand], k / 30).any(axis=2))
        places.append((columns.min() - hand.box[0], rows.min() - hand.box[1]))
    assert np.ptp(places, axis=0).max() <= 1


def test_frames_per_second_are_written_in_a_corner() -> None:
    drawer, blank = HandDrawer(fps=True), np.zeros((240, 320, 3), np.uint8)
    assert not drawer(blank, [], 0.0).any()
    assert drawer(blank, [], 0.1)[:30, -80:].any()
