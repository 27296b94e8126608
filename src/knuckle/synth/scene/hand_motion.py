"""How hands move through a clip: keyframes, the paths between them, and random sequences of acts.

Hands move along minimum-jerk paths (Flash and Hogan 1985, J. Neurosci. 5(7)), as people move theirs, with a little
sway. They change their pose on the way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from knuckle.synth.body import hand_poses
from knuckle.synth.body.hand_poses import eased
from knuckle.synth.body.model import BodyModel
from knuckle.synth.scene import people
from knuckle.synth.scene.people import Person
from knuckle.synth.scene.random_hands import EVERYTHING, SceneMix, random_person

ACTS = ("still", "gesture", "wave", "move", "swipe", "leave", "cross", "occlude")
ONE_HANDED_ACTS = ACTS[:6]
USUAL_S = {
    "still": 0.8,
    "gesture": 0.5,
    "wave": 1.3,
    "move": 0.8,
    "swipe": 0.25,
    "leave": 0.7,
    "cross": 1.1,
    "occlude": 0.9,
}
IN_VIEW, BELOW_VIEW = 0.62, 1.4  # y of the wrist: of a hand in view, and of one before it enters
SWAY = np.array([0.003, 0.003, 0.002, 0.02, 0.02, 0.02])  # of the numbers of a keyframe
SWAY_HZ = np.array([0.9, 1.1, 0.5, 0.7, 0.6, 0.8])


@dataclass(frozen=True, eq=False)
class Keyframe:
    """Where a hand is at a time.

    Attributes:
        x, y: of the wrist, in shares of the picture's width and height.
        distance: from the camera, metres.
        tilt, facing, roll: rotation about x, y and z, radians.
        pose, name: of the hand.
    """

    time_s: float
    x: float
    y: float
    distance: float
    tilt: float
    facing: float
    roll: float
    pose: hand_poses.HandPose
    name: str

    def numbers(self) -> npt.NDArray[np.float64]:
        """(6,) x, y, distance, tilt, facing, roll."""
        return np.array([self.x, self.y, self.distance, self.tilt, self.facing, self.roll])


@dataclass(frozen=True, eq=False)
class HandPath:
    """One hand's path through a clip; `sway` (6,) are the phases of its small constant movement."""

    person: Person
    handedness: str
    keys: tuple[Keyframe, ...]
    sway: npt.NDArray[np.float64]

    def at(self, time_s: float) -> tuple[npt.NDArray[np.float64], hand_poses.HandPose, str]:
        """`Keyframe.numbers`, the pose and its name at a time."""
        times = [key.time_s for key in self.keys]
        k = int(np.clip(np.searchsorted(times, time_s, side="right") - 1, 0, len(times) - 2))
        start, end = self.keys[k], self.keys[k + 1]
        share = eased((time_s - start.time_s) / max(end.time_s - start.time_s, 1e-6))
        numbers = (1 - share) * start.numbers() + share * end.numbers()
        numbers += SWAY * np.sin(2 * math.pi * time_s * SWAY_HZ + self.sway)
        name = start.name if share < 0.5 else end.name
        return numbers, start.pose.mix(end.pose, share), name


@dataclass(frozen=True)
class PlannedAct:
    """An act of `ACTS`, or a pose of `hand_poses.NAMED`: when it ends and how long it lasts, seconds."""

    name: str
    ends_s: float
    lasts_s: float


def random_paths(
    body: BodyModel,
    seconds: float,
    rng: np.random.Generator,
    acts: Sequence[str] | None = None,
    mix: SceneMix = EVERYTHING,
) -> list[HandPath]:
    """One or two hands of a person and what they do.

    With `acts`, both hands do these one after the other, after they have come in one by one.
    """
    person = random_person(body, rng, mix)
    both = acts is not None or rng.random() < 0.7
    sides = ["Left", "Right"] if both else [str(rng.choice(["Left", "Right"]))]
    lanes = (0.7, 0.3) if both else (0.5,)  # a person who faces the camera has the left hand on the picture's right
    plan = random_plan(seconds, both, rng, acts)
    forearm = people.forearm_axis(person.posed_hand(hand_poses.OPEN, "Right"))
    # People with short arms hold their hands nearer to the camera, so that their elbows stay below the picture.
    arm_scale = float(np.linalg.norm(forearm)) / 0.25
    paths = []
    for number, (side, lane) in enumerate(zip(sides, lanes, strict=True)):
        keys = _keyframes(plan, number, lane, arm_scale, rng, scripted=acts is not None)
        paths.append(HandPath(person, side, keys, rng.uniform(0, 2 * math.pi, 6)))
    return paths


