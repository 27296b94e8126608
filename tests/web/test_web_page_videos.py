"""Videos, recordings, cameras and the layout of the browser page, in a real Chromium: one page load for many checks."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import WEB
from conftest import two_hands
from test_web_page import (  # noqa: F401  (fixtures)
    PATIENCE_MS,
    Running,
    browser,
    camera_file,
    driver,
    expect,
    expect_hands,
    launch,
    opened,
    wait_until_ready,
)

import knuckle

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
PHONE = {"width": 390, "height": 844}
SOURCE = "document.getElementById('stage').dataset.source"


def downloads(page: Any, count: int) -> dict[str, bytes]:
    """The offered files by the end of their names, "_hands.csv" for example."""
    expect(page.locator("#downloads a")).to_have_count(count, timeout=4 * PATIENCE_MS)
    found = {}
    for link in page.locator("#downloads a").all():
        with page.expect_download() as download:
            link.click()
        name = download.value.suggested_filename
        found[name[name.rindex("_") :]] = Path(download.value.path()).read_bytes()
    return found


def violations(page: Any) -> list[str]:
    """What axe finds wrong with the page as it is now."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm ci in web/")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run().then(({violations}) => violations)")
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found]


def assert_stays_in_view(page: Any) -> None:
    """Scroll to the last setting: the image is still there, and the setting too."""
    page.evaluate("document.querySelector('#settings button[type=reset]').scrollIntoView({block: 'center'})")
    box, view = page.locator("#stage").bounding_box(), page.viewport_size
    assert box["y"] >= -1 and box["y"] + box["height"] <= view["height"], (box, view)
    reset = page.locator("#settings button[type=reset]").bounding_box()
    assert reset["y"] + reset["height"] <= view["height"]
    page.evaluate("scrollTo(0, 0)")


def test_a_video_file_is_tracked_frame_by_frame(
    browser: Any,  # noqa: F811
    server: Running,
    clip: Path,
    tmp_path: Path,
) -> None:
    with opened(browser, server, bypass_csp=True) as page:
        wait_until_ready(page)
        assert violations(page) == []
        page.set_input_files("#file", clip)
        expect_hands(page, 2)
        assert_stays_in_view(page)

        page.click("#process")
        files = downloads(page, 3)
        assert not page.locator("#work").is_visible()
        check_every_frame(files, tmp_path)

        # Paused now: settings act, keys work wherever the focus is, and frames are stepped through.
        expect(page.locator("#pause")).to_have_text("Resume")
        page.get_by_label("Max hands").fill("1")
        expect_hands(page, 1)
        page.get_by_label("Max hands").fill("2")
        expect_hands(page, 2)
        page.get_by_label("Palms only").check()
        expect(page.locator("#stage")).to_have_attribute("data-palms", "2")
        page.get_by_label("Palms only").uncheck()
        expect_hands(page, 2)
        page.locator("#seek").fill("500")
        expect(page.locator("#time")).to_have_text("0:01.00 of 0:02.00")
        page.locator("#flip").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#time")).to_have_text(re.compile(r"0:01\.1\d of"))
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#time")).to_have_text(re.compile(r"0:01\.0\d of"))
        page.keyboard.press("m")
        expect(page.locator("#flip")).to_have_attribute("aria-pressed", "true")

        # A file that cannot be opened changes nothing.
        (tmp_path / "broken.mp4").write_bytes(b"nothing to see")
        page.set_input_files("#file", tmp_path / "broken.mp4")
        expect(page.locator("#message")).to_contain_text("broken.mp4 cannot be opened")
        assert page.evaluate(SOURCE) == "video" and page.locator("#stage").get_attribute("data-hands") == "2"
        assert violations(page) == []
        page.set_viewport_size(PHONE)
        assert_stays_in_view(page)
        assert violations(page) == []


def check_every_frame(files: dict[str, bytes], folder: Path) -> None:
    """All 30 frames are in the table and in the video, at their times, with the ids of two hands."""
    rows = [json.loads(line) for line in files.pop("_hands.jsonl").splitlines()]
    np.testing.assert_allclose([row["time_s"] for row in rows], np.arange(30) / 15, atol=1e-3)
    assert all(sorted(hand["track_id"] for hand in row["hands"]) == [1, 2] for row in rows[2:])
    expected = knuckle.HandTracker("mediapipe")
    for k, row in enumerate(rows):
        hands = expected(two_hands(k / 29), k / 15)
        for ours, theirs in zip(hands, row["hands"], strict=True):
            assert np.abs(ours.landmarks[:, :2] - np.array(theirs["landmarks"])[:, :2]).max() < 12  # the video is lossy
    table = list(csv.DictReader(io.StringIO(files.pop("_hands.csv").decode())))
    assert len(table) == sum(len(row["hands"]) for row in rows)
    ((suffix, video),) = files.items()
    (folder / f"every{suffix}").write_bytes(video)
    frames = list(knuckle.read(folder / f"every{suffix}"))
    assert len(frames) == 30 and frames[0].image.shape == (480, 640, 3)
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(30) / 15, atol=5e-3)
    for colour in ((37, 99, 235), (219, 39, 119)):  # the labels of a left and a right hand
        assert (np.abs(frames[15].image.astype(int) - colour).max(axis=2) < 40).sum() > 200
