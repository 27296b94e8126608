"""The preview window, on a real screen in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import make_hand

import knuckle
from knuckle.images import Image
from knuckle.media.draw import draw_mirrored
from knuckle.media.sinks import ImageSink
from knuckle.media.sources import Reader, load_image
from knuckle.media.window import Window
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.run import Run
from knuckle.pipeline.tracker import Networks
from knuckle.results import Frame, Palm

# Left and right half differ, so that an image and its mirror image do.
IMAGE = np.dstack([np.tile(np.arange(160, dtype=np.uint8), (120, 1))] * 3)
HAND = make_hand(50, 90, 50)


@pytest.fixture(autouse=True, scope="module")
def screen() -> Iterator[None]:
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


class Recorded(Window):
    """A window that remembers what was on it, and presses the given keys, one after each image."""

    def __init__(self, keys: str = "", mirrored: bool = False) -> None:
        super().__init__(mirrored=mirrored)
        self.shown: list[Image] = []
        self.presses = keys.split()
        self.root.focus_force()
        self.root.update()

    def _put(self, picture: Image) -> None:
        super()._put(picture)
        width, height = self.picture.width(), self.picture.height()
        pixels = self.root.tk.call(self.picture, "data", "-format", "ppm")
        self.shown.append(np.frombuffer(pixels, np.uint8)[-3 * width * height :].reshape(height, width, 3))
        if self.presses:
            self.root.event_generate(f"<Key-{self.presses.pop(0)}>")
            self.root.update()


def test_text_is_drawn_after_mirroring() -> None:
    drawn = knuckle.draw_hands(IMAGE, [HAND])
    with Recorded(mirrored=True) as window:
        assert window.show(drawn, lambda: draw_mirrored(IMAGE, [HAND]))
    (shown,) = window.shown
    mirrored = HAND.landmarks.copy()
    mirrored[:, 0] = 159 - mirrored[:, 0]
    same = knuckle.Hand(mirrored, HAND.world, HAND.handedness, 0.9, 0.99, HAND.roi)
    assert np.array_equal(shown, knuckle.draw_hands(IMAGE[:, ::-1], [same]))
    assert not np.array_equal(shown, drawn[:, ::-1]), "the text must not be a mirror image"


def test_a_run_mirrors_the_window_but_not_the_files(networks: Networks, tmp_path: Path) -> None:
    frame = Frame(IMAGE, source="camera 0")
    with Recorded(mirrored=True) as window, ImageSink(tmp_path / "hands.png") as file:
        run = Run(Reader("camera 0", "live", lambda _: iter(())), networks, TrackerOptions())
        run.window, run.sinks = window, [file]
        assert run.write(frame, [HAND], knuckle.draw_hands(IMAGE, [HAND]))
    assert np.array_equal(window.shown[0], draw_mirrored(IMAGE, [HAND]))
    assert np.array_equal(load_image(tmp_path / "hands.png"), knuckle.draw_hands(IMAGE, [HAND]))


def test_palms_are_drawn_where_they_are_in_the_mirror_image() -> None:
    palm = Palm(np.array([10.0, 20, 50, 60]), np.full((7, 2), [30.0, 40.0]), 0.75)
    back = Palm(np.array([109.0, 20, 149, 60]), np.full((7, 2), [129.0, 40.0]), 0.75)
    assert np.array_equal(draw_mirrored(IMAGE, [palm]), knuckle.draw_palms(IMAGE[:, ::-1], [back]))


def test_keys_mirror_pause_and_quit() -> None:
    with Recorded("m space m space q") as window:
        assert window.show(IMAGE)  # m: the next one is mirrored
        assert window.show(IMAGE)  # space pauses, m switches back, space resumes: three times the same frame
        assert not window.show(IMAGE)
    assert [np.array_equal(one, IMAGE) for one in window.shown] == [True, False, False, True, True]


def test_escape_and_the_close_button_quit() -> None:
    with Recorded("Escape") as window:
        assert not window.show(IMAGE)
    with Recorded() as window:
        assert window.show(IMAGE)
        window.root.tk.eval(window.root.protocol("WM_DELETE_WINDOW"))  # what a window manager calls
        assert not window.show(IMAGE)


def test_an_image_larger_than_the_screen_is_shown_whole() -> None:
    image = np.zeros((3000, 4000, 3), np.uint8)
    image[:, 2000:] = 255
    with Recorded() as window:
        assert window.show(image)
        assert window.root.winfo_width() <= window.root.winfo_screenwidth()
        assert window.root.winfo_height() <= window.root.winfo_screenheight()
    (shown,) = window.shown
    assert shown.shape[1] / shown.shape[0] == pytest.approx(4 / 3, abs=0.01)
    assert shown[:, 0].max() == 0 and shown[:, -1].min() == 255
