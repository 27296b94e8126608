"""`Plan`: what is done after what. Videos first; then the stretches of the long ones; then they are joined."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from knuckle.batch.cut import stretch_item
from knuckle.batch.items import Item, ItemResult


class Plan:
    """Three rounds of items, each of which follows from the results of the one before.

    Args:
        first: the items of the first round.
        done: results of earlier runs that hold, by key; those of stretches are used.
    """

    def __init__(self, first: list[Item], done: Mapping[str, ItemResult]) -> None:
        self.first, self._results = first, dict(done)
        self._cut: list[tuple[Item, list[Item]]] = []  # long videos with their stretches

    def add(self, result: ItemResult, out: Path) -> None:
        """Take up a result. When a video is joined, the tables of its stretches are removed."""
        self._results[result.key] = result
        if result.joined and result.status == "done":
            for stretches in [stretches for item, stretches in self._cut if item.key == result.key]:
                for stretch in stretches:
                    with suppress(OSError):
                        (out / stretch.part).unlink()

    def videos(self) -> list[Item]:
        """The first round: everything that is not done. Long videos are only cut."""
        return self.first

    def stretches(self) -> list[Item]:
        """The second round: the stretches that are not done, of the videos that were cut."""
        for item in self.first:
            result = self._results.get(item.key)
            if result is not None and result.status == "cut":
                self._cut.append((item, [stretch_item(item, stretch) for stretch in result.stretches]))
        return [stretch for _, stretches in self._cut for stretch in stretches if stretch.key not in self._results]

    def joins(self) -> list[Item]:
        """The third round: the videos all of whose stretches were tried, up to the first one that failed."""
        items = []
        for item, stretches in self._cut:
            results = [self._results[stretch.key] for stretch in stretches if stretch.key in self._results]
            if len(results) == len(stretches):
                failed = [number for number, result in enumerate(results, 1) if result.status == "failed"]
                kept = tuple(results[: failed[0]] if failed else results)
                items.append(Item(item.key, item.source, "join", results=kept))
        return items
