"""Data files: one JSON object per frame, or one table row per hand (Parquet and CSV)."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import Error, SinkError
from knuckle.media.columns import (
    HAND_COLUMNS,
    PALM_COLUMNS,
    frame_columns,
    hand_row,
    hand_schema,
    palm_row,
    palm_schema,
)
from knuckle.media.names import as_json
from knuckle.media.write_common import FileSink, Results, Sink, keep_whole_lines
from knuckle.results import Frame

ROWS_PER_BLOCK = 2000


class JsonlSink(FileSink):
    """JSON lines: one object per frame, including frames without hands."""

    def __init__(self, path: Path, palms: bool = False) -> None:
        super().__init__(path)
        self.palms = palms
        with self._opening():
            self.lines = self.file.part.open("w", encoding="utf-8")

    def write_frame(self, frame: Frame, results: Results) -> None:
        self.lines.write(json_line(frame, results, self.palms))

    def finish(self) -> None:
        self.lines.close()

    def rescue(self) -> bool:
        return keep_whole_lines(self.file.part)


class JsonlStream(Sink):
    """JSON lines on standard output, each flushed when its frame is done, for another program to read."""

    path = Path("-")

    def __init__(self, palms: bool = False) -> None:
        self.palms, self.written = palms, True
        self.problems: list[Error] = []

    def write(self, frame: Frame, results: Results) -> None:
        try:
            sys.stdout.write(json_line(frame, results, self.palms))
            sys.stdout.flush()
        except OSError as error:
            with suppress(OSError, ValueError):  # otherwise Python fails once more when it flushes at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            reason = "the program that read it has ended" if isinstance(error, BrokenPipeError) else error.strerror
            raise SinkError(f"standard output cannot be written: {reason}") from error

    def close(self) -> None:
        """Standard output stays open."""


def json_line(frame: Frame, results: Results, palms: bool) -> str:
    """One frame as a line of JSON, with its line end."""
    return json.dumps(frame_row(frame, results, palms)) + "\n"


def frame_row(frame: Frame, results: Results, palms: bool = False) -> dict[str, object]:
    """One frame as plain lists and numbers, ready for JSON."""
    return {
        "frame": frame.index,
        "time_s": round(frame.time_s, 6),
        "source": as_json(frame.source),
        "width": frame.width,
        "height": frame.height,
        "palms" if palms else "hands": [result.to_dict() for result in results],
    }


class CsvSink(FileSink):
    """CSV: one row per hand (or palm) per frame, in the columns of `columns`. Fields without a value are empty."""

    def __init__(self, path: Path, palms: bool = False) -> None:
        super().__init__(path)
        self.columns = PALM_COLUMNS if palms else HAND_COLUMNS
        self.row: Callable[[int, Any], dict[str, Any]] = palm_row if palms else hand_row
        with self._opening():
            self.lines = self.file.part.open("w", encoding="utf-8", newline="")
            self.writer = csv.writer(self.lines, lineterminator="\n")
            self.writer.writerow(self.columns)

    def write_frame(self, frame: Frame, results: Results) -> None:
        shared = frame_columns(frame)
        for index, result in enumerate(results):
            row = shared | self.row(index, result)
            self.writer.writerow([as_text(row[column], kind) for column, kind in self.columns.items()])

    def finish(self) -> None:
        self.lines.close()

    def rescue(self) -> bool:
        return keep_whole_lines(self.file.part)


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
        self.rows: list[dict[str, Any]] = []
        self.row: Callable[[int, Any], dict[str, Any]] = palm_row if palms else hand_row
        with self._opening():
            from pyarrow import OSFile, parquet

            self.bytes = OSFile(os.fsencode(self.file.part), "wb")  # as text, a name would have to be UTF-8
            self.writer: Any = parquet.ParquetWriter(self.bytes, self.schema, compression="zstd")

    def write_frame(self, frame: Frame, results: Results) -> None:
        shared = frame_columns(frame)
        self.rows += [shared | self.row(index, result) for index, result in enumerate(results)]
        if len(self.rows) >= ROWS_PER_BLOCK:
            self._write_block()

    def _write_block(self) -> None:
        import pyarrow

        rows, self.rows = self.rows, []
        self.writer.write_table(pyarrow.Table.from_pylist(rows, self.schema))

    def finish(self) -> None:
        try:
            if self.rows:
                self._write_block()
        finally:
            try:
                self.writer.close()
            finally:
                self.bytes.close()
