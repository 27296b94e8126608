"""What the networks share: convolutions with TensorFlow's padding or a batch norm, and folding of batch norms."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from knuckle.errors import InputError
from knuckle.train.nets.depthwise import depthwise_conv


class Conv(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding: at stride 2 the extra padding is at the bottom and right.

    total = max((ceil(n / stride) - 1) * stride + kernel - n, 0), with total // 2 of it before. For even n that is 1
    before and 2 after at kernel 5 and stride 2, and 0 before and 1 after at kernel 3.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = True
    ):
        even = stride == 1
        super().__init__(
            in_channels, out_channels, kernel, stride, padding=kernel // 2 if even else 0, groups=groups, bias=bias
        )
        self.padding_total = None if even else kernel - stride

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.padded(x))

    def padded(self, x: Tensor) -> Tensor:
        """The input with the padding that the convolution does not add itself."""
        if self.padding_total is None:
            return x
        before = self.padding_total // 2
        after = self.padding_total - before
        return F.pad(x, (before, after, before, after))


class Depthwise(Conv):
    """A convolution with one filter per channel."""

    def __init__(self, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__(channels, channels, kernel, stride, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(x)
        x, weight, bias = self.padded(x), self.weight, self.bias
        assert bias is not None
        if torch.is_autocast_enabled("cpu"):
            x, weight, bias = (value.to(torch.get_autocast_dtype("cpu")) for value in (x, weight, bias))
        return depthwise_conv(x, weight, bias, self.stride[0], int(self.padding[0]))


class ConvNorm(nn.Module):
    """A convolution and a batch norm; `fold` makes one convolution of them."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = Conv(in_channels, out_channels, kernel, stride, bias=False)
        self.norm: nn.BatchNorm2d | None = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y if self.norm is None else self.norm(y)


class Residual(nn.Module):
    """Two 3×3 convolutions with a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = ConvNorm(channels, channels), ConvNorm(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


def checked_side(side: int) -> int:
    """The side of a landmark network's input, pixels.

    Raises:
        InputError: it is not a multiple of 32, or below 64.
    """
    if side < 64 or side % 32:
        raise InputError(f"side must be a multiple of 32 and at least 64, got {side}")
    return side


def rows(x: Tensor, values: int) -> Tensor:
    """From (n, anchors per cell × values, h, w) to (n, h × w × anchors per cell, values), row by row."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, values)


def fold(network: nn.Module) -> nn.Module:
    """A copy for inference that computes the same, with each batch norm folded into the convolution before it."""
    folded = copy.deepcopy(network).eval()
    for module in folded.modules():
        if isinstance(module, ConvNorm) and (norm := module.norm) is not None:
            assert norm.running_var is not None and norm.running_mean is not None
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            module.conv.weight = nn.Parameter(module.conv.weight * scale[:, None, None, None])
            module.conv.bias = nn.Parameter(norm.bias - norm.running_mean * scale)
            module.norm = None
    return folded
