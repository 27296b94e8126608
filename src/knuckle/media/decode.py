"""Packets of a video become decoded pictures: what is damaged is skipped and counted, fields are deinterlaced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass
class Damage:
    """What could not be decoded.

    Attributes:
        packets: packets that were skipped, or gave a picture with errors.
        trouble: why reading ended before the end; empty if it did not.
    """

    packets: int = 0
    trouble: str = ""


def decoded(container: Any, stream: Any, damage: Damage) -> Iterator[Any]:
    """The pictures of a stream as `av.VideoFrame`, in the order of display, without interlacing.

    Args:
        container: the open container.
        stream: one of its video streams.
        damage: is counted up.
    """
    deinterlacer: Deinterlacer | None = None
    for picture in _pictures(container, stream, damage):
        if picture.is_corrupt:
            damage.packets += 1
        if deinterlacer is None and not picture.interlaced_frame:
            yield picture
            continue
        if deinterlacer is None or not deinterlacer.takes(picture):
            if deinterlacer is not None:
                yield from deinterlacer.rest()
            deinterlacer = Deinterlacer(picture)
        yield from deinterlacer.convert(picture)
    if deinterlacer is not None:
        yield from deinterlacer.rest()


def _pictures(container: Any, stream: Any, damage: Damage) -> Iterator[Any]:
    from av.error import FFmpegError

    for packet in _packets(container, stream, damage):
        try:
            yield from packet.decode()
        except (OSError, ValueError, FFmpegError):
            damage.packets += 1
    if damage.trouble:
        with suppress(OSError, ValueError):  # the pictures that the decoder still holds
            yield from stream.codec_context.decode(None)


def _packets(container: Any, stream: Any, damage: Damage) -> Iterator[Any]:
    """The packets of the stream. After a damaged part of the file, reading goes on where the demuxer finds the next."""
    from av.error import FFmpegError, InvalidDataError

    while True:
        found = False
        try:
            for packet in container.demux(stream):
                found = True
                damage.packets += packet.is_corrupt
                yield packet
            return
        except (OSError, FFmpegError, ValueError) as error:
            if not found or not isinstance(error, InvalidDataError):
                damage.trouble = reason(error)
                return
            damage.packets += 1


def reason(error: BaseException) -> str:
    """What FFmpeg says about an error, in one line."""
    from av.error import ExitError

    if isinstance(error, ExitError):  # PyAV's timeout
        return "nothing arrived in time"
    return str(getattr(error, "strerror", None) or error)


class Deinterlacer:
    """FFmpeg's `bwdif`: one picture for each picture, made of its two fields. Pictures that are progressive stay.

    Args:
        picture: the first picture; all others must have its size and format.
    """

    def __init__(self, picture: Any) -> None:
        import av.filter

        self.form = form_of(picture)
        base = picture.time_base
        described = (
            f"video_size={picture.width}x{picture.height}:pix_fmt={picture.format.name}:time_base={base}:"
            f"colorspace={int(picture.colorspace)}:range={int(picture.color_range)}"
        )
        self.graph = av.filter.Graph()
        nodes = [
            self.graph.add("buffer", described),
            self.graph.add("bwdif", "mode=send_frame:deint=interlaced"),
            self.graph.add("buffersink"),
        ]
        self.graph.link_nodes(*nodes).configure()

    def takes(self, picture: Any) -> bool:
        """Whether a picture has the size and format of the first."""
        return form_of(picture) == self.form

    def convert(self, picture: Any | None) -> Iterator[Any]:
        """The pictures that are ready after this one; None ends the stream."""
        import av

        self.graph.push(picture)
        while True:
            try:
                yield self.graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return

    def rest(self) -> Iterator[Any]:
        """The pictures that were held back."""
        return self.convert(None)


def form_of(picture: Any) -> tuple[Any, ...]:
    """What a filter graph is built for."""
    return picture.width, picture.height, picture.format.name, picture.time_base
