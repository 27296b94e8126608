"""Writes web/src/constants.ts: what the browser's pipeline must share with this one.

Run as `python docs/make_web_constants.py`. A test compares the committed file with `constants()`, so a change of a
threshold here is a change there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any

from knuckle import results
from knuckle.models import catalogue, fetch
from knuckle.pipeline import hand, memory, options, palm, smooth, tracker

TARGET = Path(__file__).resolve().parents[1] / "web" / "src" / "constants.ts"


def camel(name: str) -> str:
    """snake_case to camelCase, and angle_rad to angleRad."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def literal(value: Any) -> str:
    """A TypeScript literal; tuples and arrays become arrays."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return json.dumps(value, ensure_ascii=False)


def lines(named: Iterable[tuple[str, str, Any]]) -> list[str]:
    """One documented constant each; lists and tables are read only."""
    return [
        f"/** {text} */\nexport const {name} = {literal(value)}{'' if isinstance(value, int | float) else ' as const'};"
        for name, text, value in named
    ]


def numbers() -> list[tuple[str, str, Any]]:
    """Name, meaning, value of every plain constant."""
    return [
        ("SUPPRESS_IOU", "Palms that overlap by more than this are one.", palm.SUPPRESS_IOU),
        ("UPRIGHT_RAD", "Angle from wrist to middle MCP that counts as upright.", palm.UPRIGHT_RAD),
        ("Z_SCALE", "The landmark network's z is this much of the scale of its x and y.", hand.Z_SCALE),
        ("STEADY", "Landmarks that stay put while fingers bend.", hand.STEADY),
        ("ROI_JOINTS", "Index, middle and ring joints that tell where a hand points to.", default_joints()),
        ("REACH", "Palm baselines within which a hand is found again at once.", memory.REACH),
        ("REACH_PER_S", "The same, for each second unseen.", memory.REACH_PER_S),
        ("WRONG_SIDE", "A hand of the other side counts as this many baselines further away.", memory.WRONG_SIDE),
        ("VOTES", "Handedness is the mean over about this many frames.", memory.VOTES),
        ("CALM_PER_S", "Motion below this many palm baselines a second is noise.", memory.CALM_PER_S),
        ("COAST_S", "Motion is carried on for this long after a hand was lost.", memory.COAST_S),
        ("SLOWEST_S", "Frames further apart than this show hands that cannot be told the same.", memory.SLOWEST_S),
        ("PALM_LANDMARKS", "The palm detector's key points as hand landmarks.", memory.PALM_LANDMARKS),
        ("MIN_CUTOFF_HZ", "One-Euro: cutoff of a still hand.", smooth.MIN_CUTOFF_HZ),
        ("BETA_HZ_PER_SPEED", "One-Euro: cutoff gained per hand size a second.", smooth.BETA_HZ_PER_SPEED),
        ("CENTRE_BETA_HZ_PER_SPEED", "The same for a hand's centre.", smooth.CENTRE_BETA_HZ_PER_SPEED),
        ("SPEED_CUTOFF_HZ", "One-Euro: cutoff of the speed.", smooth.SPEED_CUTOFF_HZ),
        ("SEARCHES_PER_S", "Searches a second while more hands are allowed.", tracker.SEARCHES_PER_S),
        ("FRAME_S", "Time from frame to frame where none is given.", tracker.FRAME_S),
        ("EAGER_S", "Every frame is searched for this long after a change.", tracker.EAGER_S),
        ("TRIES", "So many times as many palms as there is room for are tried where faint ones are.", tracker.TRIES),
        ("FAINT_PRESENCE", "What a faint palm led to is a hand above this presence.", tracker.FAINT_PRESENCE),
        ("TASK_MEMBERS", "The networks inside a `.task` file.", fetch.TASK_MEMBERS),
        ("LANDMARK_NAMES", "The 21 landmarks in order.", [point.name.lower() for point in results.HandLandmark]),
        ("FINGERS", "Landmarks of each finger, base to tip.", dict(results.FINGERS)),
        ("PALM_KEYPOINTS", "The palm detector's seven key points in order.", results.PALM_KEYPOINTS),
        ("PALM_CONNECTIONS", "Lines of the palm, as pairs of landmarks.", results.PALM_CONNECTIONS),
        ("HAND_CONNECTIONS", "All lines of a drawn hand, as pairs of landmarks.", results.HAND_CONNECTIONS),
    ]


def default_joints() -> Any:
    """The joints that `roi_from_landmarks` takes unless told otherwise."""
    return signature(hand.roi_from_landmarks).parameters["joints"].default


def default_options() -> dict[str, Any]:
    """The fields of TrackerOptions with their defaults, in camelCase."""
    return {camel(field.name): field.default for field in fields(options.TrackerOptions)}


def default_bundle() -> dict[str, Any]:
    """What holds for a bundle that says nothing else, as in a `.task` file."""
    bundle = catalogue.BUNDLES[catalogue.DEFAULT]
    told = ("name", "palm", "hand", "licence", "source", "handedness", "folder")  # what a browser has no use for
    names = [field.name for field in fields(catalogue.Bundle) if field.name not in told]
    return {camel(name): getattr(bundle, name) for name in names}


def constants() -> str:
    """The text of constants.ts."""
    named = [
        *numbers(),
        ("DEFAULT_OPTIONS", "What `HandTracker` does unless told otherwise.", default_options()),
        ("DEFAULT_BUNDLE", "Sides, grids and outputs of a bundle that says nothing else.", default_bundle()),
    ]
    return "// Generated by docs/make_web_constants.py from the Python package; do not edit.\n\n" + (
        "\n\n".join(lines(named)) + "\n"
    )


if __name__ == "__main__":
    TARGET.write_text(constants())
