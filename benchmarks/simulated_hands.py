"""Hands that move as people move theirs, as a tracker reads them, without rendering: hours of motion in minutes.

`watched` gives the tracked hands of `HandPath`s: landmarks of posed bodies, seen by a camera, with errors as large, as
alike within a finger and as lasting as those of the tracker on rendered clips (`benchmarks/signing.py errors` measures
them). `signing` gives paths of somebody who signs: signs, spelled words and pauses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from knuckle.results import FINGERS, FloatArray, Hand, Roi
from knuckle.synth.body.hand_poses import ASL, NAMED, HandPose
from knuckle.synth.body.kinematics import bone_transforms, landmarks_after
from knuckle.synth.body.model import TO_CAMERA, BodyModel
from knuckle.synth.scene.hand_motion import HandPath, Keyframe
from knuckle.synth.scene.placement import rotation
from knuckle.synth.scene.random_hands import random_person

SIZE = (480, 360)  # of the picture, pixels
VIEW_DEG = 60.0  # width of the camera's view
# Errors: how long they last, seconds, and their standard deviation across the picture, palm lengths. Most
# of the error of a pose stays as long as the pose does.
ERRORS = ((2.0, 0.045), (0.08, 0.03))
DEPTH = 4.0  # errors in depth are larger by this
QUALITY_S = 2.0  # a hand is read well or badly for about so long
SEEN = 0.85  # hands that are less than this in the picture are not found: share of landmarks

# Signing, in seconds and shares. Holds are log-normal, as measured on the signing clips.
MOVE_S, STROKE_S, LETTER_S = (0.18, 0.4), (0.15, 0.4), (0.16, 0.32)
HOLD_MEDIAN_S, HOLD_SIGMA = 0.1, 0.75
SPELLED, PAUSED = 0.12, 0.08
LOWERED_S = 0.8  # a second hand without a task is lowered after so long
SHAPES = ("open", "flat", "fist", "point", "two", "asl_U", "asl_K", "asl_C", "asl_O", "asl_A", "asl_L", "asl_Y", "ok")
SHAPES += ("cupped", "claw", "loose", "relaxed", "hook", "asl_X", "pinch", "beak", "asl_R", "asl_I", "love", "asl_W")
LETTERS = tuple(f"asl_{letter}" for letter in ASL if letter not in "JZ")
RESTING = ("relaxed", "loose", "loose_fist", "cupped")


@dataclass(frozen=True)
class Lens:
    """A camera without distortion: focal length and centre, pixels."""

    focal: float = SIZE[0] / 2 / math.tan(math.radians(VIEW_DEG) / 2)
    x: float = (SIZE[0] - 1) / 2
    y: float = (SIZE[1] - 1) / 2


def watched(
    paths: Sequence[HandPath], seconds: float, rate: float, rng: np.random.Generator
) -> Iterator[tuple[float, list[Hand]]]:
    """Time and tracked hands of each frame."""
    lens, errors = Lens(), [LastingErrors(rate, rng) for _ in paths]
    for number in range(round(seconds * rate)):
        time_s = number / rate
        hands = []
        for track_id, (path, error) in enumerate(zip(paths, errors, strict=True), 1):
            hand = read_hand(path, time_s, lens, error())
            if hand is not None:
                hands.append(replace(hand, track_id=track_id))
        yield time_s, hands


def read_hand(path: HandPath, time_s: float, lens: Lens, error: FloatArray) -> Hand | None:
    """A hand of a path as it is read; None outside of the picture."""
    (x, y, distance, tilt, facing, roll), pose, _ = path.at(time_s)
    joints = path.person.shape.hand[1]
    points = landmarks_after(joints, bone_transforms(joints, pose.angles)) * TO_CAMERA
    points -= points[0]
    if path.handedness == "Left":
        points[:, 0] *= -1
    points = points @ (rotation(0, 0, roll) @ rotation(tilt, facing, 0)).T
    pixel = np.array([x * SIZE[0] - lens.x, y * SIZE[1] - lens.y])
    placed = points + np.array([*(pixel / lens.focal * distance), distance])
    palm = float(np.linalg.norm(points[9] - points[0]))
    placed += error * palm
    landmarks = np.empty((21, 3))
    landmarks[:, :2] = placed[:, :2] / placed[:, 2:] * lens.focal + [lens.x, lens.y]
    scale = lens.focal / distance
    landmarks[:, 2] = (placed[:, 2] - placed[0, 2]) * scale
    inside = ((landmarks[:, :2] >= 0) & (landmarks[:, :2] <= SIZE)).all(axis=1)
    if inside.mean() < SEEN:
        return None
    world = (placed - placed[[0, 5, 9, 13, 17]].mean(axis=0)).astype(np.float32)
    centre = landmarks[9, :2].tolist()
    roi = Roi(centre[0], centre[1], 4 * palm * scale)
    return Hand(landmarks.astype(np.float32), world, "Left" if path.handedness == "Left" else "Right", 0.99, 0.99, roi)


class LastingErrors:
    """Errors of the landmarks of one track: (21, 3) palm lengths for each frame.

    Landmarks of a finger err together, more towards its tip; errors last, and some seconds are worse than others.
    """

    def __init__(self, rate: float, rng: np.random.Generator) -> None:
        self._rate, self._rng = rate, rng
        self._parts = [self._fresh() for _ in ERRORS]
        self._quality = float(rng.normal())

    def __call__(self) -> FloatArray:
        total = np.zeros((21, 3))
        for k, (lasts_s, across) in enumerate(ERRORS):
            kept = math.exp(-1 / self._rate / lasts_s)
            self._parts[k] = kept * self._parts[k] + math.sqrt(1 - kept**2) * self._fresh()
            total += across * self._parts[k]
        kept = math.exp(-1 / self._rate / QUALITY_S)
        self._quality = kept * self._quality + math.sqrt(1 - kept**2) * float(self._rng.normal())
        return np.asarray(total * math.exp(0.5 * self._quality) * [1, 1, DEPTH])

    def _fresh(self) -> FloatArray:
        error = self._rng.normal(0, 0.5, (21, 3))
        for numbers in FINGERS.values():
            error[list(numbers)] += self._rng.normal(0, 1, (1, 3)) * np.array([[0.2], [0.5], [0.8], [1.0]])
        return np.asarray(error)


def signing(body: BodyModel, seconds: float, rng: np.random.Generator) -> list[HandPath]:
    """Paths of the two hands of a random person who signs: both in half of the signs, else the right one."""
    person = random_person(body, rng)
    distance = float(rng.uniform(0.5, 0.75))
    lanes = {"Right": 0.35, "Left": 0.65}
    keys = {side: [resting(0.0, lane, distance, rng)] for side, lane in lanes.items()}
    now = float(rng.uniform(0.2, 0.6))
    while now < seconds:
        kind = rng.random()
        if kind < PAUSED:
            now += float(rng.uniform(0.3, 0.5))
            for side, lane in lanes.items():
                keys[side].append(resting(now, lane, distance, rng))
            now += float(rng.uniform(0.3, 2.5))
            held(keys, now)
        elif kind < PAUSED + SPELLED:
            now = spelled(keys["Right"], now, distance, rng)
        else:
            now = signed(keys, now, distance, lanes, rng)
    return [HandPath(person, side, tuple(its), rng.uniform(0, 2 * math.pi, 6)) for side, its in keys.items()]


def signed(
    keys: dict[str, list[Keyframe]], now: float, distance: float, lanes: dict[str, float], rng: np.random.Generator
) -> float:
    """One sign: the hands go to a place, move, hold; the second hand does the same, keeps still, or rests."""
    second = rng.choice(["same", "base", "rest"], p=[0.3, 0.2, 0.5])
    shape = str(rng.choice(SHAPES))
    arrives = now + float(rng.uniform(*MOVE_S))
    moved = arrives + float(rng.uniform(*STROKE_S))
    ends = moved + HOLD_MEDIAN_S * math.exp(HOLD_SIGMA * float(rng.normal()))
    for side, lane in lanes.items():
        if side == "Left" and second == "rest":
            if now - keys[side][-1].time_s > LOWERED_S or rng.random() < 0.5:
                keys[side] += [replace(keys[side][-1], time_s=now), resting(arrives, lane, distance, rng)]
            continue
        keys[side].append(replace(keys[side][-1], time_s=now))  # it stays where it was until the sign begins
        pose = NAMED[shape if side == "Right" or second == "same" else str(rng.choice(SHAPES))]
        first = somewhere(arrives, lane, distance, pose, rng)
        still = side == "Left" and second == "base"
        change = np.zeros(6) if still else rng.normal(0, [0.08, 0.08, 0.02, 0.3, 0.4, 0.4])
        last_pose = NAMED[str(rng.choice(SHAPES))] if rng.random() < 0.25 and not still else pose
        x, y, away, tilt, facing, roll = (first.numbers() + change).tolist()
        last = replace(
            first, time_s=moved, x=x, y=y, distance=away, tilt=tilt, facing=facing, roll=roll, pose=last_pose
        )
        keys[side] += [first, last, replace(last, time_s=ends)]
    return ends


def spelled(keys: list[Keyframe], now: float, distance: float, rng: np.random.Generator) -> float:
    """A word of three to eight letters beside the shoulder."""
    place = somewhere(now, 0.35, distance, NAMED["open"], rng)
    now += float(rng.uniform(*MOVE_S))
    for letter in rng.choice(LETTERS, int(rng.integers(3, 9))):
        x, y = place.x + float(rng.normal(0, 0.005)), place.y + float(rng.normal(0, 0.005))
        key = replace(place, time_s=now, x=x, y=y, tilt=0.0, facing=float(rng.normal(0, 0.2)), roll=0.0)
        key = replace(key, pose=varied(NAMED[str(letter)], rng))
        lasts = float(rng.uniform(*LETTER_S))
        keys += [key, replace(key, time_s=now + 0.4 * lasts)]
        now += lasts
    return now


def somewhere(time_s: float, lane: float, distance: float, pose: HandPose, rng: np.random.Generator) -> Keyframe:
    """A place in front of the chest or the face, with the palm anywhere and the fingers more often up."""
    x, y = lane + float(rng.normal(0, 0.09)), float(rng.uniform(0.35, 0.85))
    tilt, facing = float(rng.normal(0, 0.5)), float(rng.choice([0.0, math.pi, math.pi / 2]) + rng.normal(0, 0.4))
    roll = float(rng.normal(0, 0.6))
    return Keyframe(time_s, x, y, distance * float(rng.uniform(0.9, 1.1)), tilt, facing, roll, varied(pose, rng), "")


def resting(time_s: float, lane: float, distance: float, rng: np.random.Generator) -> Keyframe:
    """A hand at the waist or beside the body, in the lower edge of the picture or below it."""
    pose = varied(NAMED[str(rng.choice(RESTING))], rng)
    roll = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.8, 2.8))
    return Keyframe(
        time_s, lane, float(rng.uniform(0.8, 1.3)), distance, float(rng.normal(0, 0.3)), 0.0, roll, pose, ""
    )


def held(keys: dict[str, list[Keyframe]], until_s: float) -> None:
    """Keep the hands where they are."""
    for its in keys.values():
        its.append(replace(its[-1], time_s=until_s))


def varied(pose: HandPose, rng: np.random.Generator) -> HandPose:
    """The pose as somebody holds it: a little loose, each joint a little different."""
    loose = pose.mix(NAMED["relaxed"], min(abs(float(rng.normal(0, 0.12))), 0.4))
    return HandPose(np.asarray(loose.angles + np.radians(rng.normal(0, 4, len(loose.angles))), np.float32))
