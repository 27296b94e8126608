"""The One-Euro filter as a function: less jitter on a still hand, little lag on a fast one.

Casiez, Roussel and Vogel, "1 € Filter", CHI 2012: a first-order low-pass filter whose cutoff rises with the speed of
the signal. Time is an argument, and the state is the result of the previous call.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from knuckle.results import FloatArray

# The centre of a hand is the mean of 21 points, so it is less noisy than one point and can be followed faster.
# `python benchmarks/variants.py tracking` measures jitter and lag.
MIN_CUTOFF_HZ = 1.0
BETA_HZ_PER_SPEED = 12.0
CENTRE_BETA_HZ_PER_SPEED = 45.0
SPEED_CUTOFF_HZ = 1.0


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
    """Filter (21, 3) points: their mean and their offsets from it, each with cutoffs of its own; see `one_euro`."""
    mean = points.mean(axis=0, keepdims=True)
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
