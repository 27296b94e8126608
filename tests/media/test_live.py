"""Live streams, from real servers: MJPEG over HTTP, RTSP, HLS; and cameras behind a stand-in for OpenCV's capture."""

from __future__ import annotations

import base64
import io
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import av
import numpy as np
import pytest
from conftest import two_hands
from PIL import Image as pillow

import knuckle
from knuckle import SourceError
from knuckle.images import Image
from knuckle.media import live, streams
from knuckle.media.sources import read

BITS = 24


def stamped(number: int) -> bytes:
    """A JPEG that shows a number as blocks of black and white."""
    image = np.full((48, 12 * BITS, 3), 90, np.uint8)
    for bit in range(BITS):
        image[:24, 12 * bit : 12 * bit + 12] = 255 if number >> bit & 1 else 0
    file = io.BytesIO()
    pillow.fromarray(image).save(file, "JPEG", quality=90)
    return file.getvalue()


def number_in(image: Image) -> int:
    return sum(int(image[8, 12 * bit + 6, 0] > 127) << bit for bit in range(BITS))


@contextmanager
def serving(handler: Callable[..., Any]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def camera(send: Callable[[Any, int], None], *, boundary: str = "frame", chunked: bool = False) -> type:
    """A handler that answers like a camera; `send` writes the pictures of the n-th connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1" if chunked else "HTTP/1.0"
        connections = 0

        def log_message(self, *arguments: object) -> None:
            pass

        def put(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)

        def part(self, data: bytes, length: bool = True) -> None:
            size = b"Content-Length: %d\r\n" % len(data) if length else b""
            self.put(b"--frame\r\nContent-Type: image/jpeg\r\n" + size + b"\r\n" + data + b"\r\n")

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={boundary}")
            if chunked:
                self.send_header("Transfer-Encoding", "chunked")
                self.close_connection = True
            self.end_headers()
            type(self).connections += 1
            with suppress(OSError):
                send(self, type(self).connections)

    return Handler


def test_a_slow_consumer_gets_the_newest_picture_and_wall_clock_times() -> None:
    begin_s = time.perf_counter()

    def send(handler: Any, _: int) -> None:
        for k in range(400):
            handler.part(stamped(round(1000 * (time.perf_counter() - begin_s))))
            time.sleep(max(0.0, handler_start + k / 50 - time.perf_counter()))

    handler_start = time.perf_counter()
    with serving(camera(send)) as address:
        reader, ages, times = read(f"{address}/stream"), [], []
        began_s = time.perf_counter()
        for frame in reader:
            ages.append(time.perf_counter() - begin_s - number_in(frame.image) / 1000)
            times.append(frame.time_s)
            time.sleep(0.1)  # five times slower than the camera
            if time.perf_counter() - began_s > 2.5:
                break
        passed_s = time.perf_counter() - began_s
    assert reader.kind == "live" and len(ages) < 40
    assert np.median(ages) < 0.3 and ages[-1] < 0.6, ages
    assert times[0] == 0 and times[-1] == pytest.approx(passed_s, rel=0.15, abs=0.2)


def test_without_live_every_picture_comes() -> None:
    def send(handler: Any, _: int) -> None:
        for k in range(20):
            handler.part(stamped(k))
        handler.put(b"--frame--\r\n")

    with serving(camera(send)) as address:
        reader = read(f"{address}/stream", live=False)
        numbers = []
        for frame in reader:
            numbers.append(number_in(frame.image))
            time.sleep(0.01)
    assert reader.kind == "video" and numbers == list(range(20))


@pytest.mark.parametrize("end", ["boundary", "chunked"])
@pytest.mark.parametrize("length", [True, False])
def test_an_end_that_is_announced_ends_the_loop(end: str, length: bool) -> None:
    def send(handler: Any, _: int) -> None:
        for k in range(5):
            handler.part(stamped(k), length)
            time.sleep(0.02)
        if not (end == "chunked" and length):
            handler.put(b"--frame--\r\n")
        if end == "chunked":
            handler.wfile.write(b"0\r\n\r\n")

    handler = camera(send, chunked=end == "chunked", boundary="--frame" if length else "frame")
    with serving(handler) as address:
        frames = list(read(f"{address}/stream"))
    assert number_in(frames[-1].image) == 4 and handler.connections == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("where", ["within a picture", "between pictures"])
def test_a_stream_that_breaks_off_is_connected_again(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PAUSES_S", (0.02, 0.05))

    def send(handler: Any, connection: int) -> None:
        for k in range(4):
            handler.part(stamped(10 * connection + k))
            time.sleep(0.03)
        if connection == 3:
            handler.put(b"--frame--\r\n")
        elif where == "within a picture":
            handler.put(b"--frame\r\nContent-Length: 9999\r\n\r\nabc")

    with serving(camera(send)) as address:
        reader = read(f"{address}/stream")
        frames = list(reader)
    numbers = [number_in(frame.image) for frame in frames]
    assert numbers == sorted(numbers) and {number // 10 for number in numbers} == {1, 2, 3}
    assert (np.diff([frame.time_s for frame in frames]) > 0).all()
    assert len(reader.notes) == 1 and "connected again" in reader.notes[0]


def test_a_camera_that_is_gone_for_good_is_an_error_after_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PAUSES_S", (0.01, 0.02))

    def send(handler: Any, connection: int) -> None:
        for k in range(3 if connection == 1 else 0):
            handler.part(stamped(k))
            time.sleep(0.05)

    received = []
    with (
        serving(camera(send)) as address,
        pytest.raises(SourceError, match=r"broke off after 3 frames and cannot be reached"),
    ):
        reader = read(f"{address}/stream")
        for frame in reader:
            received.append(number_in(frame.image))
    assert received[-1] == 2 and reader.notes == []


def test_a_stream_that_falls_silent_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live"
        with pytest.raises(SourceError, match="cannot be opened as a video: no answer within"):
            read(address)


def test_damaged_pictures_are_skipped_and_counted() -> None:
    def send(handler: Any, _: int) -> None:
        for k in range(6):
            handler.part(stamped(k) if k % 2 == 0 else b"\xff\xd8\xff\xe0 no picture")
        handler.put(b"--frame--\r\n")

    with serving(camera(send)) as address:
        reader = read(f"{address}/stream", live=False)
        assert [number_in(frame.image) for frame in reader] == [0, 2, 4]
        (problem,) = reader.problems
    assert "skipped damaged pictures: 3" in str(problem)


def test_user_and_password_in_the_address() -> None:
    def send(handler: Any, _: int) -> None:
        handler.part(stamped(7))
        handler.put(b"--frame--\r\n")

    class Guarded(camera(send)):  # type: ignore[misc]
        def do_GET(self) -> None:
            if self.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:p@ss").decode():
                super().do_GET()
                return
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Guarded) as address:
        (frame,) = read(address.replace("//", "//me:p%40ss@") + "/video")
        assert number_in(frame.image) == 7
        with pytest.raises(SourceError, match="401") as caught:
            read(f"{address}/video")
    assert "\n" not in str(caught.value)


def write_segments(folder: Path, seconds: float, playlist_type: str | None) -> None:
    """An HLS stream of moving hands in segments of half a second, written in real time unless it is on demand."""
    options = {"hls_time": "0.5"}
    if playlist_type:
        options |= {"hls_playlist_type": playlist_type, "hls_list_size": "0"}
    else:
        options |= {"hls_list_size": "4", "hls_flags": "omit_endlist"}
    begin_s = time.perf_counter()
    with av.open(str(folder / "live.m3u8"), "w", format="hls", options=options) as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "g": "15", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for k in range(round(30 * seconds)):
            frame = av.VideoFrame.from_ndarray(two_hands(k % 30 / 30, 160, 120), "rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 30)
            container.mux(stream.encode(frame))
            if playlist_type is None:
                time.sleep(max(0.0, begin_s + k / 30 - time.perf_counter()))
        container.mux(stream.encode(None))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_file_over_http_goes_on_after_a_lost_connection(clip: Path) -> None:
    data = clip.read_bytes()

    class Lossy(BaseHTTPRequestHandler):
        requests: ClassVar[list[str]] = []

        def log_message(self, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            asked = self.headers.get("Range", "bytes=0-")
            begin = int(asked.removeprefix("bytes=").partition("-")[0])
            self.requests.append(asked)
            self.send_response(206)
            self.send_header("Content-Type", "video/mp4")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(data) - begin))
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(data[begin : begin + len(data) // 2])  # and then the connection is closed

    with serving(Lossy) as address:
        assert len(list(read(f"{address}/clip.mp4", live=False))) == 30
    assert len(Lossy.requests) > 2


def test_hls_on_demand_is_a_video_and_ends(tmp_path: Path) -> None:
    write_segments(tmp_path, 2.0, "vod")
    with serving(partial(Quiet, directory=str(tmp_path))) as address:
        reader = read(f"{address}/live.m3u8")
        frames = list(reader)
    assert reader.kind == "video" and len(frames) == 60 and frames[-1].time_s == pytest.approx(59 / 30, abs=0.05)


def test_live_hls_comes_at_its_own_pace(tmp_path: Path) -> None:
    writer = threading.Thread(target=write_segments, args=(tmp_path, 5.0, None), daemon=True)
    writer.start()
    while not (tmp_path / "live.m3u8").is_file() or (tmp_path / "live.m3u8").read_text().count(".ts") < 3:
        time.sleep(0.05)
    with serving(partial(Quiet, directory=str(tmp_path))) as address, read(f"{address}/live.m3u8") as reader:
        assert reader.kind == "live"
        begin_s, times = time.perf_counter(), []
        for frame in reader:
            times.append(frame.time_s)
            if frame.time_s > 1.5:
                break
        passed_s = time.perf_counter() - begin_s
    assert times[-1] == pytest.approx(passed_s, abs=0.7)
    assert len(times) > 10 and np.diff(times).max() < 1.0, "segments are not over at once"
    writer.join()


def rtsp_server(pictures: int, rate: float) -> socket.socket:
    """A server of RTSP over TCP that sends JPEG pictures (RFC 2435) at a rate, then closes the connection."""
    listening = socket.create_server(("127.0.0.1", 0))

    def packets(number: int, jpeg: bytes) -> Iterator[bytes]:
        scan = jpeg[jpeg.index(b"\xff\xda") :]
        data = scan[2 + int.from_bytes(scan[2:4], "big") :]
        at, tables = 0, b""
        while (at := jpeg.find(b"\xff\xdb", at)) >= 0:
            length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
            tables += b"".join(jpeg[k + 1 : k + 65] for k in range(at + 4, at + 2 + length, 65))
            at += length
        for begin in range(0, len(data), 1200):
            part = data[begin : begin + 1200]
            head = bytes([0]) + begin.to_bytes(3, "big") + bytes([1, 255, 12 * BITS // 8, 48 // 8])
            if begin == 0:
                head += bytes([0, 0]) + len(tables).to_bytes(2, "big") + tables
            last = begin + 1200 >= len(data)
            stamp = round(number * 90_000 / rate).to_bytes(4, "big")
            packet_number = (number * 20 + begin // 1200).to_bytes(2, "big")
            rtp = bytes([0x80, 26 | (0x80 if last else 0)]) + packet_number + stamp + b"\0\0\0\1" + head + part
            yield b"$\0" + len(rtp).to_bytes(2, "big") + rtp

    def serve(connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        while line := lines.readline():
            headers = {}
            while (header := lines.readline().strip()) != b"":
                name, _, value = header.partition(b":")
                headers[name.lower()] = value.strip()
            body, extra = b"", b""
            method = line.split()[0]
            if method == b"DESCRIBE":
                body = (
                    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track1\r\n"
                )
                extra = b"Content-Type: application/sdp\r\n"
            elif method == b"SETUP":
                extra = b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
            answer = (
                b"RTSP/1.0 200 OK\r\nCSeq: " + headers[b"cseq"] + b"\r\nSession: 1\r\nPublic: DESCRIBE, SETUP, PLAY\r\n"
            )
            connection.sendall(answer + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            if method == b"PLAY":
                break
        start_s = time.perf_counter()
        for number in range(pictures):
            for packet in packets(number, stamped(round(1000 * time.perf_counter()) % (1 << BITS))):
                connection.sendall(packet)
            time.sleep(max(0.0, start_s + number / rate - time.perf_counter()))
        lines.close()
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=lambda c=connection: serve_quietly(c), daemon=True).start()

    def serve_quietly(connection: socket.socket) -> None:
        with suppress(OSError):
            serve(connection)

    threading.Thread(target=accept, daemon=True).start()
    return listening


def test_rtsp_gives_the_newest_picture_and_is_connected_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PAUSES_S", (0.05, 0.1))
    listening = rtsp_server(pictures=75, rate=30)
    ages, times = [], []
    with read(f"rtsp://127.0.0.1:{listening.getsockname()[1]}/live") as reader:
        assert reader.kind == "live"
        for frame in reader:
            sent_ms = number_in(frame.image)
            ages.append((round(1000 * time.perf_counter()) % (1 << BITS) - sent_ms) / 1000)
            times.append(frame.time_s)
            time.sleep(0.1)
            if frame.time_s > 4.5:
                break
    listening.close()
    assert np.median(ages) < 0.3, ages
    assert reader.notes == [note for note in reader.notes if "connected again" in note] and len(reader.notes) == 1
    assert (np.diff(times) > 0).all()


def test_a_camera_that_cannot_be_opened_is_one_line() -> None:
    command = [sys.executable, "-m", "knuckle.cli", "track", "97"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "camera 97 cannot be opened" in done.stderr, done.stderr


@pytest.mark.parametrize("newest", [True, False])
def test_a_camera_on_a_coarse_clock_is_tracked(newest: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """`time.monotonic` moves in steps of 15.6 ms on Windows up to Python 3.12; a driver hands out frames in pairs."""
    import cv2

    real = time.monotonic

    class Capture:
        def __init__(self, number: int) -> None:
            self.count = 0

        def isOpened(self) -> bool:
            return True

        def get(self, key: int) -> float:
            return 60.0

        def read(self) -> tuple[bool, Image | None]:
            self.count += 1
            if self.count == 7:
                return False, None  # a single failure is no end
            if self.count > 40:
                return False, None
            if self.count % 2:
                time.sleep(0.01)
            return True, two_hands(self.count / 40)[..., ::-1].copy()

        def release(self) -> None:
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    monkeypatch.setattr(time, "monotonic", lambda: real() // 0.015625 * 0.015625)
    tracker, ids, count = knuckle.HandTracker(), set(), 0
    with pytest.raises(SourceError, match="camera 0 stopped after 39 frames"):
        for frame in read(0, live=newest):
            ids |= {hand.track_id for hand in tracker(frame.image, time.monotonic())}
            count += 1
    assert ids <= {1, 2} and (newest or count == 39)
