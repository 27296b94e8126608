"""What people labelled, saved at every change: a log per session, merged into one label file.

The logs lie in `LABELS.jsonl.log`. A session only ever appends to a log of its own, so several people can label one
folder, and a killed session loses nothing. Of two changes to an image the later one counts. An image is a photo or a
frame of a clip; `key_of` names it.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knuckle.errors import DAMAGE, InputError, SourceError, reason_of


@dataclass(frozen=True, eq=False)
class Change:
    """What somebody did to an image.

    Attributes:
        row: its row in the label file, without the name of the image.
        accepted: the image is done. The label file has accepted images only.
        doubtful: leave the image out of the label file.
    """

    row: Mapping[str, Any]
    accepted: bool
    doubtful: bool = False


class Journal:
    """The labels of a folder of photos and clips.

    Args:
        out: the label file (docs/datasets.md). Rows that it has already are kept until their image is changed.
        start: rows by `key_of` to begin with if there is no such file yet, for example of another format.

    Attributes:
        people: for each image the last change of each person, by name; "" for those who gave none.
        entries: the last change of each image, by `key_of`.

    Raises:
        InputError: `out` exists and is no label file.
        SourceError: it cannot be read, or its folder cannot be written to.
    """

    def __init__(self, out: Path, start: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.out, self.folder = out, out.with_name(f"{out.name}.log")
        self.lock = threading.Lock()
        given = None if out.exists() else start
        self.rows = read_rows(out, self.folder) if given is None else {name: dict(given[name]) for name in given}
        self.entries: dict[str, dict[str, Any]] = {
            name: {"time": 0.0, "image": name, "accepted": row.get("hands") is not None, "doubtful": False, "row": row}
            for name, row in self.rows.items()
        }
        self.people: dict[str, dict[str, dict[str, Any]]] = {}
        self.read_to: dict[Path, int] = {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SourceError(f"{self.folder} cannot be written: {error.strerror}; choose another --out") from error
        self.own = self.folder / f"{time.time_ns()}-{uuid.uuid4().hex[:8]}.jsonl"
        self.refresh()
        self._restore()

    def refresh(self) -> None:
        """Read what all sessions have added to their logs. The unfinished last line of a killed session is left out."""
        for file in sorted(self.folder.glob("*.jsonl")):
            start = self.read_to.get(file, 0)
            with file.open("rb") as opened:
                opened.seek(start)
                data = opened.read()
            whole = data[: data.rfind(b"\n") + 1]
            self.read_to[file] = start + len(whole)
            for number, line in enumerate(whole.split(b"\n")[:-1], 1):
                try:
                    self.take(json.loads(line))
                except DAMAGE as error:
                    reason = f"line {number} after byte {start} is no change that knuckle label wrote"
                    raise InputError(f"{file}: {reason} ({reason_of(error)}); repair it, or move it away") from error

    def _restore(self) -> None:
        """Write the label file again if it lacks changes of the logs: it was deleted, or a session was killed."""
        if any(entry["time"] > 0 for entry in self.entries.values()):
            there = self.out.read_text() if self.out.exists() else ""
            if there != "".join(self._lines()):
                try:
                    self._write_out()
                except OSError as error:
                    problem = f"{self.out} cannot be written: {error.strerror}"
                    raise SourceError(f"{problem}; choose another --out") from error

    def take(self, entry: dict[str, Any]) -> None:
        """Remember a change, unless a later one to its photo is known."""
        image, time_s, by = str(entry["image"]), float(entry["time"]), str(entry.get("by", ""))
        flags = {name: bool(entry[name]) for name in ("accepted", "doubtful")}
        kept = {"time": time_s, "image": image, **flags, "row": dict(entry["row"])}
        known, own = self.entries.get(image), self.people.setdefault(image, {})
        if by not in own or time_s >= own[by]["time"]:
            own[by] = kept
        if known is None or time_s >= known["time"]:
            self.entries[image] = kept

    def save(self, changes: Mapping[str, Change], by: str = "") -> None:
        """Append changes to this session's log, and write the label file anew.

        Args:
            changes: by `key_of`.
            by: who changed it.
        """
        with self.lock:
            self.refresh()
            lines = []
            for image, change in changes.items():
                before = self.entries.get(image, {"time": 0.0})["time"]
                entry = {"time": max(time.time(), before), "image": image, "accepted": change.accepted}
                kept = {**self.rows.get(image, {}), **({} if "clip" in change.row else {"image": image}), **change.row}
                lines.append(json.dumps(entry | {"doubtful": change.doubtful, "row": kept, "by": by}) + "\n")
            with self.own.open("ab") as log:
                log.write("".join(lines).encode())
                log.flush()
                os.fsync(log.fileno())
            self.refresh()
            self._write_out()

    def _write_out(self) -> None:
        """Replace the label file in one step, so that a reader never sees half of it."""
        beside = self.folder / f"{self.own.stem}.new"
        beside.write_text("".join(self._lines()))
        os.replace(beside, self.out)

    def _lines(self) -> list[str]:
        """The lines of the label file: rows that it had, and what was accepted."""
        entries = sorted(self.entries.values(), key=lambda entry: in_order(entry["row"]))
        kept = [entry for entry in entries if entry["time"] == 0.0 or (entry["accepted"] and not entry["doubtful"])]
        for entry in kept:
            if "line" not in entry:  # once for each change, since a clip has thousands of rows
                entry["line"] = json.dumps(entry["row"]) + "\n"
        return [entry["line"] for entry in kept]


def key_of(row: Mapping[str, Any]) -> str:
    """What names the image of a row: the path of a photo, or that of a clip with the number of the frame."""
    return str(row["image"]) if "image" in row else frame_key(str(row["clip"]), int(row["frame"]))


def frame_key(clip: str, number: int) -> str:
    """The key of a frame of a clip, whose path is relative to the label file."""
    return f"{clip}#{number}"


def in_order(row: Mapping[str, Any]) -> tuple[str, int]:
    """By name; the frames of a clip by number."""
    return str(row.get("image") or row.get("clip")), int(row.get("frame", 0))


def read_rows(path: Path, log: Path) -> dict[str, dict[str, Any]]:
    """The rows of a label file by `key_of`; none if there is no such file. `log` is the folder of its logs.

    Raises:
        InputError: it is no label file.
        SourceError: it cannot be read.
    """
    rows: dict[str, dict[str, Any]] = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                row = json.loads(line)
                rows[key_of(row)] = dict(row)
        except DAMAGE as error:
            damage = f"{path}, line {number} is not a row of labels ({reason_of(error)})"
            if any(log.glob("*.jsonl")):
                advice = f"; move the file away and start again: {log.name} has what was labelled here"
            else:
                advice = ", so the file is not replaced; repair it, or choose another --out"
            raise InputError(damage + advice) from error
    return rows
