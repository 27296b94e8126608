"""Video files as they really are. Every clip is made here, by the real encoders."""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from conftest import two_hands, write_clip

import knuckle
from knuckle import SourceError
from knuckle.images import Image
from knuckle.media.hdr import BT709_FROM_BT2020, BT2020, HLG, PQ, compressed, light_of_code, tone_mapped
from knuckle.media.pixels import square_size
from knuckle.media.sources import read
from knuckle.media.stamps import FrameTimes
from knuckle.results import Frame

SCENE = two_hands(0.5, 320, 240)


def encode(path: Path, pictures: Sequence[Any], codec: str = "libx264", form: str = "yuv420p", **stated: Any) -> Path:
    """Write pictures, `av.VideoFrame`s or RGB images, at 30 frames per second; `stated` is what the stream states."""
    options = stated.pop("options", {})
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options=options)
        first = pictures[0]
        stream.width, stream.height = (
            (first.width, first.height) if isinstance(first, av.VideoFrame) else (first.shape[1], first.shape[0])
        )
        stream.pix_fmt = form
        if turn := stated.pop("turn", None):
            if not hasattr(stream, "set_display_rotation"):
                pytest.skip("this PyAV cannot write a rotation mark")
            stream.set_display_rotation(**turn)
        for name, value in stated.items():
            setattr(stream.codec_context, name, value)
        for number, picture in enumerate(pictures):
            frame = picture if isinstance(picture, av.VideoFrame) else av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def frames_of(path: Path) -> list[Frame]:
    return list(read(path))


def difference(one: Image, other: Image) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize(("aspect", "squeezed"), [(Fraction(2), (160, 240)), (Fraction(1, 2), (320, 120))])
def test_pixels_that_are_not_square_are_made_square(
    tmp_path: Path, aspect: Fraction, squeezed: tuple[int, int]
) -> None:
    small = av.VideoFrame.from_ndarray(SCENE, "rgb24").reformat(*squeezed).to_ndarray(format="rgb24")
    path = encode(tmp_path / "squeezed.mp4", [small] * 3, sample_aspect_ratio=aspect)
    for frame in frames_of(path):
        assert (frame.width, frame.height) == (320, 240) and difference(frame.image, SCENE) < 8


def test_square_pixels_lose_no_resolution_and_nonsense_is_ignored() -> None:
    assert square_size(720, 576, Fraction(64, 45)) == (1024, 576)
    assert square_size(720, 480, Fraction(8, 9)) == (720, 540)
    assert (
        square_size(720, 480, Fraction(1)) is square_size(720, 480, None) is square_size(9, 9, Fraction(1, 99)) is None
    )


