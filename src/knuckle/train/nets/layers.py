"""What the networks share: TensorFlow's SAME padding, and weights out of a tflite file.

A tflite file stores its layers in the order in which they run. The reference networks here create their layers in
that same order, so loading is walking both lists side by side, and any difference in shape is an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from knuckle.errors import BundleError, MissingExtraError
from knuckle.results import FloatArray


class Conv(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding: what is left over at stride 2 goes to the bottom and right.

    total = max((ceil(n / stride) - 1) * stride + kernel - n, 0), of which total // 2 comes before. For even n that
    is 1 before and 2 after at kernel 5 and stride 2, 0 and 1 at kernel 3.
    """

    def __init__(self, entering: int, leaving: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = True):
        even = stride == 1
        super().__init__(
            entering, leaving, kernel, stride, padding=kernel // 2 if even else 0, groups=groups, bias=bias
        )
        self.pad_after = None if even else kernel - stride

    def forward(self, x: Tensor) -> Tensor:
        if self.pad_after is not None:
            before = self.pad_after // 2
            after = self.pad_after - before
            x = F.pad(x, (before, after, before, after))
        return super().forward(x)


def depthwise(channels: int, kernel: int, stride: int = 1) -> Conv:
    """One filter per channel."""
    return Conv(channels, channels, kernel, stride, groups=channels)


def load_tflite(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Copy the weights of a tflite file into a network whose layers are created in the file's order.

    float16 weights are widened; that is exact.

    Raises:
        BundleError: the file is no tflite file, or one of another architecture.
    """
    layers = layers_of(network)
    stored = list(_stored_layers(Path(path)))
    if len(stored) != len(layers):
        raise BundleError(f"{path} has {len(stored)} layers with weights, {type(network).__name__} has {len(layers)}")
    for place, (layer, (kind, arrays)) in enumerate(zip(layers, stored, strict=True)):
        parameters = [p for p in (layer.weight, getattr(layer, "bias", None)) if p is not None]
        values = [_as_torch(kind, arrays[0]), *(torch.from_numpy(array) for array in arrays[1:])]
        shapes = [tuple(value.shape) for value in values], [tuple(p.shape) for p in parameters]
        if shapes[0] != shapes[1]:
            raise BundleError(f"{path}: layer {place} ({kind}) has shapes {shapes[0]}, expected {shapes[1]}")
        with torch.no_grad():
            for parameter, value in zip(parameters, values, strict=True):
                parameter.copy_(value)


def layers_of(network: nn.Module) -> list[Any]:
    """The layers that a tflite file has weights for, in the order of their creation."""
    return [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.PReLU)]


def stored_count(path: str | os.PathLike[str]) -> int:
    """How many layers with weights a tflite file has."""
    return sum(1 for _ in _stored_layers(Path(path)))


def stored_matrices(path: str | os.PathLike[str]) -> list[FloatArray]:
    """The weights (out, in) of a tflite file's fully connected layers, in running order."""
    return [arrays[0] for kind, arrays in _stored_layers(Path(path)) if kind == "FULLY_CONNECTED"]


def _as_torch(kind: str, weight: FloatArray) -> Tensor:
    """Conv [out, kh, kw, in], depthwise [1, kh, kw, c], fully connected [out, in], slope [1, 1, c] to torch's."""
    if kind == "CONV_2D":
        weight = weight.transpose(0, 3, 1, 2)
    elif kind == "DEPTHWISE_CONV_2D":
        weight = weight.transpose(3, 0, 1, 2)
    elif kind == "PRELU":
        weight = weight.reshape(-1)
    return torch.from_numpy(np.ascontiguousarray(weight))


def _stored_layers(path: Path) -> Iterator[tuple[str, list[FloatArray]]]:
    """Kind and constant inputs (weight, bias) of each layer with weights, as float32, in running order."""
    try:
        import tflite
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading a tflite file's weights needs: pip install 'knuckle[train]'") from error
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise BundleError(f"{path} is no tflite file")
    model = tflite.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    kinds = {number: name for name, number in vars(tflite.BuiltinOperator).items() if isinstance(number, int)}
    widened: dict[int, int] = {}
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        kind = kinds[model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()]
        entering, leaving = operator.InputsAsNumpy().tolist(), operator.OutputsAsNumpy().tolist()
        if kind == "DEQUANTIZE":
            widened[leaving[0]] = entering[0]
        elif kind in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "PRELU"}:
            yield kind, [_constant(model, graph, widened.get(tensor, tensor)) for tensor in entering[1:]]


def _constant(model: Any, graph: Any, tensor: int) -> FloatArray:
    import tflite

    stored = graph.Tensors(tensor)
    types = {tflite.TensorType.FLOAT16: np.float16, tflite.TensorType.FLOAT32: np.float32}
    values = np.frombuffer(model.Buffers(stored.Buffer()).DataAsNumpy().tobytes(), types[stored.Type()])
    widened: FloatArray = values.reshape(stored.ShapeAsNumpy()).astype(np.float32)
    return widened
