"""Laws of the measures: what nothing, perfection, chance and symmetry must give, and agreement with other code."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knuckle.errors import InputError
from knuckle.evaluate import intervals, metrics, metrics_landmarks, metrics_video
from knuckle.evaluate.metrics_video import TrackedFrame
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


# nothing to measure


def test_of_nothing_every_share_is_nan_and_nothing_warns() -> None:
    none: list[float] = []
    shares = [
        metrics.auroc(none, none),
        metrics.brier(none, none),
        metrics.expected_calibration_error(none, none),
        metrics.accuracy([], []),
        metrics.per_1000(0, 0),
        metrics.average_precision(none, none, 0),
        metrics_landmarks.mean_error(none),
        metrics_landmarks.median_error(none),
        metrics_landmarks.found_rate(none),
        metrics_landmarks.area_under(none, none),
        metrics_video.calls_per_frame([]),
        metrics_video.identity([]).idf1,
        metrics_video.jitter(np.zeros((0, 21, 2)), 10),
        metrics_video.lag_ms(none, np.zeros((0, 2)), np.zeros((0, 2))),
        intervals.wilson(0, 0).value,
        intervals.bootstrap_ratio([], [], []).value,
    ]
    assert np.isnan(shares).all(), shares


def test_of_nothing_every_array_is_empty() -> None:
    empty = np.zeros((0, 21, 3))
    assert metrics.iou_matrix([], []).shape == (0, 0)
    assert metrics.iou_matrix([], [[0, 0, 1, 1]]).shape == (0, 1)
    assert metrics.centredness([], [[0, 0, 1, 1]]).shape == (0, 1)
    assert metrics.centredness([[0, 0]], []).shape == (1, 0)
    assert metrics.match(np.zeros((0, 3)), 0.5).shape == metrics.match(np.zeros((3, 0)), 0.5).shape == (0, 2)
    assert metrics.match_by_score([], np.zeros((0, 2)), 0.5).shape == (0,)
    assert metrics.match_by_score([0.5], np.zeros((1, 0)), 0.5).tolist() == [-1]
    assert [len(column) for column in metrics.assign(np.zeros((0, 4)))] == [0, 0]
    assert [len(column) for column in metrics.precision_recall([], [], 3)] == [0, 0, 0]
    assert metrics_landmarks.normalised_error(empty, empty, []).shape == (0, 21)
    assert metrics_landmarks.mpjpe_mm(empty, empty).shape == metrics_landmarks.pa_mpjpe_mm(empty, empty).shape == (0,)
    assert metrics_landmarks.bone_length_error_mm(empty, empty).shape == (0, 20)
    assert np.isnan(metrics_landmarks.pck([], [0.1, 0.2])).all()
    assert metrics_video.time_lost_s([], [], []).shape == (0,)
    assert metrics_video.id_switches([]) == 0 and metrics_video.id_changes([], []) == (0, 0)


def test_truths_without_predictions_score_zero_and_not_nan() -> None:
    assert metrics.average_precision([], [], 5) == 0
    assert metrics_video.identity([TrackedFrame([1], [], np.zeros((1, 0)))]).idf1 == 0
    lost = metrics_landmarks.normalised_error(np.full((1, 21, 2), NAN), np.ones((1, 21, 2)), [10])
    assert metrics_landmarks.found_rate(lost) == 0 and metrics_landmarks.pck(lost, [9.0]).tolist() == [0]
    assert math.isnan(metrics_landmarks.mean_error(lost)) and metrics_landmarks.median_error(lost) == math.inf


# matching


@quick
@given(seeds, st.integers(1, 5), st.integers(1, 6))
def test_assignment_is_the_best_of_all_permutations(seed: int, n: int, m: int) -> None:
    cost = np.random.default_rng(seed).integers(-9, 10, (n, m)).astype(float)
    wide = cost if n <= m else cost.T
    best = min(
        sum(wide[i, j] for i, j in enumerate(columns)) for columns in permutations(range(wide.shape[1]), len(wide))
    )
    rows, columns = metrics.assign(cost)
    assert cost[rows, columns].sum() == best
    assert len(set(rows.tolist())) == len(set(columns.tolist())) == min(n, m)
    assert (np.diff(rows) > 0).all()


@pytest.mark.parametrize("shape", [(60, 60), (5, 90), (90, 5)])
def test_assignment_agrees_with_scipy(shape: tuple[int, int]) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    cost = np.random.default_rng(1).normal(size=shape)
    assert cost[metrics.assign(cost)].sum() == pytest.approx(cost[optimize.linear_sum_assignment(cost)].sum())


def test_assignment_refuses_infinite_costs_in_one_line() -> None:
    with pytest.raises(InputError, match="finite"):
        metrics.assign([[1.0, np.inf]])


def test_matching_finds_partners_for_both_where_the_greedy_way_leaves_one() -> None:
    alike = np.array([[0.9, 0.8], [0.7, 0.1]])
    assert sorted(map(tuple, metrics.match(alike, 0.5).tolist())) == [(0, 1), (1, 0)]
    assert metrics.match_by_score([0.9, 0.8], alike, 0.5).tolist() == [0, -1]
    assert metrics.match(np.array([[np.nan, 0.4], [-np.inf, 0.5]]), 0.5).tolist() == [[1, 1]]
    assert len(metrics.match(np.zeros((2, 2)), 0.0)) == 2  # on the edge of the box still counts


@quick
@given(seeds, st.integers(1, 4), st.integers(1, 5))
def test_matching_makes_as_many_pairs_as_can_be_and_of_those_the_most_alike(seed: int, n: int, m: int) -> None:
    alike = np.random.default_rng(seed).random((n, m))
    wide = alike if n <= m else alike.T
    best = (0, 0.0)
    for columns in permutations(range(wide.shape[1]), len(wide)):
        kept = [wide[i, j] for i, j in enumerate(columns) if wide[i, j] >= 0.7]
        best = max(best, (len(kept), round(sum(kept), 9)))
    pairs = metrics.match(alike, 0.7)
    assert (len(pairs), round(float(alike[tuple(pairs.T)].sum()), 9)) == best


def test_two_poor_pairs_go_before_a_good_one() -> None:
    assert len(metrics.match([[0.99, 0.51], [0.52, 0.1]], 0.5)) == 2


@quick
@given(seeds, st.integers(1, 5), st.integers(1, 5))
def test_matching_does_not_depend_on_order(seed: int, n: int, m: int) -> None:
    random = np.random.default_rng(seed)
    alike, rows, columns = random.random((n, m)), random.permutation(n), random.permutation(m)
    pairs = {(rows[i], columns[j]) for i, j in metrics.match(alike[rows][:, columns], 0.5)}
    assert pairs == set(map(tuple, metrics.match(alike, 0.5).tolist()))


def test_a_better_score_chooses_first_and_each_truth_is_found_once() -> None:
    alike = np.array([[0.9, 0.0], [0.95, 0.6], [0.9, 0.7]])
    assert metrics.match_by_score([0.5, 0.6, 0.4], alike, 0.5).tolist() == [-1, 0, 1]


@quick
@given(seeds)
def test_iou_is_symmetric_bounded_and_blind_to_shift_and_scale(seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.random((5, 2, 2)) * 10
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    table = metrics.iou_matrix(boxes, boxes)
    assert np.allclose(table, table.T) and np.allclose(np.diag(table), 1) and ((table >= 0) & (table <= 1)).all()
    assert np.allclose(metrics.iou_matrix(boxes * 3 + 7, boxes * 3 + 7), table)


def test_a_palm_counts_when_its_centre_lies_in_the_box() -> None:
    boxes = [[0, 0, 10, 20], [5, 5, 5, 9]]
    table = metrics.centredness([[5, 10], [10, 20], [11, 10], [5, 7]], boxes)
    assert table[:, 0].tolist() == pytest.approx([1, 0, -0.2, 0.7])
    assert (table[:, 1] == -np.inf).all()  # a box without width holds nothing


# detection


def reference_average_precision(scores: FloatArray, hits: metrics.BoolArray, truths: int) -> float:
    """COCO's definition written out: at each recall the best precision of any threshold that reaches it."""
    total = 0.0
    for percent in range(101):
        best = 0.0
        for threshold in scores:
            kept = scores >= threshold
            if 100 * hits[kept].sum() >= percent * truths:
                best = max(best, hits[kept].mean())
        total += best
    return total / 101


