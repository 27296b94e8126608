"""Which files a run writes: the output paths that a user gave, resolved for one source."""

from __future__ import annotations

from pathlib import Path

from knuckle.errors import InputError
from knuckle.media import sinks
from knuckle.media.sources import IMAGE_SUFFIXES, Reader


def open_outputs(reader: Reader, out: Path | None, save: Path | None, palms: bool = False) -> list[sinks.Sink]:
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
    opened: list[sinks.Sink] = []
    if save is not None:
        path = save / f"{stem(reader.name)}_hands.parquet" if is_folder(save) else save
        opened.append(sinks.data_sink(not_the_source(path, reader.name), palms))
    if out is not None:
        opened.append(image_output(reader, out) if reader.kind == "image" else video_output(reader, out))
    return opened


def image_output(reader: Reader, out: Path) -> sinks.Sink:
    """The annotated photos of a source; they may not lie in a folder that is the source itself."""
    if not is_folder(out):
        if reader.frame_count != 1:
            raise InputError(f"--out must be a folder for several photos, got {out}")
        if out.suffix.lower() not in IMAGE_SUFFIXES:
            raise InputError(f"--out must be a folder or an image (.jpg, .png, ...) for a photo, got {out}")
    root = Path(reader.name)
    if root.is_dir() and out.resolve().is_relative_to(root.resolve()):
        raise InputError(f"--out {out} is inside the source {root}, so the next run would read it; choose another")
    return sinks.ImageSink(not_the_source(out, reader.name), root if root.is_dir() else None)


def video_output(reader: Reader, out: Path) -> sinks.Sink:
    """The annotated video of a source, with its sound."""
    source = reader.name
    path = out / f"{stem(source)}_hands.mp4" if is_folder(out) else out
    with_sound = Path(source).is_file() and sinks.has_audio(source)
    return sinks.VideoSink(not_the_source(path, source), reader.rate, source if with_sound else None)


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
