"""From an item to the readers of its frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from knuckle.batch.items import Item
from knuckle.errors import SourceError
from knuckle.media.photos import read_photos
from knuckle.media.reader import Reader
from knuckle.media.sources import read


def readers_of(item: Item) -> Iterator[Reader]:
    """Open the sources inside of an item, one after the other: one for a video, one for a group of photos.

    Raises:
        SourceError: it does not exist or cannot be read.
    """
    if item.kind == "bad":
        raise SourceError(item.problem)
    if item.kind == "photos":
        yield read_photos(item.source, [Path(file) for file in item.files])
    else:
        yield read(item.source)
