"""From a trained network to files that run: tflite (float16-stored, float32, int8) and ONNX, NHWC, outputs by name.

What is written has first been run and compared with PyTorch.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from knuckle.errors import EngineError, MissingExtraError, SinkError
from knuckle.models.session import Session, quiet_stderr
from knuckle.models.tflite import add_operator, add_tensor, kinds_of, opened, packed

Format = Literal["fp16", "fp32", "int8", "onnx"]
FORMATS: tuple[Format, ...] = ("fp16", "fp32", "int8", "onnx")
# How far an export may be from PyTorch, as a share of each output's range: rounding of weights, of all numbers. A
# probability near one half moves most: 4 % were seen in a visibility head after fine-tuning.
TOLERANCE: dict[Format, float] = {"fp32": 1e-4, "onnx": 1e-4, "fp16": 5e-2, "int8": 0.25}


# Outputs that hardly change over the compared pictures are measured against what they can be.
LEAST_RANGE = {
    "presence": 1.0,
    "handedness": 1.0,
    "visibility": 1.0,
    "log_sigma": 1.0,
    "world": 0.05,
    "landmarks": 20.0,
}


class _Nhwc(nn.Module):
    """Takes pictures as the runtime has them: (n, side, side, 3), 0..1."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        out: dict[str, Tensor] = self.network(picture.permute(0, 3, 1, 2))
        return out


