"""The labelling page in a real Chromium: twenty photos by keyboard, through a reload and a killed server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import CHROMIUM, open_browser
from conftest import two_hands
from labelling import labelling
from PIL import Image as pillow
from scene import blank

from knuckle.datasets import read_dataset
from knuckle.datasets.labels import Visibility

sync_api = pytest.importorskip("playwright.sync_api")
if not CHROMIUM:
    pytest.skip("Chromium is not installed", allow_module_level=True)
expect = sync_api.expect
PHOTOS, PATIENCE_MS = 20, 60_000


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
        image = blank() if k % 5 == 4 else two_hands(k / count)
        pillow.fromarray(image).save(folder / f"{k:02}.jpg", quality=92)


def ready(page: Any) -> int:
    """Wait for the next photo; its number."""
    expect(page.locator("#stage")).to_have_attribute("data-photo", re.compile(r"\d+"))
    return int(page.locator("#stage").get_attribute("data-photo"))


def label_one(page: Any) -> int:
    """Accept the photo that is shown, or confirm that it shows no hand, by keyboard."""
    number = ready(page)
    if number % 5 == 4:
        page.keyboard.press("0")
    else:
        if page.locator("#selected").inner_text() == "No hand is labelled.":  # the tracker has missed both
            for _ in range(14):
                page.keyboard.press("Shift+Alt+ArrowLeft")
            page.keyboard.press("b")
            expect(page.locator("#selected")).to_contain_text("Hand 1 of 1")
        page.keyboard.press(".")
        page.keyboard.press("v")
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Enter")
    return number


def test_twenty_photos_are_labelled_by_keyboard(page: Any, tmp_path: Path) -> None:
    fill(tmp_path, PHOTOS)
    with labelling(tmp_path) as session:
        page.goto(session.address)
        done = [label_one(page) for _ in range(8)]
        expect(page.locator("#count")).to_have_text(f"8 of {PHOTOS} done")
        expect(page.locator("#saved")).to_contain_text("All changes saved")
        page.reload()
        expect(page.locator("#count")).to_have_text(f"8 of {PHOTOS} done")
        done += [label_one(page) for _ in range(4)]
        ready(page)
        port = int(session.address.rpartition(":")[2])
    page.keyboard.press("d")  # the server is dead: the change waits in the page
    expect(page.locator("#saved")).to_contain_text("the server does not answer")
    with labelling(tmp_path, port) as session:
        expect(page.locator("#saved")).to_contain_text("All changes saved")
        done += [label_one(page) for _ in range(PHOTOS - 12)]
        expect(page.locator("#count")).to_have_text(f"{PHOTOS} of {PHOTOS} done")
        expect(page.locator("#saved")).to_contain_text("All changes saved")
        expect(page.locator("#message")).to_contain_text("Every other photo is done")
    assert sorted(done) == list(range(PHOTOS))
    shots = read_dataset(session.out).shots
    assert len(shots) == PHOTOS
    for shot in shots:
        assert shot.hands is not None and bool(shot.hands) == (int(Path(shot.source).stem) % 5 != 4)
    hidden = [shot.hands[0].visibility[1] for shot in shots if shot.hands]
    assert set(hidden) == {Visibility.HIDDEN}
    check_that_it_trains(session.out)


def check_that_it_trains(out: Path) -> None:
    """The landmark network's own reader takes every photo, with its points and without a hand."""
    pytest.importorskip("torch")
    from knuckle.train.hand.data import read_source

    shots = read_source(str(out)).shots
    assert len(shots) == PHOTOS
    assert sum(bool(shot.hands) for shot in shots) == PHOTOS * 4 // 5


def test_points_are_dragged_hands_added_and_deleted_and_all_of_it_undone(page: Any, tmp_path: Path) -> None:
    fill(tmp_path, 1)
    with labelling(tmp_path) as session:
        page.goto(session.address)
        ready(page)
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


def saved(page: Any) -> None:
    expect(page.locator("#saved")).to_contain_text("All changes saved")
