"""The One-Euro filter as a function: less jitter on a still hand, little lag on a fast one.

Casiez, Roussel and Vogel, "1 € Filter", CHI 2012: a first-order low-pass filter whose cutoff rises with the
speed of the signal. Time is an argument; the memory is what the previous call returned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from knuckle.results import FloatArray

# Cutoffs of a point's place within the hand, and of the hand's centre: the mean of 21 points is less noisy than one
# point, so it can be followed faster. `python benchmarks/variants.py tracking` says what that does to jitter and lag.
MIN_CUTOFF_HZ = 1.0
BETA_HZ_PER_SPEED = 12.0
CENTRE_BETA_HZ_PER_SPEED = 45.0
SPEED_CUTOFF_HZ = 1.0


@dataclass(frozen=True, eq=False)
class Smoothed:
    """A filtered value, its filtered speed per second, and when it was made."""

    value: FloatArray
    speed: FloatArray
    time_s: float


@dataclass(frozen=True, eq=False)
class SmoothedHand:
    """A filtered hand, and its parts: its centre, and its points relative to it."""

    value: FloatArray
    centre: Smoothed
    shape: Smoothed


def smooth_hand(previous: SmoothedHand | None, points: FloatArray, time_s: float, unit: float) -> SmoothedHand:
    """Filter (21, 3) points: their mean and their places about it, each with its own cutoff; see `one_euro`."""
    mean = points.mean(axis=0, keepdims=True)
    if previous is None:
        return SmoothedHand(points, one_euro(None, mean, time_s, unit), one_euro(None, points - mean, time_s, unit))
    centre = one_euro(previous.centre, mean, time_s, unit, CENTRE_BETA_HZ_PER_SPEED)
    shape = one_euro(previous.shape, points - mean, time_s, unit)
    return SmoothedHand(centre.value + shape.value, centre, shape)


def one_euro(
    previous: Smoothed | None, points: FloatArray, time_s: float, unit: float, beta: float = BETA_HZ_PER_SPEED
) -> Smoothed:
    """Filter (n, 3) points that arrive at `time_s`; `unit` is the object's size in the points' unit.

    Each point has its own cutoff, from its speed in object sizes per second, so that a near hand and a far
    one are treated alike. The first call, and one whose time has not moved on, gives the points back.
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