@quick
@given(seeds, st.integers(0, 12), st.integers(0, 4))
def test_average_precision_is_its_definition(seed: int, n: int, missed: int) -> None:
    random = np.random.default_rng(seed)
    scores, hits = random.integers(0, 6, n) / 5, random.random(n) < 0.6
    truths = max(1, int(hits.sum()) + missed)
    got = metrics.average_precision(scores, hits, truths)
    assert got == pytest.approx(reference_average_precision(scores, hits, truths))
    order = random.permutation(n)
    assert metrics.average_precision(scores[order], hits[order], truths) == pytest.approx(got)
    assert metrics.average_precision(np.exp(3 * scores), hits, truths) == pytest.approx(got)


def test_101_points_are_within_a_hundredth_of_the_whole_area() -> None:
    random = np.random.default_rng(0)
    scores, hits = random.random(300), random.random(300) < np.linspace(0.2, 0.9, 300)
    recall, precision, _ = metrics.precision_recall(scores, hits, 250)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    area = float((np.diff(recall, prepend=0) * best).sum())
    assert metrics.average_precision(scores, hits, 250) == pytest.approx(area, abs=0.01)


def test_average_precision_of_known_cases() -> None:
    assert metrics.average_precision([0.9, 0.8, 0.7], [1, 1, 1], 3) == 1
    assert metrics.average_precision([0.9, 0.8], [0, 0], 3) == 0
    # half of the truths, all hits: precision 1 at the 51 recalls 0 .. 0.50
    assert metrics.average_precision([0.9], [1], 2) == pytest.approx(51 / 101)
    # a false alarm below all hits costs nothing, above all hits it costs at every recall
    assert metrics.average_precision([0.9, 0.1], [1, 0], 1) == 1
    assert metrics.average_precision([0.1, 0.9], [1, 0], 1) == pytest.approx(0.5)


