"""Confidence intervals by resampling images: of one figure, and of the difference between two trackers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from knuckle.results import FloatArray

IntArray = npt.NDArray[np.intp]
LEVEL = 0.95
RESAMPLES = 1000


class Interval(NamedTuple):
    """A figure and the ends of its 95 % interval; the ends are NaN if there are fewer than two groups to resample."""

    value: float
    low: float
    high: float


def bootstrap(
    statistic: Callable[[IntArray], float], groups: Sequence[Any], *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The percentile interval of any statistic of images: whole groups of images are drawn with replacement.

    Efron & Tibshirani (1993), "An introduction to the bootstrap", chapter 13. Groups are drawn because images of one
    person or clip are not independent: Davison & Hinkley (1997), "Bootstrap methods and their application", section
    3.8. For a paired difference let the statistic subtract: both trackers then see the same images in each draw.

    Args:
        statistic: takes the indices of the drawn images, with repetitions; draws that give NaN are ignored.
        groups: (n,) the group of each image, such as its clip; `range(n)` if all images are independent.
    """
    members = _members(groups)
    value = float(statistic(np.arange(len(groups))))
    if len(members) < 2:
        return Interval(value, math.nan, math.nan)
    random = np.random.default_rng(seed)
    draws = random.integers(len(members), size=(resamples, len(members)))
    values = np.array([statistic(np.concatenate([members[k] for k in draw])) for draw in draws], np.float64)
    return _interval(value, values)


def bootstrap_ratio(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    groups: Sequence[Any],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The interval of Σ numerators / Σ denominators over images, such as rates and means.

    The same as `bootstrap`, a thousand times faster.

    Args:
        numerators, denominators: (n,) per image, such as hands found and hands labelled.
    """
    sums = _group_sums([numerators, denominators], groups)
    counts = _counts(sums.shape[1], resamples, seed)
    value = _ratio(*sums.sum(axis=1))
    return _interval(value, _ratios(sums[0], sums[1], counts)) if sums.shape[1] > 1 else Interval(value, *_NOTHING)


def bootstrap_ratio_difference(
    first: tuple[npt.ArrayLike, npt.ArrayLike],
    second: tuple[npt.ArrayLike, npt.ArrayLike],
    groups: Sequence[Any],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The interval of the first tracker's ratio minus the second's on the same images.

    If the interval excludes 0, the difference is larger than chance explains.

    Args:
        first, second: numerators and denominators, each (n,) per image.
    """
    sums = _group_sums([*first, *second], groups)
    counts = _counts(sums.shape[1], resamples, seed)
    value = _ratio(*sums[:2].sum(axis=1)) - _ratio(*sums[2:].sum(axis=1))
    if sums.shape[1] < 2:
        return Interval(value, *_NOTHING)
    return _interval(value, _ratios(sums[0], sums[1], counts) - _ratios(sums[2], sums[3], counts))


def wilson(successes: float, trials: float) -> Interval:
    """The score interval of a rate. For 0 of n it is wider than [0, 0], which resampling would give.

    (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n), z = 1.96: Wilson (1927), "Probable inference, the law of
    succession, and statistical inference". For independent trials.
    """
    if not trials:
        return Interval(math.nan, math.nan, math.nan)
    z, p = 1.959963984540054, successes / trials
    middle, over = p + z * z / (2 * trials), 1 + z * z / trials
    half = z * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    return Interval(p, max(0.0, (middle - half) / over), min(1.0, (middle + half) / over))


_NOTHING = (math.nan, math.nan)


def _members(groups: Sequence[Any]) -> list[IntArray]:
    """The indices of each group's images, in the order in which the groups first occur."""
    indices_of: dict[Any, list[int]] = {}
    for index, group in enumerate(groups):
        indices_of.setdefault(group, []).append(index)
    return [np.array(indices, np.intp) for indices in indices_of.values()]


def _group_sums(columns: Sequence[npt.ArrayLike], groups: Sequence[Any]) -> FloatArray:
    values = np.array([np.asarray(column, np.float64) for column in columns])
    return np.stack([values[:, members].sum(axis=1) for members in _members(groups)] or [values.sum(axis=1)], axis=1)


def _counts(groups: int, resamples: int, seed: int) -> FloatArray:
    """How often each group is drawn in each resample, (resamples, groups)."""
    random = np.random.default_rng(seed)
    return random.multinomial(groups, np.full(groups, 1 / groups), size=resamples).astype(np.float64)


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator else math.nan


def _ratios(numerators: FloatArray, denominators: FloatArray, counts: FloatArray) -> FloatArray:
    below = counts @ denominators
    above: FloatArray = counts @ numerators
    return above / np.where(below == 0, np.nan, below)


def _interval(value: float, draws: FloatArray) -> Interval:
    known = draws[np.isfinite(draws)]
    if not known.size:
        return Interval(value, *_NOTHING)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))
