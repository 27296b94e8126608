"""tflite files rewritten: opened as plain objects, given tensors and operators, packed again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import BundleError


def opened(network: bytes) -> tuple[Any, Any]:
    """LiteRT's own description of the format, and the file as plain objects with all its constants within.

    Raises:
        BundleError: it is no tflite file.
    """
    from ai_edge_litert import schema_py_generated as schema

    if network[4:8] != b"TFL3":
        raise BundleError("this is no tflite file")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(network, 0))
    for buffer in model.buffers:  # some converters put constants behind the tables
        if buffer.offset > 1:
            buffer.data = np.frombuffer(network, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return schema, model


def packed(model: Any) -> bytes:
    """The file's bytes."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def kinds_of(model: Any) -> list[int]:
    """The `BuiltinOperator` that each opcode index stands for; old files have it in the older field alone."""
    return [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]


def add_tensor(
    schema: Any, model: Any, name: str, shape: tuple[int, ...], values: npt.NDArray[Any] | None = None
) -> int:
    """A float32 tensor, or a constant of values in float32 or float16; its index."""
    tensor, graph = schema.TensorT(), model.subgraphs[0]
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), schema.TensorType.FLOAT32, 0
    if values is not None:
        if values.dtype == np.float16:
            tensor.type = schema.TensorType.FLOAT16
        tensor.buffer = add_buffer(schema, model, values.tobytes())
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def add_buffer(schema: Any, model: Any, data: bytes) -> int:
    """Bytes that tensors or metadata refer to; their index."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def add_operator(schema: Any, model: Any, kind: int, entering: list[int], leaving: int) -> Any:
    """An operator, after all others, of a kind that the network has already."""
    operator = schema.OperatorT()
    operator.opcodeIndex = kinds_of(model).index(kind)
    operator.inputs, operator.outputs = entering, [leaving]
    model.subgraphs[0].operators.append(operator)
    return operator
