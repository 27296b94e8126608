"""Video files and animations, with the time stamps, sound, subtitles and metadata of the source, through FFmpeg."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from knuckle.extras import cv2
from knuckle.images import Image
from knuckle.media.containers import Container, container_of
from knuckle.media.fit import fit_into, target_size
from knuckle.media.source_streams import SourceStreams
from knuckle.media.write_common import FileSink, OutputOptions, Results
from knuckle.results import Frame

log = logging.getLogger(__name__)

DEFAULT_RATE = 30.0
CLOCK = 90_000  # ticks per second in the file: represents all common frame rates exactly, and uneven ones closely


@dataclass(frozen=True)
class Origin:
    """The file whose sound, subtitles and metadata go into the video as well.

    Attributes:
        address: the file.
        start_s: the file's own time of its first frame, see `Reader.start_s`.
    """

    address: str
    start_s: float = 0.0


class VideoSink(FileSink):
    """Writes the images of the frames as video.

    The first frame sets the size; frames of another size are fitted into it with black bars.

    Args:
        path: its suffix says which kind of file, see `knuckle.media.containers`.
        rate: frames per second of the source; 30 if unknown. Frames keep their own times.
        origin: the source file, if its sound and the rest should be kept.
        options: size, rate and quality.

    Raises:
        InputError: another suffix.
        SinkError: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        rate: float | None = None,
        origin: Origin | None = None,
        options: OutputOptions | None = None,
    ) -> None:
        self.kind = container_of(path)
        self.options = options or OutputOptions()
        super().__init__(path)
        self.clock = clock_for(self.kind, rate or DEFAULT_RATE, self.options.fps)
        self.size: tuple[int, int] | None = None  # (width, height) of the video
        self.end_s = 0.0
        with self._opening():
            self._open(origin)

    def _open(self, origin: Origin | None) -> None:
        import av

        part = os.path.abspath(self.file.part)
        self.container: Any = av.open(part, "w", format=self.kind.form, options=dict(self.kind.options))
        rate = Fraction(self.clock.rate).limit_denominator(1001)
        self.stream: Any = self.container.add_stream(self.kind.video.encoder, rate=rate)
        self.streams = self._source_streams(origin) if origin else None
        self.pictures = palette_pictures() if self.kind.video.pixels == "pal8" else yuv_pictures()
        next(self.pictures)

    def _source_streams(self, origin: Origin) -> SourceStreams | None:
        """The sound and the rest of the source; None, with a warning, if a server does not give it a second time."""
        from av.error import FFmpegError

        try:
            streams = SourceStreams(origin.address, origin.start_s, self.kind)
        except (OSError, ValueError, FFmpegError) as error:
            log.warning("%s: its sound is left out: %s", origin.address, error)
            return None
        streams.add_to(self.container)
        return streams

    def write_frame(self, frame: Frame, results: Results) -> None:
        if self.size is None:
            self._begin(frame)
        for picture, time_s in self.clock.tick(fit_into(frame.image, *(self.size or (0, 0))), frame.time_s):
            self._encode(picture, time_s)
        self.end_s = frame.time_s + 1 / self.clock.rate
        if self.streams:
            self.streams.copy(self.container, until_s=frame.time_s)

    def _begin(self, frame: Frame) -> None:
        """Set the size of the video from its first frame; colour at half resolution needs even sizes."""
        width, height = target_size(frame.width, frame.height, self.options.size)
        if self.kind.video.pixels == "yuv420p":
            width, height = width + width % 2, height + height % 2
        self.size = width, height
        self.stream.width, self.stream.height = width, height
        self.stream.pix_fmt = self.kind.video.pixels
        self.stream.codec_context.time_base = self.clock.time_base
        self.stream.options = self.kind.video.all_options(self.options.crf)

    def _encode(self, picture: Image, time_s: float) -> None:
        encoded = self.pictures.send(picture)
        encoded.time_base = self.clock.time_base
        encoded.pts = round(time_s / self.clock.time_base)
        encoded.duration = round(1 / (self.clock.rate * self.clock.time_base))
        for packet in self.stream.encode(encoded):
            self.container.mux(packet)

    def finish(self) -> None:
        try:
            if self.size is not None and not self._failed:
                for picture, time_s in self.clock.rest():
                    self._encode(picture, time_s)
                for packet in self.stream.encode(None):
                    self.container.mux(packet)
                if self.streams:
                    self.streams.finish(self.container, self.end_s)
        finally:
            self.container.close()
            if self.streams:
                self.streams.close()

    def has_content(self) -> bool:
        return self.size is not None  # without a frame there is no valid video


