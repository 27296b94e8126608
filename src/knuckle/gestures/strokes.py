"""Gestures of one hand in motion, found in the last seconds of its track. Lengths are palm lengths, times seconds.

Each `…_in` function takes the samples of a track, oldest first, and says whether its gesture ended with the last one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from knuckle.results import FINGERS, Hand

PALM = [0, 5, 9, 13, 17]
# The landmark network guesses depth: tips that touch are often read as near across, and half a palm apart in depth.
TRUST = np.array([1.0, 1.0, 0.4])
REST_SPEED, REST_S = 2.0, 0.1  # a palm that was slower than this for so long is at rest
SWIPE_LENGTH, SWIPE_S, SWIPE_SPEED = 1.5, 0.6, 4.0
STRAIGHTNESS = 0.85  # length of a swipe along its axis, as a share of its path
SAME_SHAPE = 0.35  # the openness of a hand that keeps its shape stays within this
PINCHED, PARTED = 0.3, 0.5  # distance of the tips of thumb and index finger at which a pinch begins and ends
DOUBLE_S = 0.7  # two pinches within this are a double pinch
TAP_DEPTH, TAP_S, TAP_TRAVEL, TAP_OTHERS = 0.22, 0.45, 0.35, 0.25
OPEN, CLOSED, CLOSING_S, CLOSING_TRAVEL = 0.8, 0.5, 0.6, 1.0
HELD_S = 0.1  # an open hand or a fist must be seen for so long before and after it closes or opens
WAVE_TURNS, WAVE_S, WAVE_LENGTH = 3, 1.8, 0.35
CIRCLE_TURN_RAD, CIRCLE_S, CIRCLE_RADIUS, CIRCLE_SPEED = 1.9 * math.pi, 2.0, (0.2, 3.0), 1.5
STEADY_COSINE = math.cos(math.radians(50))  # a palm that turns further does something else than tap, pinch or grab
POINTING = 0.2  # the index finger of a hand that points reaches further than the middle finger by this


@dataclass(frozen=True)
class Sample:
    """A hand at one moment.

    Attributes:
        time_s: the time.
        palm: (2,) middle of the palm, image pixels.
        size: palm length, image pixels.
        tip: (2,) tip of the index finger, image pixels.
        pinch: see `gap`.
        openness: how far the four fingers are stretched, 0 (a fist) to 1.
        others: the same without the index finger.
        reach: distance of the tip of the index finger from the wrist, minus that of the middle finger, palm lengths;
            depth counts as in `gap`.
        normal: (3,) unit vector out of the palm or the back of the hand.
        raised: whether the fingers point up.
        wrist_below: whether the wrist is not above the knuckles, as in arms that hang down.
    """

    time_s: float
    palm: npt.NDArray[np.float64]
    size: float
    tip: npt.NDArray[np.float64]
    pinch: float
    openness: float
    others: float
    reach: float
    normal: npt.NDArray[np.float64]
    raised: bool
    wrist_below: bool

    @classmethod
    def of(cls, hand: Hand, time_s: float) -> Sample:
        """The sample of a hand."""
        points, world = hand.landmarks[:, :2].astype(np.float64), hand.world.astype(np.float64)
        length, seen = max(float(np.linalg.norm(world[9] - world[0])), 1e-6), world * TRUST
        # The longest side of the palm in the image stays large when the fingers point at the camera.
        wrist, index, pinky = points[[0, 5, 17]]
        size = max(math.dist(wrist, index), math.dist(index, pinky), math.dist(pinky, wrist), 1e-3)
        normal = np.cross(world[17] - world[5], world[9] - world[0])
        bent = [joints for name, joints in FINGERS.items() if name != "thumb"]
        spans = np.array([np.linalg.norm(world[joints[3]] - world[joints[0]]) for joints in bent])
        bones = np.array([np.linalg.norm(np.diff(world[list(joints)], axis=0), axis=1).sum() for joints in bent])
        return cls(
            time_s=time_s,
            palm=points[PALM].mean(axis=0),
            size=size,
            tip=points[8],
            pinch=gap(hand),
            openness=stretched(spans, bones),
            others=stretched(spans[1:], bones[1:]),
            reach=(math.dist(seen[8], seen[0]) - math.dist(seen[12], seen[0])) / length,
            normal=normal / max(float(np.linalg.norm(normal)), 1e-9),
            raised=bool(points[9, 1] < points[0, 1] - 0.5 * size),
            wrist_below=bool(points[9, 1] < points[0, 1] + size / 3),
        )


@dataclass(frozen=True)
class Stroke:
    """A gesture of one hand; for the attributes see `GestureEvent`."""

    name: str
    start_s: float
    direction: str | None = None
    speed: float = 0.0
    amount: float = 1.0


def gap(hand: Hand) -> float:
    """Distance of the tips of thumb and index finger, palm lengths; its part in depth counts less, see `TRUST`."""
    world = hand.world.astype(np.float64)
    return float(np.linalg.norm((world[4] - world[8]) * TRUST) / max(np.linalg.norm(world[9] - world[0]), 1e-6))


def stretched(spans: npt.NDArray[np.float64], bones: npt.NDArray[np.float64]) -> float:
    """How far fingers are stretched, 0..1: the distances of their ends and the lengths of their bones."""
    return float(np.clip((spans.sum() / max(float(bones.sum()), 1e-6) - 0.35) / 0.6, 0, 1))


def swipe_in(samples: Sequence[Sample]) -> Stroke | None:
    """The palm moved fast along one axis of the image, from rest to rest, while the hand kept its shape."""
    moving = last_motion(samples)
    if moving is None:
        return None
    stroke = samples[moving.start : moving.stop]
    lasted = stroke[-1].time_s - stroke[0].time_s
    openness = [one.openness for one in stroke]
    if lasted > SWIPE_S or max(openness) - min(openness) > SAME_SHAPE:
        return None
    path = np.array([one.palm for one in stroke]) / float(np.mean([one.size for one in stroke]))
    steps = np.hypot(*np.diff(path, axis=0).T)
    moved = path[-1] - path[0]
    axis = int(np.argmax(np.abs(moved)))
    peak = float(np.max(steps / np.diff([one.time_s for one in stroke])))
    if abs(moved[axis]) < max(SWIPE_LENGTH, STRAIGHTNESS * float(steps.sum())) or peak < SWIPE_SPEED:
        return None
    direction = (("left", "right"), ("up", "down"))[axis][int(moved[axis] > 0)]
    return Stroke("swipe", stroke[0].time_s, direction, abs(float(moved[axis])) / lasted)


def last_motion(samples: Sequence[Sample]) -> range | None:
    """The samples of the palm's last motion, with one at rest at each end, if it rested before and rests now."""
    speeds = [speed_of(pair) for pair in pairwise(samples)]  # of the step after each sample
    end = len(speeds)
    while end and speeds[end - 1] <= REST_SPEED:
        end -= 1
    begin = end
    while begin and speeds[begin - 1] > REST_SPEED:
        begin -= 1
    first = begin
    while first and speeds[first - 1] <= REST_SPEED:
        first -= 1
    rested = samples[begin].time_s - samples[first].time_s
    rests = samples[-1].time_s - samples[end].time_s
    return range(begin, end + 1) if begin < end and min(rested, rests) >= REST_S - 1e-6 else None


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
    if closed or not open_before or len(touches) < 2 or touches[-1] - touches[-2] > DOUBLE_S or turned(recent):
        return None
    return Stroke("double_pinch", touches[-2])


