"""Data files: one JSON object per frame, or one table row per hand (Parquet and CSV)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from knuckle.media.columns import frame_columns, hand_row, hand_schema, palm_row, palm_schema
from knuckle.media.write_common import Results, Sink, prepare, writing
from knuckle.results import Frame

ROWS_PER_BLOCK = 2000


class JsonlSink(Sink):
    """JSON lines: one object per frame, including frames without hands."""

    def __init__(self, path: Path, palms: bool = False) -> None:
        self.path, self.palms = prepare(path), palms
        self.file = path.open("w", encoding="utf-8")

    def write(self, frame: Frame, results: Results) -> None:
        row: dict[str, object] = {
            "frame": frame.index,
            "time_s": round(frame.time_s, 6),
            "source": frame.source,
            "width": frame.width,
            "height": frame.height,
            "palms" if self.palms else "hands": [result.to_dict() for result in results],
        }
        with writing(self.path):
            self.file.write(json.dumps(row) + "\n")

    def close(self) -> None:
        with writing(self.path):
            self.file.close()


class TableSink(Sink):
    """Parquet or CSV, by the suffix: one row per hand (or palm) per frame, in the columns of `columns`.

    Rows are written in blocks, so that memory does not grow with the length of the video.
    """

    def __init__(self, path: Path, palms: bool = False) -> None:
        self.path = prepare(path)
        self.rows: list[dict[str, Any]] = []
        self.schema = palm_schema() if palms else hand_schema()
        self.row: Callable[[int, Any], dict[str, Any]] = palm_row if palms else hand_row
        self.writer: Any = self._open()

    def _open(self) -> Any:
        with writing(self.path):
            if self.path.suffix.lower() == ".csv":
                from pyarrow import csv

                return csv.CSVWriter(str(self.path), self.schema)
            from pyarrow import parquet

            return parquet.ParquetWriter(str(self.path), self.schema, compression="zstd")

    def write(self, frame: Frame, results: Results) -> None:
        shared = frame_columns(frame)
        self.rows += [shared | self.row(index, result) for index, result in enumerate(results)]
        if len(self.rows) >= ROWS_PER_BLOCK:
            self._write_block()

    def _write_block(self) -> None:
        import pyarrow

        rows, self.rows = self.rows, []
        with writing(self.path):
            self.writer.write_table(pyarrow.Table.from_pylist(rows, self.schema))

    def close(self) -> None:
        if self.writer is None:
            return
        try:
            if self.rows:
                self._write_block()
        finally:
            writer, self.writer = self.writer, None
            with writing(self.path):
                writer.close()
