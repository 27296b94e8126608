"""Laws of landmark errors: scale, shift, rotation, known cases, agreement with scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knuckle import metrics
from knuckle.results import FloatArray

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=40)
NAN = float("nan")


def some_hands(seed: int, n: int = 4, d: int = 3) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(n, 21, d))


def some_rotation(random: np.random.Generator) -> FloatArray:
    q, _ = np.linalg.qr(random.normal(size=(3, 3)))
    rotation: FloatArray = q * np.linalg.det(q)
    return rotation


@quick
@given(seeds, st.floats(0.1, 50), st.floats(-100, 100))
def test_error_by_palm_size_is_blind_to_scale_shift_and_mirror(seed: int, scale: float, shift: float) -> None:
    true, predicted = some_hands(seed, d=2), some_hands(seed + 1, d=2)
    error = metrics.normalised_error(predicted, true, metrics.palm_size(true))
    moved_true, moved_predicted = true * [-scale, scale] + shift, predicted * [-scale, scale] + shift
    moved = metrics.normalised_error(moved_predicted, moved_true, metrics.palm_size(moved_true))
    assert np.allclose(moved, error, rtol=1e-6)


def test_error_by_palm_size_of_a_known_case() -> None:
    true = np.zeros((1, 21, 2))
    true[0, 9] = [30, 40]
    true[0, 3] = NAN
    predicted = true + np.array([3, 4])
    predicted[0, 5] = NAN
    assert metrics.palm_size(true).tolist() == [50]
    error = metrics.normalised_error(predicted, true, [50])[0]
    assert error[0] == pytest.approx(0.1) and math.isnan(error[3]) and error[5] == math.inf
    assert metrics.sum_and_count(error) == (pytest.approx(1.9), 19), "20 points are labelled, one was not found"
    assert np.isnan(metrics.normalised_error(predicted, true, [0.0])).all()


def test_a_missed_hand_worsens_median_and_pck_but_not_the_mean() -> None:
    errors = np.array([[0.1, 0.2], [np.inf, np.inf], [0.3, NAN]])
    assert metrics.sum_and_count(errors) == (pytest.approx(0.6), 3)
    assert metrics.median_error(errors) == pytest.approx(0.3)
    assert metrics.median_error([[0.1, np.inf]]) == math.inf
    assert metrics.pck(errors, [0.05, 0.2, 1]).tolist() == [0, 0.4, 0.6]


@quick
@given(seeds)
def test_pck_rises_from_0_to_1_and_its_area_says_the_mean_error(seed: int) -> None:
    errors = np.random.default_rng(seed).random(50)
    thresholds = np.linspace(0, 1, 4001)
    curve = metrics.pck(errors, thresholds)
    assert (np.diff(curve) >= 0).all() and curve[-1] == 1
    # the area under a distribution function up to 1 is 1 − mean
    area = float(np.sum(np.diff(thresholds) * (curve[1:] + curve[:-1]) / 2))
    assert area == pytest.approx(1 - errors.mean(), abs=1e-3)
    assert metrics.pck_area(errors, 1.0).mean() == pytest.approx(area, abs=1e-3)
    below = float(np.sum(np.diff(thresholds[:2001]) * (curve[1:2001] + curve[:2000]) / 2)) / 0.5
    assert metrics.pck_area(errors, 0.5).mean() == pytest.approx(below, abs=1e-3)
    assert metrics.pck_area([0.0, np.inf, np.nan], 0.5).tolist()[:2] == [1, 0]


def test_mpjpe_of_known_cases() -> None:
    true = some_hands(0) / 10
    assert np.allclose(metrics.mpjpe_mm(true + np.array([1, 2, 3]), true), 0)
    assert np.allclose(metrics.mpjpe_mm(true + np.array([0.003, 0, 0.004]), true, root=None), 5)
    moved = true.copy()
    moved[:, 7, 0] += 0.021
    assert np.allclose(metrics.mpjpe_mm(moved, true), 1)
    moved[:, 8] = NAN
    assert np.allclose(metrics.mpjpe_mm(moved, true), 21 / 20)


@quick
@given(seeds, st.floats(0.05, 20))
def test_procrustes_undoes_any_turn_shift_and_scale(seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    true = some_hands(seed)
    moved = scale * true @ some_rotation(random).T + random.normal(size=3)
    assert np.allclose(metrics.procrustes(moved, true), true, atol=1e-8)
    predicted = some_hands(seed + 1)
    turned = scale * predicted @ some_rotation(random).T - 4
    assert np.allclose(metrics.pa_mpjpe_mm(turned, true), metrics.pa_mpjpe_mm(predicted, true))


def test_procrustes_is_the_least_squares_optimum_that_scipy_finds() -> None:
    transform = pytest.importorskip("scipy.spatial.transform")
    true, predicted = some_hands(3, n=1)[0], some_hands(3, n=1)[0] + 0.3 * some_hands(4, n=1)[0]
    a, b = true - true.mean(axis=0), predicted - predicted.mean(axis=0)
    rotation, _ = transform.Rotation.align_vectors(a, b)
    turned = rotation.apply(b)
    expected = turned * (turned * a).sum() / (b**2).sum() + true.mean(axis=0)
    assert np.allclose(metrics.procrustes(predicted[None], true[None])[0], expected)


def test_procrustes_makes_no_left_hand_of_a_right_one() -> None:
    true = some_hands(5)
    mirrored = true * [-1, 1, 1]
    assert (metrics.pa_mpjpe_mm(mirrored, true) > 100).all()


def test_procrustes_leaves_out_unlabelled_points_and_collapsed_hands() -> None:
    true = some_hands(6, n=3)
    moved = 2 * true + 1
    true[0, 4:9] = NAN
    moved[1] = 7.0
    moved[2, 2:] = NAN
    error = metrics.pa_mpjpe_mm(moved, true)
    assert error[0] == pytest.approx(0, abs=1e-6) and np.isnan(error[1:]).all()
    assert metrics.pa_mpjpe_mm(moved[:1], true[:1])[0] <= metrics.mpjpe_mm(moved[:1], true[:1])[0]


def test_bones_are_a_tree_and_their_lengths_do_not_turn() -> None:
    assert sorted(child for _, child in metrics.BONES) == list(range(1, 21))
    assert {parent for parent, child in metrics.BONES if child in (1, 5, 9, 13, 17)} == {0}
    true = some_hands(7)
    turned = true @ some_rotation(np.random.default_rng(7)).T + 1
    assert np.allclose(metrics.bone_length_error_mm(turned, true), 0)
    lengths = metrics.bone_lengths(true)
    assert np.allclose(metrics.bone_length_error_mm(1.1 * true, true), 100 * lengths)
