"""What else a video file holds, moved into the file that is written: sound, subtitles, chapters, metadata."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

from knuckle.media.containers import TEXT_SUBTITLES, Container

log = logging.getLogger(__name__)

ENCODED_RATE = 48_000  # samples per second, where the encoder does not know the source's rate
BITS_PER_CHANNEL = 96_000
TIMEOUT_S = 20.0  # for the answer of a server
SURROUND = {6: "5.1", 8: "7.1"}  # other layouts are mixed to two channels, which every encoder takes
NATURAL_START_S = 0.05  # a picture that begins so close to the file's own zero leaves sound before it as it is
EARLY_END_S = 1.0  # a run that ended so long before the end of the picture was stopped: the sound ends as well
# Tags that describe the source's file and not what it shows.
FILE_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "rotate", "duration", "handler_name"}
SUBTITLE_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


class SourceStreams:
    """The sound, subtitles, chapters and metadata of a video file, on the clock of its frames.

    Args:
        address: the video file, or an address that it is read from once more.
        start_s: the file's own time of the first frame, which is time 0 of the frames. Sound from before it is cut.
        into: the kind of file that is written.

    A stream that cannot be kept is left out with a warning.
    """

    def __init__(self, address: str, start_s: float, into: Container) -> None:
        import av

        self.address, self.start_s, self.into = address, start_s, into
        is_url = "://" in address and not os.path.exists(address)
        self.container = av.open(address if is_url else os.path.abspath(address), timeout=TIMEOUT_S if is_url else None)
        self.tracks: dict[int, Track] = {}
        self._packets: Iterator[Any] = iter(())
        self._next: Any = None

    def add_to(self, output: Any) -> None:
        """Add the streams and the metadata to the container that is written, before its first packet."""
        for stream in (*self.container.streams.audio, *self.container.streams.subtitles):
            try:
                track = self._track(output, stream)
            except (OSError, ValueError) as error:
                log.warning("%s: %s stream %d is left out: %s", self.address, stream.type, stream.index, error)
                continue
            if track is not None:
                self.tracks[stream.index] = track
                track.target.metadata.update(tags(stream.metadata))
                if stream.disposition:
                    track.target.disposition = stream.disposition.value  # a number: PyAV up to 17 takes nothing else
        if self.into.tags:
            output.metadata.update(tags(self.container.metadata))
            self._copy_chapters(output)
        if self.tracks:
            self._packets = self.container.demux([track.source for track in self.tracks.values()])

    def _track(self, output: Any, stream: Any) -> Track | None:
        """The track for one stream of the source; None if the container holds none of this type."""
        if stream.codec_context is None:
            raise ValueError("its codec is unknown")
        name = stream.codec_context.codec.canonical_name
        if stream.type == "audio":
            if self.into.sound_encoder is None:
                return None
            if not stream.codec_context.sample_rate:
                raise ValueError("nothing in it can be decoded")
            if name in self.into.sound:
                return Track(stream, output.add_stream_from_template(stream))
            return EncodedSound(stream, output, self.into.sound_encoder)
        if name in self.into.subtitles:
            return Track(stream, output.add_stream_from_template(stream))
        if self.into.text is None:
            if self.into.sound_encoder is None:
                return None
            raise ValueError(f"{self.into.form} files hold no subtitles here")
        if name not in TEXT_SUBTITLES:
            raise ValueError(f"{name} subtitles are pictures, which {self.into.form} files do not hold")
        return TextTrack(stream, output, self.into.text)

    def _copy_chapters(self, output: Any) -> None:
        moved = []
        for chapter in self.container.chapters():
            base = chapter["time_base"] or Fraction(1, 1_000_000)
            shift = round(self.start_s / base)
            end = chapter["end"] - shift
            if end > 0:
                moved.append({**chapter, "start": max(0, chapter["start"] - shift), "end": end})
        if moved:
            output.set_chapters(moved)

    def copy(self, output: Any, until_s: float) -> None:
        """Write what begins before `until_s`, in seconds of the frames' clock."""
        while True:
            packet = self._next or self._read()
            if packet is None:
                return
            if packet.dts is not None and float(packet.dts * packet.time_base) - self.start_s > until_s:
                self._next = packet
                return
            self._next = None
            if packet.dts is not None:
                self._mux(output, packet)

    def _read(self) -> Any:
        """The next packet; None at the end, or where the file is damaged."""
        from av.error import FFmpegError

        try:
            return next(self._packets, None)
        except (OSError, FFmpegError) as error:
            log.warning("%s: its sound breaks off: %s", self.address, error)
            self._packets = iter(())
            return None

    def _mux(self, output: Any, packet: Any) -> None:
        from av.error import InvalidDataError

        track = self.tracks[packet.stream.index]
        if packet.pts is None:
            packet.pts = packet.dts
        begin_s = float(packet.pts * packet.time_base) - self.start_s
        end_s = begin_s + float((packet.duration or 0) * packet.time_base)
        if end_s <= 0 and self.start_s > NATURAL_START_S:
            return
        shift = round(self.start_s / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        try:
            for made in track.convert(packet):
                output.mux(made)
        except InvalidDataError:  # a damaged packet is skipped, as players do
            track.damaged += 1

    def finish(self, output: Any, end_s: float) -> None:
        """Write the rest. If the frames ended before the picture of the source does, at `end_s`, so does the sound."""
        stated = self.container.duration / 1_000_000 if self.container.duration else 0.0
        for video in self.container.streams.video[:1]:
            stated = float(video.duration * video.time_base) if video.duration and video.time_base else stated
        stopped = end_s < stated - EARLY_END_S
        self.copy(output, end_s if stopped else math.inf)
        for track in self.tracks.values():
            for packet in track.rest():
                output.mux(packet)
            if track.damaged:
                log.warning("%s: %d damaged packets of its sound are left out", self.address, track.damaged)

    def close(self) -> None:
        """Close the source."""
        self.container.close()


class Track:
    """A stream that is copied packet by packet."""

    def __init__(self, source: Any, target: Any) -> None:
        self.source, self.target, self.damaged = source, target, 0

    def convert(self, packet: Any) -> Iterable[Any]:
        """The packets to write for one of the source, which is on the clock of the frames."""
        packet.stream = self.target
        return [packet]

    def rest(self) -> Iterable[Any]:
        """The packets to write at the end."""
        return ()


class EncodedSound(Track):
    """Sound that the container cannot hold, encoded again. Gaps become silence, so that it stays in step."""

    def __init__(self, source: Any, output: Any, encoder: str) -> None:
        context = source.codec_context
        known = known_rates(encoder)
        self.rate = context.sample_rate if not known or context.sample_rate in known else ENCODED_RATE
        channels = 1 if context.layout.nb_channels == 1 else 2
        if context.layout.nb_channels in SURROUND and encoder != "libmp3lame":
            channels = context.layout.nb_channels
        self.layout = {1: "mono", 2: "stereo", **SURROUND}[channels]
        target = output.add_stream(encoder, rate=self.rate, layout=self.layout)
        target.bit_rate = BITS_PER_CHANNEL * channels
        super().__init__(source, target)
        self._aligner: Any = None
        self._input: Any = None

    def convert(self, packet: Any) -> Iterable[Any]:
        return [made for frame in packet.decode() for made in self._encode(frame)]

    def rest(self) -> Iterable[Any]:
        from av.error import FFmpegError

        if self._aligner is None:
            return []
        made: list[Any] = []
        with suppress(EOFError, FFmpegError):  # the end of the file emptied the decoder
            made += [one for frame in self.source.codec_context.decode(None) for one in self._encode(frame)]
        made += [one for frame in self._aligned(None) for one in self.target.encode(frame)]
        return made + list(self.target.encode(None))

    def _encode(self, frame: Any) -> Iterator[Any]:
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._input != now:
            self._input, self._aligner = now, self._make_aligner(frame)
        for aligned in self._aligned(frame):
            yield from self.target.encode(aligned)

    def _make_aligner(self, frame: Any) -> Any:
        """A filter that begins at time 0, fills gaps with silence and cuts overlaps."""
        import av.filter

        graph = av.filter.Graph()
        source = graph.add_abuffer(
            format=frame.format.name,
            sample_rate=frame.sample_rate,
            layout=frame.layout.name,
            time_base=frame.time_base,
        )
        nodes = [
            source,
            graph.add("aresample", f"{self.rate}:async=1:min_hard_comp=0.04:first_pts=0"),
            graph.add("aformat", f"sample_rates={self.rate}:channel_layouts={self.layout}"),
            graph.add("abuffersink"),
        ]
        graph.link_nodes(*nodes).configure()
        return graph

    def _aligned(self, frame: Any) -> Iterator[Any]:
        import av

        self._aligner.push(frame)
        while True:
            try:
                yield self._aligner.pull()
            except (av.BlockingIOError, av.EOFError):
                return


class TextTrack(Track):
    """Subtitles of text, converted to the codec of the container."""

    def __init__(self, source: Any, output: Any, codec: str) -> None:
        target = output.add_stream(codec)
        target.codec_context.subtitle_header = SUBTITLE_HEADER
        super().__init__(source, target)
        self.codec = codec

    def convert(self, packet: Any) -> Iterable[Any]:
        import av

        lines = [shown.dialogue for shown in packet.decode() if hasattr(shown, "dialogue")]
        text = b"\n".join(line for line in lines if line)
        if not text:
            return []
        made = av.Packet(len(text).to_bytes(2, "big") + text if self.codec == "mov_text" else text)
        made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
        made.time_base, made.stream = packet.time_base, self.target
        return [made]


def tags(metadata: dict[str, str]) -> dict[str, str]:
    """The metadata without what describes the source's file itself."""
    return {key: value for key, value in metadata.items() if key.lower() not in FILE_TAGS}


def known_rates(encoder: str) -> list[int]:
    """The rates of samples that an encoder takes; empty for any."""
    from av.codec import Codec

    return list(Codec(encoder, "w").audio_rates or [])
