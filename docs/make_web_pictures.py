"""Screenshots of the browser page for docs/web.md, with its sample video, in headless Chromium.

Run it as `make web && python docs/make_web_pictures.py`. It serves the page itself, with the bundle `knuckle`.
"""

from __future__ import annotations

import io
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from knuckle.serve.limits import Limits
from knuckle.serve.server import create_server
from knuckle.serve.service import Service

IMAGES = Path(__file__).resolve().parent / "images"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SOFTWARE_GL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PATIENCE_MS = 120_000
MOST_BYTES = 150_000
FIRST_QUALITY, LEAST_QUALITY, STEP = 90, 40, 10  # of WebP
SHOWN_AT_S = 1.5  # of the sample video: two open hands
DESKTOP = {"viewport": {"width": 1280, "height": 860}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
SETTLED = """(wanted) => document.getElementById("stage").dataset.hands === "2"
    && Math.abs(document.getElementById("video").currentTime - wanted) < 0.1"""


@contextmanager
def serving() -> Iterator[str]:
    """The address of a server of the page, on a free port."""
    server = create_server(Service(models="knuckle", limits=Limits(requests_per_s=1000)), 0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join()


def show_hands(page: Any) -> None:
    """Play the sample until the speed is known, then stop at a frame with two hands."""
    page.get_by_label("Image waits").check()
    page.click("#controls [data-do=sample]")
    page.wait_for_selector("#stage[data-hands='2']")
    page.wait_for_function("document.getElementById('fps').textContent !== '–'")
    page.click("#pause")
    page.evaluate("(time) => { document.getElementById('video').currentTime = time; }", SHOWN_AT_S)
    page.wait_for_function(SETTLED, arg=SHOWN_AT_S)


def save(name: str, png: bytes) -> None:
    """Write docs/images/web_NAME.webp with the best quality that fits into `MOST_BYTES`."""
    for quality in range(FIRST_QUALITY, LEAST_QUALITY - 1, -STEP):
        file = io.BytesIO()
        Image.open(io.BytesIO(png)).convert("RGB").save(file, "WEBP", quality=quality, method=6)
        if file.tell() < MOST_BYTES:
            (IMAGES / f"web_{name}.webp").write_bytes(file.getvalue())
            print(f"web_{name}.webp: {file.tell()} bytes, quality {quality}")
            return
    raise SystemExit(f"web_{name}.webp is larger than {MOST_BYTES} bytes")


def take(driver: Any, address: str, name: str, *, seen: str = "", nodes: bool = False, **options: Any) -> None:
    """Take one screenshot, with the element `seen` at the top of the window."""
    browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *SOFTWARE_GL])
    context = browser.new_context(bypass_csp=True, **options)  # which forbids the conditions that are waited for
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(address)
    page.get_by_text("Ready.").wait_for()
    if nodes:
        page.click("#nodes summary")
    show_hands(page)
    page.evaluate("document.activeElement.blur()")
    page.evaluate("(seen) => (document.querySelector(seen) ?? document.body).scrollIntoView()", seen or "body")
    page.mouse.move(0, 0)
    save(name, page.screenshot())
    browser.close()


def main() -> None:
    with serving() as address, sync_playwright() as driver:
        take(driver, address, "light", color_scheme="light", **DESKTOP)
        take(driver, address, "dark", color_scheme="dark", nodes=True, **DESKTOP)
        take(driver, address, "settings", color_scheme="light", seen="#settings", **DESKTOP)
        take(driver, address, "phone", color_scheme="light", **PHONE)
        take(driver, address, "phone_settings", color_scheme="light", seen="#settings", **PHONE)


if __name__ == "__main__":
    main()