def test_hands_of_squeezed_video_are_those_of_the_square_one(tmp_path: Path) -> None:
    squeezed = av.VideoFrame.from_ndarray(two_hands(0.5), "rgb24").reformat(320, 480).to_ndarray(format="rgb24")
    path = encode(tmp_path / "squeezed.mp4", [squeezed] * 2, sample_aspect_ratio=Fraction(2), options={"crf": "10"})
    seen, straight = knuckle.detect(frames_of(path)[0].image), knuckle.detect(two_hands(0.5))
    assert straight
    for hand in straight:
        nearest = min(np.abs(hand.landmarks - other.landmarks)[:, :2].mean() / hand.palm_size for other in seen)
        assert nearest < 0.05


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", [{}, {"hflip": True}, {"vflip": True}])
def test_turned_and_mirrored_video_comes_upright(tmp_path: Path, degrees: int, flip: dict[str, bool]) -> None:
    path = encode(tmp_path / "turned.mp4", [SCENE] * 2, turn={"degrees": degrees, **flip})
    expected = np.rot90(SCENE, degrees // 90)
    for name, axis in (("hflip", 1), ("vflip", 0)):
        expected = np.flip(expected, axis) if flip.get(name) else expected
    assert difference(frames_of(path)[0].image, expected) < 8


@pytest.mark.parametrize(
    ("codec", "form", "suffix"),
    [
        ("libx264", "yuv422p", "mp4"),
        ("libx264", "yuv444p", "mkv"),
        ("libx264", "yuv420p10le", "mov"),
        ("libx264", "yuv422p10le", "mp4"),
        ("libx264", "gray", "mp4"),
        ("libx265", "yuv420p10le", "mp4"),
        ("libvpx-vp9", "yuva420p", "webm"),
        ("ffv1", "gbrp16le", "mkv"),
        ("prores_ks", "yuv422p10le", "mov"),
        ("mjpeg", "yuvj422p", "avi"),
        ("mpeg2video", "yuv422p", "ts"),
        ("rawvideo", "bgr24", "avi"),
    ],
)
def test_pixel_formats_give_the_same_picture(tmp_path: Path, codec: str, form: str, suffix: str) -> None:
    try:
        path = encode(tmp_path / f"clip.{suffix}", [SCENE] * 3, codec, form)
    except (ValueError, av.FFmpegError) as error:
        pytest.skip(f"this FFmpeg has no encoder for it: {error}")
    expected = np.repeat(SCENE.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8) if form == "gray" else SCENE
    frames = frames_of(path)
    assert len(frames) == 3 and difference(frames[0].image, expected) < 12


def test_interlaced_video_is_deinterlaced_and_keeps_its_frames_and_times(tmp_path: Path) -> None:
    moving = [two_hands(k / 30, 320, 240) for k in range(20)]
    woven = []
    for k in range(0, 20, 2):
        frame = moving[k].copy()
        frame[1::2] = moving[k + 1][1::2]
        picture = av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format="yuv420p")
        woven.append(picture)
    combed = [picture.to_ndarray(format="rgb24") for picture in woven]
    options = {"flags": "+ilme+ildct", "x264-params": "tff=1:crf=10"}
    frames = frames_of(encode(tmp_path / "interlaced.mp4", woven, options=options))
    assert len(frames) == 10 and np.allclose([frame.time_s for frame in frames], np.arange(10) / 30, atol=1e-3)

    def combs(image: Image) -> float:
        rows = image.astype(int)
        return float(np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean())

    for k in range(2, 8):
        assert combs(frames[k].image) < 0.75 * combs(combed[k])
        assert difference(frames[k].image, moving[2 * k]) < difference(combed[k], moving[2 * k]) + 2


def hdr_clip(path: Path, transfer: int) -> Path:
    """SCENE as HDR: BT.2020 colours, white at 203 cd/m²."""
    light = (SCENE / 255.0) ** 2.4 @ np.linalg.inv(BT709_FROM_BT2020).T * 203
    table = (
        light_of_code(transfer, 10_000.0 if transfer == PQ else 1000.0) / 65535 * (10_000 if transfer == PQ else 1000)
    )
    codes = np.searchsorted(table, light.clip(0)).clip(0, 65535).astype(np.uint16)
    deep = av.VideoFrame.from_ndarray(codes, "rgb48le")
    picture = deep.reformat(format="yuv420p10le", dst_colorspace=BT2020, dst_color_range=1)
    names = {PQ: "smpte2084", HLG: "arib-std-b67"}
    stated = f"colorprim=bt2020:transfer={names[transfer]}:colormatrix=bt2020nc:range=tv"
    return encode(path, [picture] * 2, form="yuv420p10le", options={"x264-params": stated, "crf": "10"})


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_high_dynamic_range_becomes_the_picture_of_standard_range(tmp_path: Path, transfer: int) -> None:
    seen = frames_of(hdr_clip(tmp_path / "hdr.mp4", transfer))[0].image
    plain = next(av.open(str(tmp_path / "hdr.mp4")).decode(video=0)).to_ndarray(format="rgb24")
    assert difference(seen, SCENE) < 10 < difference(plain, SCENE)
    assert np.abs(seen.mean(axis=(0, 1)) - SCENE.mean(axis=(0, 1))).max() < 12, "no colour is lost"


