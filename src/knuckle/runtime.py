"""`Session`: a network file as a function from pictures to named arrays. The one place that knows an engine."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import EngineError, InputError, MissingExtraError
from knuckle.results import FloatArray

logger = logging.getLogger("knuckle")

Pictures = npt.NDArray[np.uint8]
Outputs = dict[str, FloatArray]
TO_UNIT = np.float32(1 / 255)

ONNX_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}


def default_threads() -> int:
    """As many cores as this process may use, at most 4: more gained nothing on networks this small."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 4)


class Session:
    """A network that is ready to run: call it with pictures, get its outputs by name.

    Args:
        model: a `.tflite` or `.onnx` file.
        threads: threads of the engine; None for `default_threads()`.
        device: "cpu", "gpu" (LiteRT's accelerator) or, for ONNX files, a key of `ONNX_PROVIDERS`.

    Safe to call from several threads: calls take turns, since one engine already uses all its threads.

    Raises:
        EngineError: the file is no network, or the device is not there.
        MissingExtraError: an ONNX file without `knuckle[onnx]`.
    """

    def __init__(self, model: Path, threads: int | None = None, device: str = "cpu") -> None:
        if threads is not None and threads < 1:
            raise InputError(f"threads must be 1 or more, got {threads}")
        self.model, self.threads, self.device = model, threads or default_threads(), device
        self._lock = threading.Lock()
        self._engine = _open_engine(model, self.threads, device)

    @property
    def side(self) -> int:
        """Side of the square input, pixels."""
        return self._engine.side

    def __call__(self, pictures: Pictures) -> Outputs:
        """Run on (n, side, side, 3) uint8 RGB; each output is (n, …) float32.

        The pictures are scaled to 0..1 straight into the engine's input, which spares a copy. Two go through in
        one call of two: 6.1 ms for two landmark crops on 2 threads, where two calls in turn take 6.9 ms and two
        engines side by side 6.7 ms (`python benchmarks/engines.py`).
        """
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (self.side, self.side, 3):
            expected = f"{self.model.name} takes uint8 (n, {self.side}, {self.side}, 3)"
            raise InputError(f"{expected}, got {pictures.dtype} {pictures.shape}")
        step = 2 if self.threads > 1 else 1
        with self._lock:
            parts = [self._engine.run(pictures[i : i + step]) for i in range(0, len(pictures), step)]
        return parts[0] if len(parts) == 1 else {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


class FakeSession:
    """Stands in for a Session in tests: gives the outputs it was made with, whatever the picture.

    Args:
        outputs: per name one array for each image in the order they will be asked for; the last one repeats.
        side: side of the input it pretends to have.
    """

    def __init__(self, outputs: Mapping[str, list[FloatArray]], side: int) -> None:
        self.outputs, self.side, self.calls = {name: list(values) for name, values in outputs.items()}, side, 0

    def __call__(self, pictures: Pictures) -> Outputs:
        rows = range(self.calls, self.calls + len(pictures))
        self.calls += len(pictures)
        return {name: np.stack([v[min(row, len(v) - 1)] for row in rows]) for name, v in self.outputs.items()}


def _open_engine(model: Path, threads: int, device: str) -> LiteRt | LiteRtAccelerator | OnnxRuntime:
    if model.suffix == ".onnx":
        return OnnxRuntime(model, threads, device)
    if device == "gpu":
        return LiteRtAccelerator(model)
    if device != "cpu":
        raise EngineError(f"a tflite network runs on 'cpu' or 'gpu', got device={device!r}")
    return LiteRt(model, threads)


class LiteRt:
    """LiteRT with XNNPACK on the CPU: one interpreter per number of pictures, made when first needed."""

    def __init__(self, model: Path, threads: int) -> None:
        self.model, self.threads = model, threads
        self.interpreter_type = importlib.import_module("ai_edge_litert.interpreter").Interpreter
        self.ready: dict[int, tuple[Any, int, list[tuple[str, int]]]] = {}
        self.side = int(self.interpreter(1)[0].get_input_details()[0]["shape"][1])

    def interpreter(self, count: int) -> tuple[Any, int, list[tuple[str, int]]]:
        """An interpreter for so many pictures, the index of its input, names and indices of its outputs."""
        if count not in self.ready:
            with quiet_stderr("INFO: Created TensorFlow Lite XNNPACK delegate"):
                try:
                    made = self.interpreter_type(model_path=str(self.model), num_threads=self.threads)
                    entry = made.get_input_details()[0]
                    made.resize_tensor_input(entry["index"], [count, *entry["shape"][1:]])
                    made.allocate_tensors()
                except (ValueError, RuntimeError) as error:
                    raise EngineError(f"{self.model} is not a network that LiteRT can run: {error}") from error
            outputs = [(str(detail["name"]), int(detail["index"])) for detail in made.get_output_details()]
            self.ready[count] = made, entry["index"], outputs
        return self.ready[count]

    def run(self, pictures: Pictures) -> Outputs:
        interpreter, entry, outputs = self.interpreter(len(pictures))
        np.multiply(pictures, TO_UNIT, out=interpreter.tensor(entry)())  # no view of it may outlive this line
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for name, index in outputs}