def test_precision_and_recall_of_a_known_case() -> None:
    recall, precision, thresholds = metrics.precision_recall([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 4)
    assert recall.tolist() == [0.25, 0.5, 0.5] and thresholds.tolist() == [0.9, 0.5, 0.1]
    assert precision.tolist() == pytest.approx([1, 2 / 3, 0.5])


def test_rates() -> None:
    assert metrics.per_1000(3, 200) == 15
    assert metrics.accuracy(["Left", "Right", "Left"], ["Left", "Left", None]) == 0.5


# calibration


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
    assert metrics.expected_calibration_error(p, outcomes) < 0.01
    assert metrics.brier(p, outcomes) == pytest.approx(1 / 6, abs=0.01)  # E p(1 − p) for p even over 0..1
    assert metrics.expected_calibration_error(p**3, outcomes) > 0.1
    bins = metrics.reliability(p, outcomes)
    assert bins.samples.sum() == 50000 and np.allclose(bins.probability, bins.frequency, atol=0.03)


def test_calibration_of_known_cases() -> None:
    assert metrics.brier([1, 0, 0.5], [1, 0, 1]) == pytest.approx(0.25 / 3)
    assert metrics.expected_calibration_error([0.9, 0.9, 0.9, 0.9], [1, 1, 0, 0]) == pytest.approx(0.4)
    bins = metrics.reliability([0.0, 0.05, 1.0], [0, 1, 1])
    assert bins.samples.tolist() == [2, *[0] * 8, 1] and bins.frequency[[0, 9]].tolist() == [0.5, 1]
    assert np.isnan(bins.probability[1:9]).all()
    with pytest.raises(InputError, match="sigmoid"):
        metrics.reliability([1.2], [1])


# landmarks


@quick
@given(seeds, st.floats(0.1, 50), st.floats(-100, 100))
def test_error_by_palm_size_is_blind_to_scale_shift_and_mirror(seed: int, scale: float, shift: float) -> None:
    true, seen = some_hands(seed, d=2), some_hands(seed + 1, d=2)
    error = metrics_landmarks.normalised_error(seen, true, metrics_landmarks.palm_size(true))
    moved_true, moved_seen = true * [-scale, scale] + shift, seen * [-scale, scale] + shift
    moved = metrics_landmarks.normalised_error(moved_seen, moved_true, metrics_landmarks.palm_size(moved_true))
    assert np.allclose(moved, error, rtol=1e-6)


def test_error_by_palm_size_of_a_known_case() -> None:
    true = np.zeros((1, 21, 2))
    true[0, 9] = [30, 40]
    true[0, 3] = NAN
    seen = true + np.array([3, 4])
    seen[0, 5] = NAN
    assert metrics_landmarks.palm_size(true).tolist() == [50]
    error = metrics_landmarks.normalised_error(seen, true, [50])[0]
    assert error[0] == pytest.approx(0.1) and math.isnan(error[3]) and error[5] == math.inf
    assert metrics_landmarks.mean_error(error) == pytest.approx(0.1)
    assert metrics_landmarks.found_rate(error) == pytest.approx(19 / 20)
    assert np.isnan(metrics_landmarks.normalised_error(seen, true, [0.0])).all()


def test_a_missed_hand_worsens_median_and_pck_but_not_the_mean() -> None:
    errors = np.array([[0.1, 0.2], [np.inf, np.inf], [0.3, NAN]])
    assert metrics_landmarks.mean_error(errors) == pytest.approx(0.2)
    assert metrics_landmarks.median_error(errors) == pytest.approx(0.3)
    assert metrics_landmarks.median_error([[0.1, np.inf]]) == math.inf
    assert metrics_landmarks.pck(errors, [0.05, 0.2, 1]).tolist() == [0, 0.4, 0.6]
    assert metrics_landmarks.per_joint(errors, metrics_landmarks.found_rate).tolist() == pytest.approx([2 / 3, 1 / 2])


@quick
@given(seeds)
def test_pck_rises_from_0_to_1_and_its_area_says_the_mean_error(seed: int) -> None:
    errors = np.random.default_rng(seed).random(50)
    thresholds = np.linspace(0, 1, 4001)
    curve = metrics_landmarks.pck(errors, thresholds)
    assert (np.diff(curve) >= 0).all() and curve[-1] == 1
    # the area under a distribution function up to 1 is 1 − mean
    assert metrics_landmarks.area_under(thresholds, curve) == pytest.approx(1 - errors.mean(), abs=1e-3)
    assert metrics_landmarks.area_under(thresholds, np.ones(4001)) == 1


def test_mpjpe_of_known_cases() -> None:
    true = some_hands(0) / 10
    assert np.allclose(metrics_landmarks.mpjpe_mm(true + np.array([1, 2, 3]), true), 0)
    assert np.allclose(metrics_landmarks.mpjpe_mm(true + np.array([0.003, 0, 0.004]), true, root=None), 5)
    moved = true.copy()
    moved[:, 7, 0] += 0.021
    assert np.allclose(metrics_landmarks.mpjpe_mm(moved, true), 1)
    moved[:, 8] = NAN
    assert np.allclose(metrics_landmarks.mpjpe_mm(moved, true), 21 / 20)


@quick
@given(seeds, st.floats(0.05, 20))
def test_procrustes_undoes_any_turn_shift_and_scale(seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    true = some_hands(seed)
    moved = scale * true @ some_rotation(random).T + random.normal(size=3)
    assert np.allclose(metrics_landmarks.procrustes(moved, true), true, atol=1e-8)
    seen = some_hands(seed + 1)
    turned = scale * seen @ some_rotation(random).T - 4
    assert np.allclose(metrics_landmarks.pa_mpjpe_mm(turned, true), metrics_landmarks.pa_mpjpe_mm(seen, true))


def test_procrustes_is_the_least_squares_optimum_that_scipy_finds() -> None:
    transform = pytest.importorskip("scipy.spatial.transform")
    true, seen = some_hands(3, n=1)[0], some_hands(3, n=1)[0] + 0.3 * some_hands(4, n=1)[0]
    a, b = true - true.mean(axis=0), seen - seen.mean(axis=0)
    rotation, _ = transform.Rotation.align_vectors(a, b)
    turned = rotation.apply(b)
    expected = turned * (turned * a).sum() / (b**2).sum() + true.mean(axis=0)
    assert np.allclose(metrics_landmarks.procrustes(seen[None], true[None])[0], expected)


def test_procrustes_makes_no_left_hand_of_a_right_one() -> None:
    true = some_hands(5)
    mirrored = true * [-1, 1, 1]
    assert (metrics_landmarks.pa_mpjpe_mm(mirrored, true) > 100).all()


def test_procrustes_leaves_out_unlabelled_points_and_collapsed_hands() -> None:
    true = some_hands(6, n=3)
    moved = 2 * true + 1
    true[0, 4:9] = NAN
    moved[1] = 7.0
    moved[2, 2:] = NAN
    error = metrics_landmarks.pa_mpjpe_mm(moved, true)
    assert error[0] == pytest.approx(0, abs=1e-6) and np.isnan(error[1:]).all()
    assert metrics_landmarks.pa_mpjpe_mm(moved[:1], true[:1])[0] <= metrics_landmarks.mpjpe_mm(moved[:1], true[:1])[0]


def test_bones_are_a_tree_and_their_lengths_do_not_turn() -> None:
    assert sorted(child for _, child in metrics_landmarks.BONES) == list(range(1, 21))
    assert {parent for parent, child in metrics_landmarks.BONES if child in (1, 5, 9, 13, 17)} == {0}
    true = some_hands(7)
    turned = true @ some_rotation(np.random.default_rng(7)).T + 1
    assert np.allclose(metrics_landmarks.bone_length_error_mm(turned, true), 0)
    lengths = metrics_landmarks.bone_lengths(true)
    assert np.allclose(metrics_landmarks.bone_length_error_mm(1.1 * true, true), 100 * lengths)


# video


def test_jitter_of_white_noise_is_the_step_it_makes_on_a_still_hand() -> None:
    noise = np.random.default_rng(0).normal(scale=0.5, size=(4000, 21, 2))
    step = float(np.median(metrics_video.steps(noise, 100)))
    assert metrics_video.jitter(noise, 100) == pytest.approx(step, rel=0.02)
    assert step == pytest.approx(0.5 * math.sqrt(2) * math.sqrt(2 * math.log(2)), rel=0.02)  # Rayleigh's median


def test_jitter_does_not_see_constant_motion_and_scales_with_the_palm() -> None:
    noise = np.random.default_rng(1).normal(size=(300, 21, 2))
    drift = np.arange(300)[:, None, None] * [2.0, -1.0]
    still = metrics_video.jitter(noise, 80)
    assert metrics_video.jitter(noise + drift, 80) == pytest.approx(still)
    assert metrics_video.jitter(3 * (noise + drift), 240) == pytest.approx(still)
    assert metrics_video.jitter(drift + np.zeros((300, 21, 2)), 80) == pytest.approx(0, abs=1e-9)
    assert np.median(metrics_video.steps(noise + drift, 80)) > 1.2 * np.median(metrics_video.steps(noise, 80))


def test_jitter_survives_a_jump_and_its_high_quantile_shows_it() -> None:
    noise = np.random.default_rng(2).normal(scale=0.1, size=(100, 21, 2))
    jumping = noise.copy()
    jumping[::12] += 20
    assert metrics_video.jitter(jumping, 100) < 2 * metrics_video.jitter(noise, 100)
    assert metrics_video.jitter(jumping, 100, 0.95) > 50 * metrics_video.jitter(noise, 100, 0.95)


def test_jitter_leaves_out_gaps() -> None:
    points = np.zeros((9, 1, 2))
    points[5:] = 50
    points[4] = NAN
    assert metrics_video.jitter(points, 10) == 0
    assert math.isnan(metrics_video.jitter(points[3:6], 10))


@pytest.mark.parametrize("late_ms", [-40.0, 0.0, 10.0, 33.3, 75.0])
def test_lag_of_a_moving_hand_is_found_between_frames(late_ms: float) -> None:
    times = np.arange(240) / 30

    def path(t: FloatArray) -> FloatArray:
        return np.stack([np.sin(5 * t) + np.sin(2.2 * t), np.cos(3 * t)], axis=1)

    seen = 0.7 * path(times - late_ms / 1000) + 4  # shrunk and shifted: neither is lag
    seen[50:55] = NAN
    assert metrics_video.lag_ms(times, path(times), seen) == pytest.approx(late_ms, abs=1.0)


def test_lag_of_uneven_frames() -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.025, 0.042, 300))
    assert metrics_video.lag_ms(times, np.sin(4 * times), np.sin(4 * (times - 0.05))) == pytest.approx(50, abs=2)


