"""`Session`: a network file as a function from pictures to named arrays. Only this module knows inference engines."""

from __future__ import annotations

import logging
import math
import os
import sys
import tempfile
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from knuckle.errors import EngineError, InputError, reason_of
from knuckle.extras import required
from knuckle.forks import FORKS_WAIT, RenewedLock, abandon
from knuckle.models.tflite import litert
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
    """The number of CPU cores that this process may use, at most 4: more gain nothing on networks this small."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 4)


class Network(Protocol):
    """A network that is ready to run: a `Session`, or anything else with a side and a call."""

    @property
    def side(self) -> int:
        """Side of the square input, pixels."""

    def __call__(self, pictures: Pictures, /) -> Outputs:
        """Run on (n, side, side, 3) uint8 RGB; each output is (n, …) float32."""


class Session:
    """A network that is ready to run: call it with pictures, get its outputs by name.

    Calls from several threads take turns, since one engine already uses all its threads. A forked process starts an
    engine of its own at its first call. Pickling stores the file's path, the threads and the device.

    Args:
        model: a `.tflite` or `.onnx` file.
        threads: threads of the engine; None for `default_threads()`.
        device: "cpu", "gpu" (LiteRT's accelerator) or, for ONNX files, a key of `ONNX_PROVIDERS`.

    Raises:
        EngineError: the file is not a network, or the device or LiteRT is missing.
        MissingExtraError: an ONNX file needs `knuckle[onnx]`.
    """

    def __init__(self, model: Path, threads: int | None = None, device: str = "cpu") -> None:
        if threads is not None and threads < 1:
            raise InputError(f"threads must be at least 1, got {threads}")
        self.model, self.threads, self.device = model, threads or default_threads(), device
        self._lock, self._forked = RenewedLock(), False
        self._engine = _open_engine(self.model, self.threads, self.device)
        _sessions.add(self)

    @property
    def side(self) -> int:
        """Side of the square input, pixels."""
        return self._engine.side

    def __call__(self, pictures: Pictures) -> Outputs:
        """Run on (n, side, side, 3) uint8 RGB; each output is (n, …) float32.

        Raises:
            InputError: the pictures have another type or shape.
        """
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (self.side, self.side, 3) or not len(pictures):
            expected = f"{self.model.name} takes uint8 (n, {self.side}, {self.side}, 3)"
            raise InputError(f"{expected}, got {pictures.dtype} {pictures.shape}")
        with self._lock:
            if self._forked:
                self._engine, self._forked = _open_engine(self.model, self.threads, self.device), False
            return self._engine.run(pictures)

    def __reduce__(self) -> tuple[Any, ...]:
        return Session, (self.model, self.threads, self.device)


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork() -> None:
    """Let the sessions of a forked process start engines of their own: the threads of these stayed in the parent."""
    for session in _sessions:
        session._forked = True
        abandon(session._engine)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _open_engine(model: Path, threads: int, device: str) -> LiteRt | LiteRtAccelerator | OnnxRuntime:
    with FORKS_WAIT:
        if model.suffix == ".onnx":
            return OnnxRuntime(model, threads, device)
        if device == "gpu":
            return LiteRtAccelerator(model)
        if device != "cpu":
            raise EngineError(f"a tflite network runs on 'cpu' or 'gpu', got device={device!r}")
        return LiteRt(model, threads)


class LiteRt:
    """LiteRT with XNNPACK on the CPU: one picture uses all threads, several pictures run side by side on one each.

    With two threads, several pictures run one after the other on both: two crops of hands take 3.95 ms, side by side
    4.01 ms, and each engine more would hold the weights once more.

    Resizing the input to a batch is no alternative: our networks and MediaPipe's palm network hold shapes of one
    picture. `python benchmarks/engines.py` and `python benchmarks/batches.py` compare the ways that work.
    """

    def __init__(self, model: Path, threads: int) -> None:
        self.model, self.threads = model, threads
        self.network = _read(model)  # once, for all interpreters
        self.all_threads = _Interpreter(model, self.network, threads)
        self.side = self.all_threads.side
        self.single_threaded: list[_Interpreter] = []
        self.workers = ThreadPoolExecutor(threads, thread_name_prefix="knuckle-engine")

    def run(self, pictures: Pictures) -> Outputs:
        if len(pictures) == 1:
            return self.all_threads.run(pictures[0])
        if self.threads <= 2:
            return _joined([self.all_threads.run(picture) for picture in pictures])
        side_by_side = min(self.threads, len(pictures))
        while len(self.single_threaded) < side_by_side:
            self.single_threaded.append(_Interpreter(self.model, self.network, 1))
        waiting, rows = deque(range(len(pictures))), dict[int, Outputs]()

        def work(interpreter: _Interpreter) -> None:
            """Take pictures until none is left, so that no thread waits for a slower one."""
            while True:
                try:
                    number = waiting.popleft()
                except IndexError:
                    return
                rows[number] = interpreter.run(pictures[number])

        jobs = [self.workers.submit(work, interpreter) for interpreter in self.single_threaded[1:side_by_side]]
        try:
            work(self.single_threaded[0])  # this thread takes its share
            for job in jobs:
                job.result()
        except BaseException:
            waiting.clear()
            wait(jobs)  # the next call uses the same interpreters
            raise
        return _joined([rows[number] for number in range(len(pictures))])


def _read(model: Path) -> bytes:
    try:
        return model.read_bytes()
    except OSError as error:
        raise EngineError(f"{model} cannot be read: {error.strerror}") from error


class _Interpreter:
    """One LiteRT interpreter for one picture at a time.

    Args:
        model: the file, for errors.
        network: its bytes.
    """

    def __init__(self, model: Path, network: bytes, threads: int) -> None:
        interpreter_type = litert("interpreter").Interpreter
        with quiet_stderr("INFO: Created TensorFlow Lite XNNPACK delegate"):
            try:
                self.interpreter = interpreter_type(model_content=network, num_threads=threads)
                self.interpreter.allocate_tensors()
            except (ValueError, RuntimeError, UnicodeDecodeError) as error:
                raise EngineError(f"{model} is not a network that LiteRT can run: {reason_of(error)}") from error
        entry = self.interpreter.get_input_details()[0]
        self.entry, self.side = entry["index"], int(entry["shape"][1])
        self.outputs = [(str(detail["name"]), int(detail["index"])) for detail in self.interpreter.get_output_details()]

    def run(self, picture: Pictures) -> Outputs:
        # Do not keep a reference to the tensor: LiteRT refuses to run while one exists.
        np.multiply(picture, TO_UNIT, out=self.interpreter.tensor(self.entry)()[0])
        self.interpreter.invoke()
        return {name: self.interpreter.get_tensor(index) for name, index in self.outputs}


class LiteRtAccelerator:
    """LiteRT's compiled model on a GPU, one picture at a time. `accelerator` is "GPU", or "CPU" in tests."""

    def __init__(self, model: Path, accelerator: str = "GPU") -> None:
        with quiet_stderr(""):
            compiled = litert("compiled_model")
            options = litert("options")
            chosen = options.Options(hardware_accelerators=getattr(options.HardwareAccelerator, accelerator))
            try:
                self.compiled = compiled.CompiledModel.from_file(str(model), options=chosen)
            except (ValueError, RuntimeError) as error:
                raise EngineError(f"device='gpu': LiteRT finds no GPU that can run {model.name}") from error
        name, signature = next(iter(self.compiled.get_signature_list().items()))
        self.inputs, self.outputs = self.compiled.create_input_buffers(0), self.compiled.create_output_buffers(0)
        details = self.compiled.get_output_tensor_details(name)
        self.shapes = {output: tuple(details[output]["shape"]) for output in signature["outputs"]}
        self.side = int(self.compiled.get_input_tensor_details(name)[signature["inputs"][0]]["shape"][1])

    def run(self, pictures: Pictures) -> Outputs:
        return _joined([self._run_one(picture) for picture in pictures])

    def _run_one(self, picture: Pictures) -> Outputs:
        self.inputs[0].write(picture[None] * TO_UNIT)
        self.compiled.run_by_index(0, self.inputs, self.outputs)
        found = {}
        for buffer, (name, shape) in zip(self.outputs, self.shapes.items(), strict=True):
            found[name] = buffer.read(math.prod(shape), np.float32).reshape(shape)
        return found


class OnnxRuntime:
    """ONNX Runtime, for bundles of ONNX files: CPU, NVIDIA, DirectML, Apple and OpenVINO devices."""

    def __init__(self, model: Path, threads: int, device: str) -> None:
        ort = required("onnxruntime", "onnx", "ONNX networks")
        provider, available = ONNX_PROVIDERS.get(device), ort.get_available_providers()
        if provider not in available:
            there = [name for name, value in ONNX_PROVIDERS.items() if value in available]
            raise EngineError(f"device={device!r} is not available; this ONNX Runtime offers {there}")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self.session = ort.InferenceSession(str(model), options, providers=[provider])
        except Exception as error:  # the errors of ONNX Runtime have no other common base class
            raise EngineError(f"{model} is not a network that ONNX Runtime can run: {error}") from error
        entry = self.session.get_inputs()[0]
        self.input, self.batched = entry.name, not isinstance(entry.shape[0], int)
        self.names = [output.name for output in self.session.get_outputs()]
        self.side = int(entry.shape[1])

    def run(self, pictures: Pictures) -> Outputs:
        batch = pictures * TO_UNIT
        parts = [batch] if self.batched else [batch[i : i + 1] for i in range(len(batch))]
        return _joined(
            [dict(zip(self.names, self.session.run(self.names, {self.input: part}), strict=True)) for part in parts]
        )


def _joined(rows: list[Outputs]) -> Outputs:
    """The outputs of several calls as those of one."""
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


@contextmanager
def quiet_stderr(unwanted: str) -> Iterator[None]:
    """Send lines that begin with `unwanted` to the log instead of the terminal.

    C++ libraries write them to file descriptor 2, past Python's logging. All other lines are written afterwards.
    """
    with FORKS_WAIT, tempfile.TemporaryFile() as caught:
        try:
            sys.stderr.flush()
            kept = os.dup(2)
        except (OSError, ValueError, AttributeError):  # stderr has no usable descriptor (pythonw, some notebooks)
            yield
            return
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            for line in caught.read().splitlines(keepends=True):
                text = line.decode(errors="replace")
                if text.lstrip("\x1b[0123456789;m").startswith(unwanted):  # colour codes come first
                    logger.debug(text.rstrip())
                else:
                    os.write(2, line)
