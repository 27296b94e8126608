"""Depthwise convolutions have the gradients of PyTorch's own."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from knuckle.train.nets.depthwise import depthwise_conv  # noqa: E402
from knuckle.train.nets.layers import Depthwise  # noqa: E402

CHANNELS, SIDE = 16, 12


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dtype, within", [(torch.float32, 1e-4), (torch.bfloat16, 0.03)])
def test_gradients_are_those_of_pytorch(kernel: int, stride: int, dtype: torch.dtype, within: float) -> None:
    torch.manual_seed(kernel + stride)
    padding = kernel // 2 if stride == 1 else 0
    x = torch.randn(3, CHANNELS, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    inputs = [x, torch.randn(CHANNELS, 1, kernel, kernel), torch.randn(CHANNELS)]
    exact = [value.clone().requires_grad_() for value in inputs]
    expected = torch.nn.functional.conv2d(*exact, stride, padding, groups=CHANNELS)
    upstream = torch.randn_like(expected)
    (expected * upstream).sum().backward()

    ours = [value.to(dtype).requires_grad_() for value in inputs]
    result = depthwise_conv(*ours, stride, padding)
    (result * upstream.to(dtype)).sum().backward()

    found = [result.detach(), *(value.grad for value in ours)]
    for one, other in zip(found, [expected.detach(), *(value.grad for value in exact)], strict=True):
        assert one.dtype == dtype
        torch.testing.assert_close(one.float(), other, rtol=within, atol=within * float(other.abs().max()))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_layer_gives_the_same_with_and_without_gradients(stride: int) -> None:
    layer = Depthwise(CHANNELS, 5, stride)
    x = torch.randn(2, CHANNELS, SIDE, SIDE)
    with torch.no_grad():
        expected = layer(x)
    assert expected.shape[-1] == SIDE // stride
    torch.testing.assert_close(layer(x), expected)


def test_in_autocast_weights_stay_in_float32() -> None:
    layer = Depthwise(CHANNELS, 5)
    with torch.autocast("cpu", torch.bfloat16):
        result = layer(torch.randn(2, CHANNELS, SIDE, SIDE))
    result.float().sum().backward()
    assert result.dtype == torch.bfloat16
    assert layer.weight.grad is not None and layer.weight.grad.dtype == torch.float32
