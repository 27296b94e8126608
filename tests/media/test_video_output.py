"""Written video: all frames, sound in step, everything else of the source kept where the file can hold it."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import av
import numpy as np
import pytest
from commands import one_line, run
from conftest import make_hand
from flashes import FLASH, FRAMES, RATE, Recipe, make, measure
from PIL import Image as pillow

from knuckle.media.containers import CONTAINERS
from knuckle.media.outputs import Outputs
from knuckle.media.sinks import OutputOptions, VideoSink
from knuckle.media.sources import read
from knuckle.results import Frame

IN_STEP_S = 0.05


def write(source: Path, target: Path, **options: Any) -> Path:
    """What `knuckle track` writes for a clip, without its networks."""
    reader = read(source)
    with Outputs(str(target), None, OutputOptions(**options)) as outputs:
        frames = iter(reader)
        first = next(frames)  # sets the reader's `start_s`, as in the command
        for sink in outputs.open(reader):
            with sink:
                for frame in (first, *frames):
                    sink.write(frame, [make_hand()] if frame.index % 2 and frame.index != FLASH else [])
    return target


RECIPES = {
    "together": Recipe(),
    "sound 1 s earlier": Recipe(picture_first_s=1.0),
    "sound 1 s later": Recipe(sound_first_s=0.8),
    "both late": Recipe(".mkv", picture_first_s=5.0, sound_first_s=4.5),
    "transport stream": Recipe(".ts"),
    "transport stream, late": Recipe(".ts", picture_first_s=0.4),
    "program stream": Recipe(".mpg", "mpeg2video", sound="mp2", picture_first_s=0.4),
    "gap": Recipe(".mkv", stamps="gap", sound="libopus"),
    "coarse": Recipe(stamps="coarse"),
    "WebM": Recipe(".webm", "libvpx-vp9", sound="libopus"),
    "MP3 in AVI": Recipe(".avi", "mpeg4", sound="libmp3lame"),
    "PCM in MOV": Recipe(".mov", sound="pcm_s16le", picture_first_s=0.5),
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_is_in_step_whatever_the_start_times(tmp_path: Path, recipe: Recipe, suffix: str) -> None:
    source = make(tmp_path, recipe)
    before, after = measure(source), measure(write(source, tmp_path / f"out{suffix}"))
    assert before.sync_s is not None and after.sync_s is not None
    assert abs(after.sync_s - before.sync_s) < IN_STEP_S
    assert after.frames == before.frames == FRAMES


@pytest.mark.parametrize("suffix", [suffix for suffix in CONTAINERS if suffix not in (".gif", ".webp")])
@pytest.mark.parametrize("sound", ["aac", "libopus", "pcm_s16le", "vorbis"])
def test_every_container_gets_sound_that_it_can_hold(tmp_path: Path, suffix: str, sound: str) -> None:
    source = make(tmp_path, Recipe(".mkv", sound=sound, picture_first_s=0.3))
    after = measure(write(source, tmp_path / f"out{suffix}"))
    kind = CONTAINERS[suffix]
    assert kind.sound_encoder is not None
    (stored,) = after.sounds
    names = {"libopus": "opus", "libmp3lame": "mp3"}
    copied = names.get(sound, sound) in kind.sound
    assert stored == (names.get(sound, sound) if copied else names.get(kind.sound_encoder, kind.sound_encoder))
    assert after.sync_s is not None and abs(after.sync_s) < IN_STEP_S and after.frames == FRAMES


def test_sound_with_a_gap_stays_in_step_when_it_is_encoded(tmp_path: Path) -> None:
    path = tmp_path / "gap.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        packets: list[Any] = []
        for k in range(FRAMES):
            image = np.full((120, 160, 3), 255 if k == 40 else 40, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, RATE)
            packets += video.encode(frame)
        packets += video.encode(None)
        for k in [*range(20), *range(60, 95)]:  # 20 ms each; 0.8 s are missing
            wave = np.full((1, 960), 20000 if k == 80 else 0, np.int16)
            samples = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
            samples.sample_rate, samples.pts, samples.time_base = 48000, 960 * k, Fraction(1, 48000)
            packets += audio.encode(samples)
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    after = measure(write(path, tmp_path / "out.mp4"))
    assert after.sounds == ("aac",) and after.sync_s is not None and abs(after.sync_s) < IN_STEP_S


def test_a_clip_whose_size_changes_is_written_to_its_end(tmp_path: Path) -> None:
    sizes = [(64, 48)] * 4 + [(48, 64)] * 4 + [(128, 96)] * 4
    with VideoSink(tmp_path / "out.mp4") as sink:
        for k, (width, height) in enumerate(sizes):
            sink.write(Frame(np.full((height, width, 3), 200, np.uint8), k, k / 30), [])
    frames = list(read(tmp_path / "out.mp4"))
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 12
    upright = frames[6].image
    assert upright[:, :10].max() < 60 and upright[:, 30:34].min() > 180, "black bars left and right of it"
    assert frames[10].image.min() > 180


@pytest.mark.parametrize(("fps", "count"), [(50.0, 100), (10.0, 20), (12.5, 25)])
def test_a_constant_rate_repeats_or_leaves_out_frames(tmp_path: Path, fps: float, count: int) -> None:
    source = make(tmp_path, Recipe(stamps="uneven"))
    out = write(source, tmp_path / "out.mp4", fps=fps)
    times = [frame.time_s for frame in read(out)]
    assert len(times) == pytest.approx(count, abs=1) and np.allclose(np.diff(times), 1 / fps, atol=2e-3)
    sync_s = measure(out).sync_s
    if fps >= RATE:  # a lower rate may leave out the flash
        assert sync_s is not None and abs(sync_s) < IN_STEP_S


def test_size_and_quality(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    sizes = {}
    for crf in (10, 23, 40):
        with VideoSink(tmp_path / f"{crf}.mp4", options=OutputOptions(crf=crf, size=(64, 64))) as sink:
            for k in range(5):
                sink.write(Frame(np.roll(noise, k), k, k / 30), [])
        sizes[crf] = (tmp_path / f"{crf}.mp4").stat().st_size
        assert next(iter(read(tmp_path / f"{crf}.mp4"))).image.shape == (64, 64, 3)
    assert sizes[10] > sizes[23] > sizes[40]


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations_keep_frames_and_times(tmp_path: Path, suffix: str) -> None:
    colours = [(250, 40, 40), (40, 250, 40), (40, 40, 250), (200, 200, 40)]
    with VideoSink(tmp_path / f"out{suffix}", 10.0) as sink:
        for k, colour in enumerate(colours):
            sink.write(Frame(np.full((48, 64, 3), colour, np.uint8), k, k / 10), [])
    with pillow.open(tmp_path / f"out{suffix}") as opened:
        assert getattr(opened, "n_frames", 1) == 4
        assert opened.info["loop"] == 0  # for ever
    frames = list(read(tmp_path / f"out{suffix}"))
    assert np.allclose([frame.time_s for frame in frames], [0, 0.1, 0.2, 0.3], atol=0.011)
    for frame, colour in zip(frames, colours, strict=True):
        assert np.abs(frame.image.astype(int) - colour).max() < 12


def test_gif_is_not_faster_than_browsers_show(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "fast.gif", 100.0) as sink:
        for k in range(40):
            sink.write(Frame(np.full((24, 32, 3), 6 * k, np.uint8), k, k / 100), [])
    times = [frame.time_s for frame in read(tmp_path / "fast.gif")]
    assert np.diff(times).min() >= 0.0199 and times[-1] == pytest.approx(0.38, abs=0.03)


def with_extras(path: Path) -> Path:
    """A Matroska file with two sound tracks, subtitles, chapters and a title, which begins at 2 s."""
    header = b"[Script Info]\nScriptType: v4.00+\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, Text\n"
    with av.open(str(path), "w") as container:
        container.metadata.update({"title": "A title", "comment": "a comment"})
        video = container.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        sounds = [container.add_stream("aac", rate=48000, layout="mono") for _ in range(2)]
        sounds[1].metadata["language"] = "fra"
        texts = container.add_stream("subrip")
        texts.codec_context.subtitle_header = header
        chapter: dict[str, Any] = {"time_base": Fraction(1, 1000)}
        one = chapter | {"id": 1, "start": 2000, "end": 3000, "metadata": {"title": "One"}}
        two = chapter | {"id": 2, "start": 3000, "end": 4000, "metadata": {"title": "Two"}}
        container.set_chapters([one, two])  # type: ignore[list-item]
        packets: list[Any] = []
        for k in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.full((120, 160, 3), 90, np.uint8), format="rgb24")
            frame.pts, frame.time_base = k + 2 * RATE, Fraction(1, RATE)
            packets += video.encode(frame)
        packets += video.encode(None)
        for sound in sounds:
            for k in range(90):
                samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                samples.sample_rate, samples.pts, samples.time_base = 48000, 96000 + 1024 * k, Fraction(1, 48000)
                packets += sound.encode(samples)
            packets += sound.encode(None)
        words = av.Packet(b"hello")
        words.pts = words.dts = 2600
        words.duration, words.time_base, words.stream = 400, Fraction(1, 1000), texts
        for packet in sorted([*packets, words], key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_subtitles_chapters_and_metadata_are_kept(tmp_path: Path, suffix: str) -> None:
    out = write(with_extras(tmp_path / "in.mkv"), tmp_path / f"out{suffix}")
    with av.open(str(out)) as written:
        found = {key.lower(): value for key, value in written.metadata.items()}
        assert found["title"] == "A title" and found["comment"] == "a comment"
        assert [stream.metadata.get("language") for stream in written.streams.audio][1] == "fra"
        one, two = written.chapters()
        assert one["start"] == 0 and float(two["start"] * two["time_base"]) == pytest.approx(1.0, abs=0.05)
        assert (one["metadata"]["title"], two["metadata"]["title"]) == ("One", "Two")
        (texts,) = written.streams.subtitles
        (shown,) = [p for p in written.demux(texts) if p.size and b"hello" in bytes(p)]
        assert float(shown.pts * shown.time_base) == pytest.approx(0.6, abs=0.05)


def test_sound_of_an_address_is_kept(tmp_path: Path) -> None:
    source = make(tmp_path, Recipe(picture_first_s=0.5))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        reader = read(f"http://127.0.0.1:{server.server_port}/{source.name}")
        with Outputs(str(tmp_path / "out.mp4"), None) as outputs:
            frames = list(reader)
            (sink,) = outputs.open(reader)
            with sink:
                for frame in frames:
                    sink.write(frame, [])
        server.shutdown()
    after = measure(tmp_path / "out.mp4")
    assert after.frames == FRAMES and after.sync_s is not None and abs(after.sync_s) < IN_STEP_S


def test_what_cannot_be_kept_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "knuckle"):
        write(with_extras(tmp_path / "in.mkv"), tmp_path / "out.avi")
    assert "subtitle" in caplog.text and "in.mkv" in caplog.text


def test_a_stopped_run_stops_the_sound(tmp_path: Path) -> None:
    reader = read(make(tmp_path, Recipe()))
    with Outputs(str(tmp_path / "out.mp4"), None) as outputs:
        frames = iter(reader)
        first = next(frames)
        (sink,) = outputs.open(reader)
        with sink:
            for frame, _ in zip((first, *frames), range(10), strict=False):
                sink.write(frame, [])
    with av.open(str(tmp_path / "out.mp4")) as written:
        (sound,) = written.streams.audio
        assert sound.duration is not None and sound.time_base is not None
        assert float(sound.duration * sound.time_base) == pytest.approx(0.4, abs=0.1)


def test_json_lines_stream_to_standard_output(tmp_path: Path) -> None:
    source = make(tmp_path, Recipe())
    done = run("track", source, "--save", "-", "--models", "knuckle")
    assert done.returncode == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["frame"] for row in rows] == list(range(FRAMES)) and "frames   50" in done.stderr


def test_pictures_are_not_written_to_standard_output(tmp_path: Path) -> None:
    assert "--save -" in one_line(run("track", make(tmp_path, Recipe()), "--out", "-"))


def test_flashes_are_what_they_say(tmp_path: Path) -> None:
    recipe = Recipe(picture_first_s=0.5)
    for shift, expected in ((0.0, 0.0), (0.2, 0.2)):
        moved = replace(recipe, sound_first_s=0.0)
        path = make(tmp_path, moved)
        sync_s = measure(path).sync_s
        assert sync_s is not None and abs(sync_s + shift - expected) < 0.01
