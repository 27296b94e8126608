"""Gestures of tracks do not flicker, and still change soon when the hand does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from posed import posed_hand

import knuckle
from knuckle.gestures.steady import GestureMemory, steadied, with_steady_gestures

NAMES = ("Fist", "Palm")
FPS = 30
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "hands.mp4"


def row(name: str | None, score: float = 0.9) -> list[float]:
    rest = (1 - score) / len(NAMES)
    return [score if one == name else rest for one in (*NAMES, None)]


def said_of(names: list[str | None], track_ids: list[int] | None = None, gap_s: float = 1 / FPS) -> list[str | None]:
    """What is said of a hand whose frames look like these gestures."""
    memory: GestureMemory = {}
    said = []
    for k, name in enumerate(names):
        hand = replace(posed_hand("open"), track_id=track_ids[k] if track_ids else 1)
        memory = steadied(memory, [hand], [np.array(row(name), np.float32)], k * gap_s)
        (named,) = with_steady_gestures([hand], memory, NAMES)
        said.append(named.gesture.name if named.gesture else None)
    return said


def test_single_frames_do_not_change_a_gesture_and_a_lasting_change_does_soon() -> None:
    flickering: list[str | None] = ["Fist", "Fist", "Fist", None, "Fist", "Palm", "Fist", None, "Fist"] * 4
    assert set(said_of(flickering)) == {"Fist"}
    said = said_of(["Fist"] * 10 + ["Palm"] * 10)
    assert said[:10] == ["Fist"] * 10 and said[15:] == ["Palm"] * 5  # named within 0.2 s
    assert said_of(["Fist"] * 10 + [None] * 10)[15:] == [None] * 5


def test_a_new_hand_and_one_that_was_away_begin_anew() -> None:
    assert said_of(["Fist", "Palm"], track_ids=[1, 2]) == ["Fist", "Palm"]
    assert said_of(["Fist", "Palm"], gap_s=0.4) == ["Fist", "Palm"]


def test_the_score_is_the_average_probability() -> None:
    hand = replace(posed_hand("open"), track_id=1)
    memory = steadied({}, [hand], [np.array(row("Fist", 0.8), np.float32)], 0.0)
    memory = steadied(memory, [hand], [np.array(row("Fist", 0.6), np.float32)], 0.1)
    (named,) = with_steady_gestures([hand], memory, NAMES)
    assert named.gesture and abs(named.gesture.score - (0.8 - 0.2 * (1 - np.exp(-1)))) < 1e-5


def test_a_memory_is_never_changed_by_the_next_frame() -> None:
    hand = replace(posed_hand("open"), track_id=1)
    first = steadied({}, [hand], [np.array(row("Fist"), np.float32)], 0.0)
    before = first[1].average.copy()
    steadied(first, [hand], [np.array(row("Palm"), np.float32)], 0.1)
    assert set(first) == {1} and first[1].average.tolist() == before.tolist()


def changes(clip: Path, smooth: bool) -> tuple[int, list[str | None]]:
    """How often gestures change in a clip, and what is said while both hands show two fingers."""
    last: dict[int, str | None] = {}
    count, between = 0, list[str | None]()
    for frame, hands in knuckle.HandTracker(gestures="canned", smooth=smooth).track(clip):
        for hand in hands:
            assert hand.track_id is not None
            name = hand.gesture.name if hand.gesture else None
            count += last.get(hand.track_id, name) != name
            last[hand.track_id] = name
            between += [name] if 2.7 <= frame.time_s <= 3.3 else []
    return count, between


def test_real_hands_keep_their_gestures() -> None:
    steady, said = changes(EXAMPLE, smooth=True)
    each_frame, _ = changes(EXAMPLE, smooth=False)
    assert len(said) > 30 and said.count("Victory") >= 0.7 * len(said) and set(said) <= {"Victory", None}
    assert 6 <= steady <= each_frame / 2  # two hands change their gestures four times


def test_the_vectors_of_steady_gestures_are_current() -> None:
    from make_vectors import PATH, steady_rows

    assert json.loads(PATH.read_text())["steady"] == steady_rows()
