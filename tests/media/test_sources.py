from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, ClassVar

import av
import numpy as np
import pytest
from conftest import two_hands, write_clip
from PIL import Image as pillow

import knuckle
from knuckle import SourceError
from knuckle.images import Image
from knuckle.media.sources import in_background, load_image, read
from knuckle.results import Frame

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def test_16_bit_gray_files_keep_their_high_byte(tmp_path: Path) -> None:
    deep = (PICTURE[..., 0].astype(np.uint16) << 8) + 77
    pillow.fromarray(deep).save(tmp_path / "deep.png")
    assert np.array_equal(load_image(tmp_path / "deep.png")[..., 1], PICTURE[..., 0])


def test_arrays_and_pillow_images_are_sources() -> None:
    for source in (PICTURE, pillow.fromarray(PICTURE)):
        (frame,) = read(source)
        assert np.array_equal(frame.image, PICTURE)


def test_folders_and_globs_skip_bad_files_and_report_them(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    for name in ("a.png", "c.png", "deeper/d.png"):
        pillow.fromarray(PICTURE).save(tmp_path / name)
    (tmp_path / "b.jpg").write_text("this is not a photo")
    (tmp_path / "notes.txt").write_text("nor is this")
    reader = read(tmp_path, recursive=True)
    assert [Path(frame.source).name for frame in reader] == ["a.png", "c.png", "d.png"]
    (problem,) = reader.problems
    assert "b.jpg" in str(problem) and "this is not" in str(problem)
    assert len(list(read(str(tmp_path / "*.png")))) == 2
    assert len(list(read(str(tmp_path / "**" / "*.png")))) == 3


def test_a_clip_comes_with_its_count_rate_and_times(clip: Path, clip_frames: list[Image]) -> None:
    reader = read(clip)
    frames = list(reader)
    assert (reader.kind, reader.frame_count) == ("video", 30)
    assert reader.rate == pytest.approx(15, abs=0.01) and reader.duration_s == pytest.approx(2, abs=0.1)
    assert [frame.index for frame in frames] == list(range(30))
    assert np.allclose([frame.time_s for frame in frames], np.arange(30) / 15, atol=1e-3)
    assert np.abs(frames[7].image.astype(int) - clip_frames[7]).mean() < 6


def test_uneven_time_stamps_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.05, 0.2, 0.21, 0.5]
    write_clip(tmp_path / "uneven.mkv", [PICTURE] * 5, 30, times=times)
    assert np.allclose([frame.time_s for frame in read(tmp_path / "uneven.mkv")], times, atol=1e-3)


def test_the_rotation_of_a_video_is_applied(tmp_path: Path) -> None:
    image = two_hands(0.5, 64, 48)
    path = tmp_path / "upright.mp4"
    write_clip(path, [image] * 3, 30)
    turned = tmp_path / "turned.mp4"
    with av.open(str(path)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        if not hasattr(stream, "set_display_rotation"):
            pytest.skip("this PyAV cannot write a rotation mark")
        stream.set_display_rotation(90)
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    frame = next(iter(read(turned)))
    assert np.abs(frame.image.astype(int) - np.rot90(image)).mean() < 8


def test_a_truncated_video_gives_its_frames_and_then_an_error(tmp_path: Path, clip_frames: list[Image]) -> None:
    whole, cut = tmp_path / "whole.mkv", tmp_path / "cut.mkv"
    write_clip(whole, clip_frames * 3, 30)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    received = []
    with pytest.raises(SourceError, match=r"cut\.mkv breaks off after"):
        for frame in read(cut):
            received.append(frame.index)
    assert 10 < len(received) < 90


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.jpg", b"", "empty"),
        ("text.jpg", b"hello, I am text", "hello"),
        ("text.mp4", b"hello, I am text" * 100, "hello"),
        ("empty.mp4", b"", "empty"),
        ("notes.dat", b"hello", "cannot be opened"),
    ],
)
def test_files_with_a_wrong_suffix_are_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=words) as caught:
        list(read(tmp_path / name))
    assert name in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(OSError):
        list(read(tmp_path / name))


