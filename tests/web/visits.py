"""Visits to the browser page in a real browser, served by a real `knuckle serve`: what tests of the page share."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from browser_tab import PATIENCE_S, BrowserTab
from chromium import WEB
from PIL import Image as PillowImage

from knuckle.images import Image
from knuckle.serve import files

PAGE_IS_BUILT = (files.PAGE / "index.html").is_file()
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
LABEL_COLOURS = ((37, 99, 235), (219, 39, 119))  # of a left and a right hand
STAGE = "document.getElementById('stage').dataset"
HANDS = f"{STAGE}.hands"


@contextmanager
def visit(new_tab: Callable[[], Any], server: Any, *scripts: str) -> Iterator[BrowserTab]:
    """Opens the page with scripts that run before its own, and waits until it is ready.

    Afterwards it checks that the page raised no errors and sent requests to its own server only.
    """
    tab = new_tab()
    try:
        tab.keep_blobs()
        for script in scripts:
            tab.preload(script)
        tab.goto(server.url("/"))
        wait_until_ready(tab)
        yield tab
        problems = tab.problems()
        assert not problems, problems
        asked = {url for url in tab.requests() if urlsplit(url).scheme in ("http", "https", "ws", "wss")}
        others = {url for url in asked if urlsplit(url).netloc != f"127.0.0.1:{server.port}"}
        assert asked and not others, others
    finally:
        tab.close()


def wait_until_ready(tab: BrowserTab) -> None:
    tab.wait_for("document.getElementById('loading').textContent === 'Ready.'")


def wait_for_hands(tab: BrowserTab, count: int) -> None:
    tab.wait_for(f"{HANDS} === '{count}'")


def files_after(tab: BrowserTab, press: Callable[[], None], count: int) -> dict[str, bytes]:
    """The files that the page offers after an action, by the ends of their names: "_hands.csv", for example."""
    tab.evaluate("document.getElementById('downloads').replaceChildren()")
    press()
    tab.wait_for(f"document.querySelectorAll('#downloads a').length === {count}", 4 * PATIENCE_S)
    return {name[name.rindex("_") :]: data for name, data in tab.downloads("#downloads a").items()}


def video_of(offered: dict[str, bytes], folder: Path) -> Path:
    """The only file among those offered that is a video, as a file."""
    ((suffix, data),) = ((name, data) for name, data in offered.items() if name.endswith((".mp4", ".webm")))
    path = folder / f"video{suffix}"
    path.write_bytes(data)
    return path


def label_pixels(image: Image, colour: tuple[int, int, int]) -> int:
    """How many pixels of a picture have about the colour of a label."""
    return int((abs(image.astype(int) - colour).max(axis=2) < 40).sum())


def address_of(image: Image) -> str:
    """An image as the address of a PNG."""
    file = io.BytesIO()
    PillowImage.fromarray(image).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def violations(tab: BrowserTab) -> list[str]:
    """What axe finds wrong with the page as it is now."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm ci in web/")
    run = f"(() => {{ {AXE.read_text()}\n return axe.run(); }})().then(({{violations}}) => violations)"
    found = tab.evaluate(run)
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found]
