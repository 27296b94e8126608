"""The manifest: which items are done, with what result. It is the only truth about a run.

Every run appends to a file of its own, `manifest/RUN.jsonl`: a first line about the run, then a line per finished item.
So several runs, also on several machines, never write to the same file, and a line that was cut off by a crash or a
full disk can only be the last one of its file, where it is ignored. The latest line about an item counts: times are
kept to the microsecond, since two runs can finish an item within the same millisecond.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from knuckle.batch.items import ItemResult
from knuckle.errors import DAMAGE, InputError, reason_of
from knuckle.media.names import readable
from knuckle.media.write_common import PartFile, writing

FOLDER = "manifest"
FORMAT = "knuckle-batch-1"
ROWS_PER_BLOCK = 10_000


class Manifest:
    """The file that one run appends to.

    Args:
        out: the output folder.
        about: what to write about the run: sources, options, versions.

    Attributes:
        path: the file.
        options: hash of the options of the run.

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
        self.options = options_hash(about.get("options", {}))
        self._append({"format": FORMAT, "time": now, "options_hash": self.options, **about})

    def add(self, result: ItemResult) -> None:
        """Append the result of an item. When this returns, the line is on the disk.

        Raises:
            SinkError: the disk is full or gone.
        """
        self._append({"time": time.time(), "options": self.options, **result.to_dict()})

    def end(self, how: str, left: int) -> None:
        """Append how the run ended. A run without such a line was killed.

        Raises:
            SinkError: the disk is full or gone.
        """
        self._append({"end": how, "left": left, "time": time.time()})

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
    return {key: result for key, (_, _, result) in latest_results(out).items()}


def latest_results(out: Path) -> dict[str, tuple[float, str, ItemResult]]:
    """The latest result of each item, by key, with its time and the hash of its options."""
    latest: dict[str, tuple[float, str, ItemResult]] = {}
    shared: dict[Any, Any] = {}  # values that a million rows have in common are kept once
    for path, row in rows(out):
        if "key" in row:
            with explained(path):
                key, time_s = str(row["key"]), float(row["time"])
                if key in latest and time_s < latest[key][0]:
                    continue
                for name in ("engine", "host", "options"):
                    row[name] = shared.setdefault(str(row[name]), str(row[name]))
                row["versions"] = shared.setdefault(tuple(row["versions"].items()), row["versions"])
                latest[key] = time_s, row["options"], ItemResult.from_dict(row)
    return latest


def read_runs(out: Path) -> list[dict[str, Any]]:
    """What is known about each run into this folder, the earliest first."""
    found = list[tuple[float, int, dict[str, Any]]]()
    for path, row in rows(out):
        if row.get("format") == FORMAT:
            with explained(path):
                found.append((float(row["time"]), len(found), row))
    return [row for _, _, row in sorted(found)]


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an error in a line into one line that names the file.

    Raises:
        InputError: instead of the error that was raised.
    """
    try:
        yield
    except DAMAGE as error:
        raise InputError(f"{path} has a line that no run wrote ({reason_of(error)}); move the file away") from error


def rows(out: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """All lines of all files, each with its file; a line that was cut off is left out."""
    for path in sorted((out / FOLDER).glob("*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(row, dict):
                    yield path, row


def options_hash(options: Mapping[str, Any]) -> str:
    """A short hash of options: rows with the same hash were made with the same options."""
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:12]


def write_table(out: Path) -> Path:
    """Write all results as one table, `manifest.parquet`, a row per item; returns its path.

    Raises:
        SinkError: it cannot be written.
    """
    import pyarrow
    from pyarrow import parquet

    texts = ["key", "source", "status", "error", "engine", "host", "options"]
    kinds = {name: pyarrow.string() for name in texts}
    kinds |= {name: pyarrow.int64() for name in ("frames", "hands", "tries")}
    kinds |= {"seconds": pyarrow.float64(), "time": pyarrow.float64()}
    kinds |= {name: pyarrow.list_(pyarrow.string()) for name in ("problems", "parts", "files")}
    kinds["versions"] = pyarrow.map_(pyarrow.string(), pyarrow.string())
    schema = pyarrow.schema(kinds)
    found = [row for _, row in sorted(latest_results(out).items()) if not row[2].of]
    path = out / "manifest.parquet"
    file = PartFile(path)
    try:
        with writing(path), parquet.ParquetWriter(file.part, schema) as writer:
            for first in range(0, max(len(found), 1), ROWS_PER_BLOCK):
                plain = [as_plain(*row, texts) for row in found[first : first + ROWS_PER_BLOCK]]
                writer.write_table(pyarrow.Table.from_pylist(plain, schema))
        file.keep()
    except BaseException:
        file.discard()
        raise
    return path


def as_plain(time_s: float, options: str, result: ItemResult, texts: list[str]) -> dict[str, Any]:
    """A result as a row of a table: text that is valid UTF-8, maps as pairs."""
    row = result.to_dict() | {"time": time_s, "options": options}
    row |= {name: readable(row[name]) for name in texts}
    row |= {name: [readable(one) for one in row[name]] for name in ("problems", "parts", "files")}
    return row | {"versions": list(result.versions.items())}
