"""The visibility head: a small network that is added to the landmark networks of MediaPipe's bundles.

The published networks have no visibility output. All their heads read one vector of pooled features (1152 numbers in
the full network, 672 in the lite one). Our head, a perceptron with one hidden layer, reads them too and gives 21
probabilities. It was trained on renders, where visibility is known exactly, with the network frozen
(docs/training_log.md).
It becomes part of the network's file, as the output `visibility`, so every engine runs it and nothing else changes.
"""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from knuckle.errors import BundleError
from knuckle.models.foreign import check_network
from knuckle.models.tflite import add_operator, add_tensor, kinds_of, opened, packed
from knuckle.results import FloatArray

OUTPUT = "visibility"
HEADS = {1152: "visibility_full.npz", 672: "visibility_lite.npz"}  # by number of features
# sha256 of the published landmark networks, full and lite.
HAND_FULL = "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3"
HAND_LITE = "048edd3645c9bf7397d19a9f6e3a42957d6e414c9bea6598030a2e9b624156e6"
PUBLISHED = (HAND_FULL, HAND_LITE)


@dataclass(frozen=True, eq=False)
class Head:
    """Weights of the head: hidden = max(0, first @ features + first_bias), logits = second @ hidden + second_bias.

    Attributes:
        first: (hidden, features) float32.
        first_bias: (hidden,) float32.
        second: (21, hidden) float32.
        second_bias: (21,) float32.
    """

    first: FloatArray
    first_bias: FloatArray
    second: FloatArray
    second_bias: FloatArray

    def to_bytes(self) -> bytes:
        """As a NumPy archive of float16."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{name: values.astype(np.float16) for name, values in vars(self).items()})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Head:
        """The inverse of `to_bytes`, up to its rounding."""
        with np.load(io.BytesIO(data)) as stored:
            return cls(**{name: stored[name].astype(np.float32) for name in cls.__dataclass_fields__})


def shipped_head(features: int) -> Head:
    """The head for a network with this number of pooled features.

    Raises:
        BundleError: there is no head for it.
    """
    if features not in HEADS:
        raise BundleError(f"there is no visibility head for a network with {features} pooled features")
    return Head.from_bytes((resources.files("knuckle.models") / "networks" / HEADS[features]).read_bytes())


def published_name(file: str) -> str:
    """The file name of the published network that a network with a head was made from."""
    return re.sub(r"\.visibility-[0-9a-f]+(?=\.tflite$)", "", file)


@lru_cache
def version() -> str:
    """Twelve hexadecimal digits that change with the shipped heads."""
    files = [(resources.files("knuckle.models") / "networks" / name).read_bytes() for name in HEADS.values()]
    return hashlib.sha256(b"".join(files)).hexdigest()[:12]


def with_visibility(network: bytes, head: Head | None = None) -> bytes:
    """Add the output `visibility` (1, 21), 0..1, to a tflite file of MediaPipe's landmark network.

    The other outputs, their names and their order do not change.

    Args:
        network: the bytes of the published file.
        head: the head to add; the shipped one by default.

    Raises:
        BundleError: the file is another network.
    """
    check_network(network, "the landmark network")
    schema, model = opened(network)
    graph = model.subgraphs[0]
    features = _features_of(schema, model)
    if len(graph.outputs) != 4:
        raise BundleError("this network already has a fifth output")
    wide = int(graph.tensors[features].shape[-1])
    head = head or shipped_head(wide)
    if head.first.shape[1] != wide:
        raise BundleError(f"the head reads {head.first.shape[1]} features, the network has {wide}")
    hidden = add_tensor(schema, model, "visibility_hidden", (1, len(head.first)))
    logits = add_tensor(schema, model, "visibility_logits", (1, 21))
    visibility = add_tensor(schema, model, OUTPUT, (1, 21))
    relu, plain = schema.ActivationFunctionType.RELU, schema.ActivationFunctionType.NONE
    _add_matrix(schema, model, features, head.first, head.first_bias, hidden, relu)
    _add_matrix(schema, model, hidden, head.second, head.second_bias, logits, plain)
    add_operator(schema, model, schema.BuiltinOperator.LOGISTIC, [logits], visibility)
    graph.outputs = [*graph.outputs, visibility]
    return packed(model)


def with_features(network: bytes) -> bytes:
    """The file with its pooled features (1, 1152 or 672) as the output `features`: the input for training a head."""
    schema, model = opened(network)
    features = _features_of(schema, model)
    model.subgraphs[0].tensors[features].name = "features"
    model.subgraphs[0].outputs = [*model.subgraphs[0].outputs, features]
    return packed(model)


def _features_of(schema: Any, model: Any) -> int:
    """Index of the tensor that the landmarks, the first output, are computed from."""
    graph = model.subgraphs[0]
    kinds = kinds_of(model)
    for operator in graph.operators:
        is_matrix = kinds[operator.opcodeIndex] == schema.BuiltinOperator.FULLY_CONNECTED
        if is_matrix and operator.outputs[0] == graph.outputs[0] and len(graph.outputs) in (4, 5):
            return int(operator.inputs[0])
    raise BundleError("this is not MediaPipe's landmark network: it needs four outputs, the first from one matrix")


def _add_matrix(
    schema: Any, model: Any, entering: int, weight: FloatArray, bias: FloatArray, leaving: int, activation: int
) -> None:
    name = model.subgraphs[0].tensors[leaving].name
    constants = [
        add_tensor(schema, model, f"{name}/{part}", values.shape, values.astype(np.float32))
        for part, values in (("weight", weight), ("bias", bias))
    ]
    operator = add_operator(schema, model, schema.BuiltinOperator.FULLY_CONNECTED, [entering, *constants], leaving)
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    operator.builtinOptions.fusedActivationFunction = activation
