"""From an item to the readers of its frames."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from knuckle.batch.find import PHOTOS_PER_ITEM
from knuckle.batch.items import Item
from knuckle.batch.remote import explained, is_remote, open_file, read_bytes
from knuckle.errors import SourceError
from knuckle.media.clips import read_clip
from knuckle.media.kinds import IMAGE_SUFFIXES, START, VIDEO_SUFFIXES, is_hidden, kind_of_bytes
from knuckle.media.photo_files import File, is_animation
from knuckle.media.photos import read_animation, read_photo_files
from knuckle.media.reader import Reader
from knuckle.media.sources import read
from knuckle.results import Frame


def readers_of(item: Item) -> Iterator[Reader]:
    """Open the sources inside of an item, one after the other: one for a video, several for a tar file.

    Raises:
        SourceError: it does not exist or cannot be read.
    """
    if item.kind == "bad":
        raise SourceError(item.problem)
    if item.kind == "photos":
        yield read_photo_files(item.source, [(file, partial(photo_file, file)) for file in item.files])
    elif item.kind == "tar":
        yield from _readers_in_tar(item.source)
    elif opened := opener_of(item.source):
        yield _reader_of(item.source, opened)
    else:
        yield read_clip(item.source) if item.stretch else read(item.source)


def opener_of(address: str) -> Callable[[], Any] | None:
    """What opens a file through fsspec; None for what FFmpeg opens itself: files of this machine, http."""
    is_web = urlsplit(address).scheme.lower() in ("http", "https")
    return partial(open_file, address) if is_remote(address) and not is_web else None


def photo_file(file: str) -> File:
    return io.BytesIO(read_bytes(file)) if is_remote(file) else Path(file)


def _reader_of(name: str, opened: Callable[[], Any]) -> Reader:
    """The video, animation or photo that a file without a path holds."""
    kind = _kind_of(name, opened)
    if kind == "animation":
        return read_animation(name, opened)
    return read_photo_files(name, [(name, opened)]) if kind == "photo" else read_clip(name, opened=opened)


def _readers_in_tar(name: str) -> Iterator[Reader]:
    """The photos and videos of a tar file, in its order; other files, such as labels, are passed over.

    Raises:
        SourceError: it cannot be opened, or it breaks off; then after the readers of what came before.
    """
    with open_file(name) as file, explained(name), tarfile.open(fileobj=file) as tar:
        photos: list[tuple[str, Callable[[], File]]] = []
        trouble: list[SourceError] = []
        for member in _members(tar, name, trouble):
            if not member.isfile() or is_hidden(PurePosixPath(member.name).name):
                continue
            inside = f"{name}/{member.name}"
            opened: Callable[[], Any] = partial(tar.extractfile, member)
            kind = _kind_of(inside, opened)
            if kind == "photo":
                photos.append((inside, opened))
            if photos and (kind in ("video", "animation") or len(photos) == PHOTOS_PER_ITEM):
                yield read_photo_files(name, photos)
                photos = []
            if kind in ("video", "animation"):
                yield _member(inside, opened)
        if photos:
            yield read_photo_files(name, photos)
        if trouble:
            raise trouble[0]


def _member(name: str, opened: Callable[[], Any]) -> Reader:
    """The reader of a video in a tar file. If it cannot be opened, its iteration says so, and the others are done."""
    try:
        return _reader_of(name, opened)
    except SourceError as error:
        raised = error

    def fail(reader: Reader) -> Iterator[Frame]:
        raise raised

    return Reader(name, "video", fail)


def _members(tar: tarfile.TarFile, name: str, trouble: list[SourceError]) -> Iterator[tarfile.TarInfo]:
    """The members of a tar file; where it breaks off, `trouble` gets an error."""
    count = 0
    try:
        for member in tar:
            yield member
            count += 1
        tar.fileobj.seek(tar.offset)
        if tar.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0"):  # a header that was cut off
            trouble.append(SourceError(f"{name} breaks off after {count} files"))
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        trouble.append(SourceError(f"{name} breaks off after {count} files: {error}"))


def _kind_of(name: str, opened: Callable[[], Any]) -> str:
    """ "photo", "animation", "video" or "other", by the first bytes, then by the suffix."""
    with opened() as file:
        kind, suffix = kind_of_bytes(file.read(START)), PurePosixPath(name).suffix.lower()
        if kind == "photo or animation":
            file.seek(0)
            return "animation" if is_animation(file) else "photo"
    if kind == "photo" or (kind == "other" and suffix in IMAGE_SUFFIXES):
        return "photo"
    return "video" if kind == "clip" or suffix in VIDEO_SUFFIXES else "other"
