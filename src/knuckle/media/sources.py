"""`read()`: photos, folders, clips, cameras and streams as an iterator of frames."""

from __future__ import annotations

import glob
import logging
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import Error, SourceError
from knuckle.images import Image, as_rgb
from knuckle.results import Frame

logger = logging.getLogger("knuckle")

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
VIDEO_SUFFIXES = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".3gp"}


class Reader:
    """What `read` gives: iterate once to get the frames.

    Attributes:
        name: the file, address or camera.
        kind: "image" (frames have nothing to do with each other), "video" or "live".
        frame_count: how many frames to expect, None where the source does not say.
        rate: frames per second, None for images.
        duration_s: length, None where unknown.
        problems: what went wrong so far and was passed over: bad files of a folder, a clip that broke off.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        frames: Callable[[Reader], Iterator[Frame]],
        frame_count: int | None = None,
        rate: float | None = None,
        duration_s: float | None = None,
    ) -> None:
        self.name, self.kind, self._frames = name, kind, frames
        self.frame_count, self.rate, self.duration_s = frame_count, rate, duration_s
        self.problems: list[Error] = []

    def __iter__(self) -> Iterator[Frame]:
        return self._frames(self)


def read(source: Any, *, live: bool | None = None) -> Reader:
    """Open a source of frames.

    Args:
        source: an image or video file, a folder of images, a glob, a camera number (also as text), an
            `http(s)://` or `rtsp://` address, a NumPy array or a PIL image.
        live: give the newest frame only and drop those that came while the caller was busy. The default is
            True for cameras and rtsp, False for everything else.

    Returns:
        A Reader: iterate over it for `Frame`s with RGB uint8 images, upright, and times in seconds.

    Raises:
        SourceError: there is no such source, or it holds nothing readable. What breaks later, in the middle,
            is raised from the iteration when it was a single file's end, after all good frames.
    """
    if isinstance(source, np.ndarray) or hasattr(source, "getbands"):
        image = as_rgb(source)
        return Reader("image", "image", lambda _: iter([Frame(image, source="image")]), 1)
    if isinstance(source, int) or (isinstance(source, str) and source.isdigit() and not os.path.exists(source)):
        return _newest_only(_camera(int(source)), live is not False)
    if not isinstance(source, (str, os.PathLike)) or not os.fspath(source):
        raise SourceError(f"a source is a file, folder, glob, camera number, address or image, got {source!r}")
    text = os.fspath(source)
    if "://" in text:
        return _newest_only(_video(text), live if live is not None else text.startswith("rtsp"))
    return _newest_only(_files(text), bool(live))


def _files(text: str) -> Reader:
    path = Path(text)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
        if not found:
            raise SourceError(f"folder {path} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
        return _images(text, found)
    if not path.exists():
        matches = sorted(Path(match) for match in glob.glob(text, recursive=True) if Path(match).is_file())
        if not matches:
            what = "no file matches" if glob.has_magic(text) else "there is no file or folder"
            raise SourceError(f"{what} {text}")
        return _images(text, matches)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return _video(text)
    animation = _animation(path)
    return animation or _images(text, [path])


def load_image(path: str | os.PathLike[str]) -> Image:
    """An image file as RGB uint8 (height, width, 3), turned upright by its EXIF mark.

    Raises:
        SourceError: there is no such file, or it is no image or a cut-off one.
    """
    from PIL import Image as pillow
    from PIL import ImageOps, UnidentifiedImageError

    try:
        with pillow.open(path) as opened:
            return as_rgb(ImageOps.exif_transpose(opened))
    except FileNotFoundError as error:
        raise SourceError(f"there is no file {path}") from error
    except UnidentifiedImageError as error:
        raise SourceError(f"{path} is not an image file ({_begins(path)})") from error
    except pillow.DecompressionBombError as error:
        raise SourceError(f"{path} is too large an image: {error}") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise SourceError(f"{path} cannot be read, it may be cut off or damaged: {error}") from error


def _begins(path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:
        start = file.read(12)
    return f"it begins with {start!r}" if start else "it is empty"


def _images(name: str, paths: list[Path]) -> Reader:
    """One file raises what is wrong with it; of several the bad ones are noted in `problems` and passed over."""

    def frames(reader: Reader) -> Iterator[Frame]:
        for index, path in enumerate(paths):
            try:
                image = load_image(path)
            except Error as error:
                if len(paths) == 1:
                    raise
                reader.problems.append(error)
                continue
            yield Frame(image, index, 0.0, str(path))

    return Reader(name, "image", frames, len(paths))


def _animation(path: Path) -> Reader | None:
    """A GIF or WebP with several pictures is a clip with the pauses that it states."""
    from PIL import Image as pillow

    try:
        with pillow.open(path) as opened:
            count = int(getattr(opened, "n_frames", 1))
    except (OSError, SyntaxError, ValueError):
        return None  # reading it as an image says what is wrong
    if count < 2 or path.suffix.lower() not in (".gif", ".webp", ".png"):
        return None

    def frames(reader: Reader) -> Iterator[Frame]:
        time_s = 0.0
        with pillow.open(path) as opened:
            for index in range(count):
                try:
                    opened.seek(index)
                    image = as_rgb(opened)
                except (OSError, EOFError, SyntaxError) as error:
                    raise SourceError(f"{path} breaks off after {index} of {count} frames: {error}") from error
                yield Frame(image, index, time_s, str(path))
                time_s += max(float(opened.info.get("duration", 100)), 10.0) / 1000

    return Reader(str(path), "video", frames, count, 10.0)


def _video(address: str) -> Reader:
    """A clip or stream through FFmpeg, with the container's time stamps and its rotation mark."""
    import av

    # A file is named in full: FFmpeg would take "12:30.mp4" for the protocol "12".
    target = os.path.abspath(address) if os.path.exists(address) else address
    try:
        container = av.open(target, options={"rtsp_transport": "tcp"} if address.startswith("rtsp") else {})
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise SourceError(f"{address} cannot be opened as a video: {_reason(error)}{_hint(address)}") from error
    if not container.streams.video:
        container.close()
        raise SourceError(f"{address} has no video in it")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    rate = float(stream.average_rate or stream.guessed_rate or 30)
    duration = float(container.duration / 1_000_000) if container.duration else None
    count = stream.frames or (round(duration * rate) if duration else None)
    return Reader(
        address,
        "live" if address.startswith("rtsp") else "video",
        lambda reader: _decode(container, stream, address, rate),
        count,
        rate,
        duration,
    )


def _decode(container: Any, stream: Any, address: str, rate: float) -> Iterator[Frame]:
    from av.error import FFmpegError

    index, last_s, first_s, trouble = 0, -math.inf, None, None
    expected, end_s = stream.frames, _stated_end_s(container, stream)
    with container:
        try:
            for decoded in container.decode(stream):
                time_s = float(decoded.time) if decoded.time is not None else index / rate
                first_s = time_s if first_s is None else first_s
                time_s = max(time_s - first_s, last_s + 1e-4)  # broken stamps must not stop a clip
                yield Frame(_upright(decoded), index, time_s, address)
                index, last_s = index + 1, time_s
        except (OSError, ValueError, FFmpegError) as error:
            trouble = _reason(error)
    if index == 0:
        raise SourceError(f"{address} holds no frame that can be decoded" + (f": {trouble}" if trouble else ""))
    if trouble or index < 0.9 * expected or last_s < 0.9 * end_s - 0.5:
        stated = (
            f" of {expected} frames" if expected else f" frames, {last_s:.1f} of {end_s:.1f} s" if end_s else " frames"
        )
        raise SourceError(f"{address} breaks off after {index}{stated}" + (f": {trouble}" if trouble else ""))


def _stated_end_s(container: Any, stream: Any) -> float:
    """How long the file says its video is, 0 where it does not; sound may be longer than the pictures."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return float(container.duration / 1_000_000) if container.duration and not container.streams.audio else 0.0


def _upright(decoded: Any) -> Image:
    image: Image = decoded.to_ndarray(format="rgb24")
    quarter_turns = round((decoded.rotation or 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)


def _hint(address: str) -> str:
    path = Path(address)
    if "://" in address or not path.is_file():
        return ""
    return f" ({_begins(path)})" if path.suffix.lower() in VIDEO_SUFFIXES else " (unknown kind of file)"


def _camera(number: int) -> Reader:
    import cv2

    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise SourceError(f"camera {number} cannot be opened: not plugged in, in use, or not allowed")
    rate = capture.get(cv2.CAP_PROP_FPS) or 30.0

    def frames(reader: Reader) -> Iterator[Frame]:
        start, index = time.monotonic(), 0
        try:
            while True:
                there, image = capture.read()
                if not there:
                    raise SourceError(f"camera {number} stopped after {index} frames: unplugged?")
                yield Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), index, time.monotonic() - start, f"camera {number}")  # type: ignore[arg-type]
                index += 1
        finally:
            capture.release()

    return Reader(f"camera {number}", "live", frames, None, rate)


def _newest_only(reader: Reader, live: bool) -> Reader:
    """Make a reader live: a thread reads on, and whoever asks gets the newest frame."""
    if not live:
        return reader
    ahead = Reader(reader.name, "live", lambda r: in_background(iter(reader), keep="newest"), None, reader.rate)
    ahead.problems = reader.problems
    return ahead


_END = object()


def in_background(items: Iterator[Any], keep: str = "all", depth: int = 8) -> Iterator[Any]:
    """Run an iterator in a thread of its own, so that its work overlaps with the caller's.

    `keep="all"` waits when `depth` items lie ready; `keep="newest"` throws older ones away. What the iterator
    raises is raised here, after the items before it. Leaving the loop early ends the thread.
    """
    ready: queue.Queue[Any] = queue.Queue(maxsize=1 if keep == "newest" else depth)
    stopped = threading.Event()

    def put(item: Any, may_drop: bool) -> None:
        while not stopped.is_set():
            try:
                return ready.put(item, timeout=0 if may_drop else 0.1)
            except queue.Full:
                if may_drop:
                    try:
                        ready.get_nowait()
                    except queue.Empty:
                        continue

    def work() -> None:
        try:
            for item in items:
                put(item, keep == "newest")
                if stopped.is_set():
                    break
            put(_END, False)
        except BaseException as error:
            put(error, False)
        finally:
            close = getattr(items, "close", None)
            if close:
                close()

    thread = threading.Thread(target=work, daemon=True, name="knuckle-reader")
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join(timeout=5)
