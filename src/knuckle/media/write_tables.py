"""Data files: one JSON object per frame, or one table row per hand (Parquet and CSV)."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np

from knuckle.errors import Error, SinkError
from knuckle.media.columns import (
    HAND_COLUMNS,
    PALM_COLUMNS,
    frame_columns,
    hand_row,
    hand_schema,
    more_columns,
    palm_row,
    palm_schema,
)
from knuckle.media.names import as_json
from knuckle.media.write_common import FileSink, Results, Sink, keep_whole_lines
from knuckle.results import Frame, Hand, Palm
from knuckle.results.regions import rounded

ROWS_PER_BLOCK = 2000


class JsonlSink(FileSink):
    """JSON lines: one object per frame, including frames without hands."""

    def __init__(self, path: Path, palms: bool = False) -> None:
        super().__init__(path)
        self.palms = palms
        with self._opening():
            self.lines = self.file.part.open("w", encoding="utf-8")

    def write_frame(self, frame: Frame, results: Results) -> None:
        self.lines.write(json_line(frame, results, self.palms, self.raw))

    def finish(self) -> None:
        self.lines.close()

    def rescue(self) -> bool:
        return keep_whole_lines(self.file.part)


class JsonlStream(Sink):
    """JSON lines on standard output, each flushed when its frame is done, for another program to read."""

    path = Path("-")
    raw = metres = False

    def __init__(self, palms: bool = False) -> None:
        self.palms, self.written = palms, True
        self.problems: list[Error] = []

    def write(self, frame: Frame, results: Results) -> None:
        try:
            sys.stdout.write(json_line(frame, results, self.palms, self.raw))
            sys.stdout.flush()
        except OSError as error:
            with suppress(OSError, ValueError):  # otherwise Python fails once more when it flushes at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            reason = "the program that read it has ended" if isinstance(error, BrokenPipeError) else error.strerror
            raise SinkError(f"standard output cannot be written: {reason}") from error

    def close(self) -> None:
        """Standard output stays open."""


def told(sink: Sink, raw: bool, metres: bool) -> Sink:
    """The sink, told which further columns there are; see `OutputOptions`."""
    if isinstance(sink, (FileSink, JsonlStream)):
        sink.raw, sink.metres = raw, metres
    return sink


def json_line(frame: Frame, results: Results, palms: bool, raw: bool = False) -> str:
    """One frame as a line of JSON, with its line end."""
    return json.dumps(frame_row(frame, results, palms, raw)) + "\n"


def frame_row(frame: Frame, results: Results, palms: bool = False, raw: bool = False) -> dict[str, object]:
    """One frame as plain lists and numbers, ready for JSON; `raw` adds hands' landmarks before smoothing."""
    return {
        "frame": frame.index,
        "time_s": round(frame.time_s, 6),
        "source": as_json(frame.source),
        "width": frame.width,
        "height": frame.height,
        "palms" if palms else "hands": [entry_of(result, raw) for result in results],
    }


def entry_of(result: Hand | Palm, raw: bool) -> dict[str, Any]:
    """A hand or palm as plain lists and numbers."""
    if not raw or isinstance(result, Palm):
        return result.to_dict()
    before = {"landmarks_raw": rounded(result.landmarks_raw, 3), "world_raw": rounded(result.world_raw, 6)}
    return result.to_dict() | before


class CsvSink(FileSink):
    """CSV: one row per hand (or palm) per frame, in the columns of `columns`. Fields without a value are empty."""

    def __init__(self, path: Path, palms: bool = False) -> None:
        super().__init__(path)
        self.palms = palms
        self.columns: dict[str, str] = {}  # known from the first row on
        with self._opening():
            self.lines = self.file.part.open("w", encoding="utf-8", newline="")
            self.writer = csv.writer(self.lines, lineterminator="\n")

    def write_frame(self, frame: Frame, results: Results) -> None:
        rows = rows_of(frame, results, self.raw)
        if rows:
            self._begin(rows)
        for row in rows:
            self.writer.writerow([as_text(row.get(column), kind) for column, kind in self.columns.items()])

    def _begin(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the header, once, with the columns that the first rows have."""
        if not self.columns:
            self.columns = PALM_COLUMNS if self.palms else HAND_COLUMNS | more_columns(rows, self.metres, self.raw)
            self.writer.writerow(self.columns)

    def finish(self) -> None:
        try:
            self._begin([])
        finally:
            self.lines.close()

    def rescue(self) -> bool:
        return keep_whole_lines(self.file.part)


def rows_of(frame: Frame, results: Results, raw: bool) -> list[dict[str, Any]]:
    """A frame's hands or palms as rows of a table."""
    shared, listed = frame_columns(frame), cast(Sequence[Hand | Palm], results)
    return [
        shared | (hand_row(index, result, raw) if isinstance(result, Hand) else palm_row(index, result))
        for index, result in enumerate(listed)
    ]


def as_text(value: Any, kind: str) -> Any:
    """A field of a CSV file. Numbers in single precision get the digits that they need: 0.1, not 0.10000000149."""
    return np.float32(value) if kind == "float" and value is not None else value


class ParquetSink(FileSink):
    """Parquet: the same rows as in CSV.

    Rows are written in blocks, so that memory does not grow with the length of the video.

    Raises:
        MissingExtraError: PyArrow is not installed.
    """

    def __init__(self, path: Path, palms: bool = False) -> None:
        self.schema = palm_schema() if palms else hand_schema()  # fails here without PyArrow, before there is a file
        super().__init__(path)
        self.palms = palms
        self.rows: list[dict[str, Any]] = []
        self.writer: Any = None  # opened with the first block, whose rows tell the columns
        with self._opening():
            from pyarrow import OSFile

            self.bytes = OSFile(os.fsencode(self.file.part), "wb")  # as text, a name would have to be UTF-8

    def write_frame(self, frame: Frame, results: Results) -> None:
        self.rows += rows_of(frame, results, self.raw)
        if len(self.rows) >= ROWS_PER_BLOCK:
            self._write_block()

    def _write_block(self) -> None:
        import pyarrow
        from pyarrow import parquet

        rows, self.rows = self.rows, []
        if self.writer is None:
            self.schema = self.schema if self.palms else hand_schema(more_columns(rows, self.metres, self.raw))
            self.writer = parquet.ParquetWriter(self.bytes, self.schema, compression="zstd")
        self.writer.write_table(pyarrow.Table.from_pylist(rows, self.schema))

    def finish(self) -> None:
        try:
            if self.rows or self.writer is None:
                self._write_block()
        finally:
            try:
                if self.writer is not None:
                    self.writer.close()
            finally:
                self.bytes.close()
