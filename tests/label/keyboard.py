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

    def compared(self) -> tuple[int, float, float, int, int]:
        """What the page says at last: photos that count, median errors before and after, hands missed before, after."""
        self.page.wait_for_selector("#compared[data-done]", timeout=10 * PATIENCE_MS)
        text = self.page.locator("#compared").inner_text()
        found = re.search(
            r"on (\d+) held-out.*?: ([\d.]+) %.*?(\d+) missed before; ([\d.]+) %.*?(\d+) missed after", text
        )
        assert found, text
        count, before, missed, after, missed_after = found.groups()
        return int(count), float(before), float(after), int(missed), int(missed_after)
