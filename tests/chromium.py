"""Headless Chromium on pages of this machine: what tests of the browser's side share."""

from __future__ import annotations

import base64
import functools
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from browser_tab import PATIENCE_S, BrowserTab

from knuckle.images import Image

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), "")
WEB = Path(__file__).resolve().parents[1] / "web"
# Threads of WebAssembly need these; nothing but this machine can be reached, WebGL is not there at all.
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
WITHOUT_WEBGL = ("--disable-gpu", "--disable-software-rasterizer")
# Cameras that Chromium draws itself, and no questions.
TWO_CAMERAS = ("--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream")
LOCAL_ONLY = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1"


def why_not() -> str | None:
    """What is missing for tests in a browser; None where all is there."""
    if not CHROMIUM:
        return "Chromium is not installed"
    if not (WEB / "dist" / "index.js").is_file():
        return "web/dist is not built: make web"
    return None


def raw(image: Image) -> dict[str, Any]:
    """An image as it crosses to the page: every byte as it is."""
    rgba = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    return {"rgba": base64.b64encode(rgba.tobytes()).decode(), "width": image.shape[1], "height": image.shape[0]}


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012  (the base class has it so)
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def __init__(self, folders: Mapping[str, Path], headers: Mapping[str, str], *args: Any, **named: Any) -> None:
        self.folders, self.more_headers = folders, headers
        super().__init__(*args, **named)

    def translate_path(self, path: str) -> str:
        path = path.split("?")[0].split("#")[0]
        for prefix, folder in sorted(self.folders.items(), reverse=True):
            if path.startswith(prefix) and ".." not in path:
                return str(folder / path[len(prefix) :])
        return str(Path("/nowhere"))

    def end_headers(self) -> None:
        for name, value in {**ISOLATION, **self.more_headers}.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser may hang up on what it no longer needs."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serve_folders(folders: Mapping[str, Path], headers: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a server on this machine that gives folders by the beginnings of paths, with more headers."""
    server = _Server(("127.0.0.1", 0), functools.partial(_Handler, folders, headers or {}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def open_browser(*flags: str, beside: Any = None) -> Iterator[Any]:
    """A fresh headless Chromium with `flags`; `beside` is a browser that is open already, if one is."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-quic", "--disable-background-networking", LOCAL_ONLY, *flags]
    with sync_playwright() if beside is None else nullcontext() as playwright:
        kind = playwright.chromium if playwright else beside.browser_type
        browser = kind.launch(
            executable_path=CHROMIUM, args=arguments, ignore_default_args=["--enable-unsafe-swiftshader"]
        )
        try:
            yield browser
        finally:
            browser.close()


class Tab(BrowserTab):
    """A tab with cookies, cache and storage of its own."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(1000 * PATIENCE_S)
        self._errors: list[str] = []
        self._asked: set[str] = set()
        self.context.on("request", lambda request: self._asked.add(request.url))
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self._errors.append(str(error)))

    def goto(self, url: str) -> None:
        self.page.goto(url)

    def preload(self, script: str) -> None:
        self.context.add_init_script(script)

    def evaluate(self, expression: str) -> Any:
        return self.page.evaluate(f"() => ({expression})")

    def click(self, selector: str) -> None:
        self.page.click(selector)

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def choose_files(self, selector: str, *paths: Path) -> None:
        self.page.set_input_files(selector, paths)

    def resize(self, width: int, height: int) -> None:
        self.page.set_viewport_size({"width": width, "height": height})

    def screenshot(self) -> bytes:
        return bytes(self.page.screenshot())

    def problems(self) -> list[str]:
        return self._errors

    def requests(self) -> set[str]:
        return self._asked

    def close(self) -> None:
        self.context.close()
