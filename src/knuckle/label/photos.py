"""The photos of a labelling session: their labels, or what the tracker proposes for them in the background."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pillow

from knuckle.datasets.hand_json import hand_from_json, hand_to_json
from knuckle.datasets.image_source import open_image
from knuckle.errors import Error, InputError, SourceError
from knuckle.label.journal import Journal
from knuckle.label.propose import add_hand, propose
from knuckle.media.find import find_sources
from knuckle.pipeline.networks import Networks

JPEG_QUALITY = 92
OUTSIDE = 3  # the code of our JSON lines


class Photos:
    """The photos of a folder, in a fixed order, with their labels.

    Args:
        place: a folder, or a glob.
        recursive: also the folders inside.
        out: the label file; None for labels.jsonl in the folder.

    Raises:
        SourceError: there are no photos.
        InputError: `out` exists and is no label file.
    """

    def __init__(self, place: str, networks: Networks, out: Path | None = None, recursive: bool = False) -> None:
        sources = find_sources(place, recursive=recursive)
        self.paths = [path for source in sources if source.kind == "photos" for path in source.files]
        if not self.paths:
            problems = [str(source.problem) for source in sources if source.problem]
            raise SourceError(problems[0] if problems else f"{place} holds no photos; clips cannot be labelled yet")
        root = Path(place) if Path(place).is_dir() else self.paths[0].parent
        self.out = out or root / "labels.jsonl"
        self.journal = Journal(self.out)
        self.networks = networks
        folder = os.path.abspath(self.out.parent)
        self.names = [Path(os.path.relpath(os.path.abspath(path), folder)).as_posix() for path in self.paths]
        self.shown = [os.path.relpath(path, root) for path in self.paths]
        self.proposals: dict[int, tuple[list[dict[str, Any]], float]] = {}
        self.problems: dict[int, str] = {}
        self.locks = [threading.Lock() for _ in self.paths]
        self.stopping = threading.Event()
        self.opened = lru_cache(maxsize=8)(lambda number: open_image(str(self.paths[number])))

    def propose_all(self) -> None:
        """Look at every photo that nobody has labelled; until `stopping` is set."""
        for number, name in enumerate(self.names):
            if self.stopping.is_set():
                return
            if name not in self.journal.entries:
                try:
                    self.proposal(number)
                except Error as error:
                    self.problems[number] = str(error)

    def proposal(self, number: int) -> tuple[list[dict[str, Any]], float]:
        """The tracker's hands of a photo, and the doubt about them. A photo is looked at once.

        Raises:
            SourceError: the photo cannot be read.
        """
        with self.locks[number]:
            if number not in self.proposals:
                self.proposals[number] = propose(self.opened(number), self.networks)
            return self.proposals[number]

    def overview(self) -> list[dict[str, Any]]:
        """For each photo its name, whether it is accepted or doubtful, its hands, and the tracker's doubt."""
        self.journal.refresh()
        rows = []
        for number, name in enumerate(self.names):
            entry, known = self.journal.entries.get(name), self.proposals.get(number)
            hands = (entry["row"].get("hands") or []) if entry else known[0] if known else None
            row: dict[str, Any] = {"name": self.shown[number], "hands": None if hands is None else len(hands)}
            row |= {"accepted": bool(entry and entry["accepted"]), "doubtful": bool(entry and entry["doubtful"])}
            rows.append(row | {"doubt": known[1] if known else None, "problem": self.problems.get(number)})
        return rows

    def labels(self, number: int) -> dict[str, Any]:
        """The labels of a photo; if nobody has changed them, the tracker's.

        Raises:
            SourceError: the photo cannot be read.
        """
        height, width = self.opened(number).shape[:2]
        self.journal.refresh()
        entry = self.journal.entries.get(self.names[number])
        shown = {"width": width, "height": height, "accepted": False, "doubtful": False}
        if entry is None:
            return {**shown, "hands": self.proposal(number)[0]}
        hands = entry["row"].get("hands") or []
        return {**shown, "hands": hands, "accepted": entry["accepted"], "doubtful": entry["doubtful"]}

    def save(self, number: int, given: Mapping[str, Any]) -> None:
        """Save the labels of a photo.

        Args:
            given: `hands` as in our JSON lines, `accepted` and `doubtful`.

        Raises:
            InputError: the labels are damaged.
            SourceError: the photo or the log cannot be used.
        """
        height, width = self.opened(number).shape[:2]
        try:
            hands = [hand_to_json(hand_from_json(hand)) for hand in given["hands"]]
            for hand in hands:
                mark_outside(hand, width, height)
            accepted, doubtful = bool(given["accepted"]), bool(given["doubtful"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"these labels are damaged, so they were not saved: {error}") from error
        row = {"width": width, "height": height, "labelled_by": "people", "complete": True, "hands": hands}
        try:
            self.journal.save(self.names[number], row, accepted=accepted, doubtful=doubtful)
        except OSError as error:
            raise SourceError(f"{self.out} cannot be written: {error.strerror}; free some space, then go on") from error

    def hand_at(self, number: int, place: Any) -> tuple[dict[str, Any], bool]:
        """A new hand at a click x, y or in a box x0, y0, x1, y1; see `propose.add_hand`.

        Raises:
            InputError: the place is neither.
            SourceError: the photo cannot be read.
        """
        try:
            where = np.array(place, np.float32)
        except (TypeError, ValueError) as error:
            raise InputError(f"a place is a point x, y or a box x0, y0, x1, y1, got {place!r}") from error
        if where.shape not in ((2,), (4,)) or not np.isfinite(where).all():
            raise InputError(f"a place is a point x, y or a box x0, y0, x1, y1, got {place!r}")
        if len(where) == 4 and not (where[2:] - where[:2] >= 2).all():
            raise InputError(f"the box {place} is empty; draw it from corner to corner")
        return add_hand(self.opened(number), self.networks, where)

    def jpeg(self, number: int) -> bytes:
        """The photo as browsers show it, upright, at its own size.

        Raises:
            SourceError: the photo cannot be read.
        """
        file = io.BytesIO()
        pillow.fromarray(self.opened(number)).save(file, "JPEG", quality=JPEG_QUALITY)
        return file.getvalue()


def mark_outside(hand: dict[str, Any], width: int, height: int) -> None:
    """Mark the landmarks beyond the edges of the image."""
    points = hand.get("landmarks")
    if points is None:
        return
    codes = hand.get("visibility") or [None] * 21
    for number, (x, y, *_) in enumerate(points):
        inside = x is None or (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5)
        if not inside or codes[number] == OUTSIDE:
            codes[number] = 0 if inside else OUTSIDE
    hand["visibility"] = codes