def random_plan(
    seconds: float, both: bool, rng: np.random.Generator, acts: Sequence[str] | None = None
) -> list[PlannedAct]:
    """Acts one after another until the time is up: the given ones, or random ones of one or both hands."""
    plan: list[PlannedAct] = []
    now = 0.9
    while now < seconds and (acts is None or len(plan) < len(acts)):
        name = acts[len(plan)] if acts else str(rng.choice(ACTS if both else ONE_HANDED_ACTS))
        lasts = USUAL_S.get(name, USUAL_S["gesture"]) * float(rng.uniform(0.8, 1.3))
        now += lasts
        plan.append(PlannedAct(name, now, lasts))
        now += float(rng.uniform(0.05, 0.3))
        if name in hand_poses.NAMED:
            now += 0.3  # the pose is held for a while
    return plan


def _keyframes(
    plan: Sequence[PlannedAct], number: int, lane: float, arm_scale: float, rng: np.random.Generator, scripted: bool
) -> tuple[Keyframe, ...]:
    """One hand's keyframes: it starts in the picture or enters from below, then follows the plan."""
    name, pose = ("relaxed", hand_poses.NAMED["relaxed"]) if scripted else hand_poses.random_pose(rng)
    distance = float(rng.uniform(0.36, 0.5)) * arm_scale
    facing = 0.0 if rng.random() < 0.6 else math.pi
    enters = scripted or bool(rng.random() < 0.4)
    first = Keyframe(0.0, lane, BELOW_VIEW if enters else IN_VIEW, distance, 0.0, facing, 0.0, pose, name)
    starts = 0.45 * number if enters else 0.0
    keys = [first, replace(first, time_s=starts), replace(first, time_s=starts + 0.4, y=IN_VIEW)]
    for act in plan:
        begin = replace(keys[-1], time_s=act.ends_s - act.lasts_s)
        if begin.time_s > keys[-1].time_s:
            keys.append(begin)
        keys += _act_keyframes(act, begin, number, lane, rng, scripted)
    return tuple(keys)


def _act_keyframes(
    act: PlannedAct, begin: Keyframe, number: int, lane: float, rng: np.random.Generator, scripted: bool
) -> list[Keyframe]:
    """What a hand does in one act, up to its end."""

    def after(share: float, key: Keyframe) -> Keyframe:
        return replace(key, time_s=begin.time_s + share * act.lasts_s)

    name, pose = (begin.name, begin.pose) if scripted else hand_poses.random_pose(rng)
    turned = replace(
        begin,
        tilt=float(rng.normal(0, 0.3)),
        facing=begin.facing + float(rng.normal(0, 0.3)),
        roll=float(rng.normal(0, 0.35)),
        pose=pose,
        name=name,
    )
    if act.name in hand_poses.NAMED:
        return [after(1, replace(begin, pose=hand_poses.NAMED[act.name], name=act.name))]
    if act.name == "wave":
        opened = replace(begin, pose=hand_poses.OPEN, name="open")
        swings = [(0.2, 0.35), (0.4, -0.35), (0.6, 0.35), (0.8, -0.35), (1.0, 0.0)]
        return [after(share, replace(opened, roll=begin.roll + swing)) for share, swing in swings]
    if act.name == "gesture":
        return [after(1, replace(begin, pose=pose, name=name))]
    if act.name == "move":
        new = replace(turned, x=lane + float(rng.uniform(-0.2, 0.2)), y=float(rng.uniform(0.4, 0.85)))
        return [after(1, replace(new, distance=float(np.clip(begin.distance * rng.uniform(0.75, 1.3), 0.2, 0.5))))]
    if act.name == "swipe":
        x = lane + (0.25 if begin.x < lane else -0.25)
        return [after(1, replace(begin, x=x, roll=begin.roll + float(rng.normal(0, 0.3))))]
    if act.name == "leave":
        if rng.random() < 0.5:
            return [after(1, turned)]
        below = replace(turned, x=begin.x + 0.15 * (lane - 0.5), y=1.5)
        return [after(0.4, below), after(0.6, below), after(1, replace(turned, y=IN_VIEW))]
    if act.name in ("cross", "occlude"):  # the first hand passes in front of the second
        x = 1 - lane
        if act.name == "occlude":
            x = 0.5 if number == 0 else lane + 0.8 * (0.5 - lane)
        closer = 0.88 if number == 0 else 1.15  # factor on the distance to the camera
        half = replace(begin, x=x, distance=float(np.clip(begin.distance * closer, 0.2, 0.6)))
        return [after(0.45, half), after(0.55, half), after(1, replace(begin, x=lane))]
    return [after(1, begin)]  # "still"
