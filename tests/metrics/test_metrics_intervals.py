"""Laws of the confidence intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from knuckle import metrics

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=40)
NAN = float("nan")


def test_intervals_hold_the_truth_19_times_of_20() -> None:
    random = np.random.default_rng(0)
    held = [
        low <= 0.3 <= high
        for k in range(200)
        for _, low, high in [
            metrics.bootstrap_ratio(random.random(150) < 0.3, np.ones(150), range(150), resamples=300, seed=k)
        ]
    ]
    assert 0.9 <= np.mean(held) <= 0.99


def test_both_ways_to_resample_agree() -> None:
    random = np.random.default_rng(1)
    above, below = random.random(80), random.integers(1, 4, 80)
    groups = [f"person {k // 4}" for k in range(80)]
    fast = metrics.bootstrap_ratio(above, below, groups, resamples=4000)
    slow = metrics.bootstrap(lambda i: above[i].sum() / below[i].sum(), groups, resamples=4000)
    assert fast == pytest.approx(slow, rel=0.02) and fast.value == pytest.approx(slow.value)
    assert fast == metrics.bootstrap_ratio(above, below, groups, resamples=4000)  # the same seed, the same figure


def test_images_of_one_person_are_one_witness() -> None:
    person = np.random.default_rng(2).random(10)
    values, groups = np.repeat(person, 20), np.repeat(np.arange(10), 20)
    grouped = metrics.bootstrap_ratio(values, np.ones(200), groups.tolist())
    alone = metrics.bootstrap_ratio(values, np.ones(200), range(200))
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)
    single = metrics.bootstrap_ratio(values, np.ones(200), ["one"] * 200)
    assert single.value == pytest.approx(values.mean()) and math.isnan(single.low)
    assert math.isnan(metrics.bootstrap(lambda i: float(len(i)), ["one"]).high)


def test_a_paired_difference_is_surer_than_the_two_figures() -> None:
    random = np.random.default_rng(3)
    hard, ones = random.random(100), np.ones(100)
    ours, theirs = hard + 0.02 + random.normal(scale=0.01, size=100), hard
    difference = metrics.bootstrap_ratio_difference((ours, ones), (theirs, ones), range(100))
    single = metrics.bootstrap_ratio(ours, ones, range(100))
    assert 0 < difference.low < difference.value < difference.high < 0.03
    assert difference.high - difference.low < (single.high - single.low) / 5
    swapped = metrics.bootstrap_ratio_difference((theirs, ones), (ours, ones), range(100))
    assert swapped == pytest.approx((-difference.value, -difference.high, -difference.low))


def test_wilson_of_known_cases() -> None:
    assert metrics.wilson(0, 200) == pytest.approx((0, 0, 0.0188), abs=1e-4)
    assert metrics.wilson(15, 50) == pytest.approx((0.3, 0.1910, 0.4375), abs=1e-4)
    value, low, high = metrics.wilson(50, 50)
    assert (value, high) == (1, 1) and low < 0.95
