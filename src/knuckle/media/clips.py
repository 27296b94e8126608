"""Video: files and network streams, through FFmpeg."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import SourceError
from knuckle.images import Image
from knuckle.media.kinds import VIDEO_SUFFIXES
from knuckle.media.photo_files import first_bytes
from knuckle.media.reader import Reader
from knuckle.results import Frame

RTSP = ("rtsp://", "rtsps://")  # addresses of cameras in a network
DEFAULT_RATE = 30.0  # for streams that do not state one
MIN_STEP_S = 1e-4  # equal or falling time stamps of a damaged file become rising ones, this far apart


def read_clip(address: str) -> Reader:
    """Read a video file or network stream, with the time stamps and the rotation that it states.

    A file is opened again by each iteration. A stream keeps the connection for the first iteration.

    Raises:
        SourceError: it cannot be opened or has no video. The iteration raises it after the last good frame when the
            video ends early.
    """
    container, stream = _open(address)
    rate = float(stream.average_rate or stream.guessed_rate or DEFAULT_RATE)
    duration_s = float(container.duration / 1_000_000) if container.duration else None
    count = stream.frames or (round(duration_s * rate) if duration_s else None)
    waiting = [(container, stream)]

    def frames(reader: Reader) -> Iterator[Frame]:
        container, stream = waiting.pop() if waiting else _open(address)
        with container:
            yield from _decode(container, stream, reader, rate)

    def release() -> None:
        while waiting:
            waiting.pop()[0].close()

    if os.path.isfile(address):
        release()
    kind = "live" if address.startswith(RTSP) else "video"
    return Reader(address, kind, frames, count, rate, duration_s, release)


def _open(address: str) -> tuple[Any, Any]:
    """The container and its first video stream."""
    import av

    # An absolute path, because FFmpeg would take "12:30.mp4" for the protocol "12".
    target = os.path.abspath(address) if os.path.exists(address) else address
    try:
        container = av.open(target, options={"rtsp_transport": "tcp"} if address.startswith(RTSP) else {})
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise SourceError(f"{address} cannot be opened as a video: {_reason(error)}{_hint(address)}") from error
    if not container.streams.video:
        container.close()
        raise SourceError(f"{address} has no video in it")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    return container, stream


def _hint(address: str) -> str:
    path = Path(address)
    if "://" in address or not path.is_file():
        return ""
    return f" ({first_bytes(path)})" if path.suffix.lower() in VIDEO_SUFFIXES else " (unknown kind of file)"


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)


def _decode(container: Any, stream: Any, reader: Reader, rate: float) -> Iterator[Frame]:
    """The frames, with times that start at 0 and always rise; then an error if the video ended early."""
    from av.error import FFmpegError

    address = reader.name
    index, last_s, first_s, trouble = 0, -math.inf, None, None
    try:
        for decoded in container.decode(stream):
            time_s = float(decoded.time) if decoded.time is not None else index / rate
            if first_s is None:
                first_s = reader.start_s = time_s
            time_s = max(time_s - first_s, last_s + MIN_STEP_S)
            yield Frame(_upright(decoded), index, time_s, address)
            index, last_s = index + 1, time_s
    except (OSError, ValueError, FFmpegError) as error:
        trouble = _reason(error)
    if index == 0:
        raise SourceError(f"{address} holds no frame that can be decoded" + (f": {trouble}" if trouble else ""))
    _check_complete(container, stream, address, index, last_s, trouble)


def _check_complete(container: Any, stream: Any, address: str, index: int, last_s: float, trouble: str | None) -> None:
    """Raise SourceError if decoding failed, or ended well before the stated number of frames or duration."""
    expected, end_s = stream.frames, _stated_end_s(container, stream)
    if not trouble and index >= 0.9 * expected and last_s >= 0.9 * end_s - 0.5:
        return
    if expected:
        reached = f"{index} of {expected} frames"
    else:
        reached = f"{index} frames" + (f", {last_s:.1f} of {end_s:.1f} s" if end_s else "")
    raise SourceError(f"{address} breaks off after {reached}" + (f": {trouble}" if trouble else ""))


def _stated_end_s(container: Any, stream: Any) -> float:
    """The duration of the video in seconds as the file states it; 0 if unknown."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if container.duration and not container.streams.audio:  # the sound may be longer than the video
        return float(container.duration / 1_000_000)
    return 0.0


def _upright(decoded: Any) -> Image:
    image: Image = decoded.to_ndarray(format="rgb24")
    quarter_turns = round((decoded.rotation or 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image
