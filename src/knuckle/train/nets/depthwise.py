"""Depthwise convolutions that train fast on CPUs.

PyTorch's kernels (oneDNN) are fast for most gradients of depthwise convolutions, but slow for two: the weights of 5×5
filters, and in bfloat16 the input of filters with a stride of 2. Both are computed in another way by fast kernels. One
core with AMX takes 26 instead of 52 ms for a picture in bfloat16, and 31 instead of 33 ms in float32 (forward and
backward pass of the landmark network of `knuckle`; `benchmarks/train_step.py`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

BLOCK = 3  # side of the filters whose gradients are fast


def depthwise_conv(x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
    """`F.conv2d` with one filter per channel; only its gradients are computed differently.

    Args:
        x: (n, c, h, w), channels last.
        weight: (c, 1, k, k).
        bias: (c,).
        stride, padding: of both axes.
    """
    result: Tensor = _DepthwiseConv.apply(x, weight, bias, stride, padding)  # type: ignore[no-untyped-call]
    return result


class _DepthwiseConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = stride, padding
        return F.conv2d(x, weight, bias, stride, padding, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor, None, None]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_input = input_gradient(gradient, x, weight, *ctx.how) if ctx.needs_input_grad[0] else None
        of_weight = weight_gradient(gradient, x, weight, *ctx.how) if ctx.needs_input_grad[1] else None
        return of_input, of_weight, gradient.sum(dim=(0, 2, 3)), None, None


def input_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """The gradient with respect to `x`, in its format. With a stride it is computed in float32."""
    if stride == 1:
        return _gradients(gradient, x, weight, stride, padding)[0]
    shape_only = torch.empty(x.shape, memory_format=torch.channels_last)  # its values are not read
    return _gradients(gradient.float(), shape_only, weight.float(), stride, padding)[0].to(x.dtype)


def weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """The gradient with respect to `weight`. That of a 5×5 filter consists of four gradients of 3×3 filters, which meet
    in its middle row and column."""
    if weight.shape[-1] != 2 * BLOCK - 1:
        return _gradients(gradient, x, weight, stride, padding, of_input=False)[1]
    padded = F.pad(x, (padding,) * 4) if padding else x
    height, width = ((pixels - 1) * stride + BLOCK for pixels in gradient.shape[2:])
    whole, block = torch.empty_like(weight), weight[..., :BLOCK, :BLOCK]
    for row in (0, BLOCK - 1):
        for column in (0, BLOCK - 1):
            part = padded[..., row : row + height, column : column + width]
            found = _gradients(gradient, part, block, stride, 0, of_input=False)[1]
            whole[..., row : row + BLOCK, column : column + BLOCK] = found
    return whole


def _gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, of_input: bool = True
) -> tuple[Tensor, Tensor]:
    wanted, both = (of_input, not of_input, False), (stride, stride)
    found: tuple[Tensor, Tensor] = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, both, (padding, padding), (1, 1), False, (0, 0), len(weight), wanted
    )
    return found
