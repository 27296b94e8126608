"""A folder that is labelled: its photos and clips, the label file, and what is done in the background."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from knuckle.datasets import read_dataset
from knuckle.datasets.formats.knuckle_rows import row_of_shot
from knuckle.datasets.labels import Dataset
from knuckle.datasets.read import find_format
from knuckle.errors import InputError, SourceError
from knuckle.exports.label_files import LABEL_FORMATS, write_labels
from knuckle.label.agreement import agreements, summary
from knuckle.label.clip import EVERY, LabelledClip
from knuckle.label.depth import depth_path
from knuckle.label.journal import Journal, key_of
from knuckle.label.photos import Photos
from knuckle.label.session import Person, Session
from knuckle.media.find import find_sources
from knuckle.pipeline.networks import Networks

ANYBODY = Person()
IDLE_S = 0.5  # until the background looks again whether there is something to do


class Folder:
    """The photos and clips of a folder, or of a glob, with their labels.

    Args:
        place: a folder, a glob, or one file.
        networks: they label first.
        out: the label file; None for labels.jsonl in the folder.
        recursive: also the folders inside.
        labels: labels in any format of `knuckle.datasets` to begin with; None takes those that lie in the folder. They
            count only where there is no label file yet.
        person: who labels.
        every: frames of a clip from one key frame to the next, on average.

    Raises:
        SourceError: there are no photos and no clips.
        InputError: `out` exists and is no label file.
    """

    def __init__(
        self,
        place: str,
        networks: Networks,
        out: Path | None = None,
        *,
        recursive: bool = False,
        labels: Path | None = None,
        person: Person = ANYBODY,
        every: int = EVERY,
    ) -> None:
        sources = find_sources(place, recursive=recursive)
        found = [Path(path) for source in sources if source.kind == "photos" for path in source.files]
        clips = [Path(source.name) for source in sources if source.kind == "clip"]
        maps = {depth_path(path) for path in found}
        photos = [path for path in found if path not in maps]
        if not photos and not clips:
            problems = [str(source.problem) for source in sources if source.problem]
            raise SourceError(problems[0] if problems else f"{place} holds no photos and no clips")
        root = Path(place) if Path(place).is_dir() else (photos or clips)[0].parent
        self.out = out or root / "labels.jsonl"
        journal = Journal(self.out, rows_to_begin_with(labels, root, self.out))
        self.session = Session(root, journal, networks, person)
        self.photos = Photos(photos, self.session)
        self.clips = [LabelledClip(path, self.session, every) for path in clips]
        self.stopping = threading.Event()

    def work(self) -> None:
        """Look at photos and clips, and fill the frames between key frames, until `stopping` is set."""
        while not self.stopping.is_set():
            busy = self.photos.propose_next()
            for clip in self.clips:
                busy = clip.fill_next() or busy
            if not busy and not any(clip.watch_some() for clip in self.clips):
                self.stopping.wait(IDLE_S)

    def overview(self) -> dict[str, Any]:
        """The photos, the clips, and how far people agree."""
        self.session.journal.refresh()
        clips = [clip.overview() for clip in self.clips]
        return {"photos": self.photos.overview(), "clips": clips, "agreement": self.agreement()}

    def agreement(self) -> dict[str, Any] | None:
        """How far people agree, over the photos and key frames that two of them accepted; None without such images."""
        accepted = [
            {name: entry for name, entry in people.items() if entry["accepted"] and is_by_hand(entry)}
            for people in self.session.journal.people.values()
        ]
        return summary(agreements(accepted))

    def comparable(self) -> Iterator[str]:
        """The addresses of the images that can be compared: accepted photos and key frames."""
        entries = self.session.entries()
        for number, name in enumerate(self.photos.names):
            if name in entries and entries[name]["accepted"]:
                yield f"/photos/{number}"
        for number, clip in enumerate(self.clips):
            yield from (f"/clips/{number}/frames/{frame}" for frame in clip.accepted_keys())

    def download(self, name: str) -> Path:
        """Write the accepted labels beside the label file in another format, and give the file; YOLO's folder as a zip.

        Args:
            name: one of `LABEL_FORMATS`, or "jsonl" for the label file itself.

        Raises:
            InputError: nothing is accepted, or a hand has no side.
            SourceError: the label file cannot be read.
            SinkError: the file cannot be written.
        """
        if not self.out.exists() or not self.out.stat().st_size:
            raise InputError("nothing is accepted yet, so there are no labels to download")
        if name == "jsonl":
            return self.out
        path = self.out.with_name(self.out.stem + LABEL_FORMATS[name].suffix)
        write_labels(read_dataset(self.out), path)
        return path if path.is_file() else Path(shutil.make_archive(str(path), "zip", path))


def is_by_hand(entry: Mapping[str, Any]) -> bool:
    """Whether a person looked at this very image; frames between key frames are accepted together."""
    return str(entry["row"].get("mark", "key")) == "key"


def rows_to_begin_with(labels: Path | None, root: Path, out: Path) -> dict[str, dict[str, Any]] | None:
    """Labels in another format: rows by `journal.key_of`, relative to the label file. None without such labels.

    Raises:
        SourceError: `labels` does not exist.
        InputError: it cannot be read.
    """
    if labels is None:
        try:
            labels = None if out.exists() or find_format(root, None)[0] in ("jsonl", "clips") else root
        except InputError:
            return None
    if labels is None:
        return None
    rows = []
    for dataset in all_splits(labels):
        rows += [row_of_shot(shot, dataset, out.parent) for shot in dataset.shots if shot.hands is not None]
        frames = (shot for clip in dataset.clips for shot in clip.shots if shot.hands is not None)
        rows += [row_of_shot(shot, dataset, out.parent, of_clip=True) for shot in frames]
    return {key_of(row): row for row in rows}


def all_splits(labels: Path) -> list[Dataset]:
    """A dataset as a whole, or split by split where it cannot be read as a whole."""
    if not labels.exists():
        raise SourceError(f"there is no file or folder {labels}")
    _, splits = find_format(labels, None)
    if "" in splits:
        return [read_dataset(labels, allow_missing=True)]
    return [read_dataset(labels, split=name, allow_missing=True) for name in splits]
