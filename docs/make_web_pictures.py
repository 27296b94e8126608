"""Screenshots of the browser page for docs/web.md, with its sample video, in headless Chromium.

knuckle serve --port 8000 &
python docs/make_web_pictures.py http://127.0.0.1:8000/
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).resolve().parent / "images"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SOFTWARE_GL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
LOAD_MS, PLAY_MS, SETTLE_MS = 4000, 6000, 800


def take(driver: Any, address: str, name: str, *, nodes: bool = False, plays: bool = True, **options: Any) -> None:
    """Take one screenshot; the video is paused so that hands and frame belong together."""
    browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *SOFTWARE_GL])
    page = browser.new_context(**options).new_page()
    page.goto(address)
    page.wait_for_timeout(LOAD_MS)
    if plays:
        page.get_by_label("Image waits").check()
        page.click("#controls [data-do=sample]")
        page.wait_for_timeout(PLAY_MS)
        if nodes:
            page.click("#nodes summary")
            page.wait_for_timeout(SETTLE_MS)
        page.wait_for_selector("#stage[data-hands='2']")
        page.click("#pause")
        page.wait_for_timeout(SETTLE_MS)
        page.evaluate("document.activeElement.blur()")
        page.mouse.move(0, 0)
        page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=str(IMAGES / f"web_{name}.png"))
    browser.close()


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/"
    desktop = {"viewport": {"width": 1280, "height": 860}}
    phone = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
    with sync_playwright() as driver:
        take(driver, address, "light", color_scheme="light", **desktop)
        take(driver, address, "dark", color_scheme="dark", nodes=True, **desktop)
        take(driver, address, "phone", color_scheme="light", **phone)
        take(driver, address, "start", color_scheme="light", plays=False, **desktop)


if __name__ == "__main__":
    main()
