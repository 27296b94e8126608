"""The labelling page in a real Chromium: twenty photos, a reload, a kill, and a better network; points; clips."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import CHROMIUM, open_browser
from commands import run
from conftest import two_hands, write_clip
from keyboard import Keyboard
from labelling import labelling
from PIL import Image as pillow
from scene import blank, draw_hand

from knuckle.datasets import read_dataset
from knuckle.datasets.labels import Visibility

sync_api = pytest.importorskip("playwright.sync_api")
if not CHROMIUM:
    pytest.skip("Chromium is not installed", allow_module_level=True)
expect = sync_api.expect
PHOTOS, PATIENCE_MS = 20, 60_000
SHOWN = "() => document.querySelector('#stage').dataset.frame"  # not empty: a frame of a clip is loaded
LITE = "--models=mediapipe-lite"  # the smallest network that can be trained


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    yield opened
    context.close()
    assert problems == []


def fill(folder: Path, count: int) -> None:
    for k in range(count):
        image = blank()
        if k % 5 != 4:
            draw_hand(image, 200 + 12 * k, 200 + 3 * k, 200 + 4 * k, 0.03 * (k - 10), right=k % 2 == 1)
        pillow.fromarray(image).save(folder / f"{k:02}.jpg", quality=92)


def label_one(keyboard: Keyboard) -> int:
    """Say by keyboard that the tips of the fingers are 10 pixels higher, or that the photo shows no hand."""
    number = keyboard.ready()
    if number % 5 == 4:
        keyboard.press("0")
        return number
    if not keyboard.has_hand():  # the tracker has missed it
        keyboard.add_hand(200 + 12 * number, 200 + 3 * number, (640, 480))
    keyboard.press("v")  # the wrist is hidden
    keyboard.move(dict.fromkeys((4, 8, 12, 16, 20), (0, -10)))
    keyboard.press("Enter")
    return number


def test_twenty_photos_are_labelled_by_keyboard_and_make_a_better_network(page: Any, tmp_path: Path) -> None:
    photos, keyboard = tmp_path / "photos", Keyboard(page)
    photos.mkdir()
    fill(photos, PHOTOS)
    with labelling(photos, 0, LITE) as session:
        page.goto(session.address)
        done = [label_one(keyboard) for _ in range(8)]
        expect(page.locator("#count")).to_have_text(f"8 of {PHOTOS} done")
        expect(page.locator("#saved")).to_contain_text("All changes saved")
        page.reload()
        expect(page.locator("#count")).to_have_text(f"8 of {PHOTOS} done")
        done += [label_one(keyboard) for _ in range(4)]
        keyboard.ready()
        port = int(session.address.rpartition(":")[2])
    keyboard.press("d")  # the server is dead: the change waits in the page
    expect(page.locator("#saved")).to_contain_text("the server does not answer")
    with labelling(photos, port, LITE) as session:
        expect(page.locator("#saved")).to_contain_text("All changes saved")
        done += [label_one(keyboard) for _ in range(PHOTOS - 12)]
        expect(page.locator("#count")).to_have_text(f"{PHOTOS} of {PHOTOS} done")
        expect(page.locator("#saved")).to_contain_text("All changes saved")
        expect(page.locator("#message")).to_contain_text("Every other photo is done")
        with page.expect_download() as download:
            page.locator("#download").select_option("coco")
        assert len(json.loads(Path(download.value.path()).read_text())["images"]) == PHOTOS
    assert sorted(done) == list(range(PHOTOS))
    shots = read_dataset(session.out).shots
    assert len(shots) == PHOTOS
    for shot in shots:
        assert shot.hands is not None and bool(shot.hands) == (int(Path(shot.source).stem) % 5 != 4)
    assert {shot.hands[0].visibility[0] for shot in shots if shot.hands} == {Visibility.HIDDEN}
    check_that_it_makes_a_better_network(keyboard, photos, tmp_path)


def check_that_it_makes_a_better_network(keyboard: Keyboard, photos: Path, folder: Path) -> None:
    """Train a little on the labels, export, and see before and after on the same page."""
    pytest.importorskip("torch")
    pytest.importorskip("litert_torch")
    brief = ["--init", "mediapipe-lite", "--steps", "12", "--rate", "0.003", "--warmup", "2", "--device", "cpu"]
    trained = run("train", "hand", "--data", str(photos / "labels.jsonl"), "--out", str(folder / "run"), *brief)
    assert trained.returncode == 0, trained.stderr
    exported = run("export", str(folder / "run" / "checkpoint.pt"), "--format", "fp16", "--out", str(folder / "mine"))
    assert exported.returncode == 0, exported.stderr
    with labelling(photos, 0, LITE, f"--compare={folder / 'mine'}", f"--run={folder / 'run'}") as session:
        keyboard.page.goto(session.address)
        found = keyboard.compared()
        keyboard.page.locator("#list button").first.click()
        keyboard.ready()
        keyboard.press("c", "c")
        expect(keyboard.page.locator("#compared")).to_contain_text("Shown: after")
    assert found["held_out"] == PHOTOS // 5 and found["missed_after"] == 0
    assert found["after"] < 0.9 * found["before"] and found["moved_after"] < 0.7 * found["moved_before"]


def test_points_are_dragged_hands_added_and_deleted_and_all_of_it_undone(page: Any, tmp_path: Path) -> None:
    pillow.fromarray(two_hands(0)).save(tmp_path / "0.jpg", quality=92)
    with labelling(tmp_path) as session:
        page.goto(session.address)
        Keyboard(page).ready()
        before = session.get("/photos/0").json()["hands"]
        box = page.locator("#stage").bounding_box()
        scale = min((box["width"] - 48) / 640, (box["height"] - 48) / 480)

        def on_screen(x: float, y: float) -> tuple[float, float]:
            left, top = box["x"] + (box["width"] - 640 * scale) / 2, box["y"] + (box["height"] - 480 * scale) / 2
            return left + (x + 0.5) * scale, top + (y + 0.5) * scale

        x, y = before[0]["landmarks"][8][:2]
        page.mouse.move(*on_screen(x, y))
        page.mouse.down()
        page.mouse.move(*on_screen(x + 20, y + 10), steps=3)
        page.mouse.up()
        saved(page)
        now = session.get("/photos/0").json()["hands"]
        np.testing.assert_allclose(now[0]["landmarks"][8][:2], [x + 20, y + 10], atol=1)
        for _ in before:
            page.keyboard.press("Delete")
        expect(page.locator("#selected")).to_have_text("No hand is labelled.")
        page.mouse.click(*on_screen(160, 216))
        expect(page.locator("#selected")).to_contain_text("Hand 1 of 1")
        saved(page)
        (added,) = session.get("/photos/0").json()["hands"]
        assert abs(np.array(added["landmarks"])[:, 0].mean() - 160) < 60
        for _ in range(2 + len(before)):
            page.keyboard.press("u")
        saved(page)
        undone = session.get("/photos/0").json()["hands"]
        assert [hand["landmarks"] for hand in undone] == [hand["landmarks"] for hand in before]
        assert page.get_by_role("button", name="Undo").is_disabled()


def test_a_clip_is_labelled_by_keyboard(page: Any, tmp_path: Path) -> None:
    images = [draw_hand(blank(320, 240), 90 + 6 * k, 110, 120, 0.1) for k in range(21)]
    write_clip(tmp_path / "wave.mp4", images, 15)
    stage, where, message = page.locator("#stage"), page.locator("#where"), page.locator("#message")
    with labelling(tmp_path) as session:
        page.goto(session.address)
        expect(where).to_contain_text(re.compile("0 of [3-9] key frames labelled"))
        expect(stage).to_have_attribute("data-frame", "0")
        keys = int(re.findall(r"0 of (\d) key", where.inner_text())[0])
        page.keyboard.press("Enter")
        expect(where).to_contain_text(f"1 of {keys} key frames labelled")
        expect(stage).to_have_attribute("data-frame", re.compile(r"[1-9]\d*"))
        second = int(stage.get_attribute("data-frame"))
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        expect(stage).to_have_attribute("data-frame", str(second - 2))
        page.keyboard.press("s")
        expect(where).to_contain_text(f"1 of {keys + 1} key frames labelled")
        expect(page.locator("#state")).to_have_text("Key frame, not accepted yet")
        page.keyboard.press("s")
        expect(where).to_contain_text(f"1 of {keys} key frames labelled")
        page.keyboard.press("k")
        expect(stage).to_have_attribute("data-frame", str(second))
        page.locator("#scrub").fill("3")
        expect(stage).to_have_attribute("data-frame", "3")
        page.keyboard.press("k")
        expect(stage).to_have_attribute("data-frame", str(second))
        port = int(session.address.rpartition(":")[2])
    page.keyboard.press("x")  # the server is dead: the change waits in the page
    expect(page.locator("#saved")).to_contain_text("the server does not answer")
    with labelling(tmp_path, port) as session:
        saved(page)
        page.reload()
        expect(where).to_contain_text(f"1 of {keys} key frames labelled")
        expect(stage).to_have_attribute("data-frame", str(second))
        expect(page.locator("#selected")).to_contain_text("Right")
        for number in range(2, keys + 1):
            before = stage.get_attribute("data-frame")
            page.keyboard.press("x" if number == 2 else ".")
            page.keyboard.press("Enter")
            expect(where).to_contain_text(f"{number} of {keys} key frames labelled")
            if number < keys:  # the next one is shown
                page.wait_for_function(f"before => ({SHOWN})() && ({SHOWN})() !== before", arg=before)
        expect(message).to_contain_text("All key frames are labelled")
        expect(where).not_to_contain_text("tracked")
        page.keyboard.press("g")
        expect(message).to_contain_text("doubtful")
        page.wait_for_function(SHOWN)
        page.keyboard.press("j")
        page.wait_for_function(SHOWN)
        for _ in range(keys - 1):
            page.keyboard.press("a")
            expect(message).to_contain_text("accepted")
            page.keyboard.press(".")
            page.wait_for_function(SHOWN)
            page.evaluate("document.querySelector('#message').textContent = ''")
        expect(page.locator("#list .clip")).to_contain_text("✓")
    (clip,) = read_dataset(session.out).clips
    assert [shot.frame for shot in clip.shots] == list(range(21))
    assert {hand.handedness for shot in clip.shots for hand in shot.hands or ()} == {"Left"}


def saved(page: Any) -> None:
    expect(page.locator("#saved")).to_contain_text("All changes saved")
