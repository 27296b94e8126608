"""Smoothing over time: the One-Euro filter for live video, and a two-sided one for files, which has no lag.

Casiez, Roussel and Vogel, "1 € Filter", CHI 2012: a first-order low-pass filter whose cutoff rises with the speed of
the signal. Time is an argument, and the state is the result of the previous call. `OfflineSmoother` sees the frames
that follow as well.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from knuckle.results import FloatArray, Frame, Hand

# The centre of a hand is the mean of 21 points, so it is less noisy than one point and can be followed faster.
# `python benchmarks/variants.py tracking` measures jitter and lag.
MIN_CUTOFF_HZ = 1.0
BETA_HZ_PER_SPEED = 12.0
CENTRE_BETA_HZ_PER_SPEED = 45.0
SPEED_CUTOFF_HZ = 1.0
# Of the two-sided filter: how far it looks, and the standard deviations of its weights over time. They go from the slow
# to the fast one as the speed of the fastest landmark rises, in sizes of the hand per second.
REACH_S = 0.4
SAME_S = 1e-6  # times that differ by less are equal
SLOW_WINDOW_S, FAST_WINDOW_S, SPEED_WINDOW_S = 0.16, 0.05, 0.06
NARROWING_S = 1.0


@dataclass(frozen=True, eq=False)
class Smoothed:
    """State of a filter: the filtered value, its filtered speed per second, and the time of the last call."""

    value: FloatArray
    speed: FloatArray
    time_s: float


@dataclass(frozen=True, eq=False)
class SmoothedHand:
    """A filtered hand, and the states of its two filters: for its centre, and for its points relative to the centre."""

    value: FloatArray
    centre: Smoothed
    shape: Smoothed


def smooth_hand(
    previous: SmoothedHand | None,
    points: FloatArray,
    time_s: float,
    unit: float,
    centre_beta: float = CENTRE_BETA_HZ_PER_SPEED,
) -> SmoothedHand:
    """Filter (21 or more, 3) points: the mean of the first 21 and all offsets from it, each with cutoffs of its own.

    See `one_euro`. Points beyond the 21 follow them and have no effect on them.
    """
    mean = points[:21].mean(axis=0, keepdims=True)
    if previous is None:
        return SmoothedHand(points, one_euro(None, mean, time_s, unit), one_euro(None, points - mean, time_s, unit))
    centre = one_euro(previous.centre, mean, time_s, unit, centre_beta)
    shape = one_euro(previous.shape, points - mean, time_s, unit)
    return SmoothedHand(centre.value + shape.value, centre, shape)


def one_euro(
    previous: Smoothed | None, points: FloatArray, time_s: float, unit: float, beta: float = BETA_HZ_PER_SPEED
) -> Smoothed:
    """Filter (n, 3) points.

    Each point has its own cutoff, from its speed in object sizes per second, so near and distant hands are treated
    alike. The first call returns the points unchanged, and so does a call whose time is not later than the last one's.

    Args:
        previous: the result of the last call; None for the first.
        points: the measured points, in any unit.
        time_s: when they were measured, seconds.
        unit: size of the object, in the unit of the points.
        beta: rise of the cutoff (Hz) per object size per second.
    """
    if previous is None or time_s <= previous.time_s:
        return Smoothed(points, np.zeros_like(points), time_s)
    elapsed = time_s - previous.time_s
    measured = (points - previous.value) / elapsed
    speed = previous.speed + _blend(SPEED_CUTOFF_HZ, elapsed) * (measured - previous.speed)
    cutoff = MIN_CUTOFF_HZ + beta / unit * np.linalg.norm(speed, axis=1, keepdims=True)
    value = previous.value + _blend(cutoff, elapsed) * (points - previous.value)
    return Smoothed(value.astype(points.dtype), speed.astype(points.dtype), time_s)


def _blend(cutoff_hz: float | FloatArray, elapsed_s: float) -> float | FloatArray:
    """Weight of the new value in a first-order low-pass filter."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff_hz * elapsed_s))


@dataclass(frozen=True, eq=False)
class _Moment:
    """One hand at one time, before smoothing."""

    time_s: float
    landmarks: FloatArray
    world: FloatArray


