"""Slow, greedy and unauthorised clients."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import PATIENCE_S, Running, ready, receive, requests, running
from websockets.exceptions import ConnectionClosed

from knuckle.errors import InputError
from knuckle.serve import files
from knuckle.serve.deadlines import HeaderDeadlines, with_deadlines
from knuckle.serve.limits import Limits, TokenBucket, host_of, is_loopback, require_token
from knuckle.serve.server import create_server
from knuckle.serve.service import Service

TOKEN = "a-token-for-tests-only"


def ended_within(raw: socket.socket, seconds: float) -> bool:
    raw.settimeout(seconds)
    try:
        while raw.recv(1 << 16):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def test_an_unfinished_header_closes_the_connection(strict: Running) -> None:
    with strict.connect() as silent, strict.connect() as slow:
        for letter in b"GET / HT":
            slow.send(bytes([letter]))
        assert ended_within(silent, PATIENCE_S) and ended_within(slow, PATIENCE_S)


def test_a_second_request_has_the_same_time_for_its_header(strict: Running) -> None:
    with strict.connect() as raw:
        raw.sendall(b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        assert answer.status == 200 and answer.read()
        raw.sendall(b"GET /v1/openapi.json HT")
        assert ended_within(raw, PATIENCE_S)


def test_the_header_deadline_does_not_limit_the_answer(photo: bytes) -> None:
    with running(limits=Limits(header_s=0.3), workers=1) as server:
        server.service.executor.submit(time.sleep, 1)
        assert server.post(photo).json()["hands"]
        with ready(server) as connection:
            time.sleep(0.6)
            connection.send(photo)
            assert receive(connection)["hands"]


def test_a_client_that_has_gone_before_it_is_accepted_is_no_error() -> None:
    class Gone(asyncio.Transport):
        """A socket without a peer."""

    headers = HeaderDeadlines(lambda scope, receive, send: asyncio.sleep(0), 1)
    protocol = with_deadlines(asyncio.Protocol, headers, 1)()
    protocol.connection_made(Gone())
    protocol.connection_lost(None)
    assert headers.timers == {}


def test_only_the_public_names_of_uvicorn_are_used() -> None:
    """Other names may change; its protocol classes are used as subclasses of `asyncio.Protocol` only."""
    for path in Path(files.__file__).parent.glob("*.py"):
        assert not re.search(r"uvicorn\.(protocols|server|_)|from uvicorn", path.read_text()), path
    config = create_server(Service(workers=1), 0).config
    for protocol in (config.http_protocol_class, config.ws_protocol_class):
        assert issubclass(protocol, asyncio.Protocol)


def test_an_unfinished_body_gets_408(strict: Running) -> None:
    with strict.connect() as raw:
        raw.sendall(b"POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nonly this")
        assert b" 408 " in raw.recv(4096)


def test_a_client_that_never_reads_is_disconnected_and_disturbs_no_other(photo: bytes) -> None:
    with running(limits=Limits(send_s=1, requests_per_s=1000, frames_per_s=10_000)) as server:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", server.port))
        raw.settimeout(0.2)
        handshake = "GET /v1/track HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        raw.sendall(
            f"{handshake}Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        message = b"\x81\x82\0\0\0\0{}"  # masked text; each is answered with an error of a hundred bytes
        deadline = time.monotonic() + PATIENCE_S
        cut, answered = False, 0
        with raw, ready(server) as other:
            while not cut and time.monotonic() < deadline:
                other.send(photo)
                answered += bool(receive(other)["hands"])
                try:
                    raw.sendall(message * 5000)
                except TimeoutError:
                    pass
                except OSError:
                    cut = True
            assert cut and answered >= 2
            other.send(photo)
            assert receive(other)["hands"]


def test_an_idle_stream_is_closed_with_a_reason() -> None:
    with running(limits=Limits(idle_s=0.3)) as server, ready(server) as connection:
        with pytest.raises(ConnectionClosed) as closed:
            receive(connection)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "no message for 0.3 s")


def test_stopping_closes_streams_with_a_code(photo: bytes) -> None:
    with running() as server, ready(server) as connection:
        connection.send(photo)
        receive(connection)
        stopped = threading.Thread(target=server.stop)
        stopped.start()
        with pytest.raises(ConnectionClosed) as closed:
            receive(connection)
        stopped.join(PATIENCE_S)
        assert closed.value.rcvd.code == 1012 and not stopped.is_alive()


@pytest.fixture(scope="module")
def guarded() -> Iterator[Running]:
    with running(token=TOKEN, limits=Limits(hello_s=PATIENCE_S)) as it:
        yield it


def test_the_api_asks_for_the_token(guarded: Running, photo: bytes) -> None:
    without, wrong = guarded.post(photo), guarded.post(photo, Authorization=f"Bearer {TOKEN}x")
    assert without.status_code == wrong.status_code == 401 and without.headers["WWW-Authenticate"] == "Bearer"
    assert guarded.post(photo, f"?token={TOKEN}").status_code == 401  # query strings end up in logs
    assert guarded.post(photo, Authorization=f"Bearer {TOKEN}").status_code == 200
    assert "security" in requests.get(guarded.url("/v1/openapi.json")).json()["paths"]["/v1/detect"]["post"]


def test_a_stream_sends_its_token_in_the_header_or_first(guarded: Running, photo: bytes) -> None:
    with ready(guarded, additional_headers={"Authorization": f"Bearer {TOKEN}"}):
        pass
    with guarded.track() as connection:
        connection.send(json.dumps({"token": TOKEN}))
        assert receive(connection)["ready"]
        connection.send(photo)
        assert receive(connection)["hands"]


@pytest.mark.parametrize("first", [b"picture", '{"token": "wrong"}', '{"token": 1}', '{"time_s": 1}', "nonsense"])
def test_a_stream_without_its_token_is_closed_before_any_image_is_processed(guarded: Running, first: Any) -> None:
    with guarded.track() as connection, pytest.raises(ConnectionClosed) as closed:
        connection.send(first)
        receive(connection)
    assert closed.value.rcvd.code == 1008 and "token" in closed.value.rcvd.reason


def test_a_stream_that_sends_no_token_is_closed() -> None:
    with (
        running(token=TOKEN, limits=Limits(hello_s=0.3)) as server,
        server.track() as connection,
        pytest.raises(ConnectionClosed) as closed,
    ):
        receive(connection)
    assert closed.value.rcvd.code == 1008 and "missing token" in closed.value.rcvd.reason


def test_other_computers_need_a_token_that_cannot_be_guessed() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.2", "example.org", "127.evil.org"):
        with pytest.raises(InputError, match="needs a token"):
            require_token(host, None)
        require_token(host, TOKEN)
    for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8"):
        require_token(host, None)
    with pytest.raises(InputError, match="16 or more"):
        require_token("0.0.0.0", "short")


def test_hosts_and_ports_are_separated() -> None:
    for value in ("localhost", "localhost:8000", "http://localhost:8000", "[::1]:8000", "127.0.0.1:1"):
        assert is_loopback(host_of(value)), value
    for value in ("", "localhost.evil.org:80", "127.0.0.1.evil.org", "evil.org:127", "[::2]:80"):
        assert not is_loopback(host_of(value)), value


def test_a_token_bucket_allows_a_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(10, 5, 0.0)
    assert [bucket.wait_s(0.0) for _ in range(5)] == [0.0] * 5
    assert bucket.wait_s(0.0) == pytest.approx(0.1)
    taken = sum(bucket.wait_s(0.0 + k / 100) == 0 for k in range(1000))
    assert taken == pytest.approx(100, abs=1)
