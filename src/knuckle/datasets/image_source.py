"""Images by their source: plain files, frames of clips, and members of tar shards, which are not unpacked."""

from __future__ import annotations

import functools
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

from knuckle.errors import SourceError
from knuckle.images import Image, as_rgb
from knuckle.media.clip_frames import image_at
from knuckle.media.photo_files import read_pictures

SHARD_SEPARATOR = ".tar#"  # "shards/000.tar#00012.jpg"
MOMENT = "#t="  # "clip.mp4#t=1.2": seconds, as in the W3C's media fragments


def source_in(shard: Path, member: str) -> str:
    """The source of an image inside a tar file, as in `Shot.source`: "shards/000.tar#00012.jpg"."""
    return f"{shard}#{member}"


def moment_in(clip: str, time_s: float) -> str:
    """The source of a frame as an image of its own: "clip.mp4#t=1.2"."""
    return f"{clip}{MOMENT}{time_s:.6f}"


def file_of(source: str) -> str:
    """The file on disk of a source: the tar file of a member, the clip of a frame, else the source itself."""
    if MOMENT in source and not os.path.exists(source):
        return source.rpartition(MOMENT)[0]
    offset = source.find(SHARD_SEPARATOR)
    return source if offset < 0 or os.path.exists(source) else source[: offset + len(SHARD_SEPARATOR) - 1]


def is_in_shard(source: str) -> bool:
    """Whether the source is a member of a tar file."""
    return file_of(source) != source and SHARD_SEPARATOR in source and MOMENT not in source


def open_image(source: str) -> Image:
    """A photo as RGB uint8 (height, width, 3), from a file, a frame of a clip (`moment_in`) or a member of a tar shard.

    Raises:
        SourceError: there is no such file, frame or member, or it is not an image.
    """
    from PIL import Image as pillow
    from PIL import UnidentifiedImageError

    shard = file_of(source)
    if shard == source:
        picture = next(read_pictures(source, source))
        if picture.full_size != picture.image.shape[1::-1]:
            raise SourceError(f"{source} is too large to be read at its own size, which its labels are for; scale both")
        return picture.image
    if not is_in_shard(source):
        try:
            time_s = float(source[len(shard) + len(MOMENT) :])
        except ValueError as error:
            raise SourceError(f"{source} names no frame; write {shard}{MOMENT}SECONDS") from error
        return image_at(shard, time_s)
    data = read_member(Path(shard), source[len(shard) + 1 :])
    try:
        with pillow.open(io.BytesIO(data)) as opened:
            return as_rgb(opened)
    except (UnidentifiedImageError, OSError) as error:
        raise SourceError(f"{source} is not an image that can be read: {error}") from error


def read_member(shard: Path, name: str) -> bytes:
    """The bytes of one member, read with one seek.

    Raises:
        SourceError: the shard cannot be read or has no such member.
    """
    extents = members(str(shard), _stamp(shard))
    if name not in extents:
        raise SourceError(f"{shard} has no member {name}")
    start, size = extents[name]
    with shard.open("rb") as file:
        file.seek(start)
        data = file.read(size)
    if len(data) < size:
        raise SourceError(f"{shard} is cut off within {name}")
    return data


def _stamp(shard: Path) -> tuple[int, int]:
    try:
        status = shard.stat()
    except OSError as error:
        raise SourceError(f"{shard} cannot be read: {error.strerror}") from error
    return status.st_size, status.st_mtime_ns


def names_in(shard: Path) -> list[str]:
    """The names of a shard's members, in order.

    Raises:
        SourceError: it is not a tar file, or it is cut off.
    """
    return list(members(str(shard), _stamp(shard)))


@functools.cache  # unbounded: listing the members of a shard means scanning the whole file
def members(shard: str, stamp: tuple[int, int]) -> Mapping[str, tuple[int, int]]:
    """The start and the number of bytes of each member. A changed file has another `stamp` and is read again."""
    try:
        with tarfile.open(shard, "r:") as tar:
            found = {member.name: (member.offset_data, member.size) for member in tar if member.isfile()}
    except (tarfile.TarError, OSError) as error:
        raise SourceError(f"{shard} is not a complete tar file: {error}") from error
    cut_off = [name for name, (start, size) in found.items() if start + size > stamp[0]]
    if cut_off:
        raise SourceError(f"{shard} is cut off within {cut_off[0]}")
    return found


def clip_header(clip: Path) -> tuple[int, float, tuple[int, int]]:
    """Number of frames, frames per second and (width, height) before rotation of a clip, from its header.

    Raises:
        SourceError: it is not a video that can be read.
    """
    import av

    try:
        with av.open(os.path.abspath(clip)) as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate or stream.guessed_rate or 30)
            seconds = (container.duration or 0) / 1_000_000
            width, height = stream.codec_context.width, stream.codec_context.height
            return stream.frames or round(seconds * rate), rate, (width, height)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise SourceError(f"{clip} is not a video that can be read: {error}") from error
