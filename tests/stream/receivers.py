"""The other side of `knuckle stream` in tests: frames to send, and real servers that note what arrives."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_hand

from knuckle.results import Frame, Hand
from knuckle.stream.values import FrameValues, Measure


def hands_of(count: int = 2) -> list[Hand]:
    """A left and a right hand."""
    return [make_hand(400, 300, 120, "Left"), make_hand(200, 300, 110, "Right")][:count]


def frame_of(index: int = 0) -> Frame:
    return Frame(np.zeros((480, 640, 3), np.uint8), index, index / 30, "test")


def values_of(index: int = 0, hands: Sequence[Hand] | None = None) -> FrameValues:
    return Measure()(frame_of(index), hands_of() if hands is None else hands)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], Any], within_s: float = 10.0) -> Any:
    """Wait until a condition is true, and return its value."""
    end_s = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.01)
    return found


@contextlib.contextmanager
def running(server: Any) -> Iterator[None]:
    """Serve in a thread for the length of the block."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(5)


@contextlib.contextmanager
def osc_server(port: int = 0) -> Iterator[tuple[int, list[tuple[str, tuple[Any, ...]]]]]:
    """python-osc's own server; gives its port and what arrives: (address, arguments)."""
    dispatcher = pytest.importorskip("pythonosc.dispatcher").Dispatcher()
    from pythonosc.osc_server import ThreadingOSCUDPServer

    seen: list[tuple[str, tuple[Any, ...]]] = []
    dispatcher.set_default_handler(lambda address, *values: seen.append((address, values)))
    server = ThreadingOSCUDPServer(("127.0.0.1", port), dispatcher)
    with server, running(server):
        yield server.server_address[1], seen


@contextlib.contextmanager
def mosquitto(port: int, folder: Path) -> Iterator[None]:
    """A real MQTT broker."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/opt/homebrew/sbin")
    if not program:
        pytest.skip("mosquitto is not installed")
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    with subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as broker:
        try:
            eventually(lambda: is_open(port))
            yield
        finally:
            broker.kill()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
