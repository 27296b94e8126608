"""A landmark network with fewer channels: those are left out that the others can stand in for.

After He, Zhang and Sun, "Channel pruning for accelerating very deep neural networks", ICCV 2017: what a block adds is
fitted again from the channels that stay, by least squares on real pictures, and the blocks are pruned one after the
other, so that each one mends what those before it changed. The network then needs training, but little of it: with a
half of the channels of the first three blocks of `knuckle` the landmarks move by 2 % of the palm before any.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from knuckle.errors import InputError
from knuckle.train.nets.layers import Conv
from knuckle.train.nets.reference_hand import InvertedResidual, ReferenceHandNet

SAMPLES = 200_000  # positions of all pictures on which a block is fitted
DAMPING = 1e-5  # of the mean variance of a channel
AnyConv = TypeVar("AnyConv", bound=Conv)


@torch.no_grad()
def pruned(network: ReferenceHandNet, inner: Sequence[int], pictures: Tensor) -> ReferenceHandNet:
    """A copy with fewer channels inside the stem and the first blocks.

    Args:
        network: the network.
        inner: channels of the stem, then those inside each block from the first on; further blocks stay as they are.
        pictures: (n, 3, side, side) crops, RGB 0..1. The remaining channels are fitted on them; 48 are enough.

    Raises:
        InputError: there are more numbers than blocks, or one is not from 1 to the present number of channels.
    """
    has = network.inner[: len(inner)]
    if len(inner) > len(network.inner) or not all(0 < new <= old for new, old in zip(inner, has, strict=True)):
        raise InputError(f"channels must be at most {list(network.inner)}, got {list(inner)}")
    small, relu6 = copy.deepcopy(network), network.relu6
    wanted = network.stem_project(relu6(network.stem_filter(relu6(network.stem(pictures)))))
    inside = relu6(small.stem_filter(relu6(small.stem(pictures))))
    kept, project = fitted(inside, wanted, inner[0])
    small.stem, small.stem_filter = of_channels(small.stem, kept), of_channels(small.stem_filter, kept)
    small.stem_project = project
    x = project(inside[:, kept])
    for before, block, channels in zip(network.blocks, small.blocks, inner[1:], strict=False):
        assert isinstance(before, InvertedResidual) and isinstance(block, InvertedResidual)
        wanted = before(wanted)
        inside = relu6(block.filter(relu6(block.expand(x))))
        shortcut = x if block.adds_input else 0 if block.pool is None else block.pool(x)
        kept, project = fitted(inside, wanted - shortcut, channels)
        block.expand, block.filter = of_channels(block.expand, kept), of_channels(block.filter, kept)
        block.project = project
        x = project(inside[:, kept]) + shortcut
    small.inner = (*inner, *network.inner[len(inner) :])
    return small


def fitted(inside: Tensor, wanted: Tensor, count: int) -> tuple[Tensor, Conv]:
    """Which channels stay, and the 1×1 convolution that makes the wanted map from them.

    One channel after the other is left out: the one without which the best fit of the others is worse by least.

    Args:
        inside: (n, c, h, w) the map of which channels are left out.
        wanted: (n, o, h, w) what is made of it.
        count: number of channels that stay.
    """
    a, b = (sampled(maps).double() for maps in (inside, wanted))
    mean_a, mean_b = a.mean(0), b.mean(0)
    a, b = a - mean_a, b - mean_b
    gram, cross = a.T @ a / len(a), a.T @ b / len(a)
    gram += DAMPING * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.double)
    kept = list(range(inside.shape[1]))
    while len(kept) > count:
        inverse = torch.linalg.inv(gram[kept][:, kept])
        worse = ((inverse @ cross[kept]) ** 2).sum(1) / inverse.diagonal()
        kept.pop(int(worse.argmin()))
    weight = torch.linalg.solve(gram[kept][:, kept], cross[kept])
    project = Conv(count, wanted.shape[1], 1)
    assert project.bias is not None
    project.weight.copy_(weight.T[..., None, None])
    project.bias.copy_(mean_b - mean_a[kept] @ weight)
    return torch.tensor(kept), project


def sampled(maps: Tensor) -> Tensor:
    """(m, channels) the values at `SAMPLES` positions, the same ones for all maps of a size."""
    rows = maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:SAMPLES]]


def of_channels(conv: AnyConv, kept: Tensor) -> AnyConv:
    """The convolution with these output channels alone."""
    small = copy.deepcopy(conv)
    small.weight = nn.Parameter(conv.weight[kept].clone())
    if conv.bias is not None:
        small.bias = nn.Parameter(conv.bias[kept].clone())
    small.out_channels = len(kept)
    if conv.groups > 1:
        small.groups = small.in_channels = len(kept)
    return small
