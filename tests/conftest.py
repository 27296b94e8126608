from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import settings
from no_network import this_computer_only
from PIL import Image as pillow
from scene import blank, draw_hand

import knuckle
from knuckle.images import Image
from knuckle.models import catalogue
from knuckle.pipeline.tracker import Networks
from knuckle.results import Hand, Roi

# Folders of tests whose sockets are guarded.
CORE = {"datasets", "exports", "gestures", "inspect", "metrics", "pipeline", "results", "space"}
settings.register_profile("patient", deadline=None)  # a busy machine is no wrong answer
settings.load_profile("patient")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real photos, clips and the reference's outputs; they lie beside a developer's checkout only."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"real photos and clips are not here ({folder})")
    return folder


@pytest.fixture(scope="session")
def networks() -> Networks:
    """MediaPipe's bundle, fetched where it is not in the cache."""
    return knuckle.load("mediapipe")


@pytest.fixture(scope="session")
def fetched() -> None:
    """Fetch MediaPipe's bundles where they are not in the cache, before sockets are guarded."""
    for name in ("mediapipe", "mediapipe-lite"):
        with suppress(knuckle.EngineError):  # without LiteRT their tests are skipped
            catalogue.find(name)


@pytest.fixture(autouse=True)
def offline(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests of the core reach this computer only."""
    if Path(request.path).parent.name not in CORE:
        yield
        return
    request.getfixturevalue("fetched")
    with this_computer_only() as asked:
        yield
    assert asked == [], f"the test asked for other computers: {asked}"


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    """A real `knuckle serve` that all tests share."""
    servers = pytest.importorskip("servers")
    with servers.running(limits=servers.Limits(requests_per_s=1000)) as running:
        yield running


@pytest.fixture(scope="session")
def strict() -> Iterator[Any]:
    """A server with small limits, so that reaching them takes no time."""
    servers = pytest.importorskip("servers")
    small = {
        "body_bytes": 200_000,
        "pixels": 1_000_000,
        "header_s": 1.5,
        "receive_s": 1.5,
        "send_s": 1.5,
        "hello_s": 1.5,
    }
    with servers.running(limits=servers.Limits(**small)) as running:
        yield running


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def new_tab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Any]]:
    """Opens fresh tabs (`browser_tab.BrowserTab`): the tests that use it run in Chromium and in Firefox."""
    browser = pytest.importorskip(request.param)
    if request.param == "chromium":
        if not browser.CHROMIUM:
            pytest.skip("no Chromium is installed")
        with browser.open_browser(*browser.WITHOUT_WEBGL, *browser.TWO_CAMERAS) as chromium:
            yield lambda: browser.Tab(chromium, ignore_https_errors=True)
    else:
        if not browser.FIREFOX:
            pytest.skip("no Firefox is installed")
        with browser.open_firefox(tmp_path_factory.mktemp("firefox") / "profile") as session:
            yield lambda: browser.Tab(session)


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A JPEG of 640 x 480 with two hands."""
    file = io.BytesIO()
    pillow.fromarray(two_hands(0.9)).save(file, "JPEG", quality=90)
    return file.getvalue()


def two_hands(t: float, width: int = 640, height: int = 480) -> Image:
    """A left hand that moves to the right and a right hand that moves to the left, t from 0 to 1."""
    image = blank(width, height)
    draw_hand(image, width * (0.25 + 0.1 * t), height * 0.45, height * 0.4, 0.1)
    return draw_hand(image, width * (0.75 - 0.1 * t), height * (0.5 - 0.1 * t), height * 0.4, -0.1, right=True)


@pytest.fixture(scope="session")
def clip_frames() -> list[Image]:
    return [two_hands(k / 29) for k in range(30)]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, clip_frames: list[Image]) -> Path:
    """30 frames at 15 per second with a tone, two hands in view throughout."""
    path = tmp_path_factory.mktemp("clip") / "two hands.mp4"
    write_clip(path, clip_frames, 15, sound=True)
    return path


def write_clip(
    path: Path, frames: list[Image], rate: int, sound: bool = False, times: list[float] | None = None
) -> None:
    """A real file by the real encoder; `times` makes its rate variable."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        audio = container.add_stream("aac", rate=16000) if sound else None
        for k, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            seconds = times[k] if times else k / rate
            frame.pts, frame.time_base = round(seconds * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio:
            wave = (np.sin(np.arange(16000 * len(frames) // rate) / 10) * 8000).astype(np.int16)
            samples = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
            samples.sample_rate, samples.pts = 16000, 0
            container.mux(audio.encode(samples))
            container.mux(audio.encode(None))


def make_hand(x: float = 100, y: float = 100, size: float = 80, side: str = "Left", score: float = 0.9) -> Hand:
    """An upright open hand as plain numbers, its wrist at x, y and `size` pixels high."""
    columns = {0: -0.3, 1: -0.2, 2: 0.0, 3: 0.12, 4: 0.24}
    points = [(0.0, 0.0)]
    for digit, column in columns.items():
        bottom, top = (0.1, 0.5) if digit == 0 else (0.5, 1.0)
        points += [(column, -(bottom + (top - bottom) * k / 3)) for k in range(4)]
    landmarks = np.array([(x + px * size, y + py * size, 0.0) for px, py in points], np.float32)
    world = np.array([(px * 0.18, py * 0.18, 0.0) for px, py in points], np.float32)
    return Hand(landmarks, world, side, score, 0.99, Roi(x, y - size / 2, 2 * size))
