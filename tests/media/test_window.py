"""The preview window, on a real screen in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from commands import run
from conftest import make_hand, write_clip

import knuckle
import knuckle.media.window
from knuckle.images import Image
from knuckle.media.drawer import HandDrawer
from knuckle.media.playback import Playback
from knuckle.media.screen import Screen
from knuckle.media.sources import load_image, read
from knuckle.media.window import Window
from knuckle.results import Frame

# Left and right half differ, so that an image and its mirror image do.
IMAGE = np.dstack([np.tile(np.arange(160, dtype=np.uint8), (120, 1))] * 3)
FRAME, HAND = Frame(IMAGE, source="clip.mp4"), make_hand(50, 90, 50)
DRAWN = knuckle.draw_hands(IMAGE, [HAND])


@pytest.fixture(autouse=True, scope="module")
def display() -> Iterator[None]:
    """The screen of this computer, or one in memory."""
    pytest.importorskip("tkinter")
    if os.environ.get("DISPLAY") or not sys.platform.startswith("linux"):
        yield
        return
    if not shutil.which("Xvfb"):
        pytest.skip("there is no screen, and no Xvfb to make one")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "800x600x24"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DISPLAY", f":{server.stdout.readline().strip()}")
            yield
        server.terminate()


class Recorded(Screen):
    """A screen that remembers what was on it and when, and presses the given keys, one each time it is asked."""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.shown: list[Image] = []
        self.times: list[float] = []
        self.root.focus_force()
        self.root.update()
        Recorded.last = self

    def put(self, picture: Image) -> None:
        self.times.append(time.perf_counter())
        presses, Recorded.presses = Recorded.presses, []
        super().put(picture)
        Recorded.presses = presses
        width, height = self.picture.width(), self.picture.height()
        pixels = self.root.tk.call(self.picture, "data", "-format", "ppm")
        self.shown.append(np.frombuffer(pixels, np.uint8)[-3 * width * height :].reshape(height, width, 3))

    def update(self) -> None:
        super().update()
        if Recorded.presses and self.shown and not self.keys:
            self.root.event_generate(f"<Key-{Recorded.presses.pop(0)}>")
            super().update()

    last: Recorded
    presses: list[str]


@pytest.fixture(autouse=True)
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knuckle.media.window, "Screen", Recorded)
    Recorded.presses = []


def press(keys: str) -> None:
    """Press these keys, one each time the window looks for keys; x does nothing."""
    Recorded.presses = keys.split()


def test_keys_mirror_pause_and_quit() -> None:
    press("x space m x space q")
    with Window() as window:
        assert window.show(FRAME, [HAND])
        assert window.show(FRAME, [HAND])  # space pauses, m mirrors, space resumes
        assert not window.show(FRAME, [HAND])
    mirrored = HandDrawer()(IMAGE, [HAND], mirrored=True)
    assert [np.array_equal(one, DRAWN) for one in Recorded.last.shown] == [True, True, False, False]
    assert np.array_equal(Recorded.last.shown[2], mirrored)


def test_a_clip_plays_at_its_own_speed() -> None:
    with Window(kind="video") as window:
        for k, time_s in enumerate((0.0, 0.1, 0.15, 0.4)):
            assert window.show(Frame(IMAGE, k, time_s), [])
    steps = np.diff(Recorded.last.times)
    assert np.allclose(steps, [0.1, 0.05, 0.25], atol=0.04)


def test_a_photo_waits_for_a_key() -> None:
    press("x x x n x Right q")
    with Window(kind="image") as window:
        assert [window.show(FRAME, []) for _ in range(3)] == [True, True, False]
    assert Recorded.presses == []


def test_steps_and_seeks() -> None:
    sought: list[float] = []
    press("period comma x Right Left x comma q")
    with Window(kind="video", seek=sought.append) as window:
        assert window.show(Frame(IMAGE, 0, 10.0), []) and window.paused  # one frame forward
        assert window.show(Frame(IMAGE, 1, 10.1), [])  # one back
        assert sought == [10.0]
        assert window.show(Frame(IMAGE, 0, 10.0), [])  # paused until a key seeks
        assert window.show(Frame(IMAGE, 0, 15.0), [])
        assert sought == [10.0, 15.0, 10.0]
        assert not window.show(Frame(IMAGE, 0, 10.0), [])  # nothing before it is known, so "," does nothing
    assert sought == [10.0, 15.0, 10.0]


def test_nothing_seeks_where_files_are_written() -> None:
    press("Left comma x")
    with Window(kind="video") as window:
        assert window.show(FRAME, []) and not window.hold()
    assert len(Recorded.last.shown) == 1


def test_snapshots_hold_what_is_shown_and_replace_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip_1.500s.png").write_text("precious")
    press("s s")
    with Window() as window:
        assert all(window.show(Frame(IMAGE, 3, 1.5, "clip.mp4"), [HAND]) for _ in range(2))
    assert (tmp_path / "clip_1.500s.png").read_text() == "precious"
    made = sorted(path for path in tmp_path.glob("*.png") if path.name != "clip_1.500s.png")
    assert len(made) == 2 and all(np.array_equal(load_image(path), DRAWN) for path in made)


def test_playback_goes_to_a_time(tmp_path: Path, clip_frames: list[Image]) -> None:
    write_clip(tmp_path / "clip.mp4", clip_frames, 30)
    playback = Playback(read(tmp_path / "clip.mp4"))
    assert [next(playback).index for _ in range(2)] == [0, 1]
    for time_s, index in ((0.5, 15), (0.0, 0), (0.3001, 10)):
        playback.seek(time_s)
        assert next(playback).index == index
    playback.seek(0.8)
    playback.seek(99.0)
    assert next(playback).index >= 26, "beyond the end come the last frames"
    playback.close()


def test_playback_of_a_long_clip_does_not_decode_it_all(tmp_path: Path) -> None:
    path = tmp_path / "long.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", 25
        for k in range(2000):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), k % 250, np.uint8), format="rgb24")
            picture.pts, picture.time_base = k + 75, Fraction(1, 25)  # begins at 3 s
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    playback = Playback(read(path))
    assert next(playback).index == 0
    for index in (1900, 30, 1033):
        playback.seek(index / 25)
        frame = next(playback)
        assert (frame.index, round(frame.time_s * 25)) == (index, index)
        assert abs(int(frame.image.mean()) - index % 250) < 6
        assert next(playback).index == index + 1
    playback.close()


def test_the_command_plays_seeks_and_quits(clip: Path) -> None:
    press("x period Left period period q")
    done = run("track", clip, "--show", "--models", "knuckle")
    assert done.returncode == 0, done.stderr
    first = Recorded.last.shown[0]
    assert any(np.array_equal(first, other) for other in Recorded.last.shown[1:]), "the first frame came again"


def test_a_run_mirrors_the_window_but_not_the_files(tmp_path: Path, clip: Path) -> None:
    press("m")
    done = run("track", clip, "--show", "--out", tmp_path / "o.mkv", "--crf", 0, "--models", "knuckle")
    assert done.returncode == 0, done.stderr
    written = [frame.image.astype(int) for frame in read(tmp_path / "o.mkv")]
    shown = [image.astype(int) for image in Recorded.last.shown[2:]]  # the first frame is shown twice
    flipped = [np.abs(one[:, ::-1] - other).mean() for one, other in zip(written[1:], shown, strict=True)]
    apart = [np.abs(one - other).mean() for one, other in zip(written[1:], shown, strict=True)]
    assert len(written) == 30 and np.mean(flipped) < 5 < np.mean(apart)


def test_escape_and_the_close_button_quit() -> None:
    press("Escape")
    with Window() as window:
        assert not window.show(FRAME, [])
    with Window() as window:
        assert window.show(FRAME, [])
        window.screen.root.tk.eval(window.screen.root.protocol("WM_DELETE_WINDOW"))  # what a window manager calls
        assert not window.show(FRAME, [])


def test_an_image_larger_than_the_screen_is_shown_whole() -> None:
    image = np.zeros((3000, 4000, 3), np.uint8)
    image[:, 2000:] = 255
    with Window() as window:
        assert window.show(Frame(image), [])
        root = window.screen.root
        assert root.winfo_width() <= root.winfo_screenwidth() and root.winfo_height() <= root.winfo_screenheight()
    (shown,) = Recorded.last.shown
    assert shown.shape[1] / shown.shape[0] == pytest.approx(4 / 3, abs=0.01)
    assert shown[:, 0].max() == 0 and shown[:, -1].min() == 255
