"""Write tests/gestures/motion_vectors.json, to which gestures in motion in Python and in TypeScript are both held.

Run it as `python tests/gestures/make_motion_vectors.py` after the rules changed. A frame says of each hand between
which two poses it is and where; both languages mix the points of the poses.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from posed import posed_hand

from knuckle.gestures.motion import MotionGestures
from knuckle.results import Hand
from knuckle.synth.body.hand_poses import eased

PATH = Path(__file__).with_name("motion_vectors.json")
POSES = ("open", "fist", "point", "asl_X", "pinch_open", "pinch", "asl_L")
FPS = 30
Placed = tuple[str, str, float, float, float]  # two poses, the share of the second, x, y
HOLD_S = 0.4


def bump(t: float, start_s: float, rise_s: float, stay_s: float) -> float:
    """From 0 to 1 and back."""
    return eased((t - start_s) / rise_s) - eased((t - start_s - rise_s - stay_s) / rise_s)


ACTS: dict[str, tuple[float, Callable[[float], list[Placed]]]] = {
    "swipe": (1.6, lambda t: [("open", "open", 0, 200 + 250 * eased((t - 0.6) / 0.3), 240)]),
    "raise": (1.0, lambda t: [("open", "open", 0, 320, 500 - 250 * eased(t / 0.3))]),
    "tap": (1.3, lambda t: [("point", "asl_X", bump(t, 0.7, 0.1, 0.05), 320, 240)]),
    "double pinch": (
        1.7,
        lambda t: [("pinch_open", "pinch", bump(t, 0.6, 0.1, 0.05) + bump(t, 0.95, 0.1, 0.05), 320, 240)],
    ),
    "grab and release": (2.4, lambda t: [("open", "fist", bump(t, 0.6, 0.25, 0.9), 320, 240)]),
    "wave": (1.9, lambda t: [("open", "open", 0, 320 + 60 * math.sin(4 * math.pi * max(t - 0.5, 0)), 240)]),
    "circle": (1.9, lambda t: [("point", "point", 0, *round_about(max(t - 0.5, 0)))]),
    "zoom": (1.6, lambda t: [pinching(t, k, 100 + 100 * eased((t - 0.7) / 0.6), 0.0) for k in (-1, 1)]),
    "rotate": (1.6, lambda t: [pinching(t, k, 150, 1.8 * eased((t - 0.7) / 0.6)) for k in (-1, 1)]),
    "frame": (0.8, lambda t: [("asl_L", "asl_L", 0, 320 + 100 * k, 240) for k in (-1, 1)]),
}


def round_about(t: float) -> tuple[float, float]:
    angle = 2 * math.pi * t / 1.2
    return 320 + 70 * math.cos(angle), 240 + 70 * math.sin(angle)


def pinching(t: float, side: int, apart_px: float, angle: float) -> Placed:
    """A hand that pinches from 0.1 s on, on one side of the middle."""
    x, y = 320 + side * apart_px * math.cos(angle), 240 + side * apart_px * math.sin(angle)
    return "pinch_open", "pinch", eased((t - 0.1) / 0.1), x, y


def key_hands() -> dict[str, Hand]:
    """The poses with the middle of the picture at the origin, rounded as the file has them."""
    hands = {name: posed_hand(name, centre=(0, 0)) for name in POSES}
    return {
        name: replace(hand, landmarks=hand.landmarks.round(2), landmarks_raw=None, world=hand.world.round(5))
        for name, hand in hands.items()
    }


def mixed(keys: dict[str, Hand], placed: Placed, track_id: int) -> Hand:
    """A hand between two poses at its place."""
    first, second, share, x, y = keys[placed[0]], keys[placed[1]], *placed[2:]
    landmarks = first.landmarks + share * (second.landmarks - first.landmarks) + np.array([x, y, 0])
    world = first.world + share * (second.world - first.world)
    return replace(
        first,
        landmarks=landmarks.astype(np.float32),
        landmarks_raw=None,
        world=world.astype(np.float32),
        track_id=track_id,
    )


def frames_of(name: str) -> list[list[Placed]]:
    seconds, places = ACTS[name]
    return [
        [(a, b, round(s, 3), round(x, 2), round(y, 2)) for a, b, s, x, y in places(k / FPS)]
        for k in range(round(seconds * FPS))
    ]


def events_of(keys: dict[str, Hand], frames: list[list[Placed]], hold_s: float) -> list[list[Any]]:
    """Name, phase, direction, beginning, end and amount of each event, except changes."""
    recognise = MotionGestures(hold_s)
    found = []
    for k, hands in enumerate(frames):
        for event in recognise([mixed(keys, placed, n + 1) for n, placed in enumerate(hands)], k / FPS):
            if event.phase != "change":
                numbers = [round(value, 3) for value in (event.start_s, event.end_s, event.speed, event.amount)]
                found.append([event.name, event.phase, event.direction, *numbers])
    return found


def vectors() -> dict[str, Any]:
    """The poses, and for each act its frames and the events, without and with the lock."""
    keys = key_hands()
    acts = {}
    for name in ACTS:
        frames = frames_of(name)
        acts[name] = {"frames": frames, "free": events_of(keys, frames, 0.0), "locked": events_of(keys, frames, HOLD_S)}
    hands = {
        name: {
            "landmarks": [round(value, 2) for value in hand.landmarks.ravel().tolist()],
            "world": [round(value, 5) for value in hand.world.ravel().tolist()],
        }
        for name, hand in keys.items()
    }
    return {"fps": FPS, "hold_s": HOLD_S, "hands": hands, "acts": acts}


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors()) + "\n")
