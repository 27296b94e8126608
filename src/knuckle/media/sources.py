"""`read`: one entry for photos, folders, videos, cameras and streams.

To add a kind of source, write a function that returns a `Reader` beside `photos`, `clips` and `cameras`, give it a kind
in `find`, and open it in `Source.open`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from knuckle.errors import SourceError
from knuckle.media.find import Source, find_sources
from knuckle.media.kinds import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from knuckle.media.photo_files import load_image
from knuckle.media.photos import read_image
from knuckle.media.reader import Reader
from knuckle.media.threads import in_background

__all__ = [
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "Reader",
    "Source",
    "find_sources",
    "in_background",
    "load_image",
    "read",
]


def read(source: Any, *, live: bool | None = None, recursive: bool = False) -> Reader:
    """Open a source of frames.

    Args:
        source: an image or video file, a folder or glob pattern of images, a camera number (also as text), an
            `http(s)://` or `rtsp://` address, a NumPy array, a PIL image, or a `Source` of `find_sources`.
        live: skip frames that arrive while the caller is busy, so that the next one is always the newest. By default
            True for cameras and for network streams without an end. Has no meaning for photos.
        recursive: also read the folders inside of a folder.

    Returns:
        A Reader. Iterate over it for `Frame`s: RGB uint8 images, upright, with times in seconds. Each iteration starts
        at the beginning. Use it as a context manager, or call `close`, if you stop before the end.

    Raises:
        InputError: an array or PIL image has an unsupported type or shape.
        SourceError: the source does not exist or cannot be read, or it is more than one: several clips, or photos and
            clips. A video that ends early raises it from the iteration, after its last good frame.
    """
    if isinstance(source, np.ndarray) or hasattr(source, "getbands"):
        return read_image(source)
    reader = (source if isinstance(source, Source) else _single(source, recursive)).open(live)
    return newest_only(reader) if live and reader.kind == "video" else reader


def _single(given: Any, recursive: bool) -> Source:
    """The source that `given` stands for, which must be one."""
    found = find_sources(given, recursive=recursive)
    for source in found:
        if source.problem is not None:
            raise source.problem
    if len(found) > 1:
        photos = sum(len(source.files) for source in found if source.kind == "photos")
        what = f"{len(found) - bool(photos)} clips" + (f" and {photos} photos" if photos else "")
        raise SourceError(
            f"{given} holds {what}, which are separate sources: for source in knuckle.find_sources({str(given)!r}): "
            "reader = knuckle.read(source)"
        )
    return found[0]


def newest_only(reader: Reader) -> Reader:
    """A live reader of an animation: a thread keeps reading, and the caller gets the newest frame."""

    def frames(_: Reader) -> Any:
        return in_background(iter(reader), keep="newest")

    return replace(reader, kind="live", open_frames=frames, frame_count=None, duration_s=None, release=reader.close)
