from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from conftest import two_hands
from hypothesis import given
from hypothesis import strategies as st
from make_clock import FILE, patterns, times
from scene import blank, draw_hand

from knuckle import HandTracker, InputError
from knuckle.images import Image
from knuckle.pipeline.clock import MIN_USUAL_S, Clock, tick
from knuckle.pipeline.tracker import Networks

STAMPS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


def test_the_committed_times_are_those_of_the_rule() -> None:
    for row in json.loads(FILE.read_text()):
        assert row["stamps"] == pytest.approx(patterns()[row["name"]])
        assert row["times"] == pytest.approx(times(row["stamps"]), abs=1e-5), row["name"]


@given(STAMPS)
def test_whatever_the_stamps_the_time_rises_by_a_step_that_can_be_measured(stamps: list[float]) -> None:
    assert (np.diff(times(stamps)) > 0.4 * MIN_USUAL_S).all()


@given(st.lists(st.floats(0.02, 0.039), min_size=1, max_size=60))
def test_stamps_that_can_be_believed_are_not_changed(steps: list[float]) -> None:
    stamps = np.cumsum(steps).tolist()
    assert times(stamps) == stamps


@pytest.mark.parametrize("name", ["equal pairs", "pairs 1 ms apart", "steps of 15.6 ms at 120", "single steps back"])
def test_bursts_become_nearly_even_and_do_not_run_away(name: str) -> None:
    stamps = np.array(patterns()[name])
    steady = np.array(times(stamps.tolist()))
    usual = (stamps[-1] - stamps[0]) / (len(stamps) - 1)
    assert np.diff(steady)[30:].min() > 0.7 * usual and np.diff(steady)[30:].max() < 1.5 * usual
    assert np.abs(steady - stamps)[30:].max() < 5 * usual


def test_a_clock_that_jumps_back_goes_on_at_its_own_speed() -> None:
    clock = Clock()
    for stamp_s in [*np.arange(0, 10, 0.1), *np.arange(0, 10, 0.1)]:
        before, clock = clock, tick(clock, float(stamp_s))
    assert clock.time_s - before.time_s == pytest.approx(0.1) and clock.time_s == pytest.approx(19.9, abs=0.1)
    assert clock.trouble == "the time went back from 9.9 to 0 s and stays behind"


def test_steps_that_become_much_shorter_are_no_trouble() -> None:
    clock = Clock()
    for stamp_s in [*np.arange(0, 40, 1.0), *np.arange(40, 50, 0.05)]:
        before, clock = clock, tick(clock, float(stamp_s))
        assert clock.time_s > before.time_s
    assert clock.trouble == "" and clock.time_s - before.time_s == pytest.approx(0.05, abs=0.02)


def test_a_slow_clock_that_stands_still_has_not_gone_back() -> None:
    clock = Clock()
    for stamp_s in [*range(20), *[19.0] * 9]:
        clock = tick(clock, float(stamp_s))
    assert clock.trouble == ""
    for _ in range(5):
        clock = tick(clock, 19.0)
    assert clock.trouble == "the time has been 19 s for 11 frames"


@pytest.fixture(scope="module")
def swaying() -> list[Image]:
    """A hand that sways at 30 frames per second, up to a palm in 0.1 s."""
    return [draw_hand(blank(480, 360), 240 + round(120 * np.sin(k / 5)), 180, 140) for k in range(36)]


@pytest.mark.parametrize("name", [name for name in patterns() if name != "a pause of 5 s"])
def test_a_moving_hand_keeps_its_id_whatever_the_stamps(name: str, networks: Networks, swaying: list[Image]) -> None:
    tracker, ids = HandTracker(networks, max_hands=1), []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for image, stamp_s in zip(swaying, patterns()[name], strict=False):
            ids += [hand.track_id for hand in tracker(image, stamp_s)]
    assert set(ids) == {1} and len(ids) >= 35
    assert len(said) == (name in ("back for good", "backwards", "standing still", "whole seconds"))


def test_a_frame_without_a_time_comes_one_usual_step_later(networks: Networks) -> None:
    tracker = HandTracker(networks)
    for k in range(40):
        tracker(blank(), k / 10 if k % 3 else None)
    assert tracker.graph.state["clock"].stamp_s == pytest.approx(3.9, abs=0.01)
    with pytest.raises(InputError, match="time_s must be a finite number of seconds or None, got nan"):
        tracker(blank(), float("nan"))


def test_hands_keep_their_ids_when_the_video_changes_its_size(networks: Networks) -> None:
    tracker, ids = HandTracker(networks), set()
    for k in range(24):
        width = 640 if k // 6 % 2 == 0 else 320
        ids |= {hand.track_id for hand in tracker(two_hands(k / 30, width, width * 3 // 4))}
    assert ids == {1, 2}
