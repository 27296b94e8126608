"""One tab of a browser: what tests ask of Chromium and of Firefox in the same words."""

from __future__ import annotations

import base64
import json
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

PATIENCE_S = 300  # a busy computer needs minutes for what takes seconds
# Keeps every blob of which the page makes an address, since a page with our policy may not fetch such an address.
_KEEP_BLOBS = """(() => {
    const make = URL.createObjectURL.bind(URL);
    window.blobs = {};
    URL.createObjectURL = (blob) => { const address = make(blob); window.blobs[address] = blob; return address; };
})()"""
_READ_LINKS = """Promise.all([...document.querySelectorAll(SELECTOR)].map((link) => new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve([link.download, reader.result.split(",")[1] ?? ""]);
    reader.readAsDataURL(window.blobs[link.href]);
})))"""


class BrowserTab(ABC):
    """A tab; expressions are JavaScript, selectors are CSS."""

    @abstractmethod
    def goto(self, url: str) -> None:
        """Open an address and wait until it has loaded."""

    @abstractmethod
    def preload(self, script: str) -> None:
        """Run a script in every page that is opened from now on, before the page's own scripts."""

    @abstractmethod
    def evaluate(self, expression: str) -> Any:
        """The value of an expression, as JSON carries it; a promise is awaited."""

    @abstractmethod
    def click(self, selector: str) -> None:
        """Press an element with the mouse, at its centre."""

    @abstractmethod
    def press(self, key: str) -> None:
        """Press and release a key: a letter, " ", or a name of the W3C such as "ArrowLeft"."""

    @abstractmethod
    def choose_files(self, selector: str, *paths: Path) -> None:
        """Choose files in a file input."""

    @abstractmethod
    def resize(self, width: int, height: int) -> None:
        """Give the page another size, CSS pixels."""

    @abstractmethod
    def screenshot(self) -> bytes:
        """What the tab shows, as PNG."""

    @abstractmethod
    def problems(self) -> list[str]:
        """Errors that no script caught."""

    @abstractmethod
    def requests(self) -> set[str]:
        """All addresses that were asked for."""

    def wait_for(self, expression: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + patience_s
        while not self.evaluate(f"!!({expression})"):
            assert time.monotonic() < deadline, f"{expression} did not become true in {patience_s} s"
            time.sleep(0.05)

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until the text of an element contains `text`."""
        self.wait_for(f"document.querySelector({json.dumps(selector)}).textContent.includes({json.dumps(text)})")

    def text(self, selector: str) -> str:
        """The text of an element."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).textContent"))

    def fill(self, selector: str, value: str) -> None:
        """Set a slider, list or text field as a user does."""
        change = f"""((field) => {{
            field.value = {json.dumps(value)};
            for (const name of ["input", "change"]) field.dispatchEvent(new Event(name, {{bubbles: true}}));
        }})(document.querySelector({json.dumps(selector)}))"""
        self.evaluate(change)

    def switch(self, selector: str, on: bool) -> None:
        """Set a checkbox as a user does."""
        if self.evaluate(f"document.querySelector({json.dumps(selector)}).checked") != on:
            self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def keep_blobs(self) -> None:
        """Let `downloads` read the files that the next pages offer."""
        self.preload(_KEEP_BLOBS)

    def downloads(self, selector: str) -> dict[str, bytes]:
        """The files that links offer, by their names; `keep_blobs` goes before the page is opened."""
        found = self.evaluate(_READ_LINKS.replace("SELECTOR", json.dumps(selector)))
        return {name: base64.b64decode(data) for name, data in found}
