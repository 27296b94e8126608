"""The one reader and writer of tflite files: weights out of a file, and tensors and operators into it."""

from __future__ import annotations

import importlib
import importlib.util
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import DAMAGE, BundleError, EngineError, reason_of
from knuckle.results import FloatArray

WITHOUT_LITERT = (
    "LiteRT, which runs tflite networks, is not installed; not all systems have it. Where it is missing, ONNX Runtime "
    "runs models='knuckle' and 'knuckle-far', and what `knuckle export BUNDLE --format onnx` writes elsewhere"
)
LAYER_KINDS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "PRELU"})


def has_litert() -> bool:
    """Whether LiteRT is installed."""
    return importlib.util.find_spec("ai_edge_litert") is not None


def litert(module: str) -> Any:
    """A module of LiteRT.

    Raises:
        EngineError: LiteRT is not installed.
    """
    try:
        return importlib.import_module(f"ai_edge_litert.{module}")
    except ModuleNotFoundError as error:
        raise EngineError(WITHOUT_LITERT) from error


@dataclass(frozen=True, eq=False)
class Layer:
    """One operator of a tflite file that has weights.

    Attributes:
        kind: a name of `LAYER_KINDS`.
        constants: float32 arrays in the file's layout: the weight, then the bias where there is one. Weights are
            (out, height, width, in) for CONV_2D, (1, height, width, channels) for DEPTHWISE_CONV_2D, (out, in) for
            FULLY_CONNECTED and (1, 1, channels) for PRELU.
    """

    kind: str
    constants: tuple[FloatArray, ...]


def read_layers(network: bytes) -> list[Layer]:
    """The layers with weights, in the order in which they run. float16 weights become float32, which is exact.

    Raises:
        BundleError: the bytes are not a tflite file, or a weight is neither float16 nor float32.
    """
    schema, model = opened(network)
    try:
        return _layers(schema, model)
    except BundleError:
        raise
    except DAMAGE as error:
        raise BundleError(f"this tflite file is damaged: {reason_of(error)}") from error


def _layers(schema: Any, model: Any) -> list[Layer]:
    graph = model.subgraphs[0]
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    kinds = [names[number] for number in kinds_of(model)]
    stored_as: dict[int, int] = {}  # a tensor that the file widens when it runs: the float16 tensor behind it
    layers = []
    for operator in graph.operators:
        kind = kinds[operator.opcodeIndex]
        if kind == "DEQUANTIZE":
            stored_as[int(operator.outputs[0])] = int(operator.inputs[0])
        elif kind in LAYER_KINDS:
            constants = (stored_as.get(int(tensor), int(tensor)) for tensor in operator.inputs[1:])
            layers.append(Layer(kind, tuple(_constant(schema, model, tensor) for tensor in constants)))
    return layers


def _constant(schema: Any, model: Any, index: int) -> FloatArray:
    tensor = model.subgraphs[0].tensors[index]
    dtypes = {schema.TensorType.FLOAT16: np.float16, schema.TensorType.FLOAT32: np.float32}
    if tensor.type not in dtypes:
        raise BundleError(f"tensor {index} of this tflite file is not float16 or float32")
    stored = np.asarray(model.buffers[tensor.buffer].data, np.uint8).view(dtypes[tensor.type])
    values: FloatArray = stored.reshape(tensor.shape).astype(np.float32)
    return values


def opened(network: bytes) -> tuple[Any, Any]:
    """LiteRT's description of the format, and the file as objects that can be changed and packed again.

    Raises:
        BundleError: the bytes are not a tflite file.
        EngineError: LiteRT is not installed.
    """
    schema = litert("schema_py_generated")
    if network[4:8] != b"TFL3":
        raise BundleError("this is not a tflite file")
    try:
        found = schema.Model.GetRootAs(network, 0)
        total = 0
        for size in _sizes(found):
            total += size
            if total > len(network):
                raise BundleError("this tflite file is damaged: it names the same parts again and again")
        model = schema.ModelT.InitFromObj(found)
        if not model.subgraphs or model.buffers is None or model.operatorCodes is None:
            raise BundleError("this tflite file is damaged: it has no graph, buffers or operators")
        for buffer in model.buffers:  # some converters store constants after the flatbuffer
            if buffer.offset > 1:
                buffer.data = np.frombuffer(network, np.uint8, buffer.size, buffer.offset)
                buffer.offset = buffer.size = 0
    except (*DAMAGE, struct.error) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"this tflite file is damaged: {reason_of(error)}") from error
    return schema, model


