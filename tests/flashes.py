"""Clips with a white flash in the picture and a click in the sound at the same moment, in many formats.

The tests of written video and docs/make_formats.py use them: where flash and click are in a file says how well picture
and sound are in step.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

WIDTH, HEIGHT, FRAMES, RATE, SAMPLES = 160, 120, 50, 25, 48_000
FLASH = 25  # index of the white frame
CLOCK = 90_000
STAMPS = ("even", "uneven", "coarse", "gap")


@dataclass(frozen=True)
class Recipe:
    """One clip.

    Attributes:
        suffix: of the file, with its dot.
        codec, pixels: encoder and pixel format of the picture.
        sound: encoder of the sound; "" for none.
        rotation: degrees that a player turns the picture.
        stamps: one of STAMPS.
        picture_first_s, sound_first_s: time stamps at which picture and sound begin.
    """

    suffix: str = ".mp4"
    codec: str = "libx264"
    pixels: str = "yuv420p"
    sound: str = "aac"
    rotation: int = 0
    stamps: str = "even"
    picture_first_s: float = 0.0
    sound_first_s: float = 0.0

    @property
    def times(self) -> list[float]:
        """Time stamp of each frame in seconds."""
        even = [k / RATE for k in range(FRAMES)]
        patterns = {
            "even": even,
            "uneven": [time_s + (0.015 if k % 2 else 0.0) for k, time_s in enumerate(even)],
            "coarse": [round(time_s / 0.0156) * 0.0156 for time_s in even],
            "gap": [time_s + (0.7 if k >= FRAMES // 3 else 0.0) for k, time_s in enumerate(even)],
        }
        return [self.picture_first_s + time_s for time_s in patterns[self.stamps]]


def make(folder: Path, recipe: Recipe) -> Path:
    """Write a clip and return its path."""
    path = folder / f"flash{recipe.suffix}"
    with av.open(str(path), "w") as container:
        video = container.add_stream(recipe.codec, rate=RATE)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, recipe.pixels
        fixed_rate = recipe.codec in ("mpeg1video", "mpeg2video", "mpeg4", "wmv2", "flv") or recipe.suffix == ".avi"
        video.codec_context.time_base = Fraction(1, RATE if fixed_rate else CLOCK)
        if recipe.codec == "libx264":
            video.options = {"preset": "ultrafast"}
        if recipe.codec == "libx265":
            video.options = {"preset": "ultrafast", "x265-params": "log-level=error"}
        if recipe.codec == "libsvtav1":
            video.options = {"preset": "11"}
        if recipe.rotation:
            video.set_display_rotation(recipe.rotation)
        audio: Any = None
        if recipe.sound:
            audio = container.add_stream(recipe.sound, rate=SAMPLES, layout="stereo")
            audio.bit_rate = 128_000
            if recipe.sound == "vorbis":
                audio.options = {"strict": "experimental"}
        packets = pictures(video, recipe) + (click(audio, recipe) if audio else [])
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return path


def pictures(stream: Any, recipe: Recipe) -> list[Any]:
    packets = []
    base = stream.codec_context.time_base
    for k, time_s in enumerate(recipe.times):
        image = np.full((HEIGHT, WIDTH, 3), 255 if k == FLASH else 40, np.uint8)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=recipe.pixels)
        frame.pts, frame.time_base = round(time_s / base), base
        packets += stream.encode(frame)
    return packets + list(stream.encode(None))


def click(stream: Any, recipe: Recipe) -> list[Any]:
    """A click at the time of the flash."""
    flash_s = recipe.times[FLASH]
    wave = np.zeros(round(SAMPLES * (recipe.times[-1] - recipe.sound_first_s)), np.float32)
    at = round(SAMPLES * (flash_s - recipe.sound_first_s))
    wave[at : at + 480] = 0.9 * np.sin(np.arange(480) * 0.3)
    packets = []
    for k in range(0, len(wave) - 1023, 1024):
        frame = av.AudioFrame.from_ndarray(np.stack([wave[k : k + 1024]] * 2), format="fltp", layout="stereo")
        frame.sample_rate, frame.time_base = SAMPLES, Fraction(1, SAMPLES)
        frame.pts = round(SAMPLES * recipe.sound_first_s) + k
        packets += stream.encode(frame)
    return packets + list(stream.encode(None))


@dataclass(frozen=True)
class Measured:
    """What a file holds.

    Attributes:
        frames: pictures that can be decoded.
        size: (width, height) of them as stored.
        sync_s: time of the click minus time of the flash, seconds; None without sound.
        sounds: codecs of its sound.
    """

    frames: int
    size: tuple[int, int]
    sync_s: float | None
    sounds: tuple[str, ...]


def measure(path: Path) -> Measured:
    """Decode a file from beginning to end."""
    flash_s = click_s = None
    frames, size = 0, (0, 0)
    with av.open(str(path)) as container:
        sounds = tuple(stream.codec_context.codec.canonical_name for stream in container.streams.audio)
        for picture in container.decode(video=0):
            frames, size = frames + 1, (picture.width, picture.height)
            if flash_s is None and picture.to_ndarray(format="gray").mean() > 150:
                flash_s = picture.time
    if sounds:
        with av.open(str(path)) as container:
            for samples in container.decode(audio=0):
                wave = samples.to_ndarray()
                loud = np.flatnonzero(np.abs(wave.astype(np.float64)).max(axis=0) > 0.3 * loudest(wave))
                if len(loud):
                    per_sample = 1 if samples.format.is_planar else len(samples.layout.channels)
                    click_s = samples.time + loud[0] / per_sample / samples.sample_rate
                    break
    sync_s = None if flash_s is None or click_s is None else float(click_s - flash_s)
    return Measured(frames, size, sync_s, sounds)


def loudest(wave: np.ndarray) -> float:
    return float(np.iinfo(wave.dtype).max) if wave.dtype.kind == "i" else 1.0
