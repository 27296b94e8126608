"""An open video file or network stream: which of its streams is shown, and what it states about it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

from knuckle.errors import SourceError
from knuckle.forks import FORKS_WAIT
from knuckle.media.decode import Damage, decoded, reason
from knuckle.media.kinds import VIDEO_SUFFIXES
from knuckle.media.photo_files import first_bytes
from knuckle.media.pixels import PixelMeaning, Turn, display_matrix
from knuckle.media.stamps import FrameTimes

LIVE_PROTOCOLS = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "srt", "tcp", "mms", "mmsh")
# FFmpeg's options. A file over HTTP goes on after a lost connection; cameras often lose packets over UDP.
PROTOCOL_OPTIONS = {
    "http": {"reconnect": "1", "reconnect_delay_max": "4"},
    "https": {"reconnect": "1", "reconnect_delay_max": "4"},
    "rtsp": {"rtsp_flags": "prefer_tcp"},
    "rtsps": {"rtsp_flags": "prefer_tcp"},
}
SEGMENTED = ("hls", "dash")  # formats that arrive in segments of several seconds
LOW_DELAY = 1 << 19  # AV_CODEC_FLAG_LOW_DELAY
DEFAULT_RATE = 30.0  # for streams that do not state one
TIMEOUT_S, SEGMENT_TIMEOUT_S = 10.0, 40.0  # a network stream that is silent for longer is broken


class OpenVideo:
    """A container that is open for reading.

    Args:
        address: a file or an address that FFmpeg knows.
        opened: opens the bytes of a file that FFmpeg cannot open itself; `address` is then only its name.

    Attributes:
        container, stream: PyAV's objects; `stream` is the video stream that is read.
        rate: frames per second; 30 if not stated.
        duration_s: length in seconds; None if not stated.
        is_endless: it is a network stream that states no end.
        is_segmented: it arrives in segments of several seconds.
        says_its_end: reading it to its end means that it ended, not that the connection was lost.
        may_jump: the clock of this format may jump.

    Raises:
        SourceError: it cannot be opened, or has no video that can be decoded.
    """

    def __init__(self, address: str, opened: Callable[[], Any] | None = None) -> None:
        with FORKS_WAIT:
            import av

        self.address = address
        protocol = address.partition("://")[0].lower() if "://" in address and opened is None else ""
        segmented = address.partition("?")[0].lower().endswith((".m3u8", ".mpd"))
        options = dict(PROTOCOL_OPTIONS.get(protocol, {}))
        if protocol in LIVE_PROTOCOLS:
            options |= {"fflags": "nobuffer"}
        # An absolute path, because FFmpeg would take "12:30.mp4" for the protocol "12".
        target: Any = opened() if opened else os.path.abspath(address) if os.path.exists(address) else address
        self._file = target if opened else None
        timeout_s = (SEGMENT_TIMEOUT_S if segmented else TIMEOUT_S) if protocol else None
        began_s = time.monotonic()
        try:
            self.container: Any = av.open(target, options=options, timeout=timeout_s)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            # FFmpeg often says "invalid data" where a server is silent.
            silent = timeout_s is not None and time.monotonic() - began_s >= timeout_s
            if self._file is not None:
                self._file.close()
            why = f"no answer within {timeout_s:g} s" if silent else reason(error)
            raise SourceError(f"{address} cannot be opened as a video: {why}{_hint(address)}") from error
        try:
            self.stream: Any = shown_stream(self.container, address)
        except SourceError:
            self.close()
            raise
        self.stream.thread_type = "AUTO"
        self.rate = float(self.stream.average_rate or self.stream.guessed_rate or DEFAULT_RATE)
        self.duration_s = float(self.container.duration / 1_000_000) if self.container.duration else None
        form = self.container.format.name
        self.is_segmented = form.startswith(SEGMENTED)
        stated = self.duration_s is not None or ((self.container.size or 0) > 0 and not self.is_segmented)
        self.is_endless = protocol in LIVE_PROTOCOLS or (bool(protocol) and protocol != "file" and not stated)
        self.says_its_end = protocol not in LIVE_PROTOCOLS or self.duration_s is not None
        discontinuous: Any = av.format.Flags.ts_discont
        self.may_jump = bool(self.container.format.flags & discontinuous.value)
        self._turned: tuple[float, Turn] | None = None
        self._stated_aspect = self.stream.sample_aspect_ratio
        self._first_aspect = self.stream.codec_context.sample_aspect_ratio

    def meaning(self, picture: Any) -> PixelMeaning:
        """What the pixels of the latest picture mean. The stream may change midway what the container states."""
        context = self.stream.codec_context
        if self._turned is None or self._turned[0] != picture.rotation:  # reading the matrix takes 0.2 ms
            self._turned = picture.rotation, display_matrix(picture)
        now: Fraction | None = context.sample_aspect_ratio
        aspect = now if now != self._first_aspect else self._stated_aspect
        return PixelMeaning(aspect, self._turned[1], int(context.color_trc), int(context.color_primaries))

    def go_to(self, stamp_s: float) -> None:
        """Go on with the last key frame before this time stamp, in seconds; a file that cannot seek starts anew."""
        from av.error import FFmpegError

        with suppress(OSError, ValueError, FFmpegError):
            self.container.seek(round(stamp_s / self.stream.time_base), stream=self.stream)

    def decode_without_delay(self) -> None:
        """Show each picture at once. Decoding on all cores holds back as many pictures as there are cores."""
        self.stream.thread_type = "SLICE"
        self.stream.codec_context.flags |= LOW_DELAY

    def decode_in_one_thread(self) -> None:
        """Decode without threads of FFmpeg, which cost a sixth of the time; for programs that are busy elsewhere."""
        self.stream.thread_type = "NONE"

    def pictures(self, damage: Damage) -> Iterator[Any]:
        """The decoded pictures; see `decoded`."""
        return decoded(self.container, self.stream, damage)

    def check_complete(self, times: FrameTimes, damage: Damage) -> None:
        """Raise SourceError if nothing could be decoded, or if the video ended well before its stated end."""
        trouble = f": {damage.trouble}" if damage.trouble else ""
        if times.count == 0:
            raise SourceError(f"{self.address} holds no frame that can be decoded{trouble}")
        expected, end_s = self.stream.frames, self.stated_end_s()
        lacks_frames, lacks_time = times.count < 0.9 * expected, times.last_s < 0.9 * end_s - 0.5
        if not trouble and not (lacks_time and (lacks_frames or not expected)):
            return
        if expected:
            reached = f"{times.count} of {expected} frames"
        else:
            reached = f"{times.count} frames" + (f", {times.last_s:.1f} of {end_s:.1f} s" if end_s else "")
        raise SourceError(f"{self.address} breaks off after {reached}{trouble}")

    def stated_end_s(self) -> float:
        """The duration of the video in seconds as the file states it; 0 if unknown."""
        if self.stream.duration is not None:
            return float(self.stream.duration * self.stream.time_base)
        if self.duration_s and not self.container.streams.audio:  # the sound may be longer than the video
            return self.duration_s
        return 0.0

    def close(self) -> None:
        """Close the file or connection."""
        self.container.close()
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> OpenVideo:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def shown_stream(container: Any, address: str) -> Any:
    """The video stream that a player shows: the default one, else the largest; no cover pictures.

    Raises:
        SourceError: the file has no video stream, or none that FFmpeg can decode.
    """
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    moving = [stream for stream in container.streams.video if not stream.disposition & pictures]
    if not moving:
        sound = "only sound" if container.streams.audio else "nothing that can be shown"
        raise SourceError(
            f"{address} has no video in it, {sound}" + (" and a cover" if container.streams.video else "")
        )
    known = [stream for stream in moving if stream.codec_context is not None]
    if not known:
        raise SourceError(f"{address} holds video in a format that this FFmpeg cannot decode")

    def rank(stream: Any) -> tuple[bool, int]:
        return bool(stream.disposition & Disposition.default), stream.codec_context.width * stream.codec_context.height

    return max(known, key=rank)


def _hint(address: str) -> str:
    path = Path(address)
    if "://" in address or not path.is_file():
        return ""
    return f" ({first_bytes(path)})" if path.suffix.lower() in VIDEO_SUFFIXES else " (unknown kind of file)"
