"""`knuckle track`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import one_line, run
from conftest import two_hands, write_clip
from PIL import Image as pillow
from pyarrow import parquet

import knuckle.cli.track
from knuckle.errors import BundleError
from knuckle.images import Image
from knuckle.media.sources import Reader, read
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.run import Run
from knuckle.pipeline.tracker import Networks
from knuckle.results import Frame

KNUCKLE = (sys.executable, "-m", "knuckle.cli")


def test_a_clip_becomes_annotated_video_and_table(tmp_path: Path, clip: Path) -> None:
    done = run("track", clip, "--models", "mediapipe", "--out", tmp_path / "out/", "--save", tmp_path / "out/")
    assert done.returncode == 0, done.stderr
    video, table = tmp_path / "out" / "two hands_hands.mp4", tmp_path / "out" / "two hands_hands.parquet"
    frames, rows = list(read(video)), parquet.read_table(table).to_pylist()
    assert len(frames) == 30 and len(rows) == 60
    sides = {(row["track_id"], row["wrist_x_px"] < 320, row["handedness"]) for row in rows}
    assert len(sides) == 2 and {side[1:] for side in sides} == {(True, "Left"), (False, "Right")}
    assert "frames   30" in done.stdout and "ids 1-2" in done.stdout and "ms a frame" in done.stdout
    assert str(video) in done.stdout and str(table) in done.stdout


def test_a_photo_becomes_a_jpeg_and_json(tmp_path: Path) -> None:
    pillow.fromarray(two_hands(0.0)).save(tmp_path / "photo.png")
    done = run("track", tmp_path / "photo.png", "--out", tmp_path / "hands.jpg", "--save", tmp_path / "hands.jsonl")
    assert done.returncode == 0, done.stderr
    row = json.loads((tmp_path / "hands.jsonl").read_text())
    assert len(row["hands"]) == 2 and row["width"] == 640 and row["hands"][0]["track_id"] is None
    with pillow.open(tmp_path / "hands.jpg") as written:
        assert written.size == (640, 480)


def test_bad_files_in_a_folder_are_skipped_and_listed_at_the_end(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for k in range(3):
        pillow.fromarray(two_hands(0.0)).save(photos / f"{k}.jpg")
    (photos / "1 text.jpg").write_text("I am text")
    (photos / "cut.jpg").write_bytes((photos / "0.jpg").read_bytes()[:3000])
    done = run("track", photos, "--out", tmp_path / "out/", "--save", tmp_path / "all.csv")
    assert done.returncode == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0_hands.jpg", "1_hands.jpg", "2_hands.jpg"]
    assert "1 text.jpg" in done.stderr and "cut.jpg" in done.stderr and len(done.stderr.strip().splitlines()) == 2
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 7


def test_detecting_only_gives_palms(tmp_path: Path, clip: Path) -> None:
    done = run("track", clip, "--detect-only", "--save", tmp_path / "palms.jsonl")
    assert done.returncode == 0
    rows = [json.loads(line) for line in (tmp_path / "palms.jsonl").read_text().splitlines()]
    assert len(rows) == 30 and sum(bool(row["palms"]) for row in rows) > 20
    assert all(len(palm["keypoints"]) == 7 for row in rows for palm in row["palms"])


def test_options_reach_the_tracker(tmp_path: Path, clip: Path) -> None:
    def track(*options: str) -> list[dict[str, object]]:
        command = ["track", clip, "--models", "mediapipe", "--save", tmp_path / "x.parquet", "--overwrite"]
        assert run(*command, *options).returncode == 0
        return parquet.read_table(tmp_path / "x.parquet").to_pylist()

    assert len(track("--max-hands", "1")) == 30
    sides = [{(r["wrist_x_px"] < 320, r["handedness"]) for r in track(*o)} for o in ((), ("--mirrored",))]
    assert sides == [{(True, "Left"), (False, "Right")}, {(True, "Right"), (False, "Left")}]
    raw, smooth = track("--no-smooth", "--threads", "1"), track("--threads", "1")
    assert raw[8]["index_tip_x_px"] != smooth[8]["index_tip_x_px"]


def test_a_truncated_video_keeps_its_readable_frames_and_exits_1(tmp_path: Path, clip_frames: list[Image]) -> None:
    write_clip(tmp_path / "whole.mkv", clip_frames * 3, 30)
    whole = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    done = run("track", tmp_path / "cut.mkv", "--save", tmp_path / "kept.parquet", "--out", tmp_path / "kept.mp4")
    assert done.returncode == 1 and "breaks off after" in done.stderr and "kept.parquet" in done.stderr
    frames = {row["frame"] for row in parquet.read_table(tmp_path / "kept.parquet").to_pylist()}
    assert len(frames) > 10 and len(list(read(tmp_path / "kept.mp4"))) == len(frames)


def small(frames: list[Image]) -> list[Image]:
    """The frames at half their size, for long clips that take little time to write."""
    return [np.ascontiguousarray(frame[::2, ::2]) for frame in frames]


def test_ctrl_c_finishes_the_files(tmp_path: Path, clip_frames: list[Image]) -> None:
    write_clip(tmp_path / "long.mp4", small(clip_frames) * 80, 30)
    command = [*KNUCKLE, "track", str(tmp_path / "long.mp4"), "--out", str(tmp_path / "o.mp4")]
    command += ["--save", str(tmp_path / "o.parquet")]
    # Shells start what runs in the background deaf to Ctrl-C, and so do its children.
    hears = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hears)
    deadline = time.monotonic() + 60
    while not any(part.stat().st_size > 2_000 for part in tmp_path.glob("o.mp4.*.part")) and running.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, errors = running.communicate(timeout=60)
    assert running.returncode == 130 and "stopped" in errors and "Traceback" not in errors
    rows = parquet.read_table(tmp_path / "o.parquet").to_pylist()
    frames = len(list(read(tmp_path / "o.mp4")))
    assert 0 < frames < 2400 and f"frames   {frames}" in out
    assert max(row["frame"] for row in rows) == frames - 1 and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_ctrl_c_waits_until_a_frame_is_in_all_files_and_counted(networks: Networks, handler: Any) -> None:
    class Recorder:
        path = Path("none")
        frames = 0

        def __init__(self, interrupted: bool) -> None:
            self.interrupted = interrupted

        def write(self, frame: Frame, hands: list[Any]) -> None:
            if self.interrupted:
                signal.raise_signal(signal.SIGINT)
            self.frames += 1

    reader = Reader("nothing", "video", lambda reader: iter(()))
    files = [Recorder(False), Recorder(True), Recorder(False)]
    tracking = Run(reader, networks, TrackerOptions(), sinks=files)  # type: ignore[arg-type]
    before = signal.signal(signal.SIGINT, handler)
    try:
        with nullcontext() if handler == signal.SIG_IGN else pytest.raises(KeyboardInterrupt):
            tracking.write(Frame(two_hands(0.0), 0, 0.0, "nothing"), [])
        assert signal.getsignal(signal.SIGINT) == handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert [tracking.frames, *(file.frames for file in files)] == [1, 1, 1, 1]


def test_the_source_is_released_even_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[str] = []
    camera = Reader("camera 0", "live", lambda reader: iter(()), release=lambda: released.append("camera 0"))
    monkeypatch.setattr(knuckle.cli.track, "read", lambda source, live=None: camera)
    with pytest.raises(BundleError):
        knuckle.cli.track.track.main(["0", "--models", "missing"], standalone_mode=False)
    assert released == ["camera 0"]


def test_a_full_disk_is_one_line_and_exit_code_1(tmp_path: Path, clip_frames: list[Image]) -> None:
    resource = pytest.importorskip("resource")
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    write_clip(tmp_path / "noise.mp4", [np.roll(noise, 7 * k, axis=1) for k in range(60)], 30)

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    command = [*KNUCKLE, "track", str(tmp_path / "noise.mp4"), "--out", str(tmp_path / "o.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, preexec_fn=little_room)
    assert done.returncode == 1, done.stderr
    assert "o.mp4 cannot be written" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere.mp4",), "nowhere.mp4"),
        (("{clip}", "--max-hands", "0"), "max_hands"),
        (("{clip}", "--models", "mediapype"), "mediapipe-lite"),
        (("{clip}", "--device", "cuda"), "cuda"),
        (("{clip}", "--save", "hands.xlsx"), ".parquet"),
        (("{clip}", "--out", "hands.xyz"), ".mp4"),
        (("{clip}", "--out", "{clip}"), "source itself"),
        (("{clip}", "--save", "{clip}/hands.csv"), "hands.csv"),
        (("{clip}", "--min-presence", "2"), "min_presence"),
        (("",), "a source is"),
        (("foo://bar",), "foo://bar"),
        (("--wrong",), "--wrong"),
        ((), "SOURCE"),
    ],
)
def test_errors_are_one_line(clip: Path, arguments: tuple[str, ...], words: str) -> None:
    before = clip.read_bytes()
    assert words in one_line(run("track", *(a.replace("{clip}", str(clip)) for a in arguments)))
    assert clip.read_bytes() == before


def test_files_with_a_colon_and_tiny_videos(tmp_path: Path, clip: Path) -> None:
    shutil.copy(clip, tmp_path / "12:30.mp4")
    assert run("track", "12:30.mp4", "--out", "1:2.mp4", cwd=tmp_path).returncode == 0
    assert len(list(read(tmp_path / "1:2.mp4"))) == 30
    pictures = [pillow.fromarray(np.full((1, 1, 3), 90 * k, np.uint8)) for k in range(3)]
    pictures[0].save(tmp_path / "dot.gif", save_all=True, append_images=pictures[1:], duration=40)
    done = run("track", tmp_path / "dot.gif", "--out", tmp_path / "dot.mp4")
    assert done.returncode == 0 and len(list(read(tmp_path / "dot.mp4"))) == 3


def test_a_folder_is_not_written_into_itself(tmp_path: Path) -> None:
    pillow.fromarray(two_hands(0.0)).save(tmp_path / "photo.png")
    assert "is inside the source" in one_line(run("track", tmp_path, "--out", tmp_path / "out/"))


def test_an_unreadable_source_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "hands.csv").write_text("precious")
    one_line(run("track", tmp_path / "text.mp4", "--save", tmp_path / "hands.csv", "--out", tmp_path / "new.mp4"))
    assert (tmp_path / "hands.csv").read_text() == "precious" and not (tmp_path / "new.mp4").exists()


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_line(tmp_path: Path, clip: Path) -> None:
    tmp_path.chmod(0o500)
    assert "hands.csv" in one_line(run("track", clip, "--save", tmp_path / "hands.csv"))


def test_showing_without_a_screen_is_one_line(clip: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("other systems always have a screen")
    assert "screen" in one_line(run("track", clip, "--show", env={"DISPLAY": None, "WAYLAND_DISPLAY": None}))


@pytest.mark.skipif(not shutil.which("Xvfb") or not shutil.which("xdotool"), reason="needs Xvfb and xdotool")
def test_a_real_window_opens_and_q_quits(tmp_path: Path, clip_frames: list[Image]) -> None:
    write_clip(tmp_path / "long.mp4", small(clip_frames) * 40, 30)
    environment = {**os.environ, "DISPLAY": ":97"}
    screen = subprocess.Popen(["Xvfb", ":97", "-screen", "0", "1024x768x24"], stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        command = [*KNUCKLE, "track", str(tmp_path / "long.mp4"), "--show"]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        deadline = time.monotonic() + 60
        find = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "Knuckle"]
        window = subprocess.run(find, env=environment, capture_output=True, text=True, timeout=30).stdout.split()[0]
        while running.poll() is None:
            assert time.monotonic() < deadline
            press = ["xdotool", "key", "--window", window, "q"]
            subprocess.run(press, env=environment, check=False, capture_output=True)
            time.sleep(0.3)
        assert running.returncode == 0
    finally:
        screen.terminate()
        screen.wait()
