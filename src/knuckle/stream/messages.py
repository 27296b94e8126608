"""The values of a hand that OSC, UDP, WebSocket and MQTT share, by name. docs/stream.md shows this table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from knuckle.results import FINGERS, HandLandmark
from knuckle.stream.values import FrameValues, HandValues

LANDMARK_NAMES = tuple(point.name.lower() for point in HandLandmark)
DIGITS = 5  # decimals of numbers in JSON: 0.01 mm in space


@dataclass(frozen=True)
class Value:
    """One value of a hand.

    Attributes:
        name: its key in JSON, and the last part of its OSC address.
        shape: what it is made of, for the documents.
        meaning: one line for the documents.
        of: gives the value: an array, number or text.
        parts: names of the rows of an array; OSC sends each row as a message of its own, NAME/PART, and JSON an
            object. Without parts an array is one message of numbers, and in JSON lists.
    """

    name: str
    shape: str
    meaning: str
    of: Callable[[HandValues], Any]
    parts: tuple[str, ...] = ()


ID = "number of the hand, the same while it is followed; 0 for photos"
WORLD = "x, y, z of the 21 landmarks, metres around the hand's centre; x right, y down, z away from the camera"
POSITION = "x, y, z of the wrist, metres from a camera of 60 degrees, for an average hand; x right, y down, z away"
ROTATION = "quaternion x, y, z, w of the wrist: turns OpenXR's axes of a hand to the camera's"
VALUES = (
    Value("track_id", "int", ID, lambda v: v.hand.track_id or 0),
    Value("presence", "float", "confidence that this is a hand, 0 to 1", lambda v: v.hand.presence),
    Value("point", "3 floats", "x, y, z of a landmark, in the space of `--space`", lambda v: v.points, LANDMARK_NAMES),
    Value("world", "63 floats", WORLD, lambda v: v.hand.world),
    Value("position", "3 floats", POSITION, lambda v: np.array(v.position)),
    Value("rotation", "4 floats", ROTATION, lambda v: np.array(v.rotation)),
    Value("curl", "float", "how far a finger is bent: 0 straight, 1 in a fist", lambda v: v.curls, tuple(FINGERS)),
    Value("pinch", "float", "thumb and index finger: 0 apart, 1 touching", lambda v: v.pinch),
    Value("gesture", "text", "name of the gesture, empty for none", lambda v: v.gesture or ""),
    Value("gesture_score", "float", "confidence in the gesture, 0 to 1", lambda v: v.gesture_score),
)
"""What is sent of each hand."""


def hand_object(values: HandValues) -> dict[str, Any]:
    """A hand as plain values for JSON; see `VALUES`."""
    found: dict[str, Any] = {"name": values.name, "visible": True}
    for value in VALUES:
        content = value.of(values)
        if isinstance(content, np.ndarray):
            content = np.round(content.astype(float), DIGITS).tolist()
            found[value.name] = dict(zip(value.parts, content, strict=True)) if value.parts else content
        else:
            found[value.name] = round(content, DIGITS) if isinstance(content, float) else content
    return found


def frame_json(values: FrameValues) -> str:
    """A frame as one line of JSON: its number, time and size, and its hands."""
    frame = values.frame
    found = {
        "frame": frame.index,
        "time_s": round(frame.time_s, 6),
        "width": frame.width,
        "height": frame.height,
        "hands": [hand_object(hand) for hand in values.hands],
    }
    return json.dumps(found, separators=(",", ":"))


def hand_rows(values: HandValues) -> Iterator[tuple[str, Any]]:
    """Name and content of each message of a hand, as OSC sends them: arrays with named parts in parts."""
    for value in VALUES:
        content = value.of(values)
        if value.parts:
            yield from zip(part_names(value), content.astype(">f4"), strict=True)
        else:
            yield value.name, content


@cache
def part_names(value: Value) -> tuple[str, ...]:
    """Names of the messages of a value that has parts."""
    return tuple(f"{value.name}/{part}" for part in value.parts)
