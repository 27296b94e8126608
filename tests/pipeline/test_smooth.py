from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import make_hand

from knuckle.metrics.video import jitter, lag_ms
from knuckle.pipeline.smooth import REACH_S, OfflineSmoother, SmoothedHand, one_euro, smooth_hand, two_sided
from knuckle.results import Frame, Hand

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


def test_a_slow_step_is_followed_as_by_a_first_order_filter_of_one_hertz() -> None:
    state, start, end = None, np.zeros((1, 3)), np.ones((1, 3))
    for k in range(201):
        state = one_euro(state, end if k else start, k / 1000, unit=1.0, beta=0.0)
        if k in (50, 100, 200):
            assert state.value == pytest.approx(1 - math.exp(-2 * math.pi * k / 1000), abs=0.01)


@pytest.mark.parametrize("speed_per_s", [0.2, 1.0, 5.0])
def test_a_hand_in_steady_motion_lags_by_the_time_constant_of_its_cutoff(speed_per_s: float) -> None:
    """1 / (2 pi f), where the cutoff f rises by `beta` for each size of the hand per second."""
    state, before, step_s, unit, beta = None, None, 1 / 30, 100.0, 12.0
    for k in range(600):
        point, before = np.array([[unit * speed_per_s * k * step_s, 0.0, 0.0]]), state
        state = one_euro(before, point, k * step_s, unit, beta)
    assert state is not None and before is not None
    assert state.speed == pytest.approx((point - before.value) / step_s, rel=1e-3)
    lag_s = float((point - state.value)[0, 0]) / (unit * speed_per_s)
    cutoff_hz = 1 + beta * float(state.speed[0, 0]) / unit
    assert lag_s * 2 * math.pi * cutoff_hz == pytest.approx(1, rel=1e-3)


def test_the_middle_of_a_hand_is_followed_faster_than_its_shape() -> None:
    whole = np.arange(60)[:, None, None] * np.ones((60, 21, 3)) * 2.0
    bent = whole - whole.mean(axis=1, keepdims=True) + whole * np.linspace(-1, 1, 21)[None, :, None]
    lag = [
        float(np.abs(filtered(path)[-1] - path[-1]).max() / np.abs(path[-1] - path[-2]).max()) for path in (whole, bent)
    ]
    assert lag[0] < 0.7 * lag[1]


BLANK = np.zeros((4, 4, 3), np.uint8)
OPEN = make_hand().landmarks.astype(float)


def hands_at(points: np.ndarray, track_id: int | None = 1) -> list[list[Hand]]:
    """A hand for each of (t, 21, 3) points; its world landmarks are a thousandth of them."""
    parts = make_hand().to_dict() | {"track_id": track_id}
    return [[Hand.from_dict(parts | {"landmarks": one, "world": one / 1000})] for one in points]


def offline(points: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    frames = [Frame(BLANK, k, float(time_s)) for k, time_s in enumerate(times_s)]
    done = list(two_sided(zip(frames, hands_at(points), strict=True)))
    assert [frame.index for frame, _ in done] == list(range(len(points)))  # every frame once, in order
    assert all(
        np.array_equal(hand.landmarks_raw, one.astype(np.float32))
        for (_, (hand,)), one in zip(done, points, strict=True)
    )
    return np.stack([hand.landmarks for _, (hand,) in done])


def swinging(times_s: np.ndarray) -> np.ndarray:
    """A hand of 80 pixels that swings slowly, by a quarter of its size."""
    return OPEN + 20 * np.stack([np.sin(2.5 * times_s), 0 * times_s, 0 * times_s], axis=-1)[:, None]


@pytest.mark.parametrize("uneven", [False, True])
def test_offline_motion_of_a_parabola_passes_unchanged(uneven: bool) -> None:
    times = np.sort(RNG.uniform(0, 2, 60)) if uneven else np.arange(60) / 30
    path = OPEN + np.stack([300 * times, 80 * times**2, 10 * times], axis=-1)[:, None]
    assert np.abs(offline(path, times) - path).max() < 0.05


def test_offline_smoothing_has_no_lag_where_the_online_filter_has() -> None:
    times = np.arange(150) / 30
    true = swinging(times)
    noisy = true + RNG.normal(0, 1, true.shape)
    late = lag_ms(times, true[..., :2], filtered(noisy, unit=80)[..., :2])
    after = offline(noisy, times)
    assert late > 5 and abs(lag_ms(times, true[..., :2], after[..., :2])) < 1
    assert np.median(jitter(after, 80)) < np.median(jitter(filtered(noisy, unit=80), 80))
    error = np.abs(after - true).mean()
    assert error < 0.9 * np.abs(noisy - true).mean() and error < np.abs(filtered(noisy, unit=80) - true).mean()


def test_offline_noise_on_a_still_hand_shrinks_to_a_third() -> None:
    noisy = OPEN + RNG.normal(size=(120, 21, 3))
    assert (
        np.abs(np.diff(offline(noisy, np.arange(120) / 30), axis=0)).mean() < np.abs(np.diff(noisy, axis=0)).mean() / 3
    )


def test_offline_smoothing_does_not_flatten_fast_motion() -> None:
    times = np.arange(90) / 30
    for swings_per_s in (2, 3):
        path = OPEN + 80 * np.stack([np.sin(2 * np.pi * swings_per_s * times), 0 * times, 0 * times], axis=-1)[:, None]
        assert np.abs(offline(path, times) - path)[10:-10].max() < 0.15 * 80


def test_offline_smoothing_in_the_image_does_not_depend_on_depth() -> None:
    times = np.arange(60) / 30
    noisy = swinging(times) + RNG.normal(0, 1, (60, 21, 3))
    deep = noisy + np.stack([0 * times, 0 * times, 80 * np.sin(12 * times)], axis=-1)[:, None]
    assert np.array_equal(offline(deep, times)[..., :2], offline(noisy, times)[..., :2])


def test_time_that_runs_backwards_gives_the_same_positions() -> None:
    times = np.arange(60) / 30
    noisy = swinging(times) + RNG.normal(0, 1, (60, 21, 3))
    assert np.allclose(offline(noisy, times)[::-1], offline(noisy[::-1], times), atol=1e-2)


def test_offline_smoothing_holds_only_the_frames_that_it_needs() -> None:
    smoother, most = OfflineSmoother(), 0
    for k, hands in enumerate(hands_at(np.repeat(OPEN[None], 200, axis=0))):
        smoother.push(Frame(BLANK, k, k / 30), hands)
        most = max(most, len(smoother._waiting))
    assert most <= 30 * REACH_S + 2 and len(smoother.flush()) < most


def test_short_tracks_and_hands_without_a_track_come_out_raw() -> None:
    frames = [Frame(BLANK, k, k / 30) for k in range(5)]
    without = hands_at(OPEN + RNG.normal(size=(5, 21, 3)), None)
    for (_, hands), given in zip(two_sided(zip(frames, without, strict=True)), without, strict=True):
        assert np.array_equal(hands[0].landmarks, given[0].landmarks_raw)
    (((_, (hand,)),),) = (list(two_sided([(frames[0], hands_at(OPEN[None])[0])])),)
    assert np.allclose(hand.landmarks, OPEN)
