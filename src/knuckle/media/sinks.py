"""Where results go: data files, annotated images and video.

docs/formats.md describes the files. `DATA_FORMATS` are the project's own formats of data; `knuckle.exports.formats`
adds those of other programs. `knuckle.media.outputs` chooses the files of a run.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from knuckle.media.data_format import DataFormat, format_of, parts
from knuckle.media.read_tables import read_csv, read_jsonl, read_parquet
from knuckle.media.threads import InBackground
from knuckle.media.write_common import OutputOptions, Sink
from knuckle.media.write_images import ImageSink
from knuckle.media.write_tables import CsvSink, JsonlSink, JsonlStream, ParquetSink, told
from knuckle.media.write_video import Origin, VideoSink

__all__ = [
    "DATA_FORMATS",
    "CsvSink",
    "DataFormat",
    "ImageSink",
    "InBackground",
    "JsonlSink",
    "JsonlStream",
    "Origin",
    "OutputOptions",
    "ParquetSink",
    "Sink",
    "VideoSink",
    "data_sink",
]

OWN = parts(
    "photos",
    "clips",
    "sources",
    "many",
    "names",
    "times",
    "size",
    "handedness",
    "ids",
    "z",
    "world",
    "visibility",
    "scores",
    "gestures",
    "palms",
)
# The first one is what a folder gets for each source.
DATA_FORMATS: tuple[DataFormat, ...] = (
    DataFormat("parquet", "Parquet", ".parquet", ParquetSink, OWN, read=read_parquet, extra="parquet"),
    DataFormat("csv", "CSV", ".csv", CsvSink, OWN, read=read_csv),
    DataFormat("jsonl", "JSON lines", ".jsonl", JsonlSink, OWN | {"empty"}, read=read_jsonl),
)


def data_sink(
    path: str | os.PathLike[str],
    palms: bool = False,
    formats: Sequence[DataFormat] = DATA_FORMATS,
    *,
    raw: bool = False,
    metres: bool = False,
) -> Sink:
    """Open a data file for hands, or for palms, in the format of its suffix. A file of this name is replaced.

    The file appears under its name when it is closed; until then it has a temporary name in the same folder. `raw` and
    `metres` are those of `OutputOptions`.

    Raises:
        InputError: an unknown suffix.
        MissingExtraError: a Parquet file needs `knuckle[parquet]`.
        SinkError: the file cannot be written.
    """
    return told(format_of(path, formats).open(Path(path), palms), raw, metres)
