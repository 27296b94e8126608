"""Rounding to 8 bits in training, so that a network loses less when its convolutions become integers (`quantise.py`).

Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", arXiv
1712.05877, section 3: values are rounded in the forward pass, and gradients pass as if they were not. Of the layers
that become integers only the narrow ones and their sums are rounded here: their values have no fixed range and are
added up from block to block, so most of the difference comes from them. On MediaPipe's lite network trained this way
int8 moves landmarks by 0.46 instead of 0.52 % of the palm, and fingertips by 0.56 instead of 0.66 %.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from knuckle.errors import InputError
from knuckle.train.nets.reference_hand import InvertedResidual, ReferenceHandNet

STEPS = 255  # between the lowest and the highest value
FINE = 8  # layers that read maps of at least side / FINE pixels stay in float, see `quantise.py`
FOLLOWED = 0.02  # how fast the range follows the values that are seen


class Rounded(nn.Module):
    """The range of one value, and the rounding to 8 bits in it."""

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(0.0))
        self.register_buffer("high", torch.tensor(0.0))

    @torch.no_grad()
    def _rounded(self, value: Tensor) -> Tensor:
        seen_low, seen_high = value.min().float().clamp(max=0), value.max().float().clamp(min=0)
        followed = FOLLOWED if bool(self.high > self.low) else 1.0
        self.low.lerp_(seen_low, followed)
        self.high.lerp_(seen_high, followed)
        step = ((self.high - self.low) / STEPS).clamp(min=1e-9)
        zero = (self.low / step).round()
        return ((value.float() / step).round().clamp(zero, zero + STEPS) * step).to(value.dtype)

    def forward(self, value: Tensor) -> Tensor:
        return value + (self._rounded(value) - value).detach()


class Rounding(nn.ModuleList):
    """Rounds what the late blocks of a network give while it is in training mode. Its state belongs to the run, not to
    the network.

    Raises:
        InputError: the network is not one of those that `knuckle export` writes with some layers in float.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        if not isinstance(network, ReferenceHandNet):
            raise InputError("--quantise trains MediaPipe's landmark networks and those made from them, as knuckle's")
        for block in late_blocks(network):
            for layer in (block.project, block) if block.adds_input else (block.project,):
                rounded = Rounded()
                self.append(rounded)
                layer.register_forward_hook(
                    lambda layer, _, output, rounded=rounded: rounded(output) if layer.training else None
                )


def late_blocks(network: ReferenceHandNet) -> Sequence[InvertedResidual]:
    """The blocks whose narrow layers become integers: they read maps smaller than the side / `FINE`."""
    reduction, late = 2, []  # the stem has a stride of 2
    for block in network.blocks:
        assert isinstance(block, InvertedResidual)
        reduction *= block.filter.stride[0]
        if reduction > FINE:
            late.append(block)
    return late
