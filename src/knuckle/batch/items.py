"""What is to do and what became of it: `Item` goes to a worker, `ItemResult` comes back. Both pickle."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from knuckle.media.output_names import stem

Kind = Literal["clip", "photos", "tar", "join", "bad"]
Status = Literal["done", "failed", "cut"]
NAME_LENGTH = 60  # of the readable start of a part's name
LARGEST_COUNT = 2**53  # of frames, hands and tries; all numbers below it are exact in JSON
# The types of a row's values; what a file holds instead is converted or refused.
TYPES: Mapping[type, tuple[str, ...]] = {
    str: ("key", "source", "status", "error", "engine", "host", "of"),
    int: ("frames", "hands", "tries", "overlap"),
    float: ("seconds",),
    bool: ("joined",),
    dict: ("versions",),
}
FAN_OUT = 2  # hexadecimal digits of a part's folder: a million parts are 256 folders of 4000


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a long video. Times are in seconds from the first frame.

    Attributes:
        number: 0, 1, 2, … in the order of the video.
        read_from_s: the key frame that reading begins with.
        from_s: frames from here on belong to this stretch. Those between `read_from_s` and here belong to the stretch
            before; both have them, so that the ids of the two can be joined.
        to_s: frames from here on belong to the next stretch; infinite for the last one.
        start_s: the video's own time stamp of its first frame.
        end_s: where the stretch ends as the file states it; 0 if unknown.
    """

    number: int
    read_from_s: float
    from_s: float
    to_s: float
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Item:
    """The work of one call of a worker: a video or a stretch of one, a group of photos, or a tar file.

    Attributes:
        key: its identity in the manifest: the same source has the same key in every run.
        source: file or address; for photos the folder that they were found in.
        kind: "clip", "photos", "tar", "join": a video whose stretches are done, or "bad", which cannot be opened.
        files: the files of "photos".
        stretch: the part of a video; None for all of it.
        of: key of the whole video if this is a stretch of one; else empty.
        results: results of the stretches to "join".
        problem: why it is "bad".
    """

    key: str
    source: str
    kind: Kind = "clip"
    files: tuple[str, ...] = ()
    stretch: Stretch | None = None
    of: str = ""
    results: tuple[ItemResult, ...] = ()
    problem: str = ""

    @property
    def name(self) -> str:
        """A file name that no other item has: the source's own name and 64 bits of a hash of the key."""
        key = self.of or self.key
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        ending = "" if self.stretch is None else f".{self.stretch.number:04}"
        return f"{stem(self.source)[:NAME_LENGTH]}-{digest}{ending}"

    @property
    def part(self) -> str:
        """Path of its table, relative to the output folder. Tables of stretches become parts when they are joined."""
        folder = "parts" if self.stretch is None else "stretches"
        return Path(folder, self.name.rpartition("-")[2][:FAN_OUT], f"{self.name}.parquet").as_posix()


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of an item: a row of the manifest.

    Attributes:
        key, source: those of the item.
        status: "done", "failed", or "cut": a long video that was not tracked, because its `stretches` are to be.
        error: why it failed; empty if it did not.
        problems: what could not be read inside of it, such as single photos, one line each.
        frames: frames or photos that were searched.
        hands: hands (or palms) that were found in them.
        seconds: time that it took.
        parts: its tables, relative to the output folder. An item that failed midway has what came before.
        engine: inference engine, device and network files.
        versions: versions of Knuckle and of the libraries that decide the result.
        host: name of the machine.
        tries: how often it was begun; more than 1 if workers died.
        files: the files of a group of photos.
        stretches: the stretches of a video that was cut.
        of: key of the whole video if this is a stretch of one; else empty.
        joined: it is a video that was tracked in stretches, whose frames and hands have been told before.
        overlap: frames at the start of a stretch's table that belong to the stretch before.
    """

    key: str
    source: str
    status: Status
    error: str = ""
    problems: tuple[str, ...] = ()
    frames: int = 0
    hands: int = 0
    seconds: float = 0.0
    parts: tuple[str, ...] = ()
    engine: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    tries: int = 1
    files: tuple[str, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    of: str = ""
    joined: bool = False
    overlap: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values, for JSON."""
        row = {name.name: getattr(self, name.name) for name in fields(self)}  # `asdict` copies all values, slowly
        return row | {"stretches": [asdict(stretch) for stretch in self.stretches], "versions": dict(self.versions)}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> ItemResult:
        """The result that `to_dict` wrote. Keys that are unknown, as of a newer version, are ignored.

        Raises:
            KeyError, TypeError, ValueError: the row is damaged.
        """
        known = {name.name: row[name.name] for name in fields(cls) if name.name in row}
        for name in ("problems", "parts", "files"):
            known[name] = tuple(map(str, known.get(name, ())))
        for kind, names in TYPES.items():
            known |= {name: kind(known[name]) for name in names if name in known}
        if wrong := [name for name in TYPES[int] if not 0 <= known.get(name, 0) < LARGEST_COUNT]:
            raise ValueError(f"{', '.join(wrong)} must be from 0 to {LARGEST_COUNT:,}")
        if known["status"] not in get_args(Status):
            raise ValueError(f"a status is one of {', '.join(get_args(Status))}, got {known['status']!r:.60}")
        known["stretches"] = tuple(Stretch(**stretch) for stretch in known.get("stretches", ()))
        return cls(**known)
