"""With a stride the networks run less where nothing happens, and the hands are nearly those of every frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import make_hand
from scene import blank, draw_hand
from test_together import Counted

import knuckle
from knuckle.graph import finish
from knuckle.images import Image
from knuckle.pipeline.stride import MAX_GAP_S, MAX_MOTION, follow, hand_between, motion_between, strides_for
from knuckle.pipeline.tracks import baseline
from knuckle.results import Frame, Hand, Roi


def frames_of(images: list[Image], rate: float = 30) -> list[Frame]:
    return [Frame(image, k, k / rate) for k, image in enumerate(images)]


def found_in(frames: list[Frame], stride: int) -> tuple[list[list[Hand]], int, int]:
    """The hands of each frame; how many pictures the palm network and the landmark network read."""
    networks = knuckle.load("mediapipe", threads=1)
    palm, hand = Counted(networks.palm), Counted(networks.hand)
    tracker = knuckle.HandTracker(replace(networks, palm=palm, hand=hand))
    found: list[tuple[Frame, list[Hand]]] = []
    finish(follow(tracker, iter(frames), lambda frame, hands: found.append((frame, hands)), stride))
    assert [frame for frame, _ in found] == frames
    return [hands for _, hands in found], sum(palm.calls), sum(hand.calls)


def hand_at(k: float) -> Image:
    return draw_hand(blank(), 200 + 4 * k, 240, 230, 0.1 + 0.004 * k)


def test_a_video_without_hands_is_searched_at_the_stride() -> None:
    frames = frames_of([blank()] * 33)
    every, searches, _ = found_in(frames, 1)
    found, fewer, _ = found_in(frames, 4)
    assert searches == 33 and fewer == 9  # the first frame, and every fourth after it
    assert found == every == [[]] * 33


@pytest.mark.parametrize("first", range(6, 11))
def test_a_hand_is_found_in_the_frame_in_which_it_appears(first: int) -> None:
    frames = frames_of([blank()] * first + [hand_at(12 * k) for k in range(8)])  # too fast for a stride
    assert found_in(frames, 4)[0] == found_in(frames, 1)[0]


def test_a_slow_hand_is_filled_in_where_it_would_have_been_found() -> None:
    frames = frames_of([hand_at(k / 2) for k in range(40)])
    every, _, all_pictures = found_in(frames, 1)
    found, _, pictures = found_in(frames, 4)
    assert pictures < 0.6 * all_pictures
    for (hand,), (plain,) in zip(found, every, strict=True):
        assert (hand.track_id, hand.handedness) == (plain.track_id, plain.handedness)
        for name in ("landmarks", "landmarks_raw"):
            gap = np.hypot(*(getattr(hand, name) - getattr(plain, name))[:, :2].T)
            assert gap.mean() < 0.05 * baseline(plain)
        assert abs(hand.roi.x - plain.roi.x) < 0.1 * plain.roi.size


def test_a_fast_hand_is_looked_at_in_every_frame() -> None:
    frames = frames_of([hand_at(9 * k) for k in range(12)])
    every, _, all_pictures = found_in(frames, 1)
    found, _, pictures = found_in(frames, 4)
    assert found == every and pictures <= all_pictures + 1


def test_a_stride_is_bounded_in_time() -> None:
    frames = frames_of([blank()] * 12, rate=1.5 / MAX_GAP_S)
    assert found_in(frames, 4)[1] == 12


def test_a_hand_between_two_frames_is_on_the_straight_way_between_them() -> None:
    old, new = (replace(make_hand(x), roi=Roi(x, 2 * x, x, turn)) for x, turn in ((100.0, 3.0), (140.0, -3.0)))
    for share in (0.0, 0.25, 1.0):
        found, x = hand_between(replace(old, presence=0.6), replace(new, presence=1.0), share), 100 + 40 * share
        assert np.allclose(found.landmarks, make_hand(x).landmarks, atol=1e-4) and found.visibility is None
        assert np.allclose(found.landmarks_raw, found.landmarks) and found.presence == pytest.approx(0.6 + 0.4 * share)
        assert (found.roi.x, found.roi.y, found.roi.size) == pytest.approx((x, 2 * x, x))
        turned = 3.0 + share * (2 * np.pi - 6)  # the short way, over half a turn
        assert np.cos(found.roi.angle_rad - turned) == pytest.approx(1)


def test_strides_follow_the_motion() -> None:
    assert [strides_for(motion, 4) for motion in (0.0, MAX_MOTION / 2.5, MAX_MOTION, np.inf)] == [4, 2, 1, 1]
    assert motion_between([], []) == 0
    (hand,) = knuckle.HandTracker("knuckle")(hand_at(0))
    assert motion_between([hand], []) == motion_between([], [hand]) == np.inf
    moved = replace(hand, landmarks_raw=hand.landmarks_raw + np.float32([baseline(hand), 0, 0]))
    assert motion_between([hand], [moved]) == pytest.approx(1)