class OfflineSmoother:
    """Two-sided smoothing for files: each frame is smoothed by those before and after it, so nothing lags.

    Landmarks are fitted by a parabola over time with Gaussian weights, whose value at the frame is the result: local
    regression (Cleveland 1979, doi 10.1080/01621459.1979.10481038), which for even steps is the zero-phase filter of
    Savitzky & Golay. Fast hands get a narrower window than slow ones. Frames come out `REACH_S` late, so memory holds
    that many and not the whole video.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Frame, list[Hand]]] = deque()
        self._moments: dict[int, list[_Moment]] = {}

    def push(self, frame: Frame, hands: list[Hand]) -> list[tuple[Frame, list[Hand]]]:
        """Take up the next frame; returns the frames that are done, in order."""
        self._waiting.append((frame, hands))
        for hand in hands:
            if hand.track_id is not None:
                moment = _Moment(frame.time_s, hand.rows("landmarks_raw"), hand.rows("world_raw"))
                self._moments.setdefault(hand.track_id, []).append(moment)
        return self._done(frame.time_s - REACH_S)

    def flush(self) -> list[tuple[Frame, list[Hand]]]:
        """The frames that are left, at the end of the video."""
        done = self._done(math.inf)
        self._moments.clear()
        return done

    def _done(self, until_s: float) -> list[tuple[Frame, list[Hand]]]:
        done = []
        while self._waiting and self._waiting[0][0].time_s <= until_s:
            frame, hands = self._waiting.popleft()
            done.append((frame, [self._smoothed(hand, frame.time_s) for hand in hands]))
            for track_id, moments in list(self._moments.items()):
                self._moments[track_id] = [one for one in moments if one.time_s > frame.time_s - REACH_S - SAME_S]
                if not self._moments[track_id]:
                    del self._moments[track_id]
        return done

    def _smoothed(self, hand: Hand, time_s: float) -> Hand:
        near = [
            one for one in self._moments.get(hand.track_id or 0, ()) if abs(one.time_s - time_s) <= REACH_S + SAME_S
        ]
        if len(near) < 2:
            return hand.with_rows({"landmarks": hand.rows("landmarks_raw"), "world": hand.rows("world_raw")})
        offsets = np.array([one.time_s - time_s for one in near])
        landmarks = np.stack([one.landmarks for one in near]).astype(np.float64)
        world = np.stack([one.world for one in near]).astype(np.float64)
        there = landmarks[0, :21, 0] == landmarks[0, :21, 0]  # NaN: a point that the network does not give
        size = max(float(np.ptp(hand.landmarks_raw[there, :2], axis=0).max()), 1e-6)
        slope = np.tensordot(_local_fit(offsets, SPEED_WINDOW_S)[1], landmarks[:, :21], 1)
        speed = float(np.linalg.norm(slope[there, :2], axis=1).max()) / size
        weights = _local_fit(offsets, max(SLOW_WINDOW_S / (1 + NARROWING_S * speed), FAST_WINDOW_S))[0]
        smooth = (np.tensordot(weights, values, 1).astype(hand.world.dtype) for values in (landmarks, world))
        return hand.with_rows({"landmarks": next(smooth), "world": next(smooth)})


def two_sided(frames: Iterable[tuple[Frame, list[Hand]]]) -> Iterator[tuple[Frame, list[Hand]]]:
    """Frames with their hands, as `HandTracker.track` gives them, smoothed by `OfflineSmoother`."""
    smoother = OfflineSmoother()
    for frame, hands in frames:
        yield from smoother.push(frame, hands)
    yield from smoother.flush()


def _local_fit(offsets_s: FloatArray, window_s: float) -> FloatArray:
    """(2, n) weights of n values that give a fitted parabola's value and slope (per second) at offset 0.

    With few values the curve is a line or a constant.
    """
    degree = min(2, len(offsets_s) - 1)
    powers = (offsets_s[:, None] / window_s) ** np.arange(degree + 1)
    weights = np.exp(-0.5 * (offsets_s / window_s) ** 2)
    root = np.sqrt(weights)[:, None]
    fit: FloatArray = np.linalg.pinv(powers * root, rcond=1e-6) * root[:, 0]
    return np.stack([fit[0], fit[1] / window_s])