def tap_in(samples: Sequence[Sample]) -> Stroke | None:
    """The index finger dipped and came back while palm and other fingers kept still and nothing was pinched."""
    recent = _since(samples, TAP_S)
    if len(recent) < 4 or len(recent) == len(samples) or min(one.pinch for one in recent) < PINCHED:
        return None
    others = [one.others for one in recent]
    if travel_of(recent) > TAP_TRAVEL or turned(recent) or max(others) - min(others) > TAP_OTHERS:
        return None
    reach = np.array([one.reach for one in recent])
    lowest = int(reach.argmin())
    depth = min(reach[: lowest + 1].max(), reach[-1]) - reach[lowest]
    if depth < TAP_DEPTH or lowest in (0, len(reach) - 1):
        return None
    start_s = recent[int(reach[: lowest + 1].argmax())].time_s
    before = [one.reach for one in samples if 0 <= start_s - one.time_s <= REST_S + 1e-6]
    if max(before) - min(before) > depth / 2:  # a finger that moves all the time
        return None
    return Stroke("tap", start_s)


def closing_in(samples: Sequence[Sample]) -> Stroke | None:
    """An open hand became a fist ("grab"), or a fist an open hand ("release"), and did not travel."""
    closed, opened = ([test(one.others) for one in samples] for test in (CLOSED.__gt__, OPEN.__lt__))
    for name, before, after in (("grab", opened, closed), ("release", closed, opened)):
        since = len(samples) - _run(after)
        while_between = since - 1
        while while_between >= 0 and not before[while_between]:
            while_between -= 1
        if since == len(samples) or while_between < 0:
            continue
        first = while_between + 1 - _run(before[: while_between + 1])
        held = samples[while_between].time_s - samples[first].time_s, samples[-1].time_s - samples[since].time_s
        changing = samples[while_between : since + 1]
        quick = changing[-1].time_s - changing[0].time_s <= CLOSING_S
        if min(held) >= HELD_S - 1e-6 and quick and travel_of(changing) <= CLOSING_TRAVEL and not turned(changing):
            return Stroke(name, samples[while_between].time_s)
    return None


