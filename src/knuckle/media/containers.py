"""What each kind of video file can hold: picture, sound and subtitles. docs/formats.md shows this table to users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from knuckle.errors import InputError

DEFAULT_CRF = 23  # H.264's scale, 0 to 51


@dataclass(frozen=True)
class VideoCodec:
    """An encoder of pictures.

    Attributes:
        encoder: FFmpeg's name of it.
        pixels: FFmpeg's name of its pixel format.
        options: its options, as text.
        quality: the name of its option for quality.
        worst: the value of that option which matches 51, the worst value of H.264's scale.
        best: the value which matches 0.
    """

    encoder: str
    pixels: str
    options: Mapping[str, str] = field(default_factory=dict)
    quality: str = "crf"
    worst: int = 51
    best: int = 0

    def all_options(self, crf: int | None) -> dict[str, str]:
        """The options with the quality that H.264 calls `crf`; None is 23."""
        share = (DEFAULT_CRF if crf is None else crf) / 51
        value = round(self.best + share * (self.worst - self.best))
        return {**self.options, **({self.quality: str(value)} if self.quality else {})}


# The encoder gets YUV that OpenCV made, which is BT.601. The fastest preset makes larger files, but leaves the
# processor to tracking.
BT601 = {"colormatrix": "smpte170m", "colorprim": "smpte170m"}
H264 = VideoCodec("libx264", "yuv420p", {"preset": "ultrafast", **BT601})
VP9 = VideoCodec("libvpx-vp9", "yuv420p", {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "b": "0"}, worst=63)
# FFmpeg's lambda is 118 times the quantizer, here 2 to 16.
MPEG4 = VideoCodec("mpeg4", "yuv420p", {"flags": "+qscale"}, "global_quality", worst=118 * 16, best=118 * 2)
GIF = VideoCodec("gif", "pal8", quality="")
WEBP = VideoCodec("libwebp_anim", "yuv420p", {"compression_level": "2"}, "quality", worst=30, best=100)

TEXT_SUBTITLES = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})


@dataclass(frozen=True)
class Container:
    """One kind of video file.

    Attributes:
        form: FFmpeg's name of it.
        video: encoder of the pictures.
        sound: codecs of sound that it can hold; such sound is copied.
        sound_encoder: encoder for other sound; None if it holds no sound.
        subtitles: codecs of subtitles that it can hold; they are copied.
        text: codec that other subtitles of text are converted to; None if it holds none.
        tags: whether it holds metadata and chapters.
        options: options of FFmpeg's writer.
        max_fps: the largest rate that players honour; None for any.
        steady: frames have a constant rate, as there are no time stamps.
    """

    form: str
    video: VideoCodec
    sound: frozenset[str] = frozenset()
    sound_encoder: str | None = None
    subtitles: frozenset[str] = frozenset()
    text: str | None = None
    tags: bool = True
    options: Mapping[str, str] = field(default_factory=dict)
    max_fps: float | None = None
    steady: bool = False


_FASTSTART = {"movflags": "+faststart"}  # the index first, so that a browser plays while it loads
_PCM = frozenset({"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le"})
_MP4_SOUND = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"})
_MP4 = Container(
    "mp4", H264, _MP4_SOUND, "aac", frozenset({"mov_text", "dvd_subtitle"}), "mov_text", options=_FASTSTART
)
CONTAINERS: Mapping[str, Container] = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Container(
        "mov",
        H264,
        frozenset({"aac", "mp3", "ac3", "eac3", "alac"}) | _PCM,
        "aac",
        frozenset({"mov_text"}),
        "mov_text",
        options=_FASTSTART,
    ),
    ".mkv": Container(
        "matroska",
        H264,
        _MP4_SOUND | _PCM | {"vorbis", "mp2", "dts", "truehd"},
        "aac",
        frozenset({"subrip", "ass", "ssa", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle"}),
        "subrip",
    ),
    ".webm": Container("webm", VP9, frozenset({"opus", "vorbis"}), "libopus", text="webvtt"),
    # AVI has no time stamps, so sound is always encoded, which aligns it exactly, and the picture has no delay.
    ".avi": Container("avi", MPEG4, sound_encoder="libmp3lame", steady=True),
    ".ts": Container("mpegts", H264, frozenset({"aac", "mp3", "mp2", "ac3", "eac3"}), "aac"),
    ".gif": Container("gif", GIF, tags=False, max_fps=50),
    ".webp": Container("webp", WEBP, tags=False, options={"loop": "0"}),  # for ever, as GIF
}
ANIMATIONS = (".gif", ".webp")


def container_of(path: Path) -> Container:
    """The kind of a video file, by its suffix.

    Raises:
        InputError: no kind of video has this suffix.
    """
    found = CONTAINERS.get(path.suffix.lower())
    if found is None:
        raise InputError(
            f"video is written as {', '.join(CONTAINERS)}, got {path.name!r}; end the name of a folder with a slash"
        )
    return found