def test_lag_says_nothing_where_nothing_tells() -> None:
    times = np.arange(100) / 30
    assert math.isnan(metrics_video.lag_ms(times, np.zeros(100), np.zeros(100)))
    assert math.isnan(metrics_video.lag_ms(times, times, times - 0.1))  # a straight line has no peak
    assert math.isnan(metrics_video.lag_ms(times, np.sin(times), np.full(100, NAN)))


def test_time_lost_counts_returns_only() -> None:
    times = np.arange(14) / 10
    there = [0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1]
    found = [0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1]
    lost = metrics_video.time_lost_s(times, there, found)
    assert lost.tolist() == pytest.approx([0.2, 0.2, 0.0])  # the second is never found: both its frames


def swap(frames: int, at: int) -> list[TrackedFrame]:
    """Two hands whose ids are exchanged from frame `at` on."""
    same = np.eye(2)
    return [TrackedFrame([1, 2], [7, 8] if k < at else [8, 7], same) for k in range(frames)]


def test_idf1_of_known_cases() -> None:
    assert metrics_video.identity(swap(10, 10)) == (1, 1, 1, 20, 0, 0)
    assert metrics_video.identity(swap(10, 7)).idf1 == pytest.approx(0.7)
    assert metrics_video.id_switches(swap(10, 10)) == 0 and metrics_video.id_switches(swap(10, 7)) == 2
    # one true hand in 4 frames under two ids, and a ghost in one of them: IDTP 3, IDFP 2, IDFN 1
    broken = [
        TrackedFrame([1], [5, 9], np.array([[0.9, 0.1]])),
        *[TrackedFrame([1], [5], np.array([[0.8]]))] * 2,
        TrackedFrame([1], [6], np.array([[0.8]])),
    ]
    assert metrics_video.identity(broken) == (6 / 9, 3 / 5, 3 / 4, 3, 2, 1)
    assert metrics_video.id_switches(broken) == 1


