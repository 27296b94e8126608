"""Live streams: wall-clock times, reconnection with growing pauses, and the pace of streams that come in segments."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from knuckle.errors import SourceError
from knuckle.images import Image
from knuckle.media.reader import Reader
from knuckle.media.threads import in_background
from knuckle.results import Frame

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)  # before each attempt to reconnect; a frame that arrives starts them anew
SETTLE_S = 0.05  # time to drop the frames that have piled up since the connection was opened
MAX_LATE_S = 1.0  # a paced stream that is later than this has waited for data: its pace begins anew
MAX_EARLY_S = 20.0  # and so does one whose stamps jump ahead

Item = TypeVar("Item")


class Break(Exception):
    """A stream broke off. The text says why. A stream that announces its end does not raise this."""


def live_frames(
    reader: Reader,
    connect: Callable[[], Iterator[Item]],
    image_of: Callable[[Item], Image | None],
    newest: bool = True,
) -> Iterator[Frame]:
    """The frames of a stream, with the seconds since the first one arrived.

    Args:
        reader: the reader of the stream.
        connect: connects and yields what arrives; raises Break when the stream breaks off, or SourceError if there is
            no connection.
        image_of: the image of something that arrived; None if it is damaged.
        newest: give the newest frame, drop the others unseen, and connect again when the stream breaks off.
            Otherwise give every frame, and end with an error when it breaks off.

    Raises:
        SourceError: the first connection failed, or the stream broke off for good, or not a single image was whole.
    """

    def arrivals() -> Iterator[tuple[int, float, Item]]:
        for index, item in enumerate(connected(reader, connect, PAUSES_S if newest else ())):
            yield index, time.perf_counter(), item

    start_s, damaged, whole = 0.0, 0, 0
    arriving = in_background(arrivals(), keep="newest", settle_s=SETTLE_S) if newest else arrivals()
    for index, arrived_s, item in arriving:
        image = image_of(item)
        if image is None:
            damaged += 1
            continue
        start_s, whole = start_s if whole else arrived_s, whole + 1
        yield Frame(image, index, arrived_s - start_s, reader.name)
    if not whole:
        raise SourceError(f"{reader.name} holds no frame that can be decoded")
    if damaged:
        reader.problems.append(SourceError(f"{reader.name}: skipped damaged pictures: {damaged}"))


def connected(reader: Reader, connect: Callable[[], Iterator[Item]], pauses_s: Sequence[float]) -> Iterator[Item]:
    """What a stream delivers. When it breaks off it is connected again, at most once after each of the pauses.

    Raises:
        SourceError: the first connection failed, or all attempts after a break.
    """
    count, attempt, trouble = 0, 0, ""
    while True:
        try:
            for item in connect():
                if attempt:
                    reader.note(f"{reader.name} broke off at least once and was connected again")
                count, attempt = count + 1, 0
                yield item
            return
        except (Break, SourceError) as error:
            if count == 0:
                raise SourceError(f"{reader.name} cannot be read: {error}") from error
            trouble = trouble if attempt else str(error)
            if attempt == len(pauses_s):
                again = " and cannot be reached again" if pauses_s else ""
                raise SourceError(f"{reader.name} broke off after {count} frames{again}: {trouble}") from error
            time.sleep(pauses_s[attempt])
            attempt += 1


def paced(items: Iterator[tuple[Item, float | None]]) -> Iterator[tuple[Item, float | None]]:
    """Items with their stamps, each no earlier than its stamp says, so that a segment is not over at once."""
    start_s: float | None = None
    for item, stamp_s in items:
        now = time.perf_counter()
        if stamp_s is not None:
            if start_s is None or not start_s + stamp_s - MAX_EARLY_S < now < start_s + stamp_s + MAX_LATE_S:
                start_s = now - stamp_s
            time.sleep(max(0.0, start_s + stamp_s - now))
        yield item, stamp_s
