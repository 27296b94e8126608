"""A real `knuckle serve` for tests, and its clients."""

from __future__ import annotations

import faulthandler
import io
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("brotli")
httpx = pytest.importorskip("httpx")
client = pytest.importorskip("websockets.sync.client")

from knuckle.serve.limits import Limits  # noqa: E402, F401
from knuckle.serve.server import create_server  # noqa: E402
from knuckle.serve.service import Service  # noqa: E402

PATIENCE_S = 60
# Every request has a connection of its own, and as much time as it needs on a busy computer.
requests = httpx.Client(timeout=PATIENCE_S, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass
class Running:
    """A server that listens, and how to ask it."""

    service: Service
    port: int
    stop: Callable[[], float]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def post(self, data: bytes, query: str = "", **headers: str) -> Any:
        headers = {"Content-Type": "image/jpeg", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return requests.post(self.url(f"/v1/detect{query}"), content=data, headers=headers)

    def track(self, **kwargs: Any) -> Any:
        return client.connect(
            f"ws://127.0.0.1:{self.port}/v1/track", open_timeout=PATIENCE_S, compression=None, **kwargs
        )

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)


@contextmanager
def running(**options: Any) -> Iterator[Running]:
    """A server on a free port of this computer, in a thread of its own; `options` are those of `Service`.

    It has MediaPipe's networks, which tell the sides of drawn hands right.
    """
    service = Service(**{"models": "mediapipe"} | options)
    server = create_server(service, 0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started

    def stop() -> float:
        start = time.monotonic()
        server.should_exit = True
        thread.join(PATIENCE_S)
        if thread.is_alive():
            faulthandler.dump_traceback(sys.__stderr__)  # the stacks of all threads say what it waits for
            held = vars(server.server_state) | {"jobs": service.jobs, "WebSockets": service.sockets.open}
            raise AssertionError(f"the server has not stopped in {PATIENCE_S} s; it still has {held}")
        return time.monotonic() - start

    try:
        yield Running(service, server.servers[0].sockets[0].getsockname()[1], stop)
    finally:
        stop()


def as_jpeg(image: Any, **options: Any) -> bytes:
    """An image as a JPEG file."""
    file = io.BytesIO()
    PillowImage.fromarray(image).save(file, "JPEG", quality=90, **options)
    return file.getvalue()


def pixels(data: bytes) -> Any:
    """What the library gets for a file."""
    return np.asarray(PillowImage.open(io.BytesIO(data)))


def receive(connection: Any) -> Any:
    """The next message of a WebSocket."""
    return json.loads(connection.recv(timeout=PATIENCE_S))


@contextmanager
def ready(server: Running, **kwargs: Any) -> Iterator[Any]:
    """A WebSocket that takes images."""
    with server.track(**kwargs) as connection:
        assert receive(connection)["ready"] is True
        yield connection
