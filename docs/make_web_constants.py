"""Write web/src/constants.ts: the constants that the TypeScript pipeline shares with the Python one.

Run it as `python docs/make_web_constants.py`. A test compares the committed file with `constants()`, so a threshold
cannot change in only one of the two.
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

SHARED = (
    (palm, "SUPPRESS_IOU", "Palms whose intersection over union is above this are one palm."),
    (palm, "UPRIGHT_RAD", "Angle of the line from the wrist to the middle finger's MCP that counts as upright."),
    (hand, "Z_SCALE", "Scale of the landmark network's z relative to its x and y."),
    (hand, "STEADY", "Landmarks that move little when fingers bend."),
    (memory, "REACH", "Distance within which a hand is the one of the previous frame, in palm baselines."),
    (memory, "REACH_PER_S", "By how much that distance grows for each second that the hand was not seen."),
    (memory, "WRONG_SIDE", "A hand of the other handedness counts as this many palm baselines further away."),
    (memory, "VOTES", "The handedness of a track is the mean over about this many frames."),
    (memory, "CALM_PER_S", "Motion below this many palm baselines per second is noise."),
    (memory, "COAST_S", "A lost hand is expected to keep moving for this long."),
    (memory, "SLOWEST_S", "Hands in frames further apart than this are not matched."),
    (memory, "PALM_LANDMARKS", "The hand landmarks that are the palm detector's key points."),
    (smooth, "MIN_CUTOFF_HZ", "One-Euro filter: cutoff for a still hand."),
    (smooth, "BETA_HZ_PER_SPEED", "One-Euro filter: rise of the cutoff with speed, in hand sizes per second."),
    (smooth, "CENTRE_BETA_HZ_PER_SPEED", "The same for the centre of a hand."),
    (smooth, "SPEED_CUTOFF_HZ", "One-Euro filter: cutoff for the speed."),
    (tracker, "SEARCHES_PER_S", "Searches per second while fewer than `maxHands` hands are tracked."),
    (tracker, "FRAME_S", "Time between frames if the caller gives none."),
    (tracker, "EAGER_S", "Every frame is searched for this long after a hand came or went."),
    (tracker, "TRIES", "Where faint palms are tried: palms tried per hand that there is room for."),
    (tracker, "FAINT_PRESENCE", "A hand that a faint palm led to needs a presence above this."),
    (fetch, "TASK_MEMBERS", "The networks inside a `.task` file."),
    (results, "PALM_KEYPOINTS", "The palm detector's seven key points in order."),
    (results, "PALM_CONNECTIONS", "Lines of the palm as pairs of landmarks."),
    (results, "HAND_CONNECTIONS", "All lines of a drawn hand as pairs of landmarks."),
)


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


def shared_constants() -> list[tuple[str, str, Any]]:
    """Name, meaning and value of every constant that both pipelines use."""
    names = [point.name.lower() for point in results.HandLandmark]
    return [
        *((name, text, getattr(module, name)) for module, name, text in SHARED),
        ("ROI_JOINTS", "Joints of index, middle and ring finger that give the direction of a hand.", default_joints()),
        ("LANDMARK_NAMES", "The 21 landmarks in order.", names),
        ("FINGERS", "Landmarks of each finger, base to tip.", dict(results.FINGERS)),
    ]


def default_joints() -> Any:
    """The default joints of `roi_from_landmarks`."""
    return signature(hand.roi_from_landmarks).parameters["joints"].default


def default_options() -> dict[str, Any]:
    """The fields of TrackerOptions with their defaults, in camelCase."""
    return {camel(field.name): field.default for field in fields(options.TrackerOptions)}


def default_bundle() -> dict[str, Any]:
    """The description of the default bundle, which also holds for `.task` files."""
    bundle = catalogue.BUNDLES[catalogue.DEFAULT]
    unused = ("name", "palm", "hand", "licence", "source", "handedness", "folder")
    names = [field.name for field in fields(catalogue.Bundle) if field.name not in unused]
    return {camel(name): getattr(bundle, name) for name in names}


def constants() -> str:
    """The text of constants.ts."""
    named = [
        *shared_constants(),
        (
            "DEFAULT_OPTIONS",
            "The default options of `HandTracker`; null leaves a choice to the bundle.",
            default_options(),
        ),
        (
            "DEFAULT_BUNDLE",
            "Description of the networks in a `.task` file, and of bundles that leave something out.",
            default_bundle(),
        ),
    ]
    return "// Generated by docs/make_web_constants.py from the Python package; do not edit.\n\n" + (
        "\n\n".join(lines(named)) + "\n"
    )


if __name__ == "__main__":
    TARGET.write_text(constants())