def test_an_id_that_changes_over_a_gap_is_a_switch() -> None:
    gap = [TrackedFrame([1], [5], np.ones((1, 1))), TrackedFrame([1], [], np.ones((1, 0)))]
    assert metrics_video.id_switches([*gap, TrackedFrame([1], [5], np.ones((1, 1)))]) == 0
    assert metrics_video.id_switches([*gap, TrackedFrame([1], [6], np.ones((1, 1)))]) == 1


def test_a_pair_that_still_overlaps_is_kept_though_another_overlaps_more() -> None:
    first = TrackedFrame([1, 2], [7, 8], np.eye(2))
    crossing = TrackedFrame([1, 2], [7, 8], np.array([[0.6, 0.9], [0.9, 0.6]]))
    assert metrics_video.id_switches([first, crossing]) == 0
    assert metrics_video.identity([first, crossing]).idf1 == 1


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
    got = metrics_video.identity(frames)
    assert 0 <= got.idf1 <= 1
    assert got.hits + got.missed == 24 and got.hits + got.false_ids == sum(len(f.seen_ids) for f in frames)
    if got.precision + got.recall > 0:
        assert got.idf1 == pytest.approx(2 * got.precision * got.recall / (got.precision + got.recall))
    renamed = [TrackedFrame([9 - t for t in f[0]], [s * 3 + 100 for s in f[1]], f[2]) for f in frames]
    assert metrics_video.identity(renamed) == got
    assert metrics_video.id_switches(renamed) == metrics_video.id_switches(frames)
    turned = [TrackedFrame(f[0][::-1], f[1][::-1], f[2][::-1, ::-1]) for f in reversed(frames)]
    assert metrics_video.identity(turned) == got