def _run(flags: Sequence[bool]) -> int:
    """How many flags at the end are set."""
    return next((k for k, flag in enumerate(reversed(flags)) if not flag), len(flags))


def wave_in(samples: Sequence[Sample]) -> Stroke | None:
    """An open raised hand went from side to side: `WAVE_TURNS` turns of its tips against its wrist or with it."""
    recent = _since(samples, WAVE_S)
    if np.mean([one.openness > 0.6 and one.others > 0.6 and one.raised for one in recent]) < 0.8:
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
    first, second = extremes[-WAVE_TURNS - 2 : -WAVE_TURNS]
    start = max(k for k in range(first, second) if abs(x[k] - x[first]) < WAVE_LENGTH / 4)  # where the rest ended
    path = float(np.abs(np.diff(x[extremes[-WAVE_TURNS - 2 :]])).sum())
    return Stroke("wave", recent[start].time_s, speed=path / max(recent[-1].time_s - recent[start].time_s, 1e-6))


def circle_in(samples: Sequence[Sample]) -> Stroke | None:
    """The tip of the index finger drew a circle while the hand pointed."""
    recent = _since(samples, CIRCLE_S)
    if len(recent) < 8:
        return None
    size = float(np.mean([one.size for one in recent]))
    path = np.array([one.tip for one in recent]) / size
    for first in reversed(range(0, len(recent) - 8, 2)):  # the shortest path that is a circle
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
            reach = float(np.mean([one.reach for one in recent[first:]]))
            if speed < CIRCLE_SPEED or reach < POINTING:
                continue
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


def turned(samples: Sequence[Sample]) -> bool:
    """Whether the palm turned in space, as where landmarks are read wrongly or the whole arm moves."""
    normals = np.array([one.normal for one in samples])
    return bool((normals @ normals[0]).min() < STEADY_COSINE)


def travel_of(samples: Sequence[Sample]) -> float:
    """How far the palm came from where it was, palm lengths."""
    places = np.array([one.palm for one in samples]) / samples[-1].size
    return float(np.ptp(places, axis=0).max())
