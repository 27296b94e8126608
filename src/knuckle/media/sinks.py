"""Where results go: data files, annotated images and video, and which of them a run writes.

docs/formats.md describes the files. To add a data format, write a `Sink` beside `write_tables` and give it a suffix in
`DATA_SINKS`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from knuckle.errors import InputError
from knuckle.media.sources import IMAGE_SUFFIXES, Reader
from knuckle.media.threads import InBackground
from knuckle.media.write_common import Sink
from knuckle.media.write_images import ImageSink
from knuckle.media.write_tables import JsonlSink, TableSink
from knuckle.media.write_video import VideoSink, has_audio

__all__ = [
    "DATA_SINKS",
    "ImageSink",
    "InBackground",
    "JsonlSink",
    "Sink",
    "TableSink",
    "VideoSink",
    "data_sink",
    "has_audio",
    "open_outputs",
]

# Suffix -> sink; called with the path and whether the results are palms instead of hands.
DATA_SINKS: Mapping[str, Callable[[Path, bool], Sink]] = {".parquet": TableSink, ".csv": TableSink, ".jsonl": JsonlSink}


def data_sink(path: str | os.PathLike[str], palms: bool = False) -> Sink:
    """Open a data file for hands, or for palms, in the format of its suffix.

    Raises:
        InputError: an unknown suffix.
        SinkError: the file cannot be written.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in DATA_SINKS:
        raise InputError(f"data is saved as {', '.join(DATA_SINKS)}, got {target.name!r}")
    return DATA_SINKS[suffix](target, palms)


def open_outputs(reader: Reader, out: Path | None, save: Path | None, palms: bool = False) -> list[Sink]:
    """Open the output files of one source.

    Args:
        reader: the source.
        out: annotated video or image, or a folder for them; None for none.
        save: data file, or a folder for one; None for none.
        palms: the results are palms and not hands.

    Raises:
        InputError: a path does not suit the source, or would overwrite it.
        SinkError: a file cannot be written.
    """
    opened: list[Sink] = []
    if save is not None:
        path = save / f"{stem(reader.name)}_hands.parquet" if is_folder(save) else save
        opened.append(data_sink(not_the_source(path, reader.name), palms))
    if out is not None:
        opened.append(image_output(reader, out) if reader.kind == "image" else video_output(reader, out))
    return opened


def image_output(reader: Reader, out: Path) -> Sink:
    """The annotated photos of a source, which must not be written into the source's own folder."""
    if not is_folder(out):
        if reader.frame_count != 1:
            raise InputError(f"--out must be a folder for several photos, got {out}")
        if out.suffix.lower() not in IMAGE_SUFFIXES:
            raise InputError(f"--out must be a folder or an image (.jpg, .png, ...) for a photo, got {out}")
    root = Path(reader.name)
    if root.is_dir() and out.resolve().is_relative_to(root.resolve()):
        raise InputError(f"--out {out} is inside the source {root}, so the next run would read it; choose another")
    return ImageSink(not_the_source(out, reader.name), root if root.is_dir() else None)


def video_output(reader: Reader, out: Path) -> Sink:
    """The annotated video of a source, with its sound."""
    source = reader.name
    path = out / f"{stem(source)}_hands.mp4" if is_folder(out) else out
    with_sound = Path(source).is_file() and has_audio(source)
    return VideoSink(not_the_source(path, source), reader.rate, source if with_sound else None)


def is_folder(path: Path) -> bool:
    """Whether an output path means a folder: it is one, or has no suffix."""
    if path.exists() and not path.is_dir() and not path.suffix:
        raise InputError(f"{path} is a file without a suffix; give a folder, or a file with a known suffix")
    return path.is_dir() or not path.suffix


def stem(source: str) -> str:
    """The start of an output file's name: the source's own name, or an address reduced to safe characters."""
    if Path(source).exists():
        return Path(source).resolve().stem
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in Path(source).stem).strip("_") or "hands"


def not_the_source(path: Path, source: str) -> Path:
    """The path, unless writing it would overwrite the source."""
    if path.is_file() and Path(source).exists() and path.samefile(source):
        raise InputError(f"{path} is the source itself; choose another file")
    return path
