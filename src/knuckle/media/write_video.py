"""Video files: H.264 with the source's time stamps and sound, through FFmpeg."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2

from knuckle.errors import InputError, SinkError
from knuckle.media.write_common import Results, Sink, prepare, writing
from knuckle.results import Frame

VIDEO_OUTPUTS = (".mp4", ".mkv", ".mov", ".m4v")
DEFAULT_RATE = 30.0
CLOCK = 90_000  # ticks per second in the file: represents all common frame rates exactly, and uneven ones closely
# x264's fastest preset: files are larger, but tracking keeps the processor. OpenCV converts RGB to BT.601.
ENCODER = {"preset": "ultrafast", "crf": "23", "colormatrix": "smpte170m", "colorprim": "smpte170m"}


class VideoSink(Sink):
    """Writes the images of the frames as H.264 video.

    Args:
        path: .mp4, .mkv, .mov or .m4v.
        rate: frames per second of the source; 30 if unknown. Frames keep their own times.
        audio_from: copy the sound of this file, which must have some; see `has_audio`.

    Raises:
        InputError: another suffix.
        SinkError: the file cannot be written, or, later, the frames change their size.
    """

    def __init__(self, path: Path, rate: float | None = None, audio_from: str | None = None) -> None:
        import av

        if path.suffix.lower() not in VIDEO_OUTPUTS:
            raise InputError(f"video is written as .mp4, .mkv or .mov, got {path.name!r}")
        self.path = prepare(path)
        rate = rate or DEFAULT_RATE
        self.frame_s = 1 / rate
        self.size: tuple[int, int] | None = None  # (width, height) of the frames
        self.sound = CopiedSound(audio_from) if audio_from else None
        with writing(path):
            options = {"movflags": "+faststart"} if path.suffix.lower() != ".mkv" else {}
            self.container: Any = av.open(os.path.abspath(path), "w", options=options)
            self.stream: Any = self.container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
            if self.sound:
                self.sound.add_to(self.container)

    def write(self, frame: Frame, results: Results) -> None:
        import av

        size = (frame.width, frame.height)
        if self.size is None:
            self._begin(*size)
        elif size != self.size:
            raise SinkError(
                f"{self.path}: a frame of {size[0]} × {size[1]} follows frames of {self.size[0]} × {self.size[1]}"
            )
        # OpenCV converts in half the time of FFmpeg's scaler.
        planes: Any = cv2.cvtColor(frame.image[: self.stream.height, : self.stream.width], cv2.COLOR_RGB2YUV_I420)
        encoded = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        encoded.pts, encoded.time_base = round(self._on_grid(frame.time_s) * CLOCK), Fraction(1, CLOCK)
        encoded.duration = round(self.frame_s * CLOCK)
        with writing(self.path):
            for packet in self.stream.encode(encoded):
                self.container.mux(packet)
            if self.sound:
                self.sound.copy(self.container, until_s=frame.time_s)

    def _begin(self, width: int, height: int) -> None:
        """Set the size of the video; H.264 with 4:2:0 colour needs even sizes, so an odd row or column is cut off."""
        if min(width, height) < 2:
            raise SinkError(f"{self.path}: H.264 needs 2 × 2 pixels, got {width} × {height}")
        self.size = width, height
        self.stream.width, self.stream.height = width // 2 * 2, height // 2 * 2
        self.stream.pix_fmt = "yuv420p"
        self.stream.codec_context.time_base = Fraction(1, CLOCK)
        self.stream.options = ENCODER

    def _on_grid(self, time_s: float) -> float:
        """The nearest time of a constant frame rate, if less than 1 ms away: Matroska rounds times to milliseconds."""
        steady = round(time_s / self.frame_s) * self.frame_s
        return steady if abs(steady - time_s) < 0.001 else time_s

    def close(self) -> None:
        if self.container is None:
            return
        container, self.container = self.container, None
        with writing(self.path):
            try:
                if self.size is not None:
                    for packet in self.stream.encode(None):
                        container.mux(packet)
                    if self.sound:
                        self.sound.copy(container, until_s=float("inf"))
            finally:
                container.close()
                if self.sound:
                    self.sound.close()
        if self.size is None:
            self.path.unlink(missing_ok=True)  # without a frame there is no valid video


class CopiedSound:
    """The sound of another file, copied packet by packet; sound that MP4 cannot hold is encoded as AAC."""

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
        """Add an audio stream to the file that is written."""
        if self.encode:
            self.target = container.add_stream("aac", rate=self.source.codec_context.sample_rate)
        else:
            self.target = container.add_stream_from_template(self.source)

    def copy(self, container: Any, until_s: float) -> None:
        """Write the packets up to this time."""
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
        is_last = packet.dts is None
        if not self.encode:
            if not is_last:
                packet.stream = self.target
                container.mux(packet)
            return
        for decoded in [*packet.decode(), *([None] if is_last else [])]:
            for encoded in self.target.encode(decoded):
                container.mux(encoded)

    def close(self) -> None:
        self.container.close()


def has_audio(address: str) -> bool:
    """Whether a file has sound; False if it cannot be opened."""
    import av

    try:
        with av.open(os.path.abspath(address)) as container:
            return bool(container.streams.audio)
    except (OSError, ValueError):
        return False
