"""The photos of a labelling session: their labels, or what the tracker proposes for them in the background."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from knuckle.datasets.image_source import open_image
from knuckle.errors import Error, InputError
from knuckle.images import Image
from knuckle.label.depth import depth_path, read_depth
from knuckle.label.journal import Change
from knuckle.label.propose import add_hand, propose
from knuckle.label.rows import checked_hands, checked_place, row_of
from knuckle.label.session import Entry, Session


class Photos:
    """Photos in a fixed order, with their labels.

    Args:
        paths: of the photos.
    """

    def __init__(self, paths: Sequence[Path], session: Session) -> None:
        self.paths, self.session = paths, session
        self.names = [session.name_of(path) for path in paths]
        self.shown = [os.path.relpath(path, session.root) for path in paths]
        self.proposals: dict[int, tuple[list[dict[str, Any]], float]] = {}
        self.problems: dict[int, str] = {}
        self.locks = [threading.Lock() for _ in paths]
        self.opened = lru_cache(maxsize=8)(lambda number: open_image(str(paths[number])))

    def __len__(self) -> int:
        return len(self.paths)

    def propose_next(self) -> bool:
        """Find the hands of the next unlabelled photo; False if that was done for all of them."""
        entries = self.session.entries()
        for number, name in enumerate(self.names):
            if name not in entries and number not in self.proposals and number not in self.problems:
                try:
                    self.proposal(number)
                except Error as error:
                    self.problems[number] = str(error)
                return True
        return False

    def proposal(self, number: int) -> tuple[list[dict[str, Any]], float]:
        """The hands that the tracker finds in a photo, and how doubtful they are. Each photo is tracked only once.

        Raises:
            SourceError: the photo cannot be read.
        """
        with self.locks[number]:
            if number not in self.proposals:
                self.proposals[number] = propose(self.opened(number), self.session.networks)
            return self.proposals[number]

    def entry(self, number: int) -> Entry | None:
        """The last change of a photo."""
        return self.session.entries().get(self.names[number])

    def overview(self) -> list[dict[str, Any]]:
        """For each photo its name, whether it is accepted or doubtful, its hands, and the tracker's doubt."""
        rows, entries = [], self.session.entries()
        for number, name in enumerate(self.names):
            entry, known = entries.get(name), self.proposals.get(number)
            hands = (entry["row"].get("hands") or []) if entry else known[0] if known else None
            row: dict[str, Any] = {"name": self.shown[number], "hands": None if hands is None else len(hands)}
            row |= {"accepted": bool(entry and entry["accepted"]), "doubtful": bool(entry and entry["doubtful"])}
            rows.append(row | {"doubt": known[1] if known else None, "problem": self.problems.get(number)})
        return rows

    def image(self, number: int) -> Image:
        """The photo, upright, at its own size.

        Raises:
            SourceError: it cannot be read.
        """
        return self.opened(number)

    def labels(self, number: int) -> dict[str, Any]:
        """The labels of a photo; if nobody has changed them, the tracker's.

        Raises:
            SourceError: the photo cannot be read.
        """
        height, width = self.opened(number).shape[:2]
        self.session.journal.refresh()
        entry = self.entry(number)
        shown = {"width": width, "height": height, "accepted": False, "doubtful": False}
        if entry is None:
            return {**shown, "hands": self.proposal(number)[0]}
        hands = entry["row"].get("hands") or []
        return {**shown, "hands": hands, "accepted": entry["accepted"], "doubtful": entry["doubtful"]}

    def save(self, number: int, given: Mapping[str, Any]) -> None:
        """Save the labels of a photo.

        Args:
            given: see `rows.checked_hands`.

        Raises:
            InputError: the labels are damaged.
            SourceError: the photo or the log cannot be used.
        """
        height, width = self.opened(number).shape[:2]
        depth = depth_path(Path(self.paths[number]))
        hands, *flags = checked_hands(given, (width, height), None if depth is None else read_depth(depth))
        self.session.save({self.names[number]: Change(row_of(hands, (width, height)), *flags)})

    def hand_at(self, number: int, place: Any) -> tuple[dict[str, Any], bool]:
        """A new hand at a click or in a box; see `rows.checked_place` and `propose.add_hand`.

        Raises:
            InputError: the place is neither.
            SourceError: the photo cannot be read.
        """
        return add_hand(self.opened(number), self.session.networks, checked_place(place))

    def compare(self, number: int) -> dict[str, Any]:
        """What the bundles of the comparison see in an accepted photo, and whether it counts; see `Comparison.look`.

        Raises:
            InputError: nothing is compared, or the photo is not accepted.
            SourceError: the photo cannot be read.
        """
        entry, comparison = self.entry(number), self.session.comparison
        if comparison is None or entry is None or not entry["accepted"]:
            raise InputError("accepted photos are compared, in a session that was started with --compare")
        seen = comparison.look(self.opened(number), entry["row"].get("hands") or [])
        return {**seen, "counts": comparison.counts(Path(self.paths[number]).name)}