def _sizes(model: Any) -> Iterator[int]:
    """Lengths of the lists and names of a file, from the outside in. Together they are at most as long as the file,
    unless many parts name the same list; unpacking such a file would take more memory than there is."""
    yield model.OperatorCodesLength() + model.BuffersLength() + model.MetadataLength() + model.SignatureDefsLength()
    yield model.SubgraphsLength()
    yield from (len(model.OperatorCodes(k).CustomCode() or b"") for k in range(model.OperatorCodesLength()))
    yield from (model.Buffers(k).DataLength() for k in range(model.BuffersLength()))
    yield from (len(model.Metadata(k).Name() or b"") for k in range(model.MetadataLength()))
    for signature in map(model.SignatureDefs, range(model.SignatureDefsLength())):
        yield len(signature.SignatureKey() or b"")
        yield signature.InputsLength() + signature.OutputsLength()
        yield from (len(signature.Inputs(k).Name() or b"") for k in range(signature.InputsLength()))
        yield from (len(signature.Outputs(k).Name() or b"") for k in range(signature.OutputsLength()))
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        yield graph.TensorsLength() + graph.OperatorsLength() + graph.InputsLength() + graph.OutputsLength()
        for tensor in map(graph.Tensors, range(graph.TensorsLength())):
            if tensor.Sparsity() or tensor.VariantTensorsLength():
                raise BundleError("this tflite file has sparse tensors or variants, which no network of hands needs")
            yield len(tensor.Name() or b"") + tensor.ShapeLength() + tensor.ShapeSignatureLength()
        for operator in map(graph.Operators, range(graph.OperatorsLength())):
            if operator.BuiltinOptions2Type():
                raise BundleError("this tflite file has StableHLO operators, which no network of hands needs")
            yield operator.InputsLength() + operator.OutputsLength() + operator.CustomOptionsLength()


def input_side(network: bytes) -> int:
    """Side of the square picture that a network takes, pixels.

    Raises:
        BundleError: the bytes are not a tflite file.
        EngineError: LiteRT is not installed.
    """
    _, model = opened(network)
    graph = model.subgraphs[0]
    try:
        return int(graph.tensors[graph.inputs[0]].shape[1])
    except DAMAGE as error:
        raise BundleError(f"this tflite file takes no picture: {reason_of(error)}") from error


def packed(model: Any) -> bytes:
    """The bytes of the file."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def kinds_of(model: Any) -> list[int]:
    """The `BuiltinOperator` behind each opcode index. Old files store it only in the deprecated field."""
    return [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]


def add_tensor(
    schema: Any, model: Any, name: str, shape: tuple[int, ...], values: npt.NDArray[Any] | None = None
) -> int:
    """Add a float32 tensor, or a constant with `values` in float32 or float16, and return its index."""
    tensor, graph = schema.TensorT(), model.subgraphs[0]
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), schema.TensorType.FLOAT32, 0
    if values is not None:
        if values.dtype == np.float16:
            tensor.type = schema.TensorType.FLOAT16
        tensor.buffer = add_buffer(schema, model, values.tobytes())
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def add_buffer(schema: Any, model: Any, data: bytes) -> int:
    """Add bytes that tensors or metadata refer to, and return their index."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def add_operator(schema: Any, model: Any, kind: int, inputs: list[int], output: int) -> Any:
    """Add an operator after all others. The network must already have an operator of this kind."""
    operator = schema.OperatorT()
    operator.opcodeIndex = kinds_of(model).index(kind)
    operator.inputs, operator.outputs = inputs, [output]
    model.subgraphs[0].operators.append(operator)
    return operator