def test_an_id_twice_in_one_frame_is_refused() -> None:
    with pytest.raises(InputError, match="once"):
        metrics_video.identity([TrackedFrame([1], [5, 5], np.ones((1, 2)))])


def test_id_changes_without_labels() -> None:
    boxes = [[[0, 0, 10, 10], [50, 0, 60, 10]], [[51, 0, 61, 10], [1, 0, 11, 10]], [[90, 90, 99, 99]]]
    assert metrics_video.id_changes(boxes, [[1, 2], [2, 1], [3]]) == (0, 2)
    assert metrics_video.id_changes(boxes, [[1, 2], [1, 2], [3]]) == (2, 2)
    assert metrics_video.calls_per_frame([True, False, None, False, False]) == 0.25


# intervals


def test_intervals_hold_the_truth_19_times_of_20() -> None:
    random = np.random.default_rng(0)
    held = [
        low <= 0.3 <= high
        for k in range(200)
        for _, low, high in [
            intervals.bootstrap_ratio(random.random(150) < 0.3, np.ones(150), range(150), resamples=300, seed=k)
        ]
    ]
    assert 0.9 <= np.mean(held) <= 0.99


def test_both_ways_to_resample_agree() -> None:
    random = np.random.default_rng(1)
    above, below = random.random(80), random.integers(1, 4, 80)
    groups = [f"person {k // 4}" for k in range(80)]
    fast = intervals.bootstrap_ratio(above, below, groups, resamples=4000)
    slow = intervals.bootstrap(lambda i: above[i].sum() / below[i].sum(), groups, resamples=4000)
    assert fast == pytest.approx(slow, rel=0.02) and fast.value == pytest.approx(slow.value)
    assert fast == intervals.bootstrap_ratio(above, below, groups, resamples=4000)  # the same seed, the same figure