class LiteRtAccelerator:
    """LiteRT's compiled model on a GPU; one image a call."""

    def __init__(self, model: Path) -> None:
        compiled = importlib.import_module("ai_edge_litert.compiled_model")
        options = importlib.import_module("ai_edge_litert.options")
        gpu = options.Options(hardware_accelerators=options.HardwareAccelerator.GPU)
        try:
            self.compiled = compiled.CompiledModel.from_file(str(model), options=gpu)
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"device='gpu': LiteRT finds no GPU accelerator for {model.name}: {error}") from error
        signature = self.compiled.get_signature_by_index(0)
        self.names = list(signature["outputs"])
        self.inputs = self.compiled.create_input_buffers(0)
        self.outputs = self.compiled.create_output_buffers(0)
        key = self.compiled.get_signature_list() and next(iter(self.compiled.get_signature_list()))
        shapes = self.compiled.get_output_tensor_details(key)
        self.shapes = {name: tuple(shapes[name]["shape"]) for name in self.names}
        self.side = int(next(iter(self.compiled.get_input_tensor_details(key).values()))["shape"][1])

    def run(self, pictures: Pictures) -> Outputs:
        rows = [self._run_one(picture) for picture in pictures]
        return {name: np.concatenate([row[name] for row in rows]) for name in self.names}

    def _run_one(self, picture: Pictures) -> Outputs:
        self.inputs[0].write(picture[None] * TO_UNIT)
        self.compiled.run_by_index(0, self.inputs, self.outputs)
        sizes = {name: int(np.prod(shape)) for name, shape in self.shapes.items()}
        return {
            name: np.asarray(buffer.read(sizes[name], np.float32)).reshape(self.shapes[name])
            for name, buffer in zip(self.names, self.outputs, strict=True)
        }


class OnnxRuntime:
    """ONNX Runtime, for bundles that were exported to ONNX: NVIDIA, DirectML and Apple devices."""

    def __init__(self, model: Path, threads: int, device: str) -> None:
        try:
            ort = importlib.import_module("onnxruntime")
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"{model.name} needs ONNX Runtime: pip install 'knuckle[onnx]'") from error
        provider, available = ONNX_PROVIDERS.get(device), ort.get_available_providers()
        if provider not in available:
            there = [name for name, value in ONNX_PROVIDERS.items() if value in available]
            raise EngineError(f"device={device!r} is not there; this ONNX Runtime offers {there}")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self.session = ort.InferenceSession(str(model), options, providers=[provider])
        except Exception as error:  # ONNX Runtime's own classes derive from Exception alone
            raise EngineError(f"{model} is not a network that ONNX Runtime can run: {error}") from error
        entry = self.session.get_inputs()[0]
        self.input, self.batched = entry.name, not isinstance(entry.shape[0], int)
        self.names = [output.name for output in self.session.get_outputs()]
        self.side = int(entry.shape[1])

    def run(self, pictures: Pictures) -> Outputs:
        batch = pictures * TO_UNIT
        parts = [batch] if self.batched else [batch[i : i + 1] for i in range(len(batch))]
        rows = [self.session.run(self.names, {self.input: part}) for part in parts]
        return {name: np.concatenate(column) for name, column in zip(self.names, zip(*rows, strict=True), strict=True)}


_stderr_lock = threading.Lock()


@contextmanager
def quiet_stderr(unwanted: str) -> Iterator[None]:
    """Keep lines that begin with `unwanted` off the terminal; a C++ library writes them past Python's logging.

    Everything else that reached file descriptor 2 meanwhile is passed on afterwards.
    """
    with _stderr_lock, tempfile.TemporaryFile() as caught:
        try:
            sys.stderr.flush()
            kept = os.dup(2)
        except (OSError, ValueError, AttributeError):  # no usable descriptor (pythonw, some notebooks): let it be
            yield
            return
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            _pass_on(caught.read(), unwanted, lambda line: os.write(2, line))


def _pass_on(text: bytes, unwanted: str, write: Callable[[bytes], object]) -> None:
    for line in text.splitlines(keepends=True):
        if line.decode(errors="replace").lstrip("\x1b[0123456789;m").startswith(unwanted):
            logger.debug(line.decode(errors="replace").rstrip())
        else:
            write(line)
