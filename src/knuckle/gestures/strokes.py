"""Gestures of one hand in motion, found in the last seconds of its track. Lengths are palm lengths, times seconds.

Each `…_in` function takes the samples of a track, oldest first, and says whether its gesture ended with the last one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knuckle.results import FINGERS, Hand

PALM = [0, 5, 9, 13, 17]
SWIPE_LENGTH, SWIPE_S, SWIPE_SPEED = 1.5, 0.6, 4.0
STILL_SPEED = 2.0  # a swipe has ended when the palm is slower than this
STRAIGHTNESS = 0.85  # length of a swipe along its axis, as a share of its path
PINCHED, PARTED = 0.3, 0.5  # distance of the tips of thumb and index finger at which a pinch begins and ends
DOUBLE_S = 0.7  # two pinches within this are a double pinch
TAP_DEPTH, TAP_S, TAP_TRAVEL = 0.22, 0.45, 0.35
OPEN, CLOSED, CLOSING_S = 0.8, 0.35, 0.6
WAVE_TURNS, WAVE_S, WAVE_LENGTH = 3, 1.8, 0.35
CIRCLE_TURN_RAD, CIRCLE_S, CIRCLE_RADIUS = 1.9 * math.pi, 2.0, (0.2, 3.0)


@dataclass(frozen=True)
class Sample:
    """A hand at one moment.

    Attributes:
        time_s: the time.
        palm: (2,) middle of the palm, image pixels.
        size: palm length, image pixels.
        tip: (2,) tip of the index finger, image pixels.
        pinch: distance of the tips of thumb and index finger, palm lengths.
        openness: how far the four fingers are stretched, 0 (a fist) to 1.
        reach: distance of the tip of the index finger from the wrist, palm lengths.
        raised: whether the fingers point up.
    """

    time_s: float
    palm: npt.NDArray[np.float64]
    size: float
    tip: npt.NDArray[np.float64]
    pinch: float
    openness: float
    reach: float
    raised: bool

    @classmethod
    def of(cls, hand: Hand, time_s: float) -> Sample:
        """The sample of a hand."""
        points, world = hand.landmarks[:, :2].astype(np.float64), hand.world.astype(np.float64)
        length = max(float(np.linalg.norm(world[9] - world[0])), 1e-6)
        # The longest side of the palm in the image stays large when the fingers point at the camera.
        wrist, index, pinky = points[[0, 5, 17]]
        size = max(math.dist(wrist, index), math.dist(index, pinky), math.dist(pinky, wrist), 1e-3)
        bent = [joints for name, joints in FINGERS.items() if name != "thumb"]
        spans = [np.linalg.norm(world[joints[3]] - world[joints[0]]) for joints in bent]
        bones = [np.linalg.norm(np.diff(world[list(joints)], axis=0), axis=1).sum() for joints in bent]
        return cls(
            time_s=time_s,
            palm=points[PALM].mean(axis=0),
            size=size,
            tip=points[8],
            pinch=float(np.linalg.norm(world[4] - world[8])) / length,
            openness=float(np.clip((np.sum(spans) / max(float(np.sum(bones)), 1e-6) - 0.35) / 0.6, 0, 1)),
            reach=float(np.linalg.norm(world[8] - world[0])) / length,
            raised=bool(points[9, 1] < points[0, 1] - 0.5 * size),
        )


@dataclass(frozen=True)
class Stroke:
    """A gesture of one hand; for the attributes see `GestureEvent`."""

    name: str
    start_s: float
    direction: str | None = None
    speed: float = 0.0
    amount: float = 1.0


def swipe_in(samples: Sequence[Sample]) -> Stroke | None:
    """The palm moved fast along one axis of the image and has come to rest."""
    recent = _since(samples, SWIPE_S)
    if len(recent) < 4 or speed_of(recent[-2:]) > STILL_SPEED:
        return None
    size = float(np.mean([one.size for one in recent]))
    for first in range(len(recent) - 3):
        path = np.array([one.palm for one in recent[first:]]) / size
        steps = np.diff(path, axis=0)
        moved = path[-1] - path[0]
        axis = int(np.argmax(np.abs(moved)))
        length = float(np.hypot(*steps.T).sum())
        peak = float(np.max(np.hypot(*steps.T) / np.diff([one.time_s for one in recent[first:]])))
        if abs(moved[axis]) >= SWIPE_LENGTH and abs(moved[axis]) >= STRAIGHTNESS * length and peak >= SWIPE_SPEED:
            direction = (("left", "right"), ("up", "down"))[axis][int(moved[axis] > 0)]
            began = next(k for k in range(len(steps)) if np.hypot(*steps[k]) > 0.1 * np.hypot(*steps.T).max())
            start_s = recent[first + began].time_s
            return Stroke("swipe", start_s, direction, abs(float(moved[axis])) / (recent[-1].time_s - start_s))
    return None


def pinches_in(samples: Sequence[Sample]) -> Stroke | None:
    """Thumb and index finger touched twice, and parted after the second time."""
    recent = _since(samples, DOUBLE_S + 0.4)
    closed, touches = False, list[float]()
    for one in recent:
        if not closed and one.pinch < PINCHED:
            closed = True
            touches.append(one.time_s)
        elif closed and one.pinch > PARTED:
            closed = False
    open_before = recent[0].pinch > PARTED
    if closed or not open_before or len(touches) < 2 or touches[-1] - touches[-2] > DOUBLE_S:
        return None
    return Stroke("double_pinch", touches[-2])


def tap_in(samples: Sequence[Sample]) -> Stroke | None:
    """The index finger dipped and came back while the palm stayed where it was and nothing was pinched."""
    recent = _since(samples, TAP_S)
    reach = np.array([one.reach for one in recent])
    if len(recent) < 4 or min(one.pinch for one in recent) < PINCHED or travel_of(recent) > TAP_TRAVEL:
        return None
    lowest = int(reach.argmin())
    depth = min(reach[: lowest + 1].max(), reach[-1]) - reach[lowest]
    if depth < TAP_DEPTH or lowest in (0, len(reach) - 1):
        return None
    openness = [one.openness for one in recent]
    if max(openness) - min(openness) > 0.5:  # the whole hand closed
        return None
    return Stroke("tap", recent[int(reach[: lowest + 1].argmax())].time_s)


def closing_in(samples: Sequence[Sample]) -> Stroke | None:
    """An open hand became a fist ("grab"), or a fist an open hand ("release")."""
    recent = _since(samples, CLOSING_S)
    now = recent[-1].openness
    for one in reversed(recent[:-1]):
        if now < CLOSED and one.openness > OPEN:
            return Stroke("grab", one.time_s)
        if now > OPEN and one.openness < CLOSED:
            return Stroke("release", one.time_s)
    return None


def wave_in(samples: Sequence[Sample]) -> Stroke | None:
    """An open raised hand went from side to side: `WAVE_TURNS` turns of its tips against its wrist or with it."""
    recent = _since(samples, WAVE_S)
    if np.mean([one.openness > 0.6 and one.raised for one in recent]) < 0.8:
        return None
    size = float(np.mean([one.size for one in recent]))
    x = np.array([one.tip[0] for one in recent]) / size
    extremes, sign = [0], 0  # places where the direction changed, each a `WAVE_LENGTH` from the one before
    for k in range(1, len(x)):
        step = x[k] - x[extremes[-1]]
        if sign and np.sign(step) == sign:
            extremes[-1] = k
        elif abs(step) >= WAVE_LENGTH:
            extremes.append(k)
            sign = int(np.sign(step))
    if len(extremes) < WAVE_TURNS + 2:
        return None
    start = extremes[-WAVE_TURNS - 2]
    path = float(np.abs(np.diff(x[extremes[-WAVE_TURNS - 2 :]])).sum())
    return Stroke("wave", recent[start].time_s, speed=path / max(recent[-1].time_s - recent[start].time_s, 1e-6))


def circle_in(samples: Sequence[Sample]) -> Stroke | None:
    """The tip of the index finger drew a circle."""
    recent = _since(samples, CIRCLE_S)
    if len(recent) < 8:
        return None
    size = float(np.mean([one.size for one in recent]))
    path = np.array([one.tip for one in recent]) / size
    for first in range(0, len(recent) - 8, 2):
        part = path[first:]
        centred = part - (part.max(axis=0) + part.min(axis=0)) / 2
        radii = np.hypot(*centred.T)
        if not CIRCLE_RADIUS[0] < radii.mean() < CIRCLE_RADIUS[1] or radii.std() > 0.3 * radii.mean():
            continue
        turns = np.diff(np.unwrap(np.arctan2(centred[:, 1], centred[:, 0])))
        whole = float(turns.sum())
        if abs(whole) >= CIRCLE_TURN_RAD and np.mean(np.sign(turns) == np.sign(whole)) > 0.85:
            lasted = recent[-1].time_s - recent[first].time_s
            speed = float(np.hypot(*np.diff(part, axis=0).T).sum()) / lasted
            direction = "clockwise" if whole > 0 else "counterclockwise"  # y is down
            return Stroke("circle", recent[first].time_s, direction, speed, abs(whole) / (2 * math.pi))
    return None


def _since(samples: Sequence[Sample], seconds: float) -> Sequence[Sample]:
    """The samples of the last seconds."""
    end = samples[-1].time_s
    return [one for one in samples if end - one.time_s <= seconds]


def speed_of(samples: Sequence[Sample]) -> float:
    """Palm lengths per second from the first to the last sample."""
    first, last = samples[0], samples[-1]
    return math.dist(first.palm, last.palm) / last.size / max(last.time_s - first.time_s, 1e-6)


def travel_of(samples: Sequence[Sample]) -> float:
    """How far the palm came from where it was, palm lengths."""
    places = np.array([one.palm for one in samples]) / samples[-1].size
    return float(np.ptp(places, axis=0).max())
