"""One function per loss. Each takes what the network said, the truth and a weight that is 0 where no label exists.

Every function returns the mean over what is labelled (0 where nothing is), so a head learns only from its labels and
the share of labelled samples in a batch does not scale its gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from knuckle.results import HAND_CONNECTIONS


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """sum(w v) / sum(w), 0 where all weights are 0. Shapes must broadcast; NaN values count only if weighted."""
    weights = weights.expand_as(values)
    return (torch.where(weights > 0, values, 0.0) * weights).sum() / _sum_over_processes(weights, 1e-6)


def _sum_over_processes(weights: Tensor, least: float) -> Tensor:
    """The sum over the batches of all processes (torchrun), by their number, since their gradients are averaged.

    So a process whose share has few labels counts as little as it would in one large batch.
    """
    total = weights.sum()
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return total.clamp(min=least)
    torch.distributed.all_reduce(total)
    return total.clamp(min=least) / torch.distributed.get_world_size()


def bins_cross_entropy(logits: Tensor, true_px: Tensor, weight: Tensor, centres: Tensor, sigma_px: float) -> Tensor:
    """Cross entropy with a Gaussian over the bins around the true coordinate (SimCC, arXiv 2107.03332, section 3.3).

    L = - sum_b q_b log softmax(logits)_b,  q_b ~ exp(-(c_b - x)^2 / (2 sigma^2)), normalised.

    Args:
        logits: (n, 21, bins). true_px: (n, 21), coordinates within the bins' range count, others are left out.
        weight: (n, 21). centres: (bins,) pixels.
    """
    inside = (true_px >= centres[0]) & (true_px <= centres[-1])
    distance = centres - torch.where(inside, true_px, centres[0]).unsqueeze(-1)
    target = F.softmax(-(distance**2) / (2 * sigma_px**2), dim=-1)
    entropy = -(target * F.log_softmax(logits, dim=-1)).sum(-1)
    return weighted_mean(entropy, weight * inside)


def map_cross_entropy(logits: Tensor, true: Tensor, weight: Tensor, ticks: Tensor) -> Tensor:
    """Cross entropy of a map over its cells with a Gaussian of one cell around the true place.

    L = - sum_c q_c log softmax(logits)_c,  q_c ~ exp(-|p_c - p|^2 / (2 cell^2)), normalised. Convolutions learn from it
    where a joint is long before the layers after them can say so: the same filter is taught at every place.

    Args:
        logits: (n, 21, rows * columns). true: (n, 21, 2) pixels; points outside of the map are left out.
        weight: (n, 21). ticks: (rows,) centres of the cells, pixels; the map is square.
    """
    cell = ticks[1] - ticks[0]
    inside = ((true >= 0) & (true <= ticks[-1] + cell / 2)).all(-1)
    x, y = torch.where(inside, true[..., 0], 0.0), torch.where(inside, true[..., 1], 0.0)
    along_x, along_y = (F.softmax(-((ticks - c.unsqueeze(-1)) ** 2) / (2 * cell**2), dim=-1) for c in (x, y))
    target = (along_y.unsqueeze(-1) * along_x.unsqueeze(-2)).flatten(2)
    entropy = -(target * F.log_softmax(logits, dim=-1)).sum(-1)
    return weighted_mean(entropy, weight * inside)


def landmark_nll(seen: Tensor, true: Tensor, log_sigma: Tensor, weight: Tensor, unit: Tensor) -> Tensor:
    """Negative log likelihood of an exponential distribution of the error whose mean the network tells.

    L = e / sigma + log(sigma),  e = (|dx| + |dy|) / unit: least where sigma is the mean of e. Outliers and hidden
    points weigh less as sigma grows (Kendall and Gal 2017, arXiv 1703.04977, section 3.2, with the error's absolute).

    Args:
        seen, true: (n, 21, 2) pixels. log_sigma: (n, 21), of pixels. weight: (n, 21). unit: (n,) palm size, pixels.
    """
    error = (seen - true).abs().sum(-1) / unit[:, None]
    log_scale = (log_sigma - torch.log(unit)[:, None]).clamp(-6.0, 2.0)
    return weighted_mean(error * torch.exp(-log_scale) + log_scale, weight)


def landmark_l1(seen: Tensor, true: Tensor, weight: Tensor, unit: Tensor) -> Tensor:
    """L = (|dx| + |dy| + …) / unit: the paper's error in its own unit. seen, true (n, 21, k), weight (n, 21)."""
    return weighted_mean((seen - true).abs().sum(-1) / unit[:, None], weight)


def world_l1(seen: Tensor, true: Tensor, weight: Tensor) -> Tensor:
    """L = |d| summed over x, y, z, in units of 10 cm. seen, true (n, 21, 3) metres, weight (n,)."""
    return weighted_mean((seen - true).abs().sum(-1) / 0.1, weight[:, None])


def bone_length(seen: Tensor, true: Tensor, weight: Tensor) -> Tensor:
    """L = | |bone| - |true bone| | / 10 cm over the 21 `HAND_CONNECTIONS`. (n, 21, 3) metres, weight (n,)."""
    start, end = (torch.tensor(column, device=seen.device) for column in zip(*HAND_CONNECTIONS, strict=True))
    lengths = [torch.linalg.vector_norm(p[:, end] - p[:, start] + 1e-9, dim=-1) for p in (seen, true)]
    return weighted_mean((lengths[0] - lengths[1]).abs() / 0.1, weight[:, None])


def binary_cross_entropy(logit: Tensor, true: Tensor, weight: Tensor, smoothing: float = 0.0) -> Tensor:
    """L = -t log p - (1 - t) log(1 - p): presence, handedness (n, 1) and visibility (n, 21).

    `smoothing` moves targets towards one half: labels of people are not always right.
    """
    target = torch.where(weight > 0, true, 0.0) * (1 - smoothing) + smoothing / 2
    return weighted_mean(F.binary_cross_entropy_with_logits(logit, target, reduction="none"), weight)


def focal(logit: Tensor, true: Tensor, weight: Tensor, gamma: float = 2.0, alpha: float = 0.25) -> Tensor:
    """Focal loss (Lin et al. 2017, arXiv 1708.02002, equation 5), summed and divided by the number of positives.

    L = - a_t (1 - p_t)^gamma log(p_t): anchors that are clearly background hardly count.

    Args:
        logit, true, weight: (n, anchors); true is 0 or 1, weight 0 leaves an anchor out.
    """
    p = torch.sigmoid(logit)
    entropy = F.binary_cross_entropy_with_logits(logit, true, reduction="none")
    p_t = p * true + (1 - p) * (1 - true)
    a_t = alpha * true + (1 - alpha) * (1 - true)
    return (a_t * (1 - p_t) ** gamma * entropy * weight).sum() / _sum_over_processes(true * weight, 1.0)


def box_loss(seen: Tensor, true: Tensor, positive: Tensor, unit: Tensor) -> Tensor:
    """L = sum |d| / palm side over centre and size: an error counts by what it is for that palm.

    Args:
        seen, true: (n, anchors, 4) pixels. positive: (n, anchors) 0 or 1. unit: (n, anchors) palm side, pixels.
    """
    return weighted_mean((seen - true).abs().sum(-1) / unit, positive)


def keypoint_loss(seen: Tensor, true: Tensor, positive: Tensor, unit: Tensor) -> Tensor:
    """L = mean |d| / palm side over the seven key points. seen, true (n, anchors, 14)."""
    return weighted_mean((seen - true).abs().mean(-1) / unit, positive)


def mined_cross_entropy(logit: Tensor, true: Tensor, weight: Tensor, ratio: float = 3.0) -> Tensor:
    """Cross entropy over all positives and the hardest `ratio` times as many negatives (SSD, arXiv 1512.02325, 2.2).

    The alternative to `focal`; summed and divided by the number of positives. logit, true, weight (n, anchors).
    """
    entropy = F.binary_cross_entropy_with_logits(logit, true, reduction="none") * weight
    positives = true * weight
    negatives = (entropy * (1 - true)).flatten().detach()
    count = min(len(negatives), max(8, int(ratio * float(positives.sum()))))
    least = torch.topk(negatives, count).values[-1].clamp(min=1e-12)
    kept = positives + ((entropy.detach() >= least) & (true == 0))
    return (entropy * kept).sum() / _sum_over_processes(positives, 1.0)


def unexplained(seen: Tensor, true: Tensor) -> Tensor:
    """L = mean (s - t)^2: of a teacher's features with variance 1, the share that a student cannot tell.

    FitNets (Romero et al. 2015, arXiv 1412.6550, equation 3) in units of the teacher's own spread. Both (n, c, h, w).
    """
    return F.mse_loss(seen.float(), true.float())
