"""Video files on the browser page, in a real Chromium and a real Firefox: one visit for many checks."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from browser_tab import BrowserTab
from conftest import two_hands

import knuckle
from knuckle.images import Image

pytest.importorskip("uvicorn")

from servers import Running
from visits import (
    LABEL_COLOURS,
    PAGE_IS_BUILT,
    STAGE,
    files_after,
    label_pixels,
    video_of,
    violations,
    visit,
    wait_for_hands,
)

if not PAGE_IS_BUILT:
    pytest.skip("the page is not built: make web", allow_module_level=True)

TIMES_S = np.arange(20) / 10
PHONE, DESKTOP = (360, 740), (1280, 800)
WORKS = "!document.getElementById('work').hidden"
# Notes how far the work is, and stops it at a frame if `stopAt` is set.
NOTE_PROGRESS = """(() => {
    window.told = [];
    document.addEventListener("DOMContentLoaded", () => {
        const text = document.getElementById("work-text");
        new MutationObserver(() => {
            const frame = Number(text.textContent.match(/^Frame (\\d+)/)?.[1]);
            if (!frame) return;
            const [bar, seek] = ["work-bar", "seek"].map((id) => document.getElementById(id).value);
            told.push([text.textContent, bar, seek]);
            if (frame === window.stopAt) document.getElementById("process").click();
        }).observe(text, {childList: true});
    });
})()"""


def images() -> Iterator[Image]:
    """The frames of the video, each at its time in `TIMES_S`."""
    return (two_hands(0.2 * k / (len(TIMES_S) - 1)) for k in range(len(TIMES_S)))


# Whether nothing lies over a button once it is scrolled into view.
CAN_BE_PRESSED = """((button) => {
    button.scrollIntoView({block: "end"});
    const {left, top, width, height} = button.getBoundingClientRect();
    return button.contains(document.elementFromPoint(left + width / 2, top + height / 2));
})(document.getElementById(NAME))"""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty frames at ten per second in a format that every browser can decode."""
    path = tmp_path_factory.mktemp("video") / "two hands.webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=10, options={"deadline": "realtime", "cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 640, 480, "yuv420p", 4_000_000
        for image in images():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def page(new_tab: Callable[[], Any], server: Running, video: Path) -> Iterator[BrowserTab]:
    """The page with the video, which the tests of this file share; each leaves the video paused and with two hands."""
    with visit(new_tab, server, NOTE_PROGRESS) as tab:
        tab.resize(*DESKTOP)
        assert violations(tab) == []
        tab.choose_files("#file", video)
        wait_for_hands(tab, 2)
        yield tab


def process(page: BrowserTab) -> dict[str, bytes]:
    """Press "Track every frame" and give the files that it makes."""
    page.evaluate("void (told.length = 0)")
    offered = files_after(page, lambda: page.click("#process"), 3)
    page.wait_for(f"!({WORKS})")
    return offered


def test_every_frame_is_tracked_whatever_the_speed(page: BrowserTab, tmp_path: Path) -> None:
    offered = process(page)
    assert page.text("#saved-title") == "Video with every frame"
    told = page.evaluate("told")
    texts, done, sought = ([each[i] for each in told] for i in range(3))
    # Several frames may pass between two looks at the page.
    frames = [re.fullmatch(r"Frame (\d+) of 20, [\d.]+× real time", text) for text in texts]
    assert all(frames) and texts[-1].startswith("Frame 20 of 20")
    assert done == sorted(done) and done[-1] == 1 and sorted(map(int, sought)) == [*map(int, sought)]
    check_table_and_video(offered, tmp_path)


def test_a_browser_without_a_decoder_goes_through_the_same_frames(page: BrowserTab, tmp_path: Path) -> None:
    decoder = "window.VideoDecoder"
    page.evaluate(f"void (window.kept = {decoder}, delete {decoder})")
    try:
        offered = process(page)
    finally:
        page.evaluate(f"void ({decoder} = window.kept)")
    check_table_and_video(offered, tmp_path)


