from __future__ import annotations

import numpy as np

from knuckle.pipeline.smooth import SmoothedHand, smooth_hand

RNG = np.random.default_rng(0)


def filtered(values: np.ndarray, rate: float = 30, unit: float = 100) -> np.ndarray:
    memory: SmoothedHand | None = None
    out = []
    for k, value in enumerate(values):
        memory = smooth_hand(memory, value, k / rate, unit)
        out.append(memory.value)
    return np.stack(out)


def test_the_first_value_and_a_constant_pass_unchanged() -> None:
    still = np.repeat(RNG.normal(size=(1, 21, 3)) * 100, 20, axis=0)
    assert np.allclose(filtered(still), still)


def test_noise_on_a_still_hand_shrinks_to_a_third() -> None:
    noisy = 200 + RNG.normal(size=(200, 21, 3))
    step = np.abs(np.diff(filtered(noisy)[20:], axis=0)).mean() / np.abs(np.diff(noisy[20:], axis=0)).mean()
    assert step < 1 / 3


def test_a_fast_hand_lags_by_less_than_a_thirtieth_of_its_size() -> None:
    moving = np.arange(60)[:, None, None] * np.ones((60, 21, 3)) * 30  # 9 hand sizes a second
    assert np.abs(filtered(moving)[10:] - moving[10:]).max() < 100 / 30


def test_the_parts_add_up_and_shifting_the_hand_shifts_the_result() -> None:
    noisy, shift = 50 + RNG.normal(size=(40, 21, 3)), np.array([300, 20, 0])
    assert np.allclose(filtered(noisy + shift), filtered(noisy) + shift)


def test_a_hand_twice_as_large_is_filtered_alike() -> None:
    noisy = RNG.normal(size=(40, 21, 3)) * 3
    assert np.allclose(filtered(noisy * 2, unit=200), filtered(noisy, unit=100) * 2)


def test_a_time_that_does_not_increase_returns_the_points() -> None:
    points = RNG.normal(size=(21, 3))
    memory = smooth_hand(None, points, 1.0, 1)
    assert np.allclose(smooth_hand(memory, points + 1, 1.0, 1).value, points + 1)
    assert np.allclose(smooth_hand(memory, points + 1, 0.5, 1).value, points + 1)
