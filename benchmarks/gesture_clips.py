"""Rendered hands that make a gesture in motion, from rest to rest, for `benchmarks/gestures.py motion`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from knuckle.images import Image
from knuckle.synth.body.hand_poses import NAMED
from knuckle.synth.body.model import BodyModel
from knuckle.synth.scene.hand_motion import HandPath, Keyframe
from knuckle.synth.scene.random_hands import random_person
from knuckle.synth.scene.studio import Studio
from knuckle.synth.write.clips import ClipRecipe, clip

REST_S = 0.5  # before and after the gesture
LANES = (0.7, 0.3)  # x of the hands of a pair: the left one of a person who faces the camera, and the right one
Step = tuple[float, dict[str, Any]]  # seconds since the last keyframe, what differs from the hand at rest


@dataclass(frozen=True)
class Act:
    """A gesture as it is made.

    Attributes:
        name, direction: what should be recognised.
        steps: of each hand.
    """

    name: str
    direction: str | None
    steps: tuple[tuple[Step, ...], ...]


def acts() -> list[Act]:
    """Every gesture in motion, each direction alone."""
    swipes = {"left": (0.68, 0.3, "x"), "right": (0.32, 0.7, "x"), "up": (0.85, 0.45, "y"), "down": (0.45, 0.85, "y")}
    found = [
        Act("swipe", name, (((0, {axis: a, "pose": "open"}), (0.3, {axis: b, "pose": "open"})),))
        for name, (a, b, axis) in swipes.items()
    ]
    dip: list[Step] = [(0, {"pose": "point"}), (0.12, {"pose": "asl_X"}), (0.12, {"pose": "point"})]
    pinch: list[Step] = [(0.12, {"pose": "pinch"}), (0.06, {"pose": "pinch"}), (0.12, {"pose": "pinch_open"})]
    swings = [(0.22, {"pose": "open", "roll": roll}) for roll in (0.4, -0.4, 0.4, -0.4, 0.0)]
    found += [
        Act("tap", None, (tuple(dip),)),
        Act("double_pinch", None, ((((0, {"pose": "pinch_open"})), *pinch, *pinch),)),
        Act("grab", None, (((0, {"pose": "open"}), (0.3, {"pose": "fist"})),)),
        Act("release", None, (((0, {"pose": "fist"}), (0.3, {"pose": "open"})),)),
        Act("wave", None, (((0, {"pose": "open"}), *swings),)),
    ]
    found += [Act("circle", name, (circle(sign),)) for name, sign in (("clockwise", 1), ("counterclockwise", -1))]
    found += [Act("zoom", name, pinched(lambda s, f=f: (f * s, 0))) for name, f in (("out", 1.0), ("in", -0.55))]
    turns = (("clockwise", 1.0), ("counterclockwise", -1.0))
    found += [Act("rotate", name, pinched(lambda s, f=f: (0, f * s))) for name, f in turns]
    framed = ((0, {"pose": "asl_L", "x": 0.62}), (0.3, {"pose": "asl_L", "x": 0.62}))
    other = ((0, {"pose": "asl_L", "x": 0.38}), (0.3, {"pose": "asl_L", "x": 0.38}))
    return [*found, Act("frame", None, (framed, other))]


def circle(sign: int) -> tuple[Step, ...]:
    """A pointing hand goes round once, clockwise on screen for 1."""
    angles = np.linspace(0, 2 * math.pi, 25)
    places = [{"x": 0.5 + 0.1 * math.cos(a), "y": 0.65 + 0.13 * math.sin(sign * a), "pose": "point"} for a in angles]
    return tuple((0.0 if k == 0 else 0.05, place) for k, place in enumerate(places))


def pinched(moved: Callable[[float], tuple[float, float]]) -> tuple[tuple[Step, ...], ...]:
    """Both hands pinch, move, and part; `moved` gives the change of their distance and their turn in radians."""
    hands = []
    for side in (1, -1):
        steps: list[Step] = [(0, {"x": 0.5 + 0.15 * side, "y": 0.65, "pose": "pinch_open"})]
        places = []
        for share in np.linspace(0, 1, 9):
            wider, angle = moved(float(share))
            radius = 0.15 * (1 + wider)
            # A picture is 4/3 as wide as it is high.
            x, y = 0.5 + radius * side * math.cos(angle), 0.65 + 4 / 3 * radius * side * math.sin(angle)
            places.append({"x": x, "y": y, "pose": "pinch"})
        steps += [(0.25, places[0]), (0.25, places[0]), *((0.08, place) for place in places[1:])]
        hands.append((*steps, (0.3, places[-1]), (0.25, {**places[-1], "pose": "pinch_open"})))
    return tuple(hands)


def paths_of(act: Act, body: BodyModel, rng: np.random.Generator) -> list[HandPath]:
    """The hands of a random person who makes a gesture: nearer or further, faster or slower, turned a little."""
    person = random_person(body, rng)
    both = len(act.steps) == 2
    sides = ["Left", "Right"] if both else [str(rng.choice(["Left", "Right"]))]
    distance, pace = float(rng.uniform(0.5, 0.7)), float(rng.uniform(0.85, 1.2))
    tilt, facing, roll = rng.normal(0, [0.15, 0.15, 0.08])
    paths = []
    for side, steps, lane in zip(sides, act.steps, LANES if both else (0.5,), strict=True):
        rest = Keyframe(0.0, lane, 0.65, distance, float(tilt), float(facing), 0.0, NAMED["open"], "open")
        keys: list[Keyframe] = []
        now = 0.0
        for lasts, changes in steps:
            now += lasts * pace if keys else REST_S
            pose = changes.get("pose", "open")
            places = {name: value for name, value in changes.items() if name != "pose"}
            turned = places.pop("roll", 0.0) + float(roll)
            key = replace(rest, time_s=now, pose=NAMED[pose], name=pose, roll=turned, **places)
            keys += [replace(key, time_s=0.0), key] if not keys else [key]
        keys.append(replace(keys[-1], time_s=now + REST_S))
        paths.append(HandPath(person, side, tuple(keys), rng.uniform(0, 2 * math.pi, 6)))
    return paths


def frames_of(act: Act, studio: Studio, seed: int, size: tuple[int, int]) -> Iterator[tuple[float, Image]]:
    """Time and image of each frame of a gesture, as a camera with 30 frames a second sees it."""
    rng = np.random.default_rng(seed)
    paths = paths_of(act, studio.body, rng)
    recipe = ClipRecipe(seconds=max(path.keys[-1].time_s for path in paths), width=size[0], height=size[1])
    for image, line in clip(studio, recipe, rng, paths):
        yield line["time_s"], image
