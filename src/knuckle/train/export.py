"""From a trained network to a file that runs: tflite (float16, float32 or int8) or ONNX, with NHWC input.

Each file is run and compared with PyTorch before it is kept.
"""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from knuckle.errors import EngineError, MissingExtraError, SinkError
from knuckle.models.session import Session, quiet_stderr
from knuckle.models.tflite import add_operator, add_tensor, kinds_of, opened, packed
from knuckle.train.quantise import correct_biases, write_int8

Format = Literal["fp16", "fp32", "int8", "onnx"]
FORMATS: tuple[Format, ...] = ("fp16", "fp32", "int8", "onnx")
Differences = dict[str, float]  # output -> largest difference from PyTorch, as a share of the output's range
CALIBRATION = 64  # pictures on which the ranges of int8 are measured; more of them widen the ranges
# How much an export may differ from PyTorch, as a share of each output's range. (docs/training.md has the same table.)
# Probabilities near 0.5 differ most: after fine-tuning a visibility head differed by 4 % in fp16. Whether int8 is good
# enough is decided on held-out pictures (`knuckle.train.choose_format`), so here it need only be an output at all.
TOLERANCE: dict[Format, float] = {"fp32": 1e-4, "onnx": 1e-4, "fp16": 5e-2, "int8": 1.0}
# The range of an output, at least, since some outputs hardly vary over the compared pictures.
LEAST_RANGE = {
    "presence": 1.0,
    "handedness": 1.0,
    "visibility": 1.0,
    "log_sigma": 1.0,
    "world": 0.05,
    "landmarks": 20.0,
}


class _Nhwc(nn.Module):
    """A network that takes pictures in the layout of the pipeline: (n, side, side, 3), 0..1."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        out: dict[str, Tensor] = self.network(picture.permute(0, 3, 1, 2))
        return out


def export(network: nn.Module, path: Path, form: Format, pictures: npt.NDArray[np.uint8]) -> Differences:
    """Write a network as one file, and check that its outputs equal PyTorch's.

    Args:
        network: with folded batch norms (see `fold`) and an attribute `side`; it returns a dict of outputs.
        path: the file to write.
        form: "fp16" stores weights in half the bytes, "int8" computes in 8 bits, "onnx" is for ONNX Runtime.
        pictures: (n, side, side, 3) inputs on which file and network are compared. The ranges of int8 are measured on
            the first `CALIBRATION` of them and its biases corrected on all.

    Returns:
        The largest difference of each output, as a share of its range.

    Raises:
        MissingExtraError: a converter is not installed.
        EngineError: the file differs too much from PyTorch. It is not kept.
        SinkError: the file cannot be written.
    """
    return export_forms(network, {form: path}, pictures)[form]


def export_forms(
    network: nn.Module, paths: Mapping[Format, Path], pictures: npt.NDArray[np.uint8]
) -> dict[Format, Differences]:
    """As `export`, in several formats: the network is converted once."""
    network, differences = network.cpu().eval(), {}
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "float.tflite"
        if set(paths) != {"onnx"}:
            _write_float(network, whole)
        for form, path in paths.items():
            part = Path(folder) / f"{form}{'.onnx' if form == 'onnx' else '.tflite'}"
            if form == "onnx":
                _write_onnx(network, part, pictures)
            else:
                _write_tflite(network, whole, part, form, pictures)
            found = differences[form] = compare(network, part, pictures)
            worst = max(found, key=lambda name: found[name])
            if not found[worst] <= TOLERANCE[form]:
                raise EngineError(
                    f"{path.name} was not written: as {form} its output {worst} differs from PyTorch by "
                    f"{100 * found[worst]:.2g} % of its range, which is more than {100 * TOLERANCE[form]:.2g} %"
                )
            _move(part, path)
    return differences


def compare(network: nn.Module, path: Path, pictures: npt.NDArray[np.uint8]) -> dict[str, float]:
    """The largest difference between a file and PyTorch for each output, as a share of the output's range."""
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


def _write_float(network: nn.Module, path: Path) -> None:
    """Convert a network to a tflite file in float32."""
    try:
        with quiet():
            import litert_torch
    except ImportError as error:
        raise MissingExtraError(f"export to tflite needs: pip install 'knuckle[train]' ({error})") from error
    side = int(network.side)  # type: ignore[arg-type]
    with quiet():
        litert_torch.convert(_Nhwc(network).eval(), (torch.zeros(1, side, side, 3),)).export(str(path))


def _write_tflite(network: nn.Module, whole: Path, path: Path, form: Format, pictures: npt.NDArray[np.uint8]) -> None:
    """Write the float file `whole` in another format."""
    with quiet():
        if form == "fp32":
            shutil.copy(whole, path)
        elif form == "fp16":
            _write_fp16(whole, path)
        else:
            write_int8(whole, path, pictures[:CALIBRATION])
    _finish(path)
    if form == "int8":
        correct_biases(path, network, pictures)


def _write_fp16(whole: Path, path: Path) -> None:
    """Write a float tflite file again with float16 weights, which are widened before use."""
    from ai_edge_quantizer import qtyping, quantizer
    from ai_edge_quantizer.recipe import AlgorithmName

    job = quantizer.Quantizer(str(whole))
    half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    config = qtyping.OpQuantizationConfig(
        weight_tensor_config=half, compute_precision=qtyping.ComputePrecision.FLOAT, explicit_dequantize=True
    )
    job.update_quantization_recipe(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        op_config=config,
        algorithm_key=AlgorithmName.FLOAT_CASTING,
    )
    job.quantize().export_model(str(path))


def _finish(path: Path) -> None:
    """Correct what the converters leave: the names of outputs, and float32 biases of layers with float16 weights."""
    schema, model = opened(path.read_bytes())
    graph = model.subgraphs[0]
    for output in model.signatureDefs[0].outputs:  # interpreters list tensor names, not the signature's
        graph.tensors[output.tensorIndex].name = output.name
    if schema.BuiltinOperator.DEQUANTIZE in kinds_of(model):
        _halve_biases(schema, model)
    path.write_bytes(packed(model))


def _halve_biases(schema: Any, model: Any) -> None:
    """Also store the biases of layers with float16 weights as float16.

    LiteRT.js runs a layer with XNNPACK only if both are float16 or neither is. Otherwise it is several times as slow.
    """
    builtin, kinds, graph = schema.BuiltinOperator, kinds_of(model), model.subgraphs[0]
    widen = kinds.index(builtin.DEQUANTIZE)
    model.operatorCodes[widen].deprecatedBuiltinCode = builtin.DEQUANTIZE  # which older readers use
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
    graph.operators = graph.operators[len(layers) :] + layers  # constants must be widened before they are used


def _write_onnx(network: nn.Module, path: Path, pictures: npt.NDArray[np.uint8]) -> None:
    try:
        import onnx  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("export to ONNX needs: pip install onnx") from error
    example = torch.from_numpy(pictures[:1]).float() / 255
    with torch.no_grad():
        names = list(network(example.permute(0, 3, 1, 2)))
    with quiet():
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
def quiet() -> Iterator[None]:
    """Hide the output of the converters; their errors still get through."""
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
    """(n, side, side, 3) inputs to compare on: those given, else smooth random ones, which excite every layer."""
    if sources:
        return np.stack(sources)
    rng = np.random.default_rng(5)
    coarse = torch.from_numpy(rng.uniform(0, 255, (4, 3, 8, 8)))
    fine = nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 255)
    return np.asarray(fine.permute(0, 2, 3, 1).numpy().astype(np.uint8))