class OwnTimes:
    """Every frame at its own time.

    Args:
        rate: frames per second of the source.
    """

    def __init__(self, rate: float) -> None:
        self.rate, self.time_base = rate, Fraction(1, CLOCK)
        self.last_s = -1.0

    def tick(self, picture: Image, time_s: float) -> Iterable[tuple[Image, float]]:
        """The pictures to write, with their times in seconds, when a frame arrives.

        Matroska rounds times to milliseconds, so a time that close to a constant rate's is moved there.
        """
        steady = round(time_s * self.rate) / self.rate
        time_s = steady if abs(steady - time_s) < 0.001 else time_s
        self.last_s = max(time_s, self.last_s + 1 / CLOCK)  # two frames of one time stay two frames
        return [(picture, self.last_s)]

    def rest(self) -> Iterable[tuple[Image, float]]:
        """The pictures to write after the last frame."""
        return ()


class SteadyTimes:
    """Frames at a constant rate: each time shows the newest frame, so frames are repeated or left out.

    Args:
        rate: frames per second to write.
        source_rate: frames per second of the source, which says how long the last frame is shown.
    """

    def __init__(self, rate: float, source_rate: float) -> None:
        exact = Fraction(rate).limit_denominator(1001)
        self.rate, self.time_base = float(exact), 1 / exact
        self.last_s = 1 / source_rate
        self.count, self.shown, self.end_s = 0, None, 0.0

    def tick(self, picture: Image, time_s: float) -> Iterable[tuple[Image, float]]:
        """The pictures to write, with their times in seconds, when a frame arrives."""
        before = list(self._until(time_s))
        self.shown, self.end_s = picture.copy(), time_s + self.last_s
        return before

    def rest(self) -> Iterable[tuple[Image, float]]:
        """The pictures to write after the last frame."""
        return self._until(max(self.end_s, (self.count + 1) / self.rate if not self.count else 0.0))

    def _until(self, end_s: float) -> Iterator[tuple[Image, float]]:
        while self.shown is not None and self.count / self.rate < end_s - 1e-6:
            yield self.shown, self.count / self.rate
            self.count += 1


def clock_for(kind: Container, rate: float, fps: float | None) -> OwnTimes | SteadyTimes:
    """The times of written frames: their own, or a constant rate if that was asked for or the file needs it."""
    wanted = fps or rate
    if kind.max_fps and wanted > kind.max_fps:
        wanted = kind.max_fps
    if fps is None and wanted == rate and not kind.steady:
        return OwnTimes(rate)
    return SteadyTimes(wanted, rate)


def yuv_pictures() -> Any:
    """Send RGB images, get frames in YUV. OpenCV converts in half the time of FFmpeg's scaler."""
    import av

    made = None
    while True:
        picture = yield made
        planes: Any = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)
        made = av.VideoFrame.from_ndarray(planes, format="yuv420p")


def palette_pictures() -> Any:
    """Send RGB images, get frames of 256 colours that are chosen for each."""
    import av
    import av.filter

    made, graph = None, None
    while True:
        picture = yield made
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.time_base, frame.pts = Fraction(1, 1000), 0
        if graph is None:
            graph = av.filter.Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
            )
            split, palette = graph.add("split"), graph.add("palettegen", "stats_mode=single")
            use, sink = graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=4"), graph.add("buffersink")
            source.link_to(split)
            split.link_to(use, 0, 0)
            split.link_to(palette, 1, 0)
            palette.link_to(use, 0, 1)
            use.link_to(sink)
            graph.configure()
        graph.push(frame)
        made = graph.pull()
