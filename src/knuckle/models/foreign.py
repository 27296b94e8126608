"""What a network from outside may be, checked before an inference engine sees it.

Engines are C++ that trusts its input. So a foreign network may only have operators of `OPERATORS`, one graph without
loops, and tensors whose sizes agree with the bytes that the file has for them. SECURITY.md says what this is for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import BundleError
from knuckle.models.tflite import kinds_of, opened

MOST_BYTES = 256 << 20  # of a network's file; the largest that is published for hands has 6 MB
MOST_SIDE = 1024  # of the picture that a network takes, pixels
MOST_ELEMENTS = 1 << 24  # of one tensor
MOST_TOGETHER = 1 << 27  # elements of all tensors of a network
MOST_DIMENSIONS = 6
# What networks for hands are made of. There are no loops, no calls, no text, no tables and no custom operators.
OPERATORS = frozenset({
    "ABS", "ADD", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CAST", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D",
    "DEPTH_TO_SPACE", "DEQUANTIZE", "DIV", "ELU", "EXP", "EXPAND_DIMS", "FULLY_CONNECTED", "GELU", "HARD_SWISH",
    "L2_NORMALIZATION", "LEAKY_RELU", "LOG", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM",
    "MIRROR_PAD", "MUL", "NEG", "PACK", "PAD", "PADV2", "PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "RELU",
    "RELU6", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SLICE",
    "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE",
    "SUB", "SUM", "TANH", "TRANSPOSE", "TRANSPOSE_CONV",
})  # fmt: skip
BYTES = {"FLOAT32": 4, "FLOAT16": 2, "INT32": 4, "UINT8": 1, "INT64": 8, "BOOL": 1, "INT16": 2, "INT8": 1, "UINT32": 4}


def check_file(path: Path) -> None:
    """Check the network of a file; of an ONNX file only its size, because ONNX Runtime checks the rest itself.

    Raises:
        BundleError: it is none that may run; the message says why.
        EngineError: LiteRT is not installed, and this is a tflite file.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise BundleError(f"{path.name} has {size >> 20} MB; a network may have {MOST_BYTES >> 20} MB at most")
    if path.suffix != ".onnx":
        check_network(path.read_bytes(), path.name)


def check_network(network: bytes, name: str, pictures: bool = True) -> None:
    """Check the bytes of a tflite file.

    Args:
        name: what messages call it.
        pictures: whether it must take one square picture.

    Raises:
        BundleError: it is none that may run; the message says why.
        EngineError: LiteRT is not installed.
    """
    schema, model = opened(network)
    problem = next(chain(_problems(schema, model), _picture_problems(schema, model) if pictures else ()), "")
    if problem:
        raise BundleError(f"{name} is refused: {problem}")


def _problems(schema: Any, model: Any) -> Iterator[str]:
    """What is wrong with a network. Each check relies on those before it."""
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    kinds = [names.get(kind, f"operator {kind}") for kind in kinds_of(model)]
    if unknown := sorted(set(kinds) - OPERATORS):
        yield f"it uses {', '.join(unknown)[:200]}, and networks of hands need none of these"
    if not all(isinstance(tensor.name, bytes) and tensor.name.isascii() for tensor in model.subgraphs[0].tensors or ()):
        yield "a tensor has no name, or one that is not ASCII"
    if len(model.subgraphs) != 1:
        yield f"it has {len(model.subgraphs)} graphs; one is allowed"
    graph = model.subgraphs[0]
    if any(part is None for part in (graph.tensors, graph.operators, graph.inputs, graph.outputs)):
        yield "its graph has no tensors, operators, inputs or outputs"
    indices = [*graph.inputs, *graph.outputs]
    if not len(graph.inputs) or not len(graph.outputs) or not 0 <= min(indices) <= max(indices) < len(graph.tensors):
        yield "its graph has no inputs or outputs, or they are no tensors of it"
    yield from _tensor_problems(schema, model)
    yield from _order_problems(graph, len(kinds))
    yield from _constant_problems(model)


def _picture_problems(schema: Any, model: Any) -> Iterator[str]:
    graph = model.subgraphs[0]
    if len(graph.inputs) != 1:
        yield f"it has {len(graph.inputs)} inputs; a picture is one"
    shape = _shape(graph.tensors[graph.inputs[0]])
    if len(shape) != 4 or shape[0] != 1 or shape[1] != shape[2] or shape[3] != 3 or not 1 <= shape[1] <= MOST_SIDE:
        yield f"it takes {shape}; expected one square RGB picture (1, side, side, 3) with a side of up to {MOST_SIDE}"
    if graph.tensors[graph.inputs[0]].type != schema.TensorType.FLOAT32:
        yield "it does not take float32 pictures"


