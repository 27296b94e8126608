"""Floods of connections: they are bounded before TLS and per address, and leave a small log."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import PATIENCE_S, Limits, requests, running

from knuckle.errors import InputError
from knuckle.serve import logs
from knuckle.serve.limits import Refused, Slots, network_of, networks
from knuckle.serve.listener import allow_files, listen
from knuckle.serve.server import create_server
from knuckle.serve.service import Service

resource = pytest.importorskip("resource")
FILES = 1024
SERVE = (
    "import resource, sys; _, hard = resource.getrlimit(resource.RLIMIT_NOFILE); "
    f"resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, {FILES})); "
    "from knuckle.cli.serve import serve; serve()"
)

httpx = pytest.importorskip("httpx")


@contextmanager
def command(log: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`knuckle serve` in a process that may open 1,024 files, and its port; its log goes to a file."""
    arguments = [sys.executable, "-u", "-c", SERVE, "--port=0", "--workers=1", *options]
    with log.open("w") as file, subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=file, text=True) as process:
        try:
            assert process.stdout
            found = re.search(r":(\d+)/", process.stdout.readline())
            assert found, log.read_text()
            yield process, int(found[1])
        finally:
            process.kill()


def is_open(connection: socket.socket) -> bool:
    """Whether the server has left a connection open."""
    connection.setblocking(False)
    try:
        return bool(connection.recv(1000)) and is_open(connection)
    except BlockingIOError:
        return True
    except OSError:
        return False


def falls_to(connections: list[socket.socket], most: int) -> bool:
    """Wait until the server has left at most so many connections open; a busy computer needs time to close them."""
    deadline = time.monotonic() + PATIENCE_S
    while sum(map(is_open, connections)) > most:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def open_silent(stack: ExitStack, port: int, count: int, addresses: int) -> list[socket.socket]:
    """Connections that send nothing, spread over loopback addresses."""
    opened = []
    for k in range(count):
        source = (f"127.0.1.{1 + k % addresses}", 0)
        opened.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_S, source)))
    return opened


@pytest.fixture
def more_files() -> Iterator[None]:
    """This process needs a descriptor for each of its connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip("this process may not open 4,096 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has one loopback address")
@pytest.mark.parametrize("addresses", [1, 40])
def test_defaults_survive_1100_silent_connections_with_1024_descriptors(
    tmp_path: Path, photo: bytes, more_files: None, addresses: int
) -> None:
    log = tmp_path / "log"
    with command(log, "--limit=header_s=3") as (process, port), ExitStack() as stack:
        silent = open_silent(stack, port, 1100, addresses)
        most = Limits.connections_per_client if addresses == 1 else Limits.connections
        assert falls_to(silent, most)
        if addresses == 1:  # others are answered at once
            assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_S).status_code == 200
        assert falls_to(silent, 0)  # after the time for a header
        answer = requests.post(f"http://127.0.0.1:{port}/v1/detect", content=photo)
        assert answer.status_code == 200 and len(answer.json()["hands"]) == 2
        assert process.poll() is None
    assert len(log.read_text()) < 3000, log.read_text()[:3000]


def test_refused_connections_are_told_why_in_json() -> None:
    with running(limits=Limits(connections_per_client=2)) as server, server.connect(), server.connect():
        time.sleep(0.1)
        answer = requests.get(server.url("/healthz"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "this address has 2 connections open" in answer.json()["error"]


def test_connections_are_counted_before_tls(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    pem, key = certificate
    options = (f"--certificate={pem}", f"--key={key}", "--limit=connections_per_client=5", "--limit=header_s=1")
    with command(tmp_path / "log", *options) as (_, port), ExitStack() as stack:
        silent = open_silent(stack, port, 20, 1)
        assert falls_to(silent, 5)
        assert falls_to(silent, 0)  # the time for a header counts from the connection on, not from TLS on
        context = ssl.create_default_context(cafile=str(pem))
        assert httpx.get(f"https://localhost:{port}/healthz", verify=context, timeout=PATIENCE_S).json() == {
            "status": "ok"
        }


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of localhost and its key."""
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    try:
        subprocess.run([*command.split(), "-keyout", key, "-out", pem], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    return pem, key


def test_answers_are_sent_at_once() -> None:
    """Header and body are two writes, and with Nagle's algorithm the second would wait 40 ms for the client."""
    server = create_server(Service("mediapipe"), 0)

    async def accept() -> int:  # the time limit of the header needs a loop
        (listener,) = listen("127.0.0.1", 0, server.listener)
        with listener, socket.create_connection(listener.getsockname(), PATIENCE_S):
            connection, _ = listener.accept()
            with connection:
                return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    assert asyncio.run(accept())


def test_a_flood_of_warnings_becomes_a_summary(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    windows: list[HeldTimer] = []

    class HeldTimer:
        """Stands in for `threading.Timer`: the window ends when the test says so."""

        daemon = False

        def __init__(self, seconds: float, end: Callable[..., None], arguments: tuple[Any, ...]) -> None:
            assert seconds == logs.WINDOW_S
            self.end, self.arguments = end, arguments

        def start(self) -> None:
            windows.append(self)

    monkeypatch.setattr(logs.threading, "Timer", HeldTimer)
    known = {name: logging.getLogger(name) for name in ("knuckle.serve", "uvicorn", "asyncio", "python_multipart")}
    before = {name: (list(one.handlers), one.propagate, one.level) for name, one in known.items()}
    try:
        logs.start_log("warning", as_json=True)
        for k in range(2000):
            known["knuckle.serve"].warning("connection of %s refused", k)
            logging.getLogger("python_multipart.multipart").warning("a malformed form")
        known["knuckle.serve"].warning("something else")
        for window in windows:
            window.end(*window.arguments)
    finally:
        for name, one in known.items():
            one.handlers, one.propagate = before[name][:2]
            one.setLevel(before[name][2])
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    messages = [line["message"] for line in lines]
    assert messages.count("a malformed form") == logs.BURST
    assert sorted(message for message in messages if message != "a malformed form") == [
        "1995 more in 10 s like: a malformed form",
        "1995 more in 10 s like: connection of 0 refused",
        *(f"connection of {k} refused" for k in range(logs.BURST)),
        "something else",
    ]


def test_slots_count_networks_of_ipv6_and_leave_out_proxies() -> None:
    slots = Slots("connections", 10, 1, networks(("10.0.0.0/8",)))
    slots.acquire("2001:db8::1")
    with pytest.raises(Refused, match="this address"):
        slots.acquire("2001:db8::2")
    for _ in range(3):
        slots.acquire("10.1.2.3")
    slots.release("2001:db8::1")
    slots.acquire("2001:db8::ffff")
    assert slots.open == 4 and network_of("1.2.3.4") == "1.2.3.4" and network_of("no address") == "no address"
    with pytest.raises(InputError, match="network"):
        networks(("proxy.example",))


def test_more_connections_than_the_computer_allows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 1024))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, both: asked.append(both))
    allow_files(100)
    allow_files(500)
    assert asked == [(628, 1024)]
    with pytest.raises(InputError, match="limit connections=896"):
        allow_files(2000)
