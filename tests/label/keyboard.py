"""Somebody who labels photos on the page with the keyboard alone; tests and benchmarks/label_run.py use it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PATIENCE_MS = 60_000


class Keyboard:
    """A keyboard at an open page of `knuckle label`.

    Attributes:
        keys: how many keys were pressed.
    """

    def __init__(self, page: Any) -> None:
        self.page, self.keys = page, 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.keys += 1

    def ready(self) -> int:
        """Wait for the next photo; its number."""
        self.page.wait_for_function("() => document.querySelector('#stage').dataset.photo", timeout=PATIENCE_MS)
        return int(self.page.locator("#stage").get_attribute("data-photo"))

    def has_hand(self) -> bool:
        return bool(self.page.locator("#selected").inner_text() != "No hand is labelled.")

    def add_hand(self, x: float, y: float, size: tuple[int, int]) -> None:
        """Add a hand at a place of a photo (width, height) without hands, where the cross is in the middle."""
        self.shift(round(x - size[0] / 2), round(y - size[1] / 2))
        self.press("b")
        self.page.wait_for_function(
            "() => document.querySelector('#selected').textContent.startsWith('Hand 1')", timeout=PATIENCE_MS
        )

    def move(self, offsets: Mapping[int, tuple[int, int]]) -> None:
        """Move points of the hand, by their numbers, by so many pixels; the first point is chosen before."""
        at = 0
        for point, offset in sorted(offsets.items()):
            self.press(*["."] * (point - at))
            self.shift(*offset)
            at = point

    def shift(self, dx: int, dy: int) -> None:
        """Move the chosen point, or without a hand the cross."""
        for by, keys in ((dx, ("ArrowLeft", "ArrowRight")), (dy, ("ArrowUp", "ArrowDown"))):
            tens, ones = divmod(abs(by), 10)
            key = keys[by > 0]
            self.press(*[f"Shift+Alt+{key}"] * tens, *[f"Shift+{key}"] * ones)

    def compared(self) -> dict[str, Any]:
        """What the page says when it has compared all photos: how many count, errors and misses before and after."""
        self.page.wait_for_selector("#compared[data-done]", timeout=10 * PATIENCE_MS)
        text = self.page.locator("#compared").inner_text()
        each = r"([\d.]+) % of the palm, ([\d.]+) % at the points that were moved, (\d+) missed"
        found = re.search(rf"on (\d+) held-out images: {each} before; {each} after", text)
        assert found, text
        names = ("before", "moved_before", "missed_before", "after", "moved_after", "missed_after")
        return {"held_out": int(found[1])} | {name: float(found[k]) for k, name in enumerate(names, 2)}