def test_the_tone_curve_is_straight_where_hands_are_and_rises_to_the_peak() -> None:
    light = np.linspace(0, 1000, 500)
    out = compressed(light, 1000.0)
    assert np.allclose(out[light < 85], light[light < 85], rtol=1e-6) and out[-1] == pytest.approx(203, rel=0.01)
    assert (np.diff(out) > -1e-6).all() and (out <= 203.1).all()
    gray = np.full((2, 2, 3), 30_000, np.uint16)
    assert len(np.unique(tone_mapped(gray, PQ, BT2020, None))) == 1, "gray stays gray"


def test_the_default_video_stream_is_read(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=30) for _ in range(2)]
        for stream, (width, height) in zip(streams, ((320, 240), (64, 48)), strict=True):
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        streams[0].disposition, streams[1].disposition = 0, av.stream.Disposition.default.value
        for k in range(4):
            for stream in streams:
                image = two_hands(0.0, stream.width, stream.height)
                frame = av.VideoFrame.from_ndarray(image, "rgb24")
                frame.pts, frame.time_base = k, Fraction(1, 30)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    assert {(frame.width, frame.height) for frame in read(path)} == {(64, 48)}


def with_cover(path: Path, clip: Path | None) -> Path:
    """A file with sound and a cover picture before the streams of `clip`."""
    cover = av.CodecContext.create("mjpeg", "w")
    cover.width, cover.height, cover.pix_fmt, cover.time_base = 640, 640, "yuvj420p", Fraction(1, 30)
    picture = av.VideoFrame.from_ndarray(np.full((640, 640, 3), 200, np.uint8), "rgb24").reformat(format="yuvj420p")
    picture.pts = 0
    with av.open(str(path), "w") as container:
        jpeg = container.add_stream("mjpeg", rate=30)
        jpeg.width, jpeg.height, jpeg.pix_fmt = 640, 640, "yuvj420p"
        jpeg.disposition = av.stream.Disposition.attached_pic.value
        sound = container.add_stream("aac", rate=16000)
        video = None
        if clip is not None:
            source = av.open(str(clip))
            video = container.add_stream_from_template(source.streams.video[0])
        for packet in jpeg.encode(picture):
            container.mux(packet)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.int16), format="s16", layout="mono")
        samples.sample_rate, samples.pts = 16000, 0
        container.mux(sound.encode(samples))
        container.mux(sound.encode(None))
        if clip is not None:
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = video
                    container.mux(packet)
            source.close()
    return path


def test_cover_pictures_are_passed_over(tmp_path: Path) -> None:
    clip = encode(tmp_path / "clip.mp4", [SCENE] * 5)
    frames = frames_of(with_cover(tmp_path / "covered.mp4", clip))
    assert len(frames) == 5 and frames[0].width == 320


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    for name, words in (
        ("cover.mp4", "no video in it, only sound and a cover"),
        ("sound.mp4", "no video in it, only sound$"),
    ):
        if name == "cover.mp4":
            with_cover(tmp_path / name, None)
        else:
            with av.open(str(tmp_path / name), "w") as container:
                sound = container.add_stream("aac", rate=16000)
                samples = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.int16), format="s16", layout="mono")
                samples.sample_rate, samples.pts = 16000, 0
                container.mux(sound.encode(samples))
                container.mux(sound.encode(None))
        with pytest.raises(SourceError, match=words):
            read(tmp_path / name)


def test_a_size_that_changes_midway(tmp_path: Path) -> None:
    """Two H.264 streams one after the other, as a call whose bandwidth drops."""
    parts = [
        encode(tmp_path / f"{k}.h264", [two_hands(0.0, *size)] * 6) for k, size in enumerate([(320, 240), (160, 120)])
    ]
    path = tmp_path / "both.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = frames_of(path)
    assert [frame.width for frame in frames] == [320] * 6 + [160] * 6
    assert (np.diff([frame.time_s for frame in frames]) > 0).all()


