"""Photos, animations, clips and web pages by their address, from a real server."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from knuckle import SourceError
from knuckle.media import web
from knuckle.media.sources import read

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def file_of(form: str, frames: int = 1) -> bytes:
    target = io.BytesIO()
    pictures = [pillow.fromarray(np.full((48, 64, 3), 60 * k, np.uint8)) for k in range(frames)]
    several = {"save_all": True, "append_images": pictures[1:], "duration": 40} if frames > 1 else {}
    (pictures[0] if frames > 1 else pillow.fromarray(PICTURE)).save(target, form, **several)
    return target.getvalue()


@pytest.fixture(scope="module")
def site(clip: Path) -> Iterator[str]:
    """A server of photos, animations, pages, and a photo that never ends."""
    answers = {
        "/photo.png": ("image/png", file_of("PNG")),
        "/photo?size=large": ("application/octet-stream", file_of("PNG")),
        "/wrong type.jpg": ("text/html", file_of("PNG")),
        "/moving": ("image/gif", file_of("GIF", 4)),
        "/page": ("text/html", b"<!doctype html><html>A page</html>"),
        "/cut.png": ("image/png", file_of("PNG")[:2000]),
        "/clip": ("video/mp4", clip.read_bytes()),
    }

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/slow.png":
                self.send_response(200)
                self.end_headers()
                for _ in range(100):
                    self.wfile.write(file_of("PNG")[:20])
                    time.sleep(0.05)
                return
            kind, body = answers.get(self.path.replace("%20", " "), ("text/plain", b""))
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["/photo.png", "/photo?size=large", "/wrong%20type.jpg"])
def test_a_photo_by_address_is_a_photo(site: str, path: str) -> None:
    reader = read(site + path)
    (frame,) = reader
    assert reader.kind == "image" and np.array_equal(frame.image, PICTURE) and frame.source == site + path
    assert len(list(reader)) == 1  # again


def test_animations_and_clips_by_address_are_clips(site: str) -> None:
    assert [round(frame.image.mean() / 60) for frame in read(f"{site}/moving")] == [0, 1, 2, 3]
    reader = read(f"{site}/clip")
    assert reader.kind == "video" and len(list(reader)) == 30


@pytest.mark.parametrize(
    ("path", "words"),
    [("/page", "is a web page.*yt-dlp"), ("/gone.png", "404"), ("/gone", "404"), ("/cut.png", "cut off or damaged")],
)
def test_what_is_no_photo_is_one_line(site: str, path: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        list(read(site + path))
    assert path in str(caught.value) and "\n" not in str(caught.value)


def test_size_and_time_of_a_photo_are_limited(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MAX_BYTES", 1000)
    with pytest.raises(SourceError, match=r"photo\.png is larger than"):
        read(f"{site}/photo.png")
    monkeypatch.setattr(web, "MAX_S", 0.3)
    with pytest.raises(SourceError, match="did not arrive within"):
        read(f"{site}/slow.png")


@pytest.mark.parametrize(
    "address", ["https://www.youtube.com/watch?v=1", "https://youtu.be/1", "HTTPS://M.TikTok.com/@a"]
)
def test_video_sites_say_how(address: str) -> None:
    with pytest.raises(SourceError, match=r"is a page of a video site.*yt-dlp -o clip\.mp4"):
        read(address)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/x.jpg", "http://127.0.0.1:9/x", "http://[1/x.jpg", "http://a b/"]
)
def test_addresses_that_cannot_be_opened_are_one_line(address: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(address)
    assert address in str(caught.value) and "\n" not in str(caught.value)
