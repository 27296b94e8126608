"""The loss functions. Each takes predictions, labels, and weights that are 0 where there is no label.

Every function returns the mean over the labelled values, and 0 if there are none. So an output learns from its own
labels only, and its gradient does not shrink when few samples of a batch are labelled.

Several processes (torchrun): gradients are averaged over processes, so each process divides by
(total weight of all processes) / (number of processes). The result is the loss of one process with the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from knuckle.results import HAND_CONNECTIONS
from knuckle.train import distributed

ScoreLoss = Callable[[Tensor, Tensor, Tensor], Tensor]  # logit, true, weight (n, anchors) -> the loss


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """sum(w v) / sum(w), or 0 if all weights are 0. Weights broadcast to values; NaN values of weight 0 are ignored."""
    weights = weights.expand_as(values)
    return (torch.where(weights > 0, values, 0.0) * weights).sum() / _total(weights, minimum=1e-6)


def _total(weights: Tensor, minimum: float) -> Tensor:
    """What a process divides its sum by: (total weight of all processes) / (number of processes)."""
    return distributed.sum_of(weights.sum()).clamp(min=minimum) / distributed.group_size()


def bins_cross_entropy(logits: Tensor, true_px: Tensor, weight: Tensor, centres: Tensor, sigma_px: float) -> Tensor:
    """Cross entropy with a Gaussian over the bins around the true coordinate (SimCC, arXiv 2107.03332, section 3.3).

    L = - sum_b q_b log softmax(logits)_b,  q_b ~ exp(-(c_b - x)^2 / (2 sigma^2)), normalised.

    Args:
        logits: (n, 21, bins).
        true_px: (n, 21) coordinates in crop pixels; those outside the range of the bins are ignored.
        weight: (n, 21).
        centres: (bins,) centres of the bins in crop pixels.
        sigma_px: standard deviation of the Gaussian.
    """
    inside = (true_px >= centres[0]) & (true_px <= centres[-1])
    distance = centres - torch.where(inside, true_px, centres[0]).unsqueeze(-1)
    target = F.softmax(-(distance**2) / (2 * sigma_px**2), dim=-1)
    entropy = -(target * F.log_softmax(logits, dim=-1)).sum(-1)
    return weighted_mean(entropy, weight * inside)


def map_cross_entropy(logits: Tensor, true: Tensor, weight: Tensor, ticks: Tensor) -> Tensor:
    """Cross entropy of a heatmap over its cells with a Gaussian around the true point, one cell wide.

    L = - sum_c q_c log softmax(logits)_c,  q_c ~ exp(-|p_c - p|^2 / (2 cell^2)), normalised. This loss reaches the
    convolutions directly and trains the same filter at every position, so they locate the joints early in training.

    Args:
        logits: (n, 21, rows * columns) of a square map.
        true: (n, 21, 2) crop pixels; points outside the map are ignored.
        weight: (n, 21).
        ticks: (rows,) centres of the cells in crop pixels.
    """
    cell = ticks[1] - ticks[0]
    inside = ((true >= 0) & (true <= ticks[-1] + cell / 2)).all(-1)
    x, y = torch.where(inside, true[..., 0], 0.0), torch.where(inside, true[..., 1], 0.0)
    along_x, along_y = (F.softmax(-((ticks - c.unsqueeze(-1)) ** 2) / (2 * cell**2), dim=-1) for c in (x, y))
    target = (along_y.unsqueeze(-1) * along_x.unsqueeze(-2)).flatten(2)
    entropy = -(target * F.log_softmax(logits, dim=-1)).sum(-1)
    return weighted_mean(entropy, weight * inside)


def landmark_nll(predicted: Tensor, true: Tensor, log_sigma: Tensor, weight: Tensor, unit: Tensor) -> Tensor:
    """Negative log likelihood of the error under an exponential distribution whose mean the network predicts.

    L = e / sigma + log(sigma),  e = (|dx| + |dy|) / unit. The minimum is where sigma equals the mean of e. Outliers and
    hidden points count less as sigma grows (Kendall and Gal 2017, arXiv 1703.04977, section 3.2, with the absolute
    error).

    Args:
        predicted, true: (n, 21, 2) crop pixels.
        log_sigma: (n, 21) natural log of the expected error in crop pixels.
        weight: (n, 21).
        unit: (n,) palm size in crop pixels.
    """
    error = (predicted - true).abs().sum(-1) / unit[:, None]
    log_scale = (log_sigma - torch.log(unit)[:, None]).clamp(-6.0, 2.0)
    return weighted_mean(error * torch.exp(-log_scale) + log_scale, weight)


def landmark_l1(predicted: Tensor, true: Tensor, weight: Tensor, unit: Tensor) -> Tensor:
    """L = (|dx| + |dy| + …) / unit. predicted, true (n, 21, k) px, weight (n, 21), unit (n,) palm size in px."""
    return weighted_mean((predicted - true).abs().sum(-1) / unit[:, None], weight)


def unsteadiness(error: Tensor, weight: Tensor, repeats: Tensor, unit: Tensor) -> Tensor:
    """L = |e - e'| / unit over the crops that repeat the one before them: how much the error changes when a crop moves.

    Args:
        error: (n, 21, 2) px, of crops in the order of their samples.
        weight: (n, 21) of the landmarks.
        repeats: (n, 1) 1 if a crop repeats the one before it.
        unit: (n,) palm size in px.
    """
    relative = error / unit[:, None, None]
    change = torch.linalg.vector_norm(relative[1:] - relative[:-1] + 1e-9, dim=-1)
    return weighted_mean(change, weight[1:] * weight[:-1] * repeats[1:])


def world_l1(predicted: Tensor, true: Tensor, weight: Tensor) -> Tensor:
    """L = (|dx| + |dy| + |dz|) / 10 cm. predicted, true (n, 21, 3) metres, weight (n, 21)."""
    return weighted_mean((predicted - true).abs().sum(-1) / 0.1, weight)


def bone_length(
    predicted: Tensor, true: Tensor, weight: Tensor, bones: Sequence[tuple[int, int]] = HAND_CONNECTIONS
) -> Tensor:
    """L = | |bone| - |true bone| | / 10 cm over the bones whose ends are known. (n, 21, 3) metres, weight (n, 21)."""
    start, end = (torch.tensor(column, device=predicted.device) for column in zip(*bones, strict=True))
    lengths = [torch.linalg.vector_norm(p[:, end] - p[:, start] + 1e-9, dim=-1) for p in (predicted, true)]
    return weighted_mean((lengths[0] - lengths[1]).abs() / 0.1, weight[:, start] * weight[:, end])


def binary_cross_entropy(logit: Tensor, true: Tensor, weight: Tensor, smoothing: float = 0.0) -> Tensor:
    """L = -t log p - (1 - t) log(1 - p), for presence and handedness (n, 1) and visibility (n, 21).

    Args:
        smoothing: moves targets towards 0.5, since human labels are not always right.
    """
    target = torch.where(weight > 0, true, 0.0) * (1 - smoothing) + smoothing / 2
    return weighted_mean(F.binary_cross_entropy_with_logits(logit, target, reduction="none"), weight)


def focal(logit: Tensor, true: Tensor, weight: Tensor, gamma: float = 2.0, alpha: float = 0.25) -> Tensor:
    """Focal loss (Lin et al. 2017, arXiv 1708.02002, equation 5), summed and divided by the number of positives.

    L = - a_t (1 - p_t)^gamma log(p_t). Anchors that are clearly background hardly count.

    Args:
        logit, true, weight: (n, anchors); true is 0 or 1, anchors of weight 0 are ignored.
    """
    p = torch.sigmoid(logit)
    entropy = F.binary_cross_entropy_with_logits(logit, true, reduction="none")
    p_t = p * true + (1 - p) * (1 - true)
    a_t = alpha * true + (1 - alpha) * (1 - true)
    return (a_t * (1 - p_t) ** gamma * entropy * weight).sum() / _total(true * weight, minimum=1.0)


def best_of_bag(logit: Tensor, bag: Tensor, gamma: float = 2.0, alpha: float = 0.25) -> Tensor:
    """The focal loss of the best anchor of each bag, which should be positive; the mean over the bags.

    Multiple-instance learning (Dietterich et al. 1997; Felzenszwalb et al. 2010 for detectors): a box says that one of
    the anchors in it predicts a palm, but not which one. The others of a bag are not taught.

    Args:
        logit: (n, anchors).
        bag: (n, anchors) the number of the bag of its picture that an anchor belongs to, 0 for none.
    """
    bags = int(bag.max()) + 1
    number = bag + bags * torch.arange(len(bag), device=bag.device)[:, None]
    best = logit.new_full((bags * len(bag),), -torch.inf)
    best = best.scatter_reduce(0, number.flatten(), logit.flatten(), "amax").view(-1, bags)[:, 1:]
    there = torch.isfinite(best)
    best = torch.where(there, best, 0.0)
    loss = alpha * torch.sigmoid(-best) ** gamma * F.softplus(-best)
    return weighted_mean(loss, there.to(loss.dtype))


def mined_cross_entropy(logit: Tensor, true: Tensor, weight: Tensor, ratio: float = 3.0) -> Tensor:
    """Cross entropy of all positives and of the hardest negatives (SSD, arXiv 1512.02325, section 2.2).

    The alternative to `focal`: `ratio` negatives for each positive; summed and divided by the number of positives.

    Args:
        logit, true, weight: (n, anchors); true is 0 or 1, anchors of weight 0 are ignored.
    """
    entropy = F.binary_cross_entropy_with_logits(logit, true, reduction="none") * weight
    positives = true * weight
    negatives = (entropy * (1 - true)).flatten().detach()
    count = min(len(negatives), max(8, int(ratio * float(positives.sum()))))
    threshold = torch.topk(negatives, count).values[-1].clamp(min=1e-12)
    kept = positives + ((entropy.detach() >= threshold) & (true == 0))
    return (entropy * kept).sum() / _total(positives, minimum=1.0)


def box_loss(predicted: Tensor, true: Tensor, positive: Tensor, unit: Tensor) -> Tensor:
    """L = (|dx| + |dy| + |dw| + |dh|) / palm side, so that an error counts relative to the size of its palm.

    Args:
        predicted, true: (n, anchors, 4) centre and size in input pixels.
        positive: (n, anchors) 0 or 1.
        unit: (n, anchors) palm side in input pixels.
    """
    return weighted_mean((predicted - true).abs().sum(-1) / unit, positive)


def keypoint_loss(predicted: Tensor, true: Tensor, positive: Tensor, unit: Tensor) -> Tensor:
    """L = mean |d| / palm side over the seven key points. predicted, true (n, anchors, 14); rest as in `box_loss`."""
    return weighted_mean((predicted - true).abs().mean(-1) / unit, positive)


def feature_distillation(predicted: Tensor, true: Tensor) -> Tensor:
    """L = mean (s - t)^2: the share of the variance of a teacher's features t that the student's features s miss.

    FitNets (Romero et al. 2015, arXiv 1412.6550, equation 3). The teacher's features are normalised to variance 1.

    Args:
        predicted, true: (n, c, h, w) features of the student and normalised features of the teacher.
    """
    return F.mse_loss(predicted.float(), true.float())
