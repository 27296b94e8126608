"""`knuckle serve` by real clients over real connections on loopback."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import http.client
import io
import json
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import one_line, run
from conftest import two_hands
from PIL import Image as PillowImage

import knuckle
from knuckle.errors import InputError
from knuckle.results import Hand

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
httpx = pytest.importorskip("httpx")
brotli = pytest.importorskip("brotli")
client = pytest.importorskip("websockets.sync.client")
from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: E402

from knuckle.serve import files  # noqa: E402
from knuckle.serve.limits import Limits, TokenBucket, host_of, is_loopback, require_token  # noqa: E402
from knuckle.serve.openapi import description  # noqa: E402
from knuckle.serve.server import create_server  # noqa: E402
from knuckle.serve.service import Service  # noqa: E402

TOKEN = "a-token-for-tests-only"
PATIENCE_S = 20


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
        return httpx.post(self.url(f"/v1/detect{query}"), content=data, headers=headers, timeout=PATIENCE_S)

    def track(self, **kwargs: Any) -> Any:
        return client.connect(
            f"ws://127.0.0.1:{self.port}/v1/track", open_timeout=PATIENCE_S, compression=None, **kwargs
        )

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)


@contextmanager
def running(**options: Any) -> Iterator[Running]:
    service = Service(**options)
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
        assert not thread.is_alive()
        return time.monotonic() - start

    try:
        yield Running(service, server.servers[0].sockets[0].getsockname()[1], stop)
    finally:
        stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(limits=Limits(requests_per_s=1000)) as it:
        yield it


@pytest.fixture(scope="module")
def strict() -> Iterator[Running]:
    """A server with small limits, so that reaching them takes no time."""
    limits = Limits(body_bytes=200_000, pixels=1_000_000, header_s=0.5, receive_s=0.5, send_s=0.5, hello_s=0.5)
    with running(limits=limits) as it:
        yield it


def as_jpeg(image: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    PillowImage.fromarray(image).save(file, "JPEG", quality=90, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def photo() -> bytes:
    return as_jpeg(two_hands(0.9))


def pixels(data: bytes) -> Any:
    return np.asarray(PillowImage.open(io.BytesIO(data)))


def receive(connection: Any) -> Any:
    return json.loads(connection.recv(timeout=PATIENCE_S))


@contextmanager
def ready(server: Running, **kwargs: Any) -> Iterator[Any]:
    with server.track(**kwargs) as connection:
        assert receive(connection)["ready"] is True
        yield connection


# One picture


def test_detect_gives_what_the_library_gives(server: Running, photo: bytes) -> None:
    answer = server.post(photo).json()
    expected = [hand.to_dict() for hand in knuckle.detect(pixels(photo), threads=1)]
    assert expected and answer["hands"] == expected
    assert (answer["width"], answer["height"]) == (640, 480)
    assert Hand.from_dict(answer["hands"][0]).handedness in ("Left", "Right")


@pytest.mark.parametrize("name", ["knuckle", "knuckle-far"])
def test_bundles_of_the_package_can_be_served(photo: bytes, name: str) -> None:
    """They have no folder with a bundle.json of their own, and were refused for that."""
    with running(models=name, workers=1) as server:
        expected = [hand.to_dict() for hand in knuckle.detect(pixels(photo), name, threads=1)]
        assert server.post(photo).json()["hands"] == expected
        assert httpx.get(server.url("/models/")).json()["default"] == name
        described = httpx.get(server.url(f"/models/{name}/bundle.json")).json()
        network = httpx.get(server.url(f"/models/{name}/{described['palm']['file']}")).content
        assert hashlib.sha256(network).hexdigest() == described["palm"]["sha256"]


def test_a_form_and_other_formats_give_the_same(server: Running, photo: bytes) -> None:
    expected = server.post(photo).json()["hands"]
    form = httpx.post(server.url("/v1/detect"), files={"image": ("hand.jpg", photo)}, timeout=PATIENCE_S)
    png = io.BytesIO()
    PillowImage.open(io.BytesIO(photo)).save(png, "PNG")
    assert form.json()["hands"] == server.post(png.getvalue(), Content_Type="image/png").json()["hands"] == expected


def test_options_reach_the_detector(server: Running, photo: bytes) -> None:
    assert len(server.post(photo, "?max_hands=1").json()["hands"]) == 1
    assert server.post(photo, "?min_presence=1").json()["hands"] == []
    palms = server.post(photo, "?palms_only=true").json()
    assert "hands" not in palms
    assert palms["palms"] == [palm.to_dict() for palm in knuckle.detect_palms(pixels(photo), threads=1)]


def test_pictures_are_turned_upright_by_their_mark(server: Running, photo: bytes) -> None:
    lying = PillowImage.fromarray(np.rot90(pixels(photo)))
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    file = io.BytesIO()
    lying.save(file, "PNG", exif=exif)
    answer = server.post(file.getvalue(), Content_Type="image/png").json()
    assert (answer["width"], answer["height"]) == (640, 480)
    assert answer["hands"] == server.post(photo).json()["hands"]


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that says it is very large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def many_scans(photo: bytes) -> bytes:
    progressive = as_jpeg(pixels(photo), progressive=True)
    scan = progressive.index(b"\xff\xda")
    return progressive[:scan] + (progressive[scan : scan + 14]) * 200 + progressive[scan:]


@pytest.mark.parametrize(
    ("make", "query", "headers", "status", "says"),
    [
        (lambda photo: b"", "", {}, 415, "is empty"),
        (lambda photo: b"GIF89a" + photo, "", {}, 415, "expected a JPEG, PNG or WebP file"),
        (lambda photo: photo[: len(photo) // 2], "", {}, 400, "damaged"),
        (lambda photo: photo, "", {"Content-Type": "text/html"}, 415, "text/html"),
        (lambda photo: photo, "", {"Content-Type": "multipart/form-data"}, 400, "multipart"),
        (lambda photo: bomb(1001, 1000), "", {}, 413, "1001 x 1000 pixels"),
        (lambda photo: bomb(60000, 60000), "", {}, 413, "too large"),
        (many_scans, "", {}, 413, "scans"),
        (lambda photo: bytes(200_001), "", {}, 413, "at most 200000 bytes"),
        (lambda photo: photo, "?max_hands=two", {}, 400, "max_hands must be a whole number, got 'two'"),
        (lambda photo: photo, "?max_hands=0", {}, 400, "max_hands"),
        (lambda photo: photo, "?max_hands=999", {}, 400, "at most 16"),
        (lambda photo: photo, "?min_presence=nan", {}, 400, "min_presence"),
        (lambda photo: photo, "?hands=2", {}, 400, "no option called hands"),
        (lambda photo: photo, "", {"Origin": "https://elsewhere.org"}, 403, "elsewhere.org"),
        (lambda photo: photo, "", {"Host": "rebound.elsewhere.org"}, 403, "localhost only"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(
    strict: Running, photo: bytes, make: Any, query: str, headers: dict[str, str], status: int, says: str
) -> None:
    time.sleep(0.05)  # stay below the rate
    answer = strict.post(make(photo), query, **headers)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["error"] and "\n" not in answer.json()["error"]


def test_a_body_without_a_length_is_cut_at_the_limit(strict: Running) -> None:
    with strict.connect() as raw:
        raw.sendall(b"POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            raw.sendall(b"f000\r\n" + bytes(0xF000) + b"\r\n")
        assert b" 413 " in raw.recv(4096)


def test_too_many_requests_are_told_when_to_come_again(photo: bytes) -> None:
    with running(limits=Limits(requests_per_s=2)) as server:
        answers = [server.post(b"x") for _ in range(8)]
        late = [answer for answer in answers if answer.status_code == 429]
        assert answers[0].status_code == 415 and late and int(late[-1].headers["Retry-After"]) >= 1


def test_no_more_pictures_wait_than_allowed_and_the_loop_stays_free(photo: bytes) -> None:
    with running(limits=Limits(waiting=2, requests_per_s=1000), workers=1) as server:
        busy, free = threading.Event(), threading.Event()
        server.service.executor.submit(lambda: busy.set() or free.wait(PATIENCE_S))
        assert busy.wait(PATIENCE_S)
        answers: list[Any] = []
        clients = [threading.Thread(target=lambda: answers.append(server.post(photo).status_code)) for _ in range(2)]
        for one in clients:
            one.start()
        deadline = time.monotonic() + PATIENCE_S
        while server.service.waiting < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        refused = server.post(photo)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert httpx.get(server.url("/v1/openapi.json"), timeout=2).status_code == 200  # while every worker is busy
        free.set()
        for one in clients:
            one.join(PATIENCE_S)
        assert answers == [200, 200]


# A stream


def test_tracking_gives_what_the_library_gives(server: Running, clip_frames: list[Any]) -> None:
    tracker = knuckle.HandTracker(threads=1)
    ids = set()
    with ready(server) as connection:
        for number, image in enumerate(clip_frames[:8]):
            data = as_jpeg(image)
            connection.send(json.dumps({"time_s": number / 15}))
            connection.send(data)
            answer = receive(connection)
            expected = tracker(pixels(data), number / 15)
            assert answer["hands"] == [hand.to_dict() for hand in expected]
            assert (answer["frame"], answer["time_s"], answer["dropped"]) == (number, round(number / 15, 6), [])
            ids |= {hand["track_id"] for hand in answer["hands"]}
    assert ids == {1, 2}


def test_every_picture_is_answered_or_said_to_be_dropped(server: Running, photo: bytes) -> None:
    seen: list[int] = []
    with ready(server) as connection:
        for _ in range(60):
            connection.send(photo)
        while 59 not in seen:
            answer = receive(connection)
            assert (
                answer["dropped"] == sorted(answer["dropped"]) and max(answer["dropped"], default=-1) < answer["frame"]
            )
            seen += [*answer["dropped"], answer["frame"]]
    assert seen == list(range(60))


def test_options_time_and_memory_follow_text_messages(server: Running, photo: bytes) -> None:
    def ask(connection: Any, **message: Any) -> Any:
        if message:
            connection.send(json.dumps(message))
        connection.send(photo)
        return receive(connection)

    with ready(server) as connection:
        assert len(ask(connection, time_s=1.0)["hands"]) == 2
        assert "time_s" in ask(connection, time_s=0.5)["error"]  # before the one above; the tracker stays usable
        assert ask(connection, time_s=2.0)["hands"][0]["track_id"] == 1
        assert ask(connection, time_s=0.5, reset=True)["hands"][0]["track_id"] == 1
        assert len(ask(connection, options={"max_hands": 1}, time_s=0.1)["hands"]) == 1


@pytest.mark.parametrize(
    "message", ["nonsense", "[]", "{}", '{"speed": 2}', '{"options": {"hands": 2}}', '{"time_s": "now"}', "[" * 9999]
)
def test_wrong_messages_are_answered_and_the_stream_goes_on(server: Running, photo: bytes, message: str) -> None:
    with ready(server) as connection:
        connection.send(message)
        assert set(receive(connection)) == {"error"}
        connection.send(b"no picture")
        answer = receive(connection)
        assert answer["frame"] == 0 and "expected a JPEG" in answer["error"]
        connection.send(photo)
        assert receive(connection)["hands"]


def test_a_message_that_is_too_large_ends_the_connection(strict: Running) -> None:
    with ready(strict) as connection, pytest.raises(ConnectionClosed) as closed:
        connection.send(bytes(200_001))
        receive(connection)
    assert closed.value.rcvd.code == 1009


def test_places_are_limited_and_become_free_again() -> None:
    with running(limits=Limits(sockets=3, sockets_per_client=2)) as server:
        with ready(server), ready(server), pytest.raises(InvalidStatus) as refused:
            server.track()
        assert refused.value.response.status_code == 503
        assert b"this address has 2 WebSockets" in refused.value.response.body
        deadline = time.monotonic() + PATIENCE_S
        while server.service.sockets.taken and time.monotonic() < deadline:
            time.sleep(0.01)
        with ready(server):
            pass


def test_pages_of_other_sites_cannot_open_a_stream(server: Running) -> None:
    with pytest.raises(InvalidStatus) as refused:
        server.track(origin="https://elsewhere.org")
    assert refused.value.response.status_code == 403
    with ready(server, origin=f"http://127.0.0.1:{server.port}"):
        pass


def test_an_origin_can_be_let_in(photo: bytes) -> None:
    with running(origins=("https://mine.org",)) as server:
        answer = server.post(photo, Origin="https://mine.org")
        assert answer.headers["access-control-allow-origin"] == "https://mine.org"
        assert server.post(photo, Origin="https://elsewhere.org").status_code == 403
        with ready(server, origin="https://mine.org"):
            pass


# Slow clients


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


def test_a_client_that_never_finishes_its_header_is_cut_off(strict: Running) -> None:
    with strict.connect() as silent, strict.connect() as slow:
        for letter in b"GET / HT":
            slow.send(bytes([letter]))
        assert ended_within(silent, 5) and ended_within(slow, 5)


def test_a_second_request_has_the_same_time_for_its_header(strict: Running) -> None:
    with strict.connect() as raw:
        raw.sendall(b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        assert answer.status == 200 and answer.read()
        raw.sendall(b"GET /v1/openapi.json HT")
        assert ended_within(raw, 5)


def test_a_request_that_takes_longer_than_a_header_may_is_answered(photo: bytes) -> None:
    with running(limits=Limits(header_s=0.3), workers=1) as server:
        server.service.executor.submit(time.sleep, 1)
        assert server.post(photo).json()["hands"]
        with ready(server) as connection:
            time.sleep(0.6)
            connection.send(photo)
            assert receive(connection)["hands"]


def test_only_the_public_names_of_uvicorn_are_used() -> None:
    """Others change without notice: its protocol classes are subclassed, but only as `asyncio.Protocol`."""
    for path in Path(files.__file__).parent.glob("*.py"):
        assert not re.search(r"uvicorn\.(protocols|server|_)|from uvicorn", path.read_text()), path
    config = create_server(Service(workers=1), 0).config
    for protocol in (config.http_protocol_class, config.ws_protocol_class):
        assert issubclass(protocol, asyncio.Protocol)


def test_a_client_that_never_finishes_its_body_is_told(strict: Running) -> None:
    with strict.connect() as raw:
        raw.sendall(b"POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nonly this")
        assert b" 408 " in raw.recv(4096)


def test_a_client_that_never_reads_is_cut_off_and_costs_the_others_nothing(photo: bytes) -> None:
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


def test_stopping_says_goodbye_and_takes_no_time(photo: bytes) -> None:
    with running() as server, ready(server) as connection:
        connection.send(photo)
        receive(connection)
        stopped = threading.Thread(target=server.stop)
        stopped.start()
        with pytest.raises(ConnectionClosed) as closed:
            receive(connection)
        stopped.join(PATIENCE_S)
        assert closed.value.rcvd.code == 1012 and not stopped.is_alive()


# Tokens


@pytest.fixture(scope="module")
def guarded() -> Iterator[Running]:
    with running(token=TOKEN, limits=Limits(hello_s=0.3)) as it:
        yield it


def test_the_api_asks_for_the_token(guarded: Running, photo: bytes) -> None:
    without, wrong = guarded.post(photo), guarded.post(photo, Authorization=f"Bearer {TOKEN}x")
    assert without.status_code == wrong.status_code == 401 and without.headers["WWW-Authenticate"] == "Bearer"
    assert guarded.post(photo, f"?token={TOKEN}").status_code == 401  # query strings end up in logs
    assert guarded.post(photo, Authorization=f"Bearer {TOKEN}").status_code == 200
    assert "security" in httpx.get(guarded.url("/v1/openapi.json")).json()["paths"]["/v1/detect"]["post"]


def test_a_stream_shows_its_token_in_the_header_or_first(guarded: Running, photo: bytes) -> None:
    with ready(guarded, additional_headers={"Authorization": f"Bearer {TOKEN}"}):
        pass
    with guarded.track() as connection:
        connection.send(json.dumps({"token": TOKEN}))
        assert receive(connection)["ready"]
        connection.send(photo)
        assert receive(connection)["hands"]


@pytest.mark.parametrize("first", [None, b"picture", '{"token": "wrong"}', '{"token": 1}', '{"time_s": 1}', "nonsense"])
def test_a_stream_without_its_token_is_closed_before_anything_is_looked_at(guarded: Running, first: Any) -> None:
    with guarded.track() as connection, pytest.raises(ConnectionClosed) as closed:
        if first is not None:
            connection.send(first)
        receive(connection)
    assert closed.value.rcvd.code == 1008 and "token" in closed.value.rcvd.reason


def test_other_computers_need_a_token_that_cannot_be_guessed() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.2", "example.org", "127.evil.org"):
        with pytest.raises(InputError, match="needs a token"):
            require_token(host, None)
        require_token(host, TOKEN)
    for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8"):
        require_token(host, None)
    with pytest.raises(InputError, match="16 or more"):
        require_token("0.0.0.0", "short")


def test_hosts_are_told_from_their_ports() -> None:
    for value in ("localhost", "localhost:8000", "http://localhost:8000", "[::1]:8000", "127.0.0.1:1"):
        assert is_loopback(host_of(value)), value
    for value in ("", "localhost.evil.org:80", "127.0.0.1.evil.org", "evil.org:127", "[::2]:80"):
        assert not is_loopback(host_of(value)), value


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(10, 5, 0.0)
    assert [bucket.wait_s(0.0) for _ in range(5)] == [0.0] * 5
    assert bucket.wait_s(0.0) == pytest.approx(0.1)
    taken = sum(bucket.wait_s(0.0 + k / 100) == 0 for k in range(1000))
    assert taken == pytest.approx(100, abs=1)


# Files


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>it</title>")
    for name in ("assets/main-1.js", "assets/engine.wasm", "app.webmanifest"):
        (folder / name).write_bytes(b"0123456789" * 500)
    (folder / "assets/main-1.js.gz").write_bytes(gzip.compress(b"0123456789" * 500))
    (tmp_path / "secret").write_text("secret")
    monkeypatch.setattr(files, "PAGE", folder)
    return folder


def test_the_page_comes_with_types_compression_and_isolation(server: Running, page: Path) -> None:
    start = httpx.get(server.url("/"))
    assert start.status_code == 200 and start.headers["content-type"].startswith("text/html")
    assert start.headers["cross-origin-opener-policy"] == "same-origin"
    assert start.headers["cross-origin-embedder-policy"] == "require-corp"
    assert "connect-src 'self'" in start.headers["content-security-policy"]
    script = httpx.get(server.url("/assets/main-1.js"), headers={"Accept-Encoding": "gzip, br"})
    assert script.headers["content-encoding"] == "gzip" and script.text == "0123456789" * 500
    assert (
        script.headers["content-type"].startswith("text/javascript") and "immutable" in script.headers["cache-control"]
    )
    plain = httpx.get(server.url("/assets/main-1.js"), headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers and plain.text == script.text
    assert httpx.get(server.url("/assets/engine.wasm")).headers["content-type"] == "application/wasm"
    assert httpx.get(server.url("/app.webmanifest")).headers["content-type"] == "application/manifest+json"
    again = httpx.get(server.url("/"), headers={"If-None-Match": start.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path", ["/nothing.js", "/%2e%2e/secret", "/..%2fsecret", "/assets/", "/assets", "//etc/passwd"]
)
def test_nothing_beside_the_page_is_served(server: Running, page: Path, path: str) -> None:
    with server.connect() as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(1 << 16), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 404 " in head.splitlines()[0] and set(json.loads(body)) == {"error"}


def test_a_page_that_is_not_built_is_said(server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PAGE", tmp_path)
    answer = httpx.get(server.url("/"))
    assert answer.status_code == 404 and "make web" in answer.text


@pytest.mark.parametrize("encoding", ["br", "gzip", "identity"])
def test_models_arrive_whole(server: Running, encoding: str) -> None:
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, "identity": bytes}[encoding]
    listed = httpx.get(server.url("/models/")).json()
    bundle = next(row for row in listed["bundles"] if row["name"] == listed["default"])
    folder = server.url(f"/models/{bundle['name']}")
    assert httpx.get(f"{folder}/bundle.json").json()["palm"] == bundle["palm"]
    for role in ("palm", "hand"):
        address, headers = f"{folder}/{bundle[role]['file']}", {"Accept-Encoding": encoding}
        with httpx.stream("GET", address, headers=headers) as answer:
            assert answer.headers.get("content-encoding", "identity") == encoding
            sent = b"".join(answer.iter_raw())
        assert hashlib.sha256(unpack(sent)).hexdigest() == bundle[role]["sha256"]
        again = httpx.get(address, headers={**headers, "If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


@pytest.mark.parametrize("path", ["mediapipe/no.tflite", "no/bundle.json", "mediapipe/..%2f..%2fx", "%2e%2e/%2e%2e"])
def test_no_other_files_of_the_cache_are_served(server: Running, path: str) -> None:
    assert httpx.get(server.url(f"/models/{path}")).status_code == 404


# The command


def test_the_command_refuses_what_would_be_unsafe_or_cannot_work(server: Running, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for arguments, says in (
        (["--host", "0.0.0.0"], "needs a token"),
        (["--token", "short"], "16 or more"),
        (["--key", str(wrong)], "--certificate"),
        (["--certificate", str(wrong)], "cannot be used"),
        (["--port", str(server.port)], "is the port taken"),
    ):
        assert says in run("serve", *arguments).stderr


def test_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    for name in ("knuckle.cli.serve", "knuckle.serve.server"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert "knuckle serve needs uvicorn: pip install 'knuckle[serve]'" in one_line(run("serve"))


def test_the_command_serves_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "-u", "-m", "knuckle.cli", "serve", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = process.stdout.readline()
        address = told.split()[3]
        assert httpx.get(f"{address}v1").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) in (0, 1, 130, -signal.SIGINT)


# What is written about it


KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "number": (int, float),
    "integer": int,
    "string": str,
    "null": type(None),
}


def fits(value: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """The part of JSON Schema that the description uses."""
    if "$ref" in schema:
        return fits(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    assert not names or any(isinstance(value, KINDS[name]) for name in names), (value, schema)
    assert value in schema.get("enum", [value])
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        for item in value:
            fits(item, schema["items"], schemas)
    if isinstance(value, dict):
        assert set(schema["required"]) <= set(value) <= set(schema["properties"])
        for name, item in value.items():
            fits(item, schema["properties"][name], schemas)


def test_answers_are_as_the_description_says(server: Running, photo: bytes) -> None:
    told = httpx.get(server.url("/v1/openapi.json")).json()
    assert told == json.loads(json.dumps(description(False)))
    schemas = told["components"]["schemas"]
    for query in ("", "?palms_only=true"):
        fits(server.post(photo, query).json(), schemas["Found"], schemas)
    fits(server.post(b"").json(), schemas["Error"], schemas)
    for parameter in told["paths"]["/v1/detect"]["post"]["parameters"]:
        default = str(parameter["schema"].get("default", 0.5)).lower()
        assert server.post(photo, f"?{parameter['name']}={default}").status_code == 200


def test_the_manual_escapes_what_it_is_given(server: Running) -> None:
    with server.connect() as raw:
        raw.sendall(b"GET /v1 HTTP/1.1\r\nHost: localhost:<script>\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: raw.recv(1 << 16), b""))
    assert b"<script>" not in answer


def test_the_manual_names_every_option(server: Running) -> None:
    manual = httpx.get(server.url("/v1"))
    assert manual.status_code == 200 and not re.search(r"{[{%]", manual.text)
    for parameter in description(False)["paths"]["/v1/detect"]["post"]["parameters"]:
        assert f"<code>{parameter['name']}</code>" in manual.text
    assert httpx.get(server.url("/v1/api.css")).headers["content-type"].startswith("text/css")


@pytest.fixture
def examples(
    server: Running, photo: bytes, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], list[str]]:
    """The examples of docs/serve.md in one language, for this server, in a folder with the files that they name."""
    (tmp_path / "hand.jpg").write_bytes(photo)
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    manual = Path(__file__).resolve().parents[2] / "docs" / "serve.md"
    text = manual.read_text().replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
    return lambda language: re.findall(rf"^```{language}(?: {{.no-run}})?\n(.*?)^```$", text, re.S | re.M)


def test_the_manual_s_python_examples_run(
    examples: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    one_image, stream = examples("python")
    exec(one_image, {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["Right", "Left"]
    exec(stream, {})
    ready, *answers = map(json.loads, capsys.readouterr().out.splitlines())
    assert ready["ready"] and [answer["frame"] for answer in answers] == list(range(30))
    assert all(len(answer["hands"]) == 1 and answer["dropped"] == [] for answer in answers)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_manual_s_commands_run(examples: Callable[[str], list[str]]) -> None:
    (commands,) = (block for block in examples("") if block.startswith("curl"))
    hands, palms = (
        json.loads(subprocess.run(shlex.split(line), capture_output=True, check=True).stdout)
        for line in commands.splitlines()
    )
    assert len(hands["hands"]) == len(palms["palms"]) == 2
