"""`POST /v1/detect`: one image."""

from __future__ import annotations

import hashlib
import io
import struct
import threading
import time
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from servers import PATIENCE_S, Running, as_jpeg, pixels, requests, running

import knuckle
from knuckle.results import Hand
from knuckle.serve.limits import Limits


def test_detect_returns_what_the_library_returns(server: Running, photo: bytes) -> None:
    answer = server.post(photo).json()
    expected = [hand.to_dict() for hand in knuckle.detect(pixels(photo), "mediapipe", threads=1)]
    assert expected and answer["hands"] == expected
    assert (answer["width"], answer["height"]) == (640, 480)
    assert Hand.from_dict(answer["hands"][0]).handedness in ("Left", "Right")


@pytest.mark.parametrize("name", ["knuckle", "knuckle-far"])
def test_bundles_of_the_package_can_be_served(photo: bytes, name: str) -> None:
    """They were refused once, because they have no bundle.json of their own."""
    with running(models=name, workers=1) as server:
        expected = [hand.to_dict() for hand in knuckle.detect(pixels(photo), name, threads=1)]
        assert server.post(photo).json()["hands"] == expected
        assert requests.get(server.url("/models/")).json()["default"] == name
        described = requests.get(server.url(f"/models/{name}/bundle.json")).json()
        network = requests.get(server.url(f"/models/{name}/{described['palm']['file']}")).content
        assert hashlib.sha256(network).hexdigest() == described["palm"]["sha256"]


def test_forms_and_other_formats_return_the_same(server: Running, photo: bytes) -> None:
    expected = server.post(photo).json()["hands"]
    form = requests.post(server.url("/v1/detect"), files={"image": ("hand.jpg", photo)})
    png = io.BytesIO()
    PillowImage.open(io.BytesIO(photo)).save(png, "PNG")
    assert form.json()["hands"] == server.post(png.getvalue(), Content_Type="image/png").json()["hands"] == expected


def test_options_reach_the_detector(server: Running, photo: bytes) -> None:
    assert len(server.post(photo, "?max_hands=1").json()["hands"]) == 1
    assert server.post(photo, "?min_presence=1").json()["hands"] == []
    palms = server.post(photo, "?palms_only=true").json()
    assert "hands" not in palms
    assert palms["palms"] == [palm.to_dict() for palm in knuckle.detect_palms(pixels(photo), "mediapipe", threads=1)]


def test_the_exif_orientation_is_applied(server: Running, photo: bytes) -> None:
    lying = PillowImage.fromarray(np.rot90(pixels(photo)))
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    file = io.BytesIO()
    lying.save(file, "PNG", exif=exif)
    answer = server.post(file.getvalue(), Content_Type="image/png").json()
    assert (answer["width"], answer["height"]) == (640, 480)
    assert answer["hands"] == server.post(photo).json()["hands"]


def bomb(width: int, height: int) -> bytes:
    """A small PNG whose header claims a very large image."""

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
def test_invalid_requests_get_a_status_and_one_line(
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


def test_too_many_requests_get_429_and_retry_after(photo: bytes) -> None:
    with running(limits=Limits(requests_per_s=0.01)) as server:
        answers = [server.post(b"x") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [415, 429]
        assert 1 <= int(answers[1].headers["Retry-After"]) <= 100


def test_the_queue_is_limited_and_the_event_loop_stays_free(photo: bytes) -> None:
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
        assert requests.get(server.url("/v1/openapi.json")).status_code == 200  # while every worker is busy
        free.set()
        for one in clients:
            one.join(PATIENCE_S)
        assert answers == [200, 200]