def export(network: nn.Module, path: Path, form: Format, pictures: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Write a network as one file and check that it says what PyTorch says.

    Args:
        network: in evaluation form (batch norms folded), with `side`; gives a dict of outputs.
        path: the file to write, whole or not at all.
        form: "fp16" stores weights in half the bytes, "int8" computes in 8 bits, "onnx" is for ONNX Runtime.
        pictures: (n, side, side, 3) real crops: what is compared, and for int8 what ranges are measured on.

    Returns:
        The largest difference per output, as a share of its range.

    Raises:
        MissingExtraError: a converter is not installed. EngineError: the file differs too much; it is not kept.
        SinkError: it cannot be written.
    """
    network = network.cpu().eval()
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / f"network{'.onnx' if form == 'onnx' else '.tflite'}"
        if form == "onnx":
            _write_onnx(network, part, pictures)
        else:
            _write_tflite(network, part, form, pictures)
        differences = compare(network, part, pictures)
        worst = max(differences, key=lambda name: differences[name])
        if not differences[worst] <= TOLERANCE[form]:
            raise EngineError(
                f"{path.name} was not written: as {form} its {worst} differs from PyTorch by "
                f"{100 * differences[worst]:.2g} % of its range, allowed are {100 * TOLERANCE[form]:.2g} %"
            )
        _move(part, path)
    return differences


def compare(network: nn.Module, path: Path, pictures: npt.NDArray[np.uint8]) -> dict[str, float]:
    """The largest difference between a file and PyTorch per output, as a share of the output's range."""
    with torch.no_grad():
        true = network(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
    seen = Session(path, 1)(pictures)
    missing = set(true) - set(seen)
    if missing:
        raise EngineError(f"{path.name} lacks the outputs {', '.join(sorted(missing))}")
    shares = {}
    for name, values in true.items():
        expected = values.numpy()
        span = max(float(np.ptp(expected)), LEAST_RANGE.get(name, 1e-3))
        shares[name] = float(np.abs(seen[name] - expected).max() / span)
    return shares


def _write_tflite(network: nn.Module, path: Path, form: Format, pictures: npt.NDArray[np.uint8]) -> None:
    try:
        with _quiet():
            import litert_torch
    except ImportError as error:
        raise MissingExtraError(f"export to tflite needs: pip install 'knuckle[train]' ({error})") from error
    side = int(network.side)  # type: ignore[arg-type]
    whole = path.with_name("float.tflite")
    with _quiet():
        litert_torch.convert(_Nhwc(network).eval(), (torch.zeros(1, side, side, 3),)).export(str(whole))
        if form == "fp32":
            whole.rename(path)
        else:
            _quantise(whole, path, form, pictures)
    _finish(path)


def _quantise(whole: Path, path: Path, form: Format, pictures: npt.NDArray[np.uint8]) -> None:
    """float16 weights that are widened before use, or 8-bit arithmetic with float input and output."""
    from ai_edge_quantizer import qtyping, quantizer, recipe
    from ai_edge_quantizer.recipe import AlgorithmName

    job = quantizer.Quantizer(str(whole))
    operations = qtyping.TFLOperationName
    if form == "fp16":
        half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
        config = qtyping.OpQuantizationConfig(
            weight_tensor_config=half, compute_precision=qtyping.ComputePrecision.FLOAT, explicit_dequantize=True
        )
        job.update_quantization_recipe(
            regex=".*",
            operation_name=operations.ALL_SUPPORTED,
            op_config=config,
            algorithm_key=AlgorithmName.FLOAT_CASTING,
        )
        job.quantize().export_model(str(path))
        return
    job.load_quantization_recipe(recipe.static_wi8_ai8())
    for border in (operations.INPUT, operations.OUTPUT):
        job.update_quantization_recipe(regex=".*", operation_name=border, algorithm_key=AlgorithmName.NO_QUANTIZE)
    examples = [{"args_0": picture[None].astype(np.float32) / 255} for picture in pictures]
    job.quantize(job.calibrate({"serving_default": examples})).export_model(str(path))


def _finish(path: Path) -> None:
    """Mend what the converters leave: names of outputs, biases in full beside weights in half."""
    schema, model = opened(path.read_bytes())
    graph = model.subgraphs[0]
    for output in model.signatureDefs[0].outputs:  # tensor names are what interpreters list, not the signature's
        graph.tensors[output.tensorIndex].name = output.name
    if schema.BuiltinOperator.DEQUANTIZE in kinds_of(model):
        _halve_biases(schema, model)
    path.write_bytes(packed(model))


def _halve_biases(schema: Any, model: Any) -> None:
    """Store the biases of layers with float16 weights as float16 too.

    LiteRT.js gives a layer to XNNPACK only where both are widened or neither is; else plain loops run it, which are
    several times as slow.
    """
    builtin, kinds, graph = schema.BuiltinOperator, kinds_of(model), model.subgraphs[0]
    widen = kinds.index(builtin.DEQUANTIZE)
    model.operatorCodes[widen].deprecatedBuiltinCode = builtin.DEQUANTIZE  # which older readers look at
    layers = list(graph.operators)
    widened = {int(op.outputs[0]): int(op.outputs[0]) for op in layers if op.opcodeIndex == widen}
    for op in layers:
        matrix = kinds[op.opcodeIndex] in (builtin.CONV_2D, builtin.DEPTHWISE_CONV_2D, builtin.FULLY_CONNECTED)
        if not matrix or int(op.inputs[1]) not in widened or len(op.inputs) < 3 or op.inputs[2] < 0:
            continue
        weight, bias = int(op.inputs[1]), int(op.inputs[2])
        if bias not in widened:
            stored = graph.tensors[bias]
            values = np.frombuffer(bytes(model.buffers[stored.buffer].data), np.float32).astype(np.float16)
            half = add_tensor(schema, model, f"{stored.name.decode()}/half", values.shape, values)
            widened[bias] = add_tensor(schema, model, f"{stored.name.decode()}/widened", values.shape)
            add_operator(schema, model, builtin.DEQUANTIZE, [half], widened[bias])
        op.inputs = [op.inputs[0], weight, widened[bias]]
    graph.operators = graph.operators[len(layers) :] + layers  # constants are widened before they are used


def _write_onnx(network: nn.Module, path: Path, pictures: npt.NDArray[np.uint8]) -> None:
    try:
        import onnx  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("export to ONNX needs: pip install onnx") from error
    example = torch.from_numpy(pictures[:1]).float() / 255
    with torch.no_grad():
        names = list(network(example.permute(0, 3, 1, 2)))
    with _quiet():
        torch.onnx.export(
            _Tuple(network).eval(),
            (example,),
            str(path),
            dynamo=False,
            input_names=["picture"],
            output_names=names,
            dynamic_axes={name: {0: "n"} for name in ("picture", *names)},
        )


class _Tuple(_Nhwc):
    def forward(self, picture: Tensor) -> Any:
        return tuple(super().forward(picture).values())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Converters talk a lot; what they raise still comes through."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), quiet_stderr(""):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _move(part: Path, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".part")
        beside.write_bytes(part.read_bytes())
        beside.replace(path)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}") from error


def sample_pictures(side: int, sources: Sequence[npt.NDArray[np.uint8]] = ()) -> npt.NDArray[np.uint8]:
    """Crops to compare on: those given, else smooth random ones, in which every layer sees some signal."""
    if sources:
        return np.stack(sources)
    rng = np.random.default_rng(5)
    coarse = torch.from_numpy(rng.uniform(0, 255, (4, 3, 8, 8)))
    fine = nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 255)
    return np.asarray(fine.permute(0, 2, 3, 1).numpy().astype(np.uint8))
