"""A tflite file of a few kB with the layers of a real network, built by hand; tests and fuzzing change it."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from knuckle.models.tflite import add_tensor, litert, packed

SIDE, FEATURES = 8, 6


def tiny_network(outputs: Mapping[str, tuple[int, ...]]) -> bytes:
    """A network (1, 8, 8, 3) -> a vector per output: a convolution, a matrix for each output, and a logistic.

    Args:
        outputs: shape of each output by name; names of probabilities begin with "p".
    """
    schema = litert("schema_py_generated")
    model = schema.ModelT()
    model.version, model.description = 3, "tiny"
    model.buffers = [schema.BufferT()]
    model.buffers[0].data = np.zeros(0, np.uint8)
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.name = [], [], "main"
    model.subgraphs, model.operatorCodes = [graph], []
    rng = np.random.default_rng(0)

    def constant(name: str, *shape: int) -> int:
        return add_tensor(schema, model, name, shape, rng.normal(0, 0.1, shape).astype(np.float32))

    def operator(name: str, inputs: list[int], output: int, options: Any = None) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = code.builtinCode, 1
        model.operatorCodes.append(code)
        one = schema.OperatorT()
        one.opcodeIndex, one.inputs, one.outputs = len(model.operatorCodes) - 1, inputs, [output]
        if options is not None:
            one.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
            one.builtinOptions = options
        graph.operators.append(one)

    image = add_tensor(schema, model, "image", (1, SIDE, SIDE, 3))
    features = add_tensor(schema, model, "features", (1, 1, 1, FEATURES))
    strides = schema.Conv2DOptionsT()
    strides.strideW = strides.strideH = SIDE
    strides.padding = schema.Padding.VALID
    filters = [constant("filter", FEATURES, SIDE, SIDE, 3), constant("bias", FEATURES)]
    operator("CONV_2D", [image, *filters], features, strides)
    graph.inputs, graph.outputs = [image], []
    for name, shape in outputs.items():
        length = math.prod(shape)
        is_probability = name.startswith("p")
        vector = add_tensor(schema, model, name + ("/logit" if is_probability else ""), (1, length))
        weights = [constant(f"{name}/weight", length, FEATURES), constant(f"{name}/bias", length)]
        operator("FULLY_CONNECTED", [features, *weights], vector, schema.FullyConnectedOptionsT())
        if is_probability:
            logit, vector = vector, add_tensor(schema, model, name, (1, length))
            operator("LOGISTIC", [logit], vector)
        if len(shape) > 1:
            flat, vector = vector, add_tensor(schema, model, name, (1, *shape))
            wanted = add_tensor(schema, model, f"{name}/shape", (1 + len(shape),), np.array([1, *shape], np.int32))
            graph.tensors[wanted].type = schema.TensorType.INT32
            operator("RESHAPE", [flat, wanted], vector)
        graph.outputs.append(vector)
    return packed(model)


def tiny_task(**members: bytes) -> bytes:
    """A `.task` file of two tiny networks; `members` are added, by name."""
    from knuckle.models.bundle import TASK_MEMBERS

    parts = {TASK_MEMBERS["palm"]: tiny_palm(), TASK_MEMBERS["hand"]: tiny_hand()} | members
    return zipped(parts)


def tiny_palm() -> bytes:
    return tiny_network({"Identity": (2, 18), "Identity_1": (2, 1)})


def tiny_hand() -> bytes:
    return tiny_network({"Identity": (63,), "p1": (1,), "p2": (1,), "Identity_3": (63,)})


def zipped(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()