def test_a_truncated_jpeg_is_named(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    pillow.fromarray(two_hands(0.5)).save(path)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(SourceError, match=r"photo\.jpg.*cut off"):
        load_image(path)


@pytest.mark.parametrize(
    "source", ["nowhere.mp4", "nowhere/*.png", "http://127.0.0.1:9/clip.mp4", "rtsp://127.0.0.1:9/x"]
)
def test_missing_sources_are_named(source: str) -> None:
    with pytest.raises(SourceError, match=source.split("/")[0]):
        list(read(source))


def test_a_folder_without_images_and_a_missing_camera_are_errors(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SourceError, match="no photos or clips"):
        read(tmp_path)
    with pytest.raises(SourceError, match="camera 97"):
        read("97")


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stand-in for OpenCV's camera, which gives three frames each time it is opened."""
    import cv2

    class Camera:
        opened: ClassVar[list[Camera]] = []

        def __init__(self, number: int) -> None:
            self.released, self.frames = False, 3
            self.opened.append(self)

        def isOpened(self) -> bool:
            return True

        def get(self, key: int) -> float:
            return 25.0

        def read(self) -> tuple[bool, Image | None]:
            self.frames -= 1
            time.sleep(0.05)
            return (True, PICTURE[..., ::-1].copy()) if self.frames >= 0 else (False, None)

        def release(self) -> None:
            self.released = True

    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    return Camera


def test_an_unplugged_camera_gives_its_frames_and_then_an_error(camera: Any) -> None:
    reader, received = read(0), []
    assert (reader.kind, reader.name, reader.rate) == ("live", "camera 0", 25.0)
    with pytest.raises(SourceError, match="camera 0 stopped after 3 frames"):
        for frame in reader:
            received.append(frame)
    assert [frame.index for frame in received] == [0, 1, 2] and np.array_equal(received[0].image, PICTURE)
    assert received[0].time_s < received[1].time_s < received[2].time_s
    assert [one.released for one in camera.opened] == [True]


def test_a_camera_is_opened_once_and_released_by_close(camera: Any) -> None:
    with read(0) as reader:
        assert len(camera.opened) == 1 and not camera.opened[0].released
    assert camera.opened[0].released
    with read(0, live=False) as reader:
        frames = iter(reader)
        next(frames)
        assert len(camera.opened) == 2 and not camera.opened[1].released
    assert camera.opened[1].released
    for _ in range(2):
        with pytest.raises(SourceError, match="after 3 frames"):
            list(reader)
    assert len(camera.opened) == 4 and all(one.released for one in camera.opened)


def test_a_clip_over_http(clip: Path) -> None:
    import threading
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(clip.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/{clip.name.replace(' ', '%20')}"
        assert len(list(read(address))) == 30
    finally:
        server.shutdown()
        server.server_close()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("kind", ["clip", "live clip", "folder", "animation", "image"])
def test_each_iteration_starts_at_the_beginning(clip: Path, tmp_path: Path, kind: str) -> None:
    pictures = [pillow.fromarray(np.full((20, 30, 3), 60 * k, np.uint8)) for k in range(4)]
    if kind == "animation":
        pictures[0].save(tmp_path / "moving.gif", save_all=True, append_images=pictures[1:], duration=40)
    for name in ("a.png", "c.png"):
        pictures[0].save(tmp_path / name)
    (tmp_path / "b.jpg").write_text("this is not a photo")
    sources = {"clip": clip, "live clip": clip, "folder": tmp_path, "animation": tmp_path / "moving.gif"}
    reader = read(sources.get(kind, PICTURE), live=kind == "live clip")
    first = [(frame.index, frame.time_s, frame.image.sum()) for frame in reader]
    again = [(frame.index, frame.time_s, frame.image.sum()) for frame in reader]
    assert len(first) > 0 and len(reader.problems) == (kind == "folder")
    assert first[-1] == again[-1] if kind == "live clip" else first == again


def test_two_iterations_of_one_clip_do_not_disturb_each_other(clip: Path) -> None:
    reader = read(clip)
    assert [(a.index, b.index) for a, b in zip(reader, reader, strict=True)] == [(k, k) for k in range(30)]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_readers_open_files_when_iterated_and_close_closes_them(clip: Path) -> None:
    before = open_files()
    waiting = [read(clip) for _ in range(5)]
    assert open_files() == before
    frames = [iter(reader) for reader in waiting]
    assert [next(iterator).index for iterator in frames] == [0] * 5 and open_files() > before
    for reader in waiting:
        reader.close()
    assert open_files() == before
    assert [list(iterator) for iterator in frames] == [[]] * 5
    with read(clip, live=True) as reader:
        assert next(iter(reader)) is not None
    assert open_files() == before


def test_a_live_source_gives_the_newest_frame(clip: Path) -> None:
    reader = read(clip, live=True)
    received = []
    for frame in reader:
        received.append(frame.index)
        time.sleep(0.05)  # slower than decoding
    assert reader.kind == "live" and received == sorted(received)
    assert len(received) < 30 and received[-1] == 29


def test_a_background_thread_keeps_the_order_and_raises_errors() -> None:
    def frames() -> object:
        yield from (Frame(PICTURE, k) for k in range(20))
        raise SourceError("broke")

    received = []
    with pytest.raises(SourceError, match="broke"):
        for frame in in_background(frames(), depth=3):
            received.append(frame.index)
    assert received == list(range(20))


def test_leaving_the_loop_early_closes_the_source() -> None:
    closed = []

    def frames() -> object:
        try:
            yield from (Frame(PICTURE, k) for k in range(1000))
        finally:
            closed.append(True)

    for frame in in_background(frames(), depth=3):
        if frame.index == 5:
            break
    assert closed == [True]


def test_read_is_public() -> None:
    assert knuckle.read is read
