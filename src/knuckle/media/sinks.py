"""Where results go: data files, annotated images and video.

docs/formats.md describes the files. To add a data format, write a `Sink` beside `write_tables` and give it a suffix in
`DATA_SINKS`. `knuckle.media.outputs` chooses the files of a run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from knuckle.errors import InputError
from knuckle.media.threads import InBackground
from knuckle.media.write_common import OutputOptions, Sink
from knuckle.media.write_images import ImageSink
from knuckle.media.write_tables import CsvSink, JsonlSink, JsonlStream, ParquetSink
from knuckle.media.write_video import Origin, VideoSink

__all__ = [
    "DATA_SINKS",
    "CsvSink",
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

# Suffix -> sink; called with the path and whether the results are palms instead of hands.
DATA_SINKS: Mapping[str, Callable[[Path, bool], Sink]] = {".parquet": ParquetSink, ".csv": CsvSink, ".jsonl": JsonlSink}


def data_sink(path: str | os.PathLike[str], palms: bool = False) -> Sink:
    """Open a data file for hands, or for palms, in the format of its suffix. A file of this name is replaced.

    The file appears under its name when it is closed; until then it has a temporary name in the same folder.

    Raises:
        InputError: an unknown suffix.
        MissingExtraError: a Parquet file needs `knuckle[parquet]`.
        SinkError: the file cannot be written.
    """
    target = Path(path)
    check_data_suffix(target)
    return DATA_SINKS[target.suffix.lower()](target, palms)


def check_data_suffix(path: Path) -> None:
    """Raise InputError if no data file has this suffix."""
    if path.suffix.lower() not in DATA_SINKS:
        raise InputError(
            f"data is saved as {', '.join(DATA_SINKS)}, got {path.name!r}; end the name of a folder with a slash"
        )