def _shape(tensor: Any) -> tuple[int, ...]:
    return () if tensor.shape is None else tuple(int(side) for side in tensor.shape)


def _tensor_problems(schema: Any, model: Any) -> Iterator[str]:
    """Types, shapes and stored bytes of all tensors."""
    sizes = {getattr(schema.TensorType, name): size for name, size in BYTES.items()}
    together = 0
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        shape = _shape(tensor)
        if tensor.type not in sizes:
            yield f"tensor {index} has the type {tensor.type}, which is none of {', '.join(BYTES)}"
        if len(shape) > MOST_DIMENSIONS or min(shape, default=1) < 1 or math.prod(shape) > MOST_ELEMENTS:
            yield f"tensor {index} has the shape {shape[:8]}; up to {MOST_ELEMENTS} elements are allowed"
        together += math.prod(shape)
        if tensor.shapeSignature is not None and len(tensor.shapeSignature) != len(shape):
            yield f"tensor {index} has a signature of another shape"
        if tensor.isVariable or tensor.sparsity is not None:
            yield f"tensor {index} is variable or sparse"
        if not 0 <= tensor.buffer < len(model.buffers):
            yield f"tensor {index} has the buffer {tensor.buffer} of {len(model.buffers)}"
        stored = _stored(model, tensor)
        if stored and stored != math.prod(shape) * sizes[tensor.type]:
            yield f"tensor {index} has {stored} bytes for the shape {shape}"
        yield from _quantisation_problems(index, shape, tensor.quantization)
    if together > MOST_TOGETHER:
        yield f"its tensors have {together} elements together; up to {MOST_TOGETHER} are allowed"


def _stored(model: Any, tensor: Any) -> int:
    """Bytes of a constant in the file; 0 if the tensor is computed."""
    data = model.buffers[tensor.buffer].data
    return 0 if data is None else len(data)


def _quantisation_problems(index: int, shape: tuple[int, ...], found: Any) -> Iterator[str]:
    """Scales and zero points: one for the tensor, or one for each entry of a dimension."""
    if found is None or found.scale is None:
        return
    scales, zeros = np.asarray(found.scale), np.asarray(() if found.zeroPoint is None else found.zeroPoint)
    dimension = found.quantizedDimension
    entries = shape[dimension] if 0 <= dimension < len(shape) else 1
    if len(scales) not in (0, 1, entries) or len(zeros) not in (0, 1, entries):
        yield f"tensor {index} has {len(scales)} scales and {len(zeros)} zero points for the shape {shape}"
    if not np.isfinite(scales).all() or (scales <= 0).any():
        yield f"tensor {index} has a scale that is not above 0"
    if found.detailsType:
        yield f"tensor {index} has a custom quantisation"


def _order_problems(graph: Any, kinds: int) -> Iterator[str]:
    """Every operator reads only what is there before it, so there are no circles, and writes each tensor once."""
    count = len(graph.tensors)
    written = {int(index) for index in graph.inputs}
    made = {int(index) for one in graph.operators for index in (() if one.outputs is None else one.outputs)}
    for number, one in enumerate(graph.operators):
        inputs = [] if one.inputs is None else [int(index) for index in one.inputs]
        outputs = [] if one.outputs is None else [int(index) for index in one.outputs]
        if not 0 <= one.opcodeIndex < kinds:
            yield f"operator {number} has the kind {one.opcodeIndex} of {kinds}"
        if not inputs or not outputs or min(inputs) < -1 or not min(outputs) >= 0 or max(inputs + outputs) >= count:
            yield f"operator {number} names a tensor that does not exist"
        if late := [index for index in inputs if index in made and index not in written]:
            yield f"operator {number} reads tensor {late[0]} before it is written; its graph has a circle"
        if twice := [index for index in outputs if index in written]:
            yield f"operator {number} writes tensor {twice[0]}, which is written before"
        written |= set(outputs)
    if lost := [int(index) for index in graph.outputs if int(index) not in written]:
        yield f"its output {lost[0]} is never written"


def _constant_problems(model: Any) -> Iterator[str]:
    """What no operator writes has bytes in the file, and what an operator writes has none."""
    graph = model.subgraphs[0]
    written = {int(index) for one in graph.operators for index in one.outputs} | {int(index) for index in graph.inputs}
    read = {int(index) for one in graph.operators for index in one.inputs if index >= 0}
    for index in sorted(read | written):
        stored = _stored(model, graph.tensors[index])
        if index in written and stored:
            yield f"tensor {index} is computed, and has bytes in the file"
        if index not in written and not stored:
            yield f"tensor {index} is read, and nothing writes it"
