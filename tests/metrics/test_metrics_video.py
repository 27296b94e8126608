"""Laws of jitter, lag, lost time and identity."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knuckle import metrics
from knuckle.errors import InputError
from knuckle.metrics import TrackedFrame
from knuckle.results import FloatArray

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=40)
NAN = float("nan")


def test_jitter_of_white_noise_is_the_step_it_makes_on_a_still_hand() -> None:
    noise = np.random.default_rng(0).normal(scale=0.5, size=(4000, 21, 2))
    step = float(np.median(metrics.steps(noise, 100)))
    assert np.median(metrics.jitter(noise, 100)) == pytest.approx(step, rel=0.02)
    assert step == pytest.approx(0.5 * math.sqrt(2) * math.sqrt(2 * math.log(2)), rel=0.02)  # Rayleigh's median


def test_jitter_does_not_see_constant_motion_and_scales_with_the_palm() -> None:
    noise = np.random.default_rng(1).normal(size=(300, 21, 2))
    drift = np.arange(300)[:, None, None] * [2.0, -1.0]
    still = metrics.jitter(noise, 80)
    assert np.allclose(metrics.jitter(noise + drift, 80), still)
    assert np.allclose(metrics.jitter(3 * (noise + drift), 240), still)
    assert np.allclose(metrics.jitter(drift + np.zeros((300, 21, 2)), 80), 0)
    assert np.median(metrics.steps(noise + drift, 80)) > 1.2 * np.median(metrics.steps(noise, 80))


def test_a_jump_shows_in_the_frames_around_it_and_nowhere_else() -> None:
    noise = np.random.default_rng(2).normal(scale=0.1, size=(100, 21, 2))
    jumping = noise.copy()
    jumping[::12] += 20
    calm, jumpy = metrics.jitter(noise, 100), metrics.jitter(jumping, 100)
    assert np.median(jumpy) < 2 * np.median(calm)
    assert np.quantile(jumpy, 0.95) > 50 * np.quantile(calm, 0.95)


def test_jitter_leaves_out_gaps() -> None:
    points = np.zeros((9, 1, 2))
    points[5:] = 50
    points[4] = NAN
    assert metrics.sum_and_count(metrics.jitter(points, 10)) == (0, 4)
    assert np.isnan(metrics.jitter(points[3:6], 10)).all()


@pytest.mark.parametrize("late_ms", [-40.0, 0.0, 10.0, 33.3, 75.0])
def test_lag_of_a_moving_hand_is_found_between_frames(late_ms: float) -> None:
    times = np.arange(240) / 30

    def path(t: FloatArray) -> FloatArray:
        return np.stack([np.sin(5 * t) + np.sin(2.2 * t), np.cos(3 * t)], axis=1)

    predicted = 0.7 * path(times - late_ms / 1000) + 4  # shrunk and shifted: neither is lag
    predicted[50:55] = NAN
    assert metrics.lag_ms(times, path(times), predicted) == pytest.approx(late_ms, abs=1.0)


def test_lag_of_uneven_frames() -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.025, 0.042, 300))
    assert metrics.lag_ms(times, np.sin(4 * times), np.sin(4 * (times - 0.05))) == pytest.approx(50, abs=2)


def test_lag_says_nothing_where_nothing_tells() -> None:
    times = np.arange(100) / 30
    assert math.isnan(metrics.lag_ms(times, np.zeros(100), np.zeros(100)))
    assert math.isnan(metrics.lag_ms(times, times, times - 0.1))  # a straight line has no peak
    assert math.isnan(metrics.lag_ms(times, np.sin(times), np.full(100, NAN)))


def test_time_lost_counts_returns_only() -> None:
    times = np.arange(14) / 10
    there = [0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1]
    found = [0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1]
    lost = metrics.time_lost_s(times, there, found)
    assert lost.tolist() == pytest.approx([0.2, 0.2, 0.0])  # the second is never found: both its frames


def swap(frames: int, at: int) -> list[TrackedFrame]:
    """Two hands whose ids are exchanged from frame `at` on."""
    same = np.eye(2)
    return [TrackedFrame([1, 2], [7, 8] if k < at else [8, 7], same) for k in range(frames)]


def test_idf1_of_known_cases() -> None:
    assert metrics.identity(swap(10, 10)) == (1, 1, 1, 20, 0, 0)
    assert metrics.identity(swap(10, 7)).idf1 == pytest.approx(0.7)
    assert metrics.id_switches(swap(10, 10)) == 0 and metrics.id_switches(swap(10, 7)) == 2
    # one true hand in 4 frames under two ids, and a ghost in one of them: IDTP 3, IDFP 2, IDFN 1
    broken = [
        TrackedFrame([1], [5, 9], np.array([[0.9, 0.1]])),
        *[TrackedFrame([1], [5], np.array([[0.8]]))] * 2,
        TrackedFrame([1], [6], np.array([[0.8]])),
    ]
    assert metrics.identity(broken) == (6 / 9, 3 / 5, 3 / 4, 3, 2, 1)
    assert metrics.id_switches(broken) == 1


def test_an_id_that_changes_over_a_gap_is_a_switch() -> None:
    gap = [TrackedFrame([1], [5], np.ones((1, 1))), TrackedFrame([1], [], np.ones((1, 0)))]
    assert metrics.id_switches([*gap, TrackedFrame([1], [5], np.ones((1, 1)))]) == 0
    assert metrics.id_switches([*gap, TrackedFrame([1], [6], np.ones((1, 1)))]) == 1


def test_a_pair_that_still_overlaps_is_kept_though_another_overlaps_more() -> None:
    first = TrackedFrame([1, 2], [7, 8], np.eye(2))
    crossing = TrackedFrame([1, 2], [7, 8], np.array([[0.6, 0.9], [0.9, 0.6]]))
    assert metrics.id_switches([first, crossing]) == 0
    assert metrics.identity([first, crossing]).idf1 == 1


@quick
@given(seeds)
def test_idf1_is_bounded_and_blind_to_names_and_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    frames = [
        TrackedFrame(
            random.permutation(3)[:2].tolist(), random.permutation(4)[: (m := random.integers(0, 4))].tolist(),
            random.random((2, m)),
        )
        for _ in range(12)
    ]  # fmt: skip
    got = metrics.identity(frames)
    assert 0 <= got.idf1 <= 1
    assert got.hits + got.missed == 24 and got.hits + got.false_ids == sum(len(f.seen_ids) for f in frames)
    if got.precision + got.recall > 0:
        assert got.idf1 == pytest.approx(2 * got.precision * got.recall / (got.precision + got.recall))
    renamed = [TrackedFrame([9 - t for t in f[0]], [s * 3 + 100 for s in f[1]], f[2]) for f in frames]
    assert metrics.identity(renamed) == got
    assert metrics.id_switches(renamed) == metrics.id_switches(frames)
    turned = [TrackedFrame(f[0][::-1], f[1][::-1], f[2][::-1, ::-1]) for f in reversed(frames)]
    assert metrics.identity(turned) == got


def test_an_id_twice_in_one_frame_is_refused() -> None:
    with pytest.raises(InputError, match="once"):
        metrics.identity([TrackedFrame([1], [5, 5], np.ones((1, 2)))])


def test_id_changes_without_labels() -> None:
    boxes = [[[0, 0, 10, 10], [50, 0, 60, 10]], [[51, 0, 61, 10], [1, 0, 11, 10]], [[90, 90, 99, 99]]]
    assert metrics.id_changes(boxes, [[1, 2], [2, 1], [3]]) == (0, 2)
    assert metrics.id_changes(boxes, [[1, 2], [1, 2], [3]]) == (2, 2)
