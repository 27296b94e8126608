"""Gestures on the page, in a real Chromium: names, events, teaching from photos, and the file that Python loads too."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage

import knuckle
from knuckle.gestures.network import shape_network

pytest.importorskip("uvicorn")
sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("no Chromium is installed", allow_module_level=True)

from servers import Running  # noqa: E402

from knuckle.serve import files  # noqa: E402

if not (files.PAGE / "index.html").is_file():
    pytest.skip("the page is not built: make web", allow_module_level=True)

expect = sync_api.expect
PATIENCE_MS = 120_000
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "hands.mp4"
NETWORKS = "mediapipe"  # those of the server that tests share
SHOWN = {"Palm": (1.4, 1.6, 1.8, 2.0, 2.2), "Victory": (2.7, 2.9, 3.1, 3.2, 3.3)}  # seconds of the clip


@pytest.fixture(scope="module")
def page(server: Running) -> Iterator[Any]:
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context()
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(server.url("/"))
        expect(page.locator("#loading")).to_have_text("Ready.", timeout=PATIENCE_MS)
        yield page
        assert problems == []
        browser.close()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Photos of each gesture: frames of the clip."""
    folder = tmp_path_factory.mktemp("photos")
    found: dict[str, list[Path]] = {name: [] for name in SHOWN}
    for frame in knuckle.read(EXAMPLE):
        for name, times in SHOWN.items():
            if any(abs(frame.time_s - time_s) < 0.01 for time_s in times):
                path = folder / f"{name} {frame.index}.png"
                # Each photo has a width of its own, by which a test sees that it is shown.
                PillowImage.fromarray(frame.image[:, 2 * sum(map(len, found.values())) :]).save(path)
                found[name].append(path)
    assert [len(paths) for paths in found.values()] == [5, 5]
    return found


def show(page: Any, path: Path) -> None:
    """Open a photo and wait for its hands: as many as Python finds with the same networks."""
    with PillowImage.open(path) as image:
        width = image.width
    page.set_input_files("#file", path)
    expect(page.locator("#photo")).to_have_js_property("width", width, timeout=PATIENCE_MS)
    hands = knuckle.detect(path, NETWORKS)
    assert hands
    expect(page.locator("#stage")).to_have_attribute("data-hands", str(len(hands)), timeout=PATIENCE_MS)


def test_photos_teach_gestures_that_python_and_the_next_visit_know(
    page: Any, photos: dict[str, list[Path]], tmp_path: Path
) -> None:
    page.locator("#teach > summary").click()
    expect(page.locator("#gesture-train")).to_be_disabled()
    page.click("#gesture-capture")
    expect(page.locator("#gesture-status")).to_have_text("Give the gesture a name first.")
    for name, paths in photos.items():
        page.fill("#gesture-name", name)
        for k, path in enumerate(paths, 1):
            show(page, path)
            page.click("#gesture-capture")
            expect(page.locator("#gesture-status")).to_have_text(f"{k} examples of {name}.")
    page.click("#gesture-train")
    expect(page.locator("#gesture-status")).to_contain_text("10 of 10 hands right")
    expect(page.locator("#gesture-report tbody tr")).to_have_text([r"Palm5 of 5–", r"Victory5 of 5–"])
    expect(page.locator("#hands tbody")).to_contain_text("Victory")  # of the photo that is still shown
    with page.expect_download() as download:
        page.click("#gesture-download")
    path = tmp_path / "gestures.json"
    shutil.copy(download.value.path(), path)
    assert path.stat().st_size < 5000 and json.loads(path.read_text())["network"] == shape_network().version
    for name, paths in photos.items():
        hands = knuckle.detect(paths[2], NETWORKS, gestures=path)
        assert {hand.gesture.name for hand in hands if hand.gesture} == {name}

    page.reload()
    expect(page.locator("#loading")).to_have_text("Ready.", timeout=PATIENCE_MS)
    page.select_option("#gesture-set", "taught")
    show(page, photos["Palm"][0])
    expect(page.locator("#hands tbody")).to_contain_text("Palm")
    page.locator("#teach > summary").click()
    page.set_input_files("#gesture-file", path)
    expect(page.locator("#gesture-status")).to_have_text("gestures.json: Palm, Victory")
    other = tmp_path / "other.json"
    other.write_text('{"format": "something else"}')
    page.set_input_files("#gesture-file", other)
    expect(page.locator("#gesture-status")).to_contain_text("other.json cannot be used: The file holds no taught gest")


def test_sets_name_the_hands_of_a_photo(page: Any, photos: dict[str, list[Path]]) -> None:
    page.select_option("#gesture-set", "canned")
    show(page, photos["Victory"][2])
    expect(page.locator("#hands tbody")).to_contain_text("Victory")
    page.select_option("#gesture-set", "fingers")
    expect(page.locator("#hands tbody")).to_contain_text("2")
    page.select_option("#gesture-set", "")
    expect(page.locator("#hands tbody")).not_to_contain_text("Victory")


def test_gestures_in_motion_are_listed_and_takes_are_captured_from_a_clip(page: Any) -> None:
    page.select_option("#gesture-set", "canned")
    page.locator("label:has(#gesture-motion)").click()
    page.locator("#teach").evaluate("details => { details.open = true; }")
    page.set_input_files("#file", EXAMPLE)
    page.fill("#gesture-name", "Anything")
    expect(page.locator("#stage")).not_to_have_attribute("data-hands", "0", timeout=PATIENCE_MS)
    page.click("#gesture-capture")
    expect(page.locator("#gesture-examples li")).to_have_text("Anything: 10", timeout=PATIENCE_MS)
    page.click("#process")  # every frame, however slow the computer is
    expect(page.locator("#gesture-events li").first).to_be_attached(timeout=PATIENCE_MS)
    names = page.locator("#gesture-events li").evaluate_all("items => items.map((item) => item.dataset.name)")
    assert set(names) <= {"wave", "zoom", "rotate", "swipe"}
