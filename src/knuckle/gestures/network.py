"""The small network that tells hand shapes apart: features in, an embedding and probabilities of shapes out.

It is a perceptron with two hidden layers, in plain NumPy. `network.json` holds its weights; the browser reads it too.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np

from knuckle.results import FloatArray

FORMAT = "knuckle-hand-shapes-1"
PATH = Path(__file__).with_name("network.json")
OTHER = "other"
"""The shape of hands that make no gesture."""


@dataclass(frozen=True, eq=False)
class ShapeNetwork:
    """The network.

    Attributes:
        version: names the weights. Files of taught gestures belong to one version.
        shapes: names of its outputs; the last is `OTHER`.
        layers: weights (inputs, outputs) and bias (outputs,) of each layer.
        temperature: the logits are divided by it, so that probabilities are calibrated (Guo et al., ICML 2017).
        centre: (d,) mean embedding of the training photos.
        whiten: (d, k) takes centred embeddings to a space in which hands of the same shape scatter by 1 everywhere.
    """

    version: str
    shapes: tuple[str, ...]
    layers: tuple[tuple[FloatArray, FloatArray], ...]
    temperature: float
    centre: FloatArray
    whiten: FloatArray

    def __call__(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Embeddings (n, d) and probabilities of shapes (n, len(shapes)) of rows of features."""
        *hidden, (last, last_bias) = self.layers
        values = features
        for weights, bias in hidden:
            values = np.maximum(values @ weights + bias, 0)
        logits = (values @ last + last_bias) / self.temperature
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return values, odds / odds.sum(axis=1, keepdims=True)

    def whitened(self, embedding: FloatArray) -> FloatArray:
        """(n, k) embeddings in the space in which distances between hands mean something."""
        return np.asarray((embedding - self.centre) @ self.whiten, np.float32)


@lru_cache(maxsize=1)
def shape_network() -> ShapeNetwork:
    """The network that comes with the package."""
    return network_from(json.loads(PATH.read_text()))


def network_from(data: Mapping[str, Any]) -> ShapeNetwork:
    """The network of a file that `as_json` wrote."""
    return ShapeNetwork(
        version=data["version"],
        shapes=tuple(data["shapes"]),
        layers=tuple((_array(layer["weights"]), _array(layer["bias"])) for layer in data["layers"]),
        temperature=float(data["temperature"]),
        centre=_array(data["centre"]),
        whiten=_array(data["whiten"]),
    )


def as_json(network: ShapeNetwork) -> dict[str, Any]:
    """The network as plain values; arrays are half-precision floats in base64."""
    layers = [{"weights": _packed(weights), "bias": _packed(bias)} for weights, bias in network.layers]
    return {
        "format": FORMAT,
        "version": network.version,
        "shapes": list(network.shapes),
        "temperature": network.temperature,
        "layers": layers,
        "centre": _packed(network.centre),
        "whiten": _packed(network.whiten),
    }


def _packed(values: FloatArray) -> dict[str, Any]:
    return {"shape": list(values.shape), "float16": base64.b64encode(values.astype("<f2").tobytes()).decode()}


def _array(packed: Mapping[str, Any]) -> FloatArray:
    values = np.frombuffer(base64.b64decode(packed["float16"]), "<f2").astype(np.float32)
    return cast(FloatArray, values.reshape(packed["shape"]))
