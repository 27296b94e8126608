"""Laws of accuracy, ranking and calibration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knuckle import metrics
from knuckle.errors import InputError

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=40)
NAN = float("nan")


def test_auroc_of_known_cases() -> None:
    assert metrics.auroc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]) == 0.75
    assert metrics.auroc([1, 2, 3, 4], [0, 0, 1, 1]) == 1
    assert metrics.auroc([5, 5, 5], [0, 1, 1]) == 0.5
    assert math.isnan(metrics.auroc([1, 2], [1, 1]))


@quick
@given(seeds)
def test_auroc_is_the_share_of_pairs_in_order_and_blind_to_monotone_transformations(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores, good = random.integers(0, 9, 30) / 9, np.arange(30) % 3 == 0
    pairs = scores[good][:, None] - scores[~good]
    area = metrics.auroc(scores, good)
    assert area == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2)
    assert metrics.auroc(np.exp(5 * scores) - 3, good) == pytest.approx(area)
    assert metrics.auroc(-scores, good) == pytest.approx(1 - area)


def test_chance_has_an_auroc_of_one_half() -> None:
    random = np.random.default_rng(0)
    assert metrics.auroc(random.random(20000), random.random(20000) < 0.2) == pytest.approx(0.5, abs=0.015)


def test_what_happens_as_often_as_was_said_is_calibrated() -> None:
    random = np.random.default_rng(0)
    p = random.random(50000)
    outcomes = random.random(50000) < p
    assert metrics.brier(p, outcomes).mean() == pytest.approx(1 / 6, abs=0.01)  # E p(1 − p) for p even over 0..1
    bins = metrics.reliability(p, outcomes)
    assert bins.samples.sum() == 50000 and np.allclose(bins.probability, bins.frequency, atol=0.03)
    wrong = metrics.reliability(p**3, outcomes)
    assert np.average(np.abs(wrong.probability - wrong.frequency), weights=wrong.samples) > 0.1


def test_calibration_of_known_cases() -> None:
    assert metrics.brier([1, 0, 0.5], [1, 0, 1]).tolist() == [0, 0, 0.25]
    half = metrics.reliability([0.9, 0.9, 0.9, 0.9], [1, 1, 0, 0])
    assert (half.probability[9], half.frequency[9]) == pytest.approx((0.9, 0.5))
    bins = metrics.reliability([0.0, 0.05, 1.0], [0, 1, 1])
    assert bins.samples.tolist() == [2, *[0] * 8, 1] and bins.frequency[[0, 9]].tolist() == [0.5, 1]
    assert np.isnan(bins.probability[1:9]).all()
    with pytest.raises(InputError, match="sigmoid"):
        metrics.reliability([1.2], [1])


@quick
@given(seeds, st.floats(0.2, 5))
def test_std_factor_finds_by_how_much_expected_errors_are_too_small(seed: int, factor: float) -> None:
    random = np.random.default_rng(seed)
    expected = random.uniform(0.5, 9, 4000)
    found = metrics.std_factor(random.normal(0, factor * expected), expected)
    assert found == pytest.approx(factor, rel=0.08)
    assert metrics.std_factor([*([1.0] * 9), 1e9], [1.0] * 10) == 1  # a gross error changes nothing
    assert math.isnan(metrics.std_factor([], []))