def check_table_and_video(offered: dict[str, bytes], folder: Path) -> None:
    """All frames are in the table and in the video, at their times, with the ids of two hands."""
    rows = [json.loads(line) for line in offered["_hands.jsonl"].splitlines()]
    np.testing.assert_allclose([row["time_s"] for row in rows], TIMES_S, atol=2e-3)
    # Hands are searched for five times a second, and the first search may miss one.
    assert all(sorted(hand["track_id"] for hand in row["hands"]) == [1, 2] for row in rows[8:])
    tracker = knuckle.HandTracker("mediapipe")
    for row, image, time_s in zip(rows, images(), TIMES_S, strict=True):
        expected = [hand.landmarks[:, :2] for hand in tracker(image, time_s)]
        for hand in row["hands"]:
            points = np.array(hand["landmarks"])[:, :2]
            assert min(np.abs(points - other).max() for other in expected) < 12  # the video is lossy
    table = list(csv.DictReader(io.StringIO(offered["_hands.csv"].decode())))
    assert len(table) == sum(len(row["hands"]) for row in rows)
    frames = list(knuckle.read(video_of(offered, folder)))
    assert len(frames) == len(TIMES_S) and frames[0].image.shape == (480, 640, 3)
    np.testing.assert_allclose([frame.time_s for frame in frames], TIMES_S, atol=5e-3)
    assert all(label_pixels(frames[10].image, colour) > 200 for colour in LABEL_COLOURS)


def test_work_that_is_stopped_gives_what_there_is(page: BrowserTab, tmp_path: Path) -> None:
    page.evaluate("void (window.stopAt = 5)")
    try:
        offered = process(page)
    finally:
        page.evaluate("void (window.stopAt = 0)")
    assert page.text("#saved-title") == "Video up to where it was stopped"
    rows = offered["_hands.jsonl"].splitlines()
    assert 5 <= len(rows) < 20 and len(list(knuckle.read(video_of(offered, tmp_path)))) == len(rows)


def test_settings_act_on_a_paused_video(page: BrowserTab) -> None:
    pause(page)
    page.fill("#maxHands", "1")
    wait_for_hands(page, 1)
    page.fill("#maxHands", "2")
    wait_for_hands(page, 2)
    page.switch("[name=palmsOnly]", True)
    page.wait_for(f"{STAGE}.palms === '2'")
    page.switch("[name=palmsOnly]", False)
    wait_for_hands(page, 2)


def test_keys_and_seek_bar_work_wherever_the_focus_is(page: BrowserTab) -> None:
    pause(page)
    page.fill("#seek", "500")
    page.wait_for_text("#time", "0:01.00 of 0:02.00")
    for focus in ("document.activeElement.blur()", "document.getElementById('flip').focus()"):
        page.evaluate(f"void {focus}")
        page.press("ArrowRight")
        page.wait_for("/^0:01\\.1\\d of/.test(document.getElementById('time').textContent)")
        page.press("ArrowLeft")
        page.wait_for("/^0:01\\.0\\d of/.test(document.getElementById('time').textContent)")
        for pressed in ("true", "false"):
            page.press("m")
            page.wait_for(f"document.getElementById('flip').getAttribute('aria-pressed') === '{pressed}'")
    # Fields keep the keys that they need themselves.
    page.evaluate("document.getElementById('maxHands').focus()")
    page.press("m")
    page.press("ArrowLeft")
    page.wait_for("document.getElementById('maxHands').value === '1'")
    assert page.evaluate("document.getElementById('flip').getAttribute('aria-pressed')") == "false"
    page.fill("#maxHands", "2")
    wait_for_hands(page, 2)


@pytest.mark.parametrize("size", [DESKTOP, PHONE, PHONE[::-1]], ids=["desktop", "phone", "phone on its side"])
def test_the_image_stays_in_view_and_nothing_is_wrong_for_screen_readers(
    page: BrowserTab, size: tuple[int, int]
) -> None:
    page.resize(*size)
    for name in ("nodes", "teach"):
        page.evaluate(f"void (document.getElementById('{name}').open = true)")
    page.evaluate("void (document.getElementById('work').hidden = false)")
    assert violations(page) == []
    page.evaluate("document.querySelector('#settings button[type=reset]').scrollIntoView({block: 'center'})")
    corners = """['#stage', '#settings button[type=reset]'].map((selector) => {
        const {top, bottom} = document.querySelector(selector).getBoundingClientRect();
        return [top, innerHeight - bottom];
    })"""
    assert min(page.evaluate(corners)[0]) >= -1 and min(page.evaluate(corners)[1]) >= 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for name in ("process", "flip", "pause", "record"):
        assert page.evaluate(CAN_BE_PRESSED.replace("NAME", json.dumps(name))), name
    page.evaluate("scrollTo(0, 0)")
    page.evaluate("void (document.getElementById('work').hidden = true)")
    page.resize(*DESKTOP)


def pause(page: BrowserTab) -> None:
    if page.text("#pause") == "Pause":
        page.click("#pause")
    page.wait_for_text("#pause", "Resume")
