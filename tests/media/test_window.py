"""The preview window, with a stand-in for the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
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


class Screen:
    """Records what is shown and presses the given keys, one per image."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
        self.shown: list[Image] = []
        self.keys = list(keys)
        monkeypatch.setenv("DISPLAY", ":0")
        for name in ("namedWindow", "resizeWindow", "destroyWindow"):
            monkeypatch.setattr(cv2, name, lambda *_: None)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
        monkeypatch.setattr(cv2, "imshow", self.show)
        monkeypatch.setattr(cv2, "waitKey", lambda _: ord(self.keys.pop(0)) if self.keys else -1)

    def show(self, title: str, bgr: Any) -> None:
        self.shown.append(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))  # type: ignore[arg-type]


def test_text_is_drawn_after_mirroring(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, drawn = Screen(monkeypatch, ""), knuckle.draw_hands(IMAGE, [HAND])
    with Window(mirrored=True) as window:
        assert window.show(drawn, lambda: draw_mirrored(IMAGE, [HAND]))
    (shown,) = screen.shown
    mirrored = HAND.landmarks.copy()
    mirrored[:, 0] = 159 - mirrored[:, 0]
    same = knuckle.Hand(mirrored, HAND.world, HAND.handedness, 0.9, 0.99, HAND.roi)
    assert np.array_equal(shown, knuckle.draw_hands(IMAGE[:, ::-1], [same]))
    assert not np.array_equal(shown, drawn[:, ::-1]), "the text must not be a mirror image"


def test_a_run_mirrors_the_window_but_not_the_files(
    monkeypatch: pytest.MonkeyPatch, networks: Networks, tmp_path: Path
) -> None:
    screen, frame = Screen(monkeypatch, ""), Frame(IMAGE, source="camera 0")
    with Window(mirrored=True) as window, ImageSink(tmp_path / "hands.png") as file:
        run = Run(Reader("camera 0", "live", lambda _: iter(())), networks, TrackerOptions())
        run.window, run.sinks = window, [file]
        assert run.write(frame, [HAND], knuckle.draw_hands(IMAGE, [HAND]))
    assert np.array_equal(screen.shown[0], draw_mirrored(IMAGE, [HAND]))
    assert np.array_equal(load_image(tmp_path / "hands.png"), knuckle.draw_hands(IMAGE, [HAND]))


def test_palms_are_drawn_where_they_are_in_the_mirror_image() -> None:
    palm = Palm(np.array([10.0, 20, 50, 60]), np.full((7, 2), [30.0, 40.0]), 0.75)
    back = Palm(np.array([109.0, 20, 149, 60]), np.full((7, 2), [129.0, 40.0]), 0.75)
    assert np.array_equal(draw_mirrored(IMAGE, [palm]), knuckle.draw_palms(IMAGE[:, ::-1], [back]))


def test_keys_mirror_pause_and_quit(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(monkeypatch, "m m q")
    with Window() as window:
        assert window.show(IMAGE)  # m: the next one is mirrored
        assert window.show(IMAGE)  # space pauses, m switches back, space resumes: three times the same frame
        assert not window.show(IMAGE)
    assert [np.array_equal(one, IMAGE) for one in screen.shown] == [True, False, False, True, True]
