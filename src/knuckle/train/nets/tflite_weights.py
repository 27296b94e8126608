"""Weights read from tflite files.

A tflite file stores its layers in the order in which they run. The reference networks create their layers in the same
order, so their weights are loaded by walking both lists in parallel. Any difference in shape is an error.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from knuckle.errors import BundleError
from knuckle.models.tflite import Layer, read_layers


def load_tflite(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Copy the weights of a tflite file into a network that creates its layers in the file's order.

    Raises:
        BundleError: the file is not a tflite file, or holds another architecture.
    """
    layers, stored = layers_of(network), stored_layers(path)
    if len(stored) != len(layers):
        raise BundleError(f"{path} has {len(stored)} layers with weights, {type(network).__name__} has {len(layers)}")
    for place, (layer, source) in enumerate(zip(layers, stored, strict=True)):
        parameters = [p for p in (layer.weight, getattr(layer, "bias", None)) if p is not None]
        values = [_weight_in_torch(source), *(torch.from_numpy(array) for array in source.constants[1:])]
        found, expected = ([tuple(tensor.shape) for tensor in tensors] for tensors in (values, parameters))
        if found != expected:
            raise BundleError(f"{path}: layer {place} ({source.kind}) has shapes {found}, expected {expected}")
        with torch.no_grad():
            for parameter, value in zip(parameters, values, strict=True):
                parameter.copy_(value)


def layers_of(network: nn.Module) -> list[Any]:
    """The layers for which a tflite file has weights, in the order of their creation."""
    return [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.PReLU)]


def stored_layers(path: str | os.PathLike[str]) -> list[Layer]:
    """The layers with weights of a tflite file, in running order.

    Raises:
        BundleError: the file is not a tflite file.
    """
    try:
        return read_layers(Path(path).read_bytes())
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error


def _weight_in_torch(layer: Layer) -> Tensor:
    """The layer's weight in PyTorch's layout; `knuckle.models.tflite.Layer` describes the file's."""
    weight = layer.constants[0]
    if layer.kind == "CONV_2D":
        weight = weight.transpose(0, 3, 1, 2)
    elif layer.kind == "DEPTHWISE_CONV_2D":
        weight = weight.transpose(3, 0, 1, 2)
    elif layer.kind == "PRELU":
        weight = weight.reshape(-1)
    return torch.from_numpy(np.ascontiguousarray(weight))
