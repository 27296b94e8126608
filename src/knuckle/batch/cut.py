"""Long videos are cut at key frames into stretches that overlap, so that several workers track one video."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from knuckle.batch.items import Item, Stretch
from knuckle.errors import SourceError
from knuckle.media.decode import Damage
from knuckle.media.reader import Reader
from knuckle.media.streams import OpenVideo
from knuckle.results import Frame

SETTLE_S = 2.0  # a tracker that begins in the middle agrees with one that began earlier after this long
EARLY_END_S = 1.0  # a stretch that ends so long before its end was broken off


def overlap(remember_s: float) -> float:
    """How long two stretches overlap, seconds: a tracker settles, and any hand that it may still remember is seen."""
    return SETTLE_S + remember_s


def stretches_of(
    address: str, opened: Callable[[], Any] | None, stretch_s: float, overlap_s: float
) -> tuple[Stretch, ...]:
    """Where to cut a video; nothing if it is short, cannot be cut, or its length is unknown.

    Recordings of broadcasts (MPEG-TS and the like) are not cut: their clock may jump, so a place in them has no time.

    Args:
        address: the file.
        opened: see `read_clip`.
        stretch_s: length of a stretch, at most, in seconds; the key frames before decide.
        overlap_s: how long two stretches overlap, seconds.

    Raises:
        SourceError: it cannot be opened.
    """
    with OpenVideo(address, opened) as video:
        duration_s = video.duration_s or 0.0
        if duration_s <= stretch_s + overlap_s or video.may_jump or video.is_endless:
            return ()
        first = next(video.pictures(Damage()), None)
        if first is None or first.pts is None:
            return ()
        start_s, count = float(first.time), math.ceil(duration_s / stretch_s)
        cuts = [0.0]
        for number in range(1, count):
            key_s = _key_frame_before(video, start_s + number * duration_s / count) - start_s
            if key_s >= cuts[-1] + overlap_s and key_s + 2 * overlap_s < duration_s:
                cuts.append(key_s)
        end_s = video.stated_end_s()
    froms = [0.0, *(cut + overlap_s for cut in cuts[1:])]
    ends = [*froms[1:], math.inf]
    if len(cuts) == 1:
        return ()
    return tuple(
        Stretch(number, read_s, from_s, to_s, start_s, min(to_s, end_s) if end_s else 0.0)
        for number, (read_s, from_s, to_s) in enumerate(zip(cuts, froms, ends, strict=True))
    )


def _key_frame_before(video: OpenVideo, stamp_s: float) -> float:
    """The time stamp of the key frame that reading from `stamp_s` begins with; infinite where nothing can be read."""
    video.go_to(stamp_s)
    for packet in video.container.demux(video.stream):
        if packet.pts is not None:
            return float(packet.pts * packet.time_base)
    return math.inf


def stretch_item(item: Item, stretch: Stretch) -> Item:
    """The item for a stretch of a video."""
    end = "" if math.isinf(stretch.to_s) else f"{stretch.to_s:.3f}"
    return replace(item, key=f"{item.key}#t={stretch.from_s:.3f},{end}", stretch=stretch, of=item.key)


def frames_of(reader: Reader, stretch: Stretch) -> Iterator[Frame]:
    """The frames of a stretch and of the overlap before it, counted from 0.

    Raises:
        SourceError: the video breaks off before the end of the stretch.
    """
    reader.start_s, reader.begin_s = stretch.start_s, stretch.read_from_s
    index, time_s = 0, stretch.read_from_s
    for frame in reader:
        if frame.time_s >= stretch.to_s:
            return
        yield frame.numbered(index)
        index, time_s = index + 1, frame.time_s
    if index == 0 or time_s < 0.9 * stretch.end_s - EARLY_END_S:
        raise SourceError(f"{reader.name} breaks off at {time_s:.1f} of {stretch.end_s:.1f} s")
