from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from knuckle import EngineError, InputError
from knuckle.models.session import LiteRtAccelerator, Session
from knuckle.pipeline.tracker import Networks

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), np.uint8)


@pytest.fixture(scope="module")
def hand_file(networks: Networks) -> Path:
    return networks.bundle.hand_path


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_several_pictures_give_what_each_gives_alone(hand_file: Path, threads: int) -> None:
    session = Session(hand_file, threads)
    together = session(PICTURES)
    for k in range(3):
        for name, values in session(PICTURES[k : k + 1]).items():
            assert np.allclose(values[0], together[name][k], atol=1e-3), name


def test_outputs_are_the_caller_s_to_keep(hand_file: Path) -> None:
    session = Session(hand_file)
    first = session(PICTURES[:1])
    kept = {name: values.copy() for name, values in first.items()}
    session(PICTURES[1:2])
    assert all(np.array_equal(first[name], kept[name]) for name in kept)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_runs_the_networks_of_its_parent(hand_file: Path) -> None:
    code = f"""
import multiprocessing, numpy as np
from pathlib import Path
from knuckle.models.session import Session
session, pictures = Session(Path({str(hand_file)!r}), 2), np.zeros((2, 224, 224, 3), np.uint8)
session(pictures)
def run(these): return len(session(these)["Identity"])
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(run, [pictures] * 3))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[2, 2, 2]", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_process_that_is_forked_while_a_bundle_loads_does_not_hang() -> None:
    """The child loads and runs networks itself, in two threads at once, though the parent's thread held every lock."""
    code = """
import multiprocessing, threading, time, numpy as np
import knuckle
from knuckle.models import session
slow, began = session._open_engine, threading.Event()
def open_slowly(*arguments):
    with session.quiet_stderr("nothing"):
        began.set()
        time.sleep(0.5)
    return slow(*arguments)
session._open_engine = open_slowly
threading.Thread(target=knuckle.load, args=("knuckle", 1)).start()
began.wait()
def run(_):
    session._open_engine = slow
    networks, answers = knuckle.load("knuckle", 1), []
    picture = np.zeros((1, 224, 224, 3), np.uint8)
    threads = [threading.Thread(target=lambda: answers.append(len(networks.hand(picture)))) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return answers
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.map(run, [0]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[[5, 5]]", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_threads_of_a_forked_process_start_one_engine(hand_file: Path) -> None:
    code = f"""
import multiprocessing, threading, numpy as np
from pathlib import Path
from knuckle.models import session
one, picture, opened = session.Session(Path({str(hand_file)!r}), 1), np.zeros((1, 224, 224, 3), np.uint8), []
original = session._open_engine
def run(_):
    session._open_engine = lambda *arguments: (opened.append(1), original(*arguments))[1]
    threads = [threading.Thread(target=one, args=(picture,)) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return len(opened)
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.map(run, [0]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[1]", done.stderr


@pytest.mark.parametrize(("threads", "engines"), [(1, 1), (2, 1), (3, 4)])
def test_weights_are_held_as_often_as_threads_need_them(hand_file: Path, threads: int, engines: int) -> None:
    session = Session(hand_file, threads)
    session(PICTURES[:3])
    assert 1 + len(session._engine.single_threaded) == engines  # type: ignore[union-attr]


def test_an_error_leaves_no_work_running(hand_file: Path) -> None:
    """The next call uses the same interpreters, so those of the call that failed must have finished."""
    session = Session(hand_file, 3)
    session(PICTURES[:2])
    running = []

    class Slow:
        def run(self, picture: np.ndarray) -> dict[str, np.ndarray]:
            running.append("began")
            time.sleep(0.3)
            running.append("ended")
            return {}

    class Broken:
        def run(self, picture: np.ndarray) -> dict[str, np.ndarray]:
            time.sleep(0.1)
            raise RuntimeError("broken")

    session._engine.single_threaded = [Broken(), Slow()]  # type: ignore[union-attr,list-item]
    with pytest.raises(RuntimeError, match="broken"):
        session(PICTURES[:2])
    assert running == ["began", "ended"]


def test_a_session_pickles_as_its_file(hand_file: Path) -> None:
    session = pickle.loads(pickle.dumps(Session(hand_file, 1)))
    assert (session.model, session.threads, session.device, session.side) == (hand_file, 1, "cpu", 224)


@pytest.mark.parametrize("wrong", [PICTURES[:0], PICTURES[:, :100], PICTURES.astype(np.float32), PICTURES[..., :2]])
def test_pictures_of_another_shape_are_refused(hand_file: Path, wrong: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"takes uint8 \(n, 224, 224, 3\)"):
        Session(hand_file)(wrong)


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    for name in ("hand.tflite", "hand.onnx"):
        path = tmp_path / name
        path.write_bytes(b"no network at all" * 10)
        with pytest.raises(EngineError, match=name):
            Session(path)


def test_devices_and_threads_that_cannot_be_are_refused(hand_file: Path) -> None:
    with pytest.raises(EngineError, match="device='cuda'"):
        Session(hand_file, device="cuda")
    with pytest.raises(InputError, match="threads"):
        Session(hand_file, threads=0)


def test_the_accelerated_engine_gives_what_the_interpreter_gives(hand_file: Path) -> None:
    """Run on LiteRT's CPU accelerator, since a machine for tests need not have a GPU."""
    usual, compiled = Session(hand_file)(PICTURES), LiteRtAccelerator(hand_file, "CPU")
    outputs = compiled.run(PICTURES)
    assert compiled.side == 224
    for name, values in usual.items():
        assert np.allclose(outputs[name], values, atol=1e-3), name


def test_loading_writes_nothing_to_the_terminal(hand_file: Path) -> None:
    code = f"from pathlib import Path; from knuckle.models.session import Session; Session(Path({str(hand_file)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def onnx_mean(path: Path, batch: int | str) -> Path:
    """A network with NHWC input whose one output is the mean of each picture."""
    import onnx
    from onnx import TensorProto, helper

    entry = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 8, 8, 3])
    exit_ = helper.make_tensor_value_info("mean", TensorProto.FLOAT, [batch, 1])
    axes = helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3])
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 1])
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["flat"], keepdims=0),
        helper.make_node("Reshape", ["flat", "shape"], ["mean"]),
    ]
    graph = helper.make_graph(nodes, "mean", [entry], [exit_], [axes, shape])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.parametrize("batch", [1, "n"])
def test_onnx_networks_run_with_fixed_and_free_batch(tmp_path: Path, batch: int | str) -> None:
    session = Session(onnx_mean(tmp_path / "mean.onnx", batch))
    pictures = PICTURES[:, :8, :8]
    assert session.side == 8
    assert np.allclose(session(pictures)["mean"][:, 0], pictures.mean(axis=(1, 2, 3)) / 255, atol=1e-6)
    with pytest.raises(EngineError, match="cuda"):
        Session(tmp_path / "mean.onnx", device="cuda")