def test_images_of_one_person_are_one_witness() -> None:
    person = np.random.default_rng(2).random(10)
    values, groups = np.repeat(person, 20), np.repeat(np.arange(10), 20)
    grouped = intervals.bootstrap_ratio(values, np.ones(200), groups.tolist())
    alone = intervals.bootstrap_ratio(values, np.ones(200), range(200))
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)
    single = intervals.bootstrap_ratio(values, np.ones(200), ["one"] * 200)
    assert single.value == pytest.approx(values.mean()) and math.isnan(single.low)
    assert math.isnan(intervals.bootstrap(lambda i: float(len(i)), ["one"]).high)


def test_a_paired_difference_is_surer_than_the_two_figures() -> None:
    random = np.random.default_rng(3)
    hard, ones = random.random(100), np.ones(100)
    ours, theirs = hard + 0.02 + random.normal(scale=0.01, size=100), hard
    difference = intervals.bootstrap_ratio_difference((ours, ones), (theirs, ones), range(100))
    single = intervals.bootstrap_ratio(ours, ones, range(100))
    assert 0 < difference.low < difference.value < difference.high < 0.03
    assert difference.high - difference.low < (single.high - single.low) / 5
    swapped = intervals.bootstrap_ratio_difference((theirs, ones), (ours, ones), range(100))
    assert swapped == pytest.approx((-difference.value, -difference.high, -difference.low))


def test_wilson_of_known_cases() -> None:
    assert intervals.wilson(0, 200) == pytest.approx((0, 0, 0.0188), abs=1e-4)
    assert intervals.wilson(15, 50) == pytest.approx((0.3, 0.1910, 0.4375), abs=1e-4)
    value, low, high = intervals.wilson(50, 50)
    assert (value, high) == (1, 1) and low < 0.95
