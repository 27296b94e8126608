"""The manifest: which items are done, with what result. It is the only truth about a run.

Every run appends to a file of its own, `manifest/RUN.jsonl`: a first line about the run, then a line per finished item.
So several runs, also on several machines, never write to the same file, and a line that was cut off by a crash or a
full disk can only be the last one of its file, where it is ignored. The latest line about an item counts.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from knuckle.batch.items import ItemResult
from knuckle.media.write_common import writing

FOLDER = "manifest"
FORMAT = "knuckle-batch-1"


class Manifest:
    """The file that one run appends to.

    Args:
        out: the output folder.
        about: what to write about the run: sources, options, versions.

    Attributes:
        path: the file.

    Raises:
        SinkError: it cannot be written.
    """

    def __init__(self, out: Path, about: Mapping[str, Any]) -> None:
        now = time.time()
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        self.path = out / FOLDER / f"{stamp}-{platform.node()}-{os.getpid()}-{time.time_ns() % 10**6:06}.jsonl"
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
        self._append({"format": FORMAT, "time": round(now, 3), **about})

    def add(self, result: ItemResult) -> None:
        """Append the result of an item. When this returns, the line is on the disk.

        Raises:
            SinkError: the disk is full or gone.
        """
        self._append({"time": round(time.time(), 3), **result.to_dict()})

    def _append(self, row: Mapping[str, Any]) -> None:
        line = (json.dumps(row) + "\n").encode()
        with writing(self.path):
            while line:
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __enter__(self) -> Manifest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_results(out: Path) -> dict[str, ItemResult]:
    """The latest result of each item, by key, from all runs into this folder."""
    latest: dict[str, tuple[float, ItemResult]] = {}
    for row in rows(out):
        if "key" in row and row["time"] >= latest.get(row["key"], (0.0,))[0]:
            latest[row["key"]] = row["time"], ItemResult.from_dict(row)
    return {key: result for key, (_, result) in latest.items()}


def read_runs(out: Path) -> list[dict[str, Any]]:
    """What is known about each run into this folder, the earliest first."""
    return sorted((row for row in rows(out) if row.get("format") == FORMAT), key=lambda row: row["time"])


def rows(out: Path) -> Iterator[dict[str, Any]]:
    """All lines of all files; a line that was cut off is left out."""
    for path in sorted((out / FOLDER).glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue
