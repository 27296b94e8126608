"""Where results go: annotated video and images, Parquet and CSV tables, JSON lines. docs/formats.md has the columns.

A sink takes `write(frame, hands)` and is a context manager; leaving it finishes the file, also after an error, so
that what was written can be read.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import cv2

from knuckle.errors import InputError, SinkError
from knuckle.images import Image
from knuckle.media.columns import frame_columns, hand_row, hand_schema, palm_row, palm_schema
from knuckle.results import Frame, Hand, Palm

ROWS_AT_ONCE = 2000
CLOCK = 90_000  # ticks per second of written video: holds every usual frame rate, and uneven ones
Results = Sequence[Hand] | Sequence[Palm]


class Sink(AbstractContextManager["Sink"], Protocol):
    """What all of them are."""

    path: Path

    def write(self, frame: Frame, results: Any) -> None: ...
    def close(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Any failure to write becomes one SinkError that names the file."""
    from av.error import FFmpegError

    try:
        yield
    except (OSError, FFmpegError) as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error


def _prepare(path: Path) -> Path:
    """Make the folder and make sure, before any work is done, that the file can be written."""
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
    return path


def data_sink(path: str | os.PathLike[str], palms: bool = False) -> Sink:
    """The sink for a data file by its suffix: .parquet, .csv or .jsonl; for palms or for hands."""
    target = Path(path)
    kinds: dict[str, Callable[[Path, bool], Sink]] = {".parquet": TableSink, ".csv": TableSink, ".jsonl": JsonlSink}
    if target.suffix.lower() not in kinds:
        raise InputError(f"data is saved as {', '.join(kinds)}, got {target.name!r}")
    return kinds[target.suffix.lower()](target, palms)


class JsonlSink(Sink):
    """One JSON object per frame, frames without hands included."""

    def __init__(self, path: Path, palms: bool = False) -> None:
        self.path, self.palms = _prepare(path), palms
        self.file = path.open("w", encoding="utf-8")

    def write(self, frame: Frame, results: Results) -> None:
        row: dict[str, object] = {
            "frame": frame.index,
            "time_s": round(frame.time_s, 6),
            "source": frame.source,
            "width": frame.width,
            "height": frame.height,
            "palms" if self.palms else "hands": [result.to_dict() for result in results],
        }
        with _writing(self.path):
            self.file.write(json.dumps(row) + "\n")

    def close(self) -> None:
        with _writing(self.path):
            self.file.close()


class TableSink(Sink):
    """One row per hand (or palm) per frame, as Parquet or CSV; in blocks, so that memory stays flat."""

    def __init__(self, path: Path, palms: bool = False) -> None:
        self.path = _prepare(path)
        self.rows: list[dict[str, Any]] = []
        self.schema = palm_schema() if palms else hand_schema()
        self.row: Callable[[int, Any], dict[str, Any]] = palm_row if palms else hand_row
        self.writer: Any = self._open()

    def _open(self) -> Any:
        with _writing(self.path):
            if self.path.suffix.lower() == ".csv":
                from pyarrow import csv

                return csv.CSVWriter(str(self.path), self.schema)
            from pyarrow import parquet

            return parquet.ParquetWriter(str(self.path), self.schema, compression="zstd")

    def write(self, frame: Frame, results: Results) -> None:
        self.rows += [frame_columns(frame) | self.row(place, result) for place, result in enumerate(results)]
        if len(self.rows) >= ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        import pyarrow

        rows, self.rows = self.rows, []
        with _writing(self.path):
            self.writer.write_table(pyarrow.Table.from_pylist(rows, self.schema))

    def close(self) -> None:
        if self.writer is None:
            return
        try:
            if self.rows:
                self._flush()
        finally:
            writer, self.writer = self.writer, None
            with _writing(self.path):
                writer.close()


class ImageSink(Sink):
    """The frames' pictures: one file, or a JPEG each in a folder, called as the source with `_hands` added."""

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.path, self.root = path, root
        self.one_file = bool(path.suffix) and not path.is_dir()
        self.written: set[Path] = set()
        with _writing(path):
            (path.parent if self.one_file else path).mkdir(parents=True, exist_ok=True)

    def write(self, frame: Frame, results: Results) -> None:
        from PIL import Image as pillow

        target = self.path if self.one_file else self.path / self._name(frame)
        with _writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                pillow.fromarray(frame.image).save(target, quality=92)
            except ValueError as error:
                raise SinkError(f"{target} cannot be written: {error}") from error

    def _name(self, frame: Frame) -> Path:
        source = Path(frame.source or "image")
        inside = self.root is not None and source.is_relative_to(self.root)
        folder = source.parent.relative_to(self.root) if inside and self.root else Path()
        name = folder / f"{source.stem}_hands.jpg"
        if name in self.written:  # a.jpg and a.png lie side by side
            name = folder / f"{source.name.replace('.', '_')}_hands.jpg"
        self.written.add(name)
        return name

    def close(self) -> None:
        """Nothing is open between pictures; a single one gives its name to the report."""
        if len(self.written) == 1:
            self.path = self.path / self.written.pop()


class VideoSink(Sink):
    """H.264 video of the frames' pictures with the source's own time stamps and, where `audio_from` has one, its sound.

    The preset is x264's `ultrafast`: 1.9 ms of processor time for a frame of 640 × 480, where `superfast` takes 3.5
    and `veryfast` 4.8 for two thirds and a third of the size. Tracking needs the processor more.
    """

    def __init__(self, path: Path, rate: float | None = None, audio_from: str | None = None) -> None:
        import av

        if path.suffix.lower() not in (".mp4", ".mkv", ".mov", ".m4v"):
            raise InputError(f"video is written as .mp4, .mkv or .mov, got {path.name!r}")
        self.path = _prepare(path)
        self.frame_s = 1 / (rate or 30.0)
        self.size: tuple[int, int] | None = None
        self.audio = _Audio(audio_from) if audio_from else None
        with _writing(path):
            options = {"movflags": "+faststart"} if path.suffix.lower() != ".mkv" else {}
            self.container: Any = av.open(os.path.abspath(path), "w", options=options)
            self.stream: Any = self.container.add_stream("libx264", rate=Fraction(rate or 30.0).limit_denominator(1001))
            if self.audio:
                self.audio.add_to(self.container)

    def write(self, frame: Frame, results: Results) -> None:
        import av

        picture = frame.image
        width, height = self.size or self._begin(picture)
        if (picture.shape[1], picture.shape[0]) != (width, height):
            raise SinkError(
                f"{self.path}: a frame of {picture.shape[1]} × {picture.shape[0]} follows frames of {width} × {height}"
            )
        even = picture[: self.stream.height, : self.stream.width]
        # OpenCV converts in half the time of FFmpeg's scaler; both colour spaces are BT.601, as declared below.
        planes: Any = cv2.cvtColor(even, cv2.COLOR_RGB2YUV_I420)
        encoded = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        encoded.pts, encoded.time_base = round(self._on_grid(frame.time_s) * CLOCK), Fraction(1, CLOCK)
        encoded.duration = round(self.frame_s * CLOCK)
        with _writing(self.path):
            for packet in self.stream.encode(encoded):
                self.container.mux(packet)
            if self.audio:
                self.audio.copy(self.container, until_s=frame.time_s)

    def _on_grid(self, time_s: float) -> float:
        """Steady clips stay steady: containers with millisecond stamps (Matroska) are up to half of one off."""
        steady = round(time_s / self.frame_s) * self.frame_s
        return steady if abs(steady - time_s) < 0.001 else time_s

    def _begin(self, picture: Image) -> tuple[int, int]:
        if min(picture.shape[:2]) < 2:
            raise SinkError(f"{self.path}: H.264 needs 2 × 2 pixels, got {picture.shape[1]} × {picture.shape[0]}")
        self.size = picture.shape[1], picture.shape[0]
        self.stream.width, self.stream.height = picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2
        self.stream.pix_fmt = "yuv420p"
        self.stream.codec_context.time_base = Fraction(1, CLOCK)
        self.stream.options = {"preset": "ultrafast", "crf": "23", "colormatrix": "smpte170m", "colorprim": "smpte170m"}
        return self.size

    def close(self) -> None:
        if self.container is None:
            return
        container, self.container = self.container, None
        with _writing(self.path):
            try:
                if self.size is not None:
                    for packet in self.stream.encode(None):
                        container.mux(packet)
                    if self.audio:
                        self.audio.copy(container, until_s=float("inf"))
            finally:
                container.close()
                if self.audio:
                    self.audio.close()
        if self.size is None:
            self.path.unlink(missing_ok=True)  # a video without a frame is no file


class _Audio:
    """The sound of another file, copied packet by packet beside the video."""

    COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"})

    def __init__(self, source: str) -> None:
        import av

        self.container = av.open(os.path.abspath(source))
        self.source: Any = self.container.streams.audio[0]
        self.packets = self.container.demux(self.source)
        self.next: Any = None
        self.encode = self.source.codec_context.name not in self.COPIED
        self.target: Any = None

    def add_to(self, container: Any) -> None:
        if self.encode:
            self.target = container.add_stream("aac", rate=self.source.codec_context.sample_rate)
        else:
            self.target = container.add_stream_from_template(self.source)

    def copy(self, container: Any, until_s: float) -> None:
        while True:
            packet = self.next or next(self.packets, None)
            if packet is None:
                return
            if packet.dts is not None and float(packet.dts * packet.time_base) > until_s:
                self.next = packet
                return
            self.next = None
            self._mux(container, packet)

    def _mux(self, container: Any, packet: Any) -> None:
        if self.encode:
            for decoded in packet.decode():
                for encoded in self.target.encode(decoded):
                    container.mux(encoded)
            if packet.dts is None:
                for encoded in self.target.encode(None):
                    container.mux(encoded)
        elif packet.dts is not None:
            packet.stream = self.target
            container.mux(packet)

    def close(self) -> None:
        self.container.close()


def has_audio(address: str) -> bool:
    """Whether a file has sound."""
    import av

    try:
        with av.open(os.path.abspath(address)) as container:
            return bool(container.streams.audio)
    except (OSError, ValueError):
        return False


class InBackground(Sink):
    """Runs a sink in a thread of its own, so that encoding overlaps with the next frame's tracking.

    At most `depth` frames wait; then `write` waits too. An error of the sink is raised by the next `write` or by
    `close`, and nothing is written after it.
    """

    def __init__(self, sink: Sink, depth: int = 8) -> None:
        self.sink, self.path = sink, sink.path
        self.waiting: queue.Queue[tuple[Frame, Any] | None] = queue.Queue(depth)
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._work, name="knuckle-writer", daemon=True)
        self.thread.start()

    def write(self, frame: Frame, results: Results) -> None:
        if self.error:
            raise self.error
        self.waiting.put((frame, results))

    def _work(self) -> None:
        while (item := self.waiting.get()) is not None:
            if self.error is None:
                try:
                    self.sink.write(*item)
                except BaseException as error:
                    self.error = error

    def close(self) -> None:
        if self.thread.is_alive():
            self.waiting.put(None)
            self.thread.join()
        self.sink.close()
        self.path = self.sink.path
        if self.error:
            error, self.error = self.error, None
            raise error
