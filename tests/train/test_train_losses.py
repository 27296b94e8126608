"""Each loss equals values computed by hand, and is 0 where nothing is labelled."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from knuckle.results import HAND_CONNECTIONS  # noqa: E402
from knuckle.train import losses  # noqa: E402

Tensor = torch.Tensor


def test_weighted_mean_ignores_values_of_weight_0_even_nan() -> None:
    values = torch.tensor([[1.0, 5.0, float("nan")]], requires_grad=True)
    mean = losses.weighted_mean(values, torch.tensor([[1.0, 3.0, 0.0]]))
    assert mean.item() == 4.0
    mean.backward()
    assert values.grad is not None and values.grad.tolist() == [[0.25, 0.75, 0.0]]
    assert losses.weighted_mean(torch.ones(2, 3), torch.zeros(2, 1)).item() == 0.0


def test_landmark_l1_is_the_distance_in_palms() -> None:
    true = torch.zeros(2, 21, 2)
    seen = true.clone()
    seen[0, :, 0], seen[0, :, 1] = 3.0, -1.0  # 4 px with a palm of 40 px
    seen[1] = 1000.0
    weight = torch.stack([torch.ones(21), torch.zeros(21)])
    assert losses.landmark_l1(seen, true, weight, torch.tensor([40.0, 1.0])).item() == pytest.approx(0.1)


def test_unsteadiness_is_how_far_the_error_moves_between_a_crop_and_its_repetition() -> None:
    error = torch.zeros(3, 21, 2)
    error[0], error[1], error[2] = 3.0, 3.0, torch.tensor([3.0, 7.0])
    unit, weight, repeats = torch.full((3,), 10.0), torch.ones(3, 21), torch.tensor([[0.0], [1.0], [1.0]])
    assert losses.unsteadiness(error, weight, repeats, unit).item() == pytest.approx((0 + 0.4) / 2, abs=1e-5)
    assert losses.unsteadiness(error + 5, weight, repeats, unit).item() == pytest.approx(0.2, abs=1e-5)
    assert losses.unsteadiness(error, weight, torch.zeros(3, 1), unit).item() == 0
    weight[2, :] = 0
    assert losses.unsteadiness(error, weight, repeats, unit).item() == pytest.approx(0, abs=1e-5)


def test_landmark_nll_is_least_where_sigma_is_the_mean_error() -> None:
    true, unit, weight = torch.zeros(1, 21, 2), torch.tensor([40.0]), torch.ones(1, 21)
    seen = torch.zeros(1, 21, 2)
    seen[..., 0] = torch.linspace(0, 8, 21)  # 4 px in the mean
    by_sigma = {
        sigma: losses.landmark_nll(seen, true, torch.full((1, 21), math.log(sigma)), weight, unit).item()
        for sigma in (2.0, 3.5, 4.0, 4.5, 8.0)
    }
    assert min(by_sigma, key=lambda sigma: by_sigma[sigma]) == 4.0
    assert by_sigma[4.0] == pytest.approx(1 + math.log(4 / 40), abs=1e-5)
    assert losses.landmark_nll(seen, true, torch.zeros(1, 21), torch.zeros(1, 21), unit).item() == 0


def test_world_l1_counts_in_units_of_10_cm() -> None:
    true = torch.zeros(2, 21, 3)
    seen = true + torch.tensor([0.01, -0.02, 0.03])
    assert losses.world_l1(seen, true, torch.stack([torch.ones(21), torch.zeros(21)])).item() == pytest.approx(0.6)
    assert losses.world_l1(seen, true, torch.zeros(2, 21)).item() == 0


def test_only_the_best_anchor_of_each_bag_is_taught() -> None:
    logits = torch.tensor([[0.0, 2.0, -1.0, 3.0], [1.0, 0.0, 5.0, -2.0]], requires_grad=True)
    bag = torch.tensor([[1, 1, 2, 0], [0, 1, 0, 0]])
    loss = losses.best_of_bag(logits, bag)
    focal = [0.25 * (1 - p) ** 2 * -math.log(p) for p in (1 / (1 + math.exp(-logit)) for logit in (2.0, -1.0, 0.0))]
    assert loss.item() == pytest.approx(sum(focal) / 3, rel=1e-5)
    loss.backward()
    assert logits.grad is not None
    assert ((logits.grad < 0) == torch.tensor([[False, True, True, False], [False, True, False, False]])).all()
    assert losses.best_of_bag(logits, torch.zeros_like(bag)).item() == 0


def test_bone_length_does_not_depend_on_position_and_rotation() -> None:
    torch.manual_seed(0)
    true = torch.randn(3, 21, 3) * 0.05
    turned = true @ torch.linalg.qr(torch.randn(3, 3))[0] + 0.3
    assert losses.bone_length(turned, true, torch.ones(3, 21)).item() == pytest.approx(0, abs=1e-5)
    lengths = [float(torch.linalg.vector_norm(true[0, b] - true[0, a])) for a, b in HAND_CONNECTIONS]
    expected = 0.1 * sum(lengths) / len(lengths) / 0.1
    longer = losses.bone_length(1.1 * true[:1], true[:1], torch.ones(1, 21)).item()
    assert longer == pytest.approx(expected, rel=1e-4)


def test_binary_cross_entropy_of_one_half_is_log_2() -> None:
    logit, true = torch.zeros(2, 1), torch.tensor([[1.0], [0.0]])
    assert losses.binary_cross_entropy(logit, true, torch.ones(2, 1)).item() == pytest.approx(math.log(2))
    sure = torch.tensor([[3.0], [9.0]])
    only_first = losses.binary_cross_entropy(sure, true, torch.tensor([[1.0], [0.0]])).item()
    assert only_first == pytest.approx(math.log(1 + math.exp(-3)))
    smoothed = losses.binary_cross_entropy(sure[:1], true[:1], torch.ones(1, 1), smoothing=0.2).item()
    assert smoothed == pytest.approx(0.9 * math.log(1 + math.exp(-3)) + 0.1 * math.log(1 + math.exp(3)), rel=1e-5)


def test_bins_cross_entropy_is_least_for_the_target_and_ignores_points_outside_the_bins() -> None:
    centres = torch.arange(0.0, 40.0, 2.0)
    true = torch.full((1, 21), 17.3)
    target = torch.softmax(-((centres - 17.3) ** 2) / (2 * 3.0**2), 0)
    weight = torch.ones(1, 21)
    best = losses.bins_cross_entropy(target.log().expand(1, 21, 20), true, weight, centres, 3.0).item()
    assert best == pytest.approx(-(target * target.log()).sum().item(), rel=1e-5)
    uniform = losses.bins_cross_entropy(torch.zeros(1, 21, 20), true, weight, centres, 3.0).item()
    assert uniform == pytest.approx(math.log(20), rel=1e-5) and best < uniform
    outside = torch.full((1, 21), 60.0)
    assert losses.bins_cross_entropy(torch.randn(1, 21, 20), outside, weight, centres, 3.0).item() == 0


def test_focal_loss_equals_its_equation_divided_by_the_positives() -> None:
    logit, true = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([[1.0, 0.0, 0.0]])
    p = torch.sigmoid(logit)[0].tolist()
    expected = -0.25 * (1 - p[0]) ** 2 * math.log(p[0]) - 0.75 * p[1] ** 2 * math.log(1 - p[1])
    left_out = torch.tensor([[1.0, 1.0, 0.0]])
    assert losses.focal(logit, true, left_out).item() == pytest.approx(expected, rel=1e-5)
    twice = (torch.cat([x, x], dim=1) for x in (logit, true, left_out))
    assert losses.focal(*twice).item() == pytest.approx(expected, rel=1e-5)
    assert losses.focal(logit, true, torch.zeros(1, 3)).item() == 0


def test_map_cross_entropy_is_least_at_the_true_cell_and_ignores_points_outside_the_map() -> None:
    ticks = torch.arange(8) * 10 + 5.0
    true, weight = torch.full((1, 21, 2), 45.0), torch.ones(1, 21)
    true[..., 1] = 25.0

    def loss_at(row: int, column: int) -> float:
        logits = torch.zeros(1, 21, 8, 8)
        logits[..., row, column] = 3.0
        return losses.map_cross_entropy(logits.flatten(2), true, weight, ticks).item()

    every = {(row, column): loss_at(row, column) for row in range(8) for column in range(8)}
    assert min(every, key=lambda place: every[place]) == (2, 4)  # y = 25, x = 45
    true[:, 1:] = -1.0
    assert loss_at(2, 4) == pytest.approx(every[2, 4])
    true[:] = 100.0
    assert loss_at(2, 4) == 0.0
