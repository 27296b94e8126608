"""The photos of a labelling session: their labels, or what the tracker proposes for them in the background."""

from __future__ import annotations

import io
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pillow

from knuckle.datasets import read_dataset
from knuckle.datasets.formats.knuckle_rows import row_of_shot
from knuckle.datasets.hand_json import hand_from_json, hand_to_json
from knuckle.datasets.image_source import open_image
from knuckle.datasets.read import find_format
from knuckle.errors import Error, InputError, SourceError
from knuckle.exports.label_files import LABEL_FORMATS, write_labels
from knuckle.label.agreement import agreements, summary
from knuckle.label.compare import Comparison
from knuckle.label.depth import depth_path, read_depth, set_z
from knuckle.label.journal import Journal
from knuckle.label.propose import add_hand, propose
from knuckle.media.find import find_sources
from knuckle.pipeline.networks import Networks

JPEG_QUALITY = 92
OUTSIDE = 3  # the code of our JSON lines


@dataclass(frozen=True)
class Person:
    """Who labels.

    Attributes:
        name: to tell people apart; "" for nobody in particular.
        blind: show only this person's labels, and the tracker's proposals on all other photos, so that agreement with
            others means something.
    """

    name: str = ""
    blind: bool = False


class Photos:
    """The photos of a folder, in a fixed order, with their labels.

    Args:
        place: a folder, or a glob.
        recursive: also the folders inside.
        out: the label file; None for labels.jsonl in the folder.
        labels: labels in any format of `knuckle.datasets` to begin with; None takes those that lie in the folder. They
            count only where there is no label file yet.
        person: who labels.

    Raises:
        SourceError: there are no photos.
        InputError: `out` exists and is no label file.
    """

    def __init__(
        self,
        place: str,
        networks: Networks,
        out: Path | None = None,
        recursive: bool = False,
        labels: Path | None = None,
        person: Person = Person(),
    ) -> None:
        sources = find_sources(place, recursive=recursive)
        found = [path for source in sources if source.kind == "photos" for path in source.files]
        maps = {depth_path(Path(path)) for path in found}
        self.paths = [path for path in found if Path(path) not in maps]
        if not self.paths:
            problems = [str(source.problem) for source in sources if source.problem]
            raise SourceError(problems[0] if problems else f"{place} holds no photos; clips cannot be labelled yet")
        root = Path(place) if Path(place).is_dir() else self.paths[0].parent
        self.out = out or root / "labels.jsonl"
        self.journal = Journal(self.out, rows_to_begin_with(labels, root, self.out))
        self.networks, self.person = networks, person
        folder = os.path.abspath(self.out.parent)
        self.names = [Path(os.path.relpath(os.path.abspath(path), folder)).as_posix() for path in self.paths]
        self.shown = [os.path.relpath(path, root) for path in self.paths]
        self.proposals: dict[int, tuple[list[dict[str, Any]], float]] = {}
        self.problems: dict[int, str] = {}
        self.locks = [threading.Lock() for _ in self.paths]
        self.stopping = threading.Event()
        self.comparison: Comparison | None = None
        self.opened = lru_cache(maxsize=8)(lambda number: open_image(str(self.paths[number])))

    def propose_all(self) -> None:
        """Look at every photo that nobody has labelled; until `stopping` is set."""
        for number in range(len(self.names)):
            if self.stopping.is_set():
                return
            if self.entry(number) is None:
                try:
                    self.proposal(number)
                except Error as error:
                    self.problems[number] = str(error)

    def proposal(self, number: int) -> tuple[list[dict[str, Any]], float]:
        """The hands that the tracker finds in a photo, and how doubtful they are. Each photo is tracked only once.

        Raises:
            SourceError: the photo cannot be read.
        """
        with self.locks[number]:
            if number not in self.proposals:
                self.proposals[number] = propose(self.opened(number), self.networks)
            return self.proposals[number]

    def entry(self, number: int) -> dict[str, Any] | None:
        """The last change of a photo; for somebody who labels blindly, of this person only."""
        if self.person.blind:
            return self.journal.people.get(self.names[number], {}).get(self.person.name)
        return self.journal.entries.get(self.names[number])

    def agreement(self) -> dict[str, Any] | None:
        """How far people agree, over the photos that two of them accepted; None without such photos."""
        accepted = [
            {name: entry for name, entry in people.items() if entry["accepted"]}
            for people in self.journal.people.values()
        ]
        return summary(agreements(accepted))

    def overview(self) -> list[dict[str, Any]]:
        """For each photo its name, whether it is accepted or doubtful, its hands, and the tracker's doubt."""
        self.journal.refresh()
        rows = []
        for number in range(len(self.names)):
            entry, known = self.entry(number), self.proposals.get(number)
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
        entry = self.entry(number)
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
            depth = depth_path(Path(self.paths[number]))
            for hand in hands:
                mark_outside(hand, width, height)
                if depth is not None:
                    set_z(hand, read_depth(depth), (width, height))
            accepted, doubtful = bool(given["accepted"]), bool(given["doubtful"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"these labels are damaged, so they were not saved: {error}") from error
        row = {"width": width, "height": height, "labelled_by": "people", "complete": True, "hands": hands}
        try:
            self.journal.save(self.names[number], row, accepted=accepted, doubtful=doubtful, by=self.person.name)
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

    def compare(self, number: int) -> dict[str, Any]:
        """What the bundles of `comparison` see in an accepted photo, and whether it counts; see `Comparison.look`.

        Raises:
            InputError: nothing is compared, or the photo is not accepted.
            SourceError: the photo cannot be read.
        """
        entry = self.entry(number)
        if self.comparison is None or entry is None or not entry["accepted"]:
            raise InputError("accepted photos are compared, in a session that was started with --compare")
        seen = self.comparison.look(self.opened(number), entry["row"].get("hands") or [])
        return {**seen, "counts": self.comparison.counts(Path(self.paths[number]))}

    def download(self, name: str) -> Path:
        """Write the accepted labels beside the label file in another format, and give the file; YOLO's folder as a zip.

        Args:
            name: one of `LABEL_FORMATS`, or "jsonl" for the label file itself.

        Raises:
            InputError: no photo is accepted, or a hand has no side.
            SourceError: the label file cannot be read.
            SinkError: the file cannot be written.
        """
        if not self.out.exists() or not self.out.stat().st_size:
            raise InputError("no photo is accepted yet, so there are no labels to download")
        if name == "jsonl":
            return self.out
        path = self.out.with_name(self.out.stem + LABEL_FORMATS[name].suffix)
        write_labels(read_dataset(self.out), path)
        return path if path.is_file() else Path(shutil.make_archive(str(path), "zip", path))

    def jpeg(self, number: int) -> bytes:
        """The photo as browsers show it, upright, at its own size.

        Raises:
            SourceError: the photo cannot be read.
        """
        file = io.BytesIO()
        pillow.fromarray(self.opened(number)).save(file, "JPEG", quality=JPEG_QUALITY)
        return file.getvalue()


def rows_to_begin_with(labels: Path | None, root: Path, out: Path) -> dict[str, dict[str, Any]] | None:
    """Labels in another format: a row for each image path, relative to the label file. None without such labels.

    Raises:
        SourceError: `labels` does not exist.
        InputError: it cannot be read, or holds several splits.
    """
    if labels is None:
        try:
            labels = None if out.exists() or find_format(root, None)[0] in ("jsonl", "clips") else root
        except InputError:
            return None
    if labels is None:
        return None
    dataset = read_dataset(labels, allow_missing=True)
    rows = [row_of_shot(shot, dataset, out.parent) for shot in dataset.shots if shot.hands is not None]
    return {row["image"]: row for row in rows}


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