@pytest.mark.parametrize("suffix", ["mp4", "avi", "ts"])
def test_damaged_packets_are_skipped_and_counted(tmp_path: Path, suffix: str) -> None:
    moving = [two_hands(k / 30, 320, 240) for k in range(60)]
    codec = "mpeg4" if suffix == "avi" else "libx264"
    path = encode(tmp_path / f"clip.{suffix}", moving, codec, options={"g": "10"})
    data, rng = bytearray(path.read_bytes()), np.random.default_rng(1)
    for place in rng.integers(len(data) // 4, 3 * len(data) // 4, 5):
        data[place : place + 40] = rng.integers(0, 256, 40, np.uint8).tobytes()
    path.write_bytes(data)
    reader = read(path)
    frames = list(reader)
    assert 50 <= len(frames) <= 60 and frames[-1].time_s > 1.8
    (problem,) = reader.problems
    assert re.search(rf"clip\.{suffix}: skipped damaged packets: [1-9]", str(problem))


def test_a_recording_that_begins_within_a_group_of_pictures_is_no_failure(tmp_path: Path) -> None:
    moving = [two_hands(k / 30, 320, 240) for k in range(50)]
    path = encode(tmp_path / "whole.ts", moving, options={"g": "20", "x264-params": "scenecut=0"})
    data = path.read_bytes()
    begin = len(data) // 5 // 188 * 188
    (tmp_path / "cut.ts").write_bytes(data[begin:])
    reader = read(tmp_path / "cut.ts")
    frames = list(reader)
    assert 25 <= len(frames) <= 45 and frames[0].time_s == 0 and reader.problems == []


def test_a_last_frame_that_is_shown_for_long_is_no_break(tmp_path: Path) -> None:
    write_clip(tmp_path / "slides.mp4", [SCENE] * 3, 30, times=[0.0, 0.1, 9.0])
    assert len(frames_of(tmp_path / "slides.mp4")) == 3


STAMPS: dict[str, tuple[list[float | None], list[float]]] = {
    "from another zero": ([5.0, 5.1, 5.2], [0, 0.1, 0.2]),
    "missing": ([None, None, None], [0, 0.1, 0.2]),
    "partly missing": ([1.0, None, 1.2, None], [0, 0.1, 0.2, 0.3]),
    "equal": ([0.0, 0.1, 0.1, 0.2], [0, 0.1, 0.1001, 0.2]),
    "one step back": ([0.0, 0.2, 0.1, 0.3], [0, 0.2, 0.2001, 0.3]),
    "begun anew": ([8.0, 9.0, 0.0, 1.0], [0, 1.0, 1.1, 2.1]),
    "a jump ahead": ([0.0, 0.1, 95_000.0, 95_000.1], [0, 0.1, 0.2, 0.3]),
}


@pytest.mark.parametrize("name", STAMPS)
def test_times_begin_at_zero_and_rise_whatever_the_stamps(name: str) -> None:
    stamps, times = STAMPS[name]
    notes: list[str] = []
    made = FrameTimes(10, True, notes.append)
    assert [made.next(stamp_s) for stamp_s in stamps] == pytest.approx(times)
    assert len(notes) == (name in ("begun anew", "a jump ahead"))


def test_joined_recordings_whose_clock_begins_anew(tmp_path: Path) -> None:
    moving = [two_hands(k / 30, 320, 240) for k in range(40)]
    part = encode(tmp_path / "part.ts", moving).read_bytes()
    (tmp_path / "joined.ts").write_bytes(part + part)
    reader = read(tmp_path / "joined.ts")
    times = [frame.time_s for frame in reader]
    assert len(times) >= 78 and times[-1] == pytest.approx(79 / 30, abs=0.2) and np.diff(times).max() < 0.2
    assert len(reader.notes) == 1 and "begin anew" in reader.notes[0]


def test_one_of_many_readers_makes_images_when_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, [two_hands(k / 9, 320, 240) for k in range(10)], 15)
    plain, reader = list(read(path)), read(path)
    reader.one_of_many = True
    late = list(reader)
    assert all("image" not in vars(frame) for frame in late)
    assert [(f.index, f.time_s, f.source) for f in late] == [(f.index, f.time_s, f.source) for f in plain]
    assert late[5].numbered(50).index == 50 and "image" not in vars(late[5])
    copy = pickle.loads(pickle.dumps(late[3]))
    for one, other in ((late[3], plain[3]), (replace(late[7], index=70), plain[7]), (copy, plain[3])):
        assert np.array_equal(one.image, other.image) and one.width == 320
    assert late[7].image is late[7].image
