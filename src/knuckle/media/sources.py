"""`read`: one entry for photos, folders, videos, cameras and streams.

To add a kind of source, write a function that returns a `Reader` beside `photos`, `clips` and `cameras`, and choose it
in `read`.
"""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import SourceError
from knuckle.media.cameras import read_camera
from knuckle.media.clips import VIDEO_SUFFIXES, read_animation, read_clip
from knuckle.media.photos import IMAGE_SUFFIXES, load_image, read_image, read_photos
from knuckle.media.reader import Reader
from knuckle.media.threads import in_background

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "Reader", "in_background", "load_image", "read"]


def read(source: Any, *, live: bool | None = None) -> Reader:
    """Open a source of frames.

    Args:
        source: an image or video file, a folder of images, a glob pattern, a camera number (also as text), an
            `http(s)://` or `rtsp://` address, a NumPy array or a PIL image.
        live: skip frames that arrive while the caller is busy, so that the next one is always the newest. By default
            True for cameras and rtsp, False for everything else.

    Returns:
        A Reader. Iterate over it for `Frame`s: RGB uint8 images, upright, with times in seconds. Each iteration starts
        at the beginning. Use it as a context manager, or call `close`, if you stop before the end.

    Raises:
        InputError: an array or PIL image has an unsupported type or shape.
        SourceError: the source does not exist or cannot be read. A video that ends early raises it from the
            iteration, after its last good frame.
    """
    if isinstance(source, np.ndarray) or hasattr(source, "getbands"):
        return read_image(source)
    if isinstance(source, int) or (isinstance(source, str) and source.isdigit() and not os.path.exists(source)):
        reader = read_camera(int(source))
    elif not isinstance(source, (str, os.PathLike)) or not os.fspath(source):
        raise SourceError(f"a source is a file, folder, glob, camera number, address or image, got {source!r}")
    elif "://" in os.fspath(source):
        reader = read_clip(os.fspath(source))
    else:
        reader = _read_files(os.fspath(source))
    if live is None:
        live = reader.kind == "live"
    return newest_only(reader) if live else reader


def _read_files(text: str) -> Reader:
    """A file, a folder of images, or a glob pattern."""
    path = Path(text)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
        if not found:
            raise SourceError(f"folder {path} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
        return read_photos(text, found)
    if not path.exists():
        matches = sorted(Path(match) for match in glob.glob(text, recursive=True) if Path(match).is_file())
        if not matches:
            what = "no file matches" if glob.has_magic(text) else "there is no file or folder"
            raise SourceError(f"{what} {text}")
        return read_photos(text, matches)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return read_clip(text)
    return read_animation(path) or read_photos(text, [path])


def newest_only(reader: Reader) -> Reader:
    """A live reader: a thread keeps reading, and the caller gets the newest frame."""

    def frames(_: Reader) -> Any:
        return in_background(iter(reader), keep="newest")

    return Reader(reader.name, "live", frames, rate=reader.rate, release=reader.close, problems=reader.problems)
