"""The Tasks API: agreement with the reference, modes, errors, and live streams."""

from __future__ import annotations

import json
import logging
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import two_hands
from PIL import Image as pillow
from scene import blank, draw_hand
from test_solutions import networks_that_see

import knuckle
from knuckle.media.sources import load_image
from knuckle.mediapipe.graphs import tasks_detection, tasks_tracking
from knuckle.mediapipe.tasks import hand_landmarker
from knuckle.pipeline.palm import UPRIGHT_RAD
from knuckle.pipeline.tracker import Networks
from knuckle.tasks import (
    BaseOptions,
    Category,
    HandLandmark,
    HandLandmarker,
    HandLandmarkerOptions,
    HandLandmarkerResult,
    HandLandmarksConnections,
    Image,
    ImageFormat,
    ImageProcessingOptions,
    Landmark,
    NormalizedLandmark,
    RunningMode,
)

FRAME = Image(ImageFormat.SRGB, np.zeros((100, 200, 3), np.uint8))
MODELS = BaseOptions(model_asset_path="mediapipe")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Networks:
    networks = networks_that_see([[3.0]], [0.9])
    monkeypatch.setattr(hand_landmarker, "load", lambda models, device: networks)
    return networks


def landmarker(mode: RunningMode = RunningMode.IMAGE, **options: Any) -> HandLandmarker:
    return HandLandmarker.create_from_options(HandLandmarkerOptions(MODELS, mode, **options))


def pixels(result: HandLandmarkerResult, width: int, height: int) -> np.ndarray:
    points = [[(point.x, point.y) for point in hand] for hand in result.hand_landmarks]
    return np.array(points).reshape(len(points), 21, 2) * [width, height]


def errors_of(result: HandLandmarkerResult, image: np.ndarray, expected: dict[str, Any]) -> list[float]:
    want = np.array(expected["landmarks"]).reshape(-1, 21, 3)[..., :2] * [image.shape[1], image.shape[0]]
    return np.abs(pixels(result, image.shape[1], image.shape[0]) - want).max(axis=(1, 2)).tolist()


def test_stills_agree_with_the_reference(shared: Path) -> None:
    oracle = json.loads((shared / "oracle" / "tasks_stills.json").read_text())
    errors = []
    with landmarker(num_hands=2) as still:
        for name, expected in oracle.items():
            image = load_image(shared / "data" / "photos" / "gestures40" / name)
            result = still.detect(Image(ImageFormat.SRGB, image))
            sides = [(side.index, side.category_name, side.display_name) for (side,) in result.handedness]
            assert sides == [(index, label, shown) for ((index, _, label, shown),) in expected["handedness"]], name
            errors += errors_of(result, image, expected)
    assert len(errors) == 40 and max(errors) < 0.5 and np.median(errors) < 0.05


def test_clips_agree_with_the_reference(shared: Path) -> None:
    oracle = json.loads((shared / "oracle" / "tasks_clips.json").read_text())
    errors = []
    for key, frames in oracle.items():
        name, num_hands = key.split("|")
        with landmarker(RunningMode.VIDEO, num_hands=int(num_hands)) as video:
            for number, expected in enumerate(frames):
                image = load_image(shared / "oracle" / "clips" / name[:-4] / f"{number:02d}.png")
                result = video.detect_for_video(Image(ImageFormat.SRGB, image), number * 33)
                assert len(result.hand_landmarks) == len(expected["landmarks"]), (name, number)
                errors += errors_of(result, image, expected)
    assert len(errors) == 108 and max(errors) < 1.5 and np.median(errors) < 0.05


def test_a_result_is_three_lists_for_each_hand(fake: Networks) -> None:
    result = landmarker().detect(FRAME)
    (side,), (points,), (world,) = result.handedness[0], result.hand_landmarks, result.hand_world_landmarks
    assert (side.index, side.category_name, side.display_name, side.score) == (0, "Right", "Right", 0.75)
    assert len(points) == len(world) == 21
    tip = points[HandLandmark.INDEX_FINGER_TIP]
    assert isinstance(tip.x, float) and tip.visibility is tip.presence is tip.name is None
    assert (
        repr(world[0]) == f"Landmark(x={world[0].x}, y={world[0].y}, z=0.0, visibility=None, presence=None, name=None)"
    )


def test_no_hand_is_three_empty_lists(fake: Networks) -> None:
    assert landmarker(min_hand_detection_confidence=2.0).detect(FRAME) == HandLandmarkerResult([], [], [])


def test_connections_are_those_of_the_newest_version() -> None:
    pairs = [(one.start, one.end) for one in HandLandmarksConnections.HAND_CONNECTIONS]
    assert pairs[:3] == [(0, 1), (0, 5), (9, 13)] and set(pairs) == set(knuckle.HAND_CONNECTIONS) and len(pairs) == 21
    assert repr(HandLandmarksConnections.HAND_THUMB_CONNECTIONS[0]) == (
        "HandLandmarksConnections.Connection(start=1, end=2)"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"running_mode": RunningMode.LIVE_STREAM}, "callback must be provided"),
        ({"result_callback": print}, "should not be provided"),
        ({"running_mode": RunningMode.VIDEO, "result_callback": print}, "should not be provided"),
        ({"running_mode": "VIDEO"}, "must be a RunningMode"),
        ({"min_hand_presence_confidence": 1.1}, "min_hand_presence_confidence"),
        ({"running_mode": RunningMode.VIDEO, "min_tracking_confidence": 0.0}, "min_tracking_confidence"),
        ({"running_mode": RunningMode.VIDEO, "min_tracking_confidence": 1.1}, "min_tracking_confidence"),
        ({"base_options": BaseOptions()}, "model_asset_path"),
    ],
)
def test_bad_options_are_value_errors(fake: Networks, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        HandLandmarker.create_from_options(HandLandmarkerOptions(**{"base_options": MODELS, **options}))


def test_options_that_the_reference_accepts_are_accepted(fake: Networks) -> None:
    landmarker(min_tracking_confidence=7.0, min_hand_detection_confidence=-1.0)
    with pytest.raises(RuntimeError, match="greater than or equal to 1"):
        landmarker(num_hands=0)
    with pytest.raises(TypeError):
        landmarker(num_hands=1.5)


def test_each_method_belongs_to_its_mode(fake: Networks) -> None:
    calls = {
        RunningMode.IMAGE: lambda one: one.detect(FRAME),
        RunningMode.VIDEO: lambda one: one.detect_for_video(FRAME, 1),
        RunningMode.LIVE_STREAM: lambda one: one.detect_async(FRAME, 1),
    }
    for mode, right in calls.items():
        callback = (lambda *args: None) if mode is RunningMode.LIVE_STREAM else None
        with landmarker(mode, result_callback=callback) as one:
            for other, call in calls.items():
                if other is not mode:
                    current = mode.value.lower().replace("_", " ")
                    with pytest.raises(ValueError, match=f"Current running mode:{current} mode"):
                        call(one)
            right(one)


def test_time_stamps_must_increase_and_an_error_changes_nothing(fake: Networks) -> None:
    video = landmarker(RunningMode.VIDEO)
    video.detect_for_video(FRAME, -5)
    for time_ms in (-5, -6):
        with pytest.raises(ValueError, match="monotonically increasing"):
            video.detect_for_video(FRAME, time_ms)
    assert video.detect_for_video(FRAME, 0).handedness


def test_a_closed_landmarker_returns_empty_results(fake: Networks) -> None:
    empty = HandLandmarkerResult([], [], [])
    with landmarker() as still, landmarker(RunningMode.VIDEO) as video:
        assert still.detect(FRAME) != empty
    assert still.detect(FRAME) == video.detect_for_video(FRAME, 1) == empty
    still.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (ImageProcessingOptions(rotation_degrees=45), "multiple of 90°"),
        (ImageProcessingOptions(region_of_interest=(0, 0, 1, 1)), "region-of-interest"),
    ],
)
def test_unsupported_processing_options_are_errors(fake: Networks, options: ImageProcessingOptions, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        landmarker().detect(FRAME, options)


def test_gray_images_are_errors_and_alpha_is_ignored(fake: Networks) -> None:
    still = landmarker()
    with pytest.raises(ValueError, match="SRGB or SRGBA"):
        still.detect(Image(ImageFormat.GRAY8, np.zeros((50, 50), np.uint8)))
    assert still.detect(Image(ImageFormat.SRGBA, np.zeros((100, 200, 4), np.uint8))) == still.detect(FRAME)


@pytest.mark.parametrize("degrees", [90, 180, 270, -90, 360])
def test_a_turned_image_gives_the_same_hands_turned(networks: Networks, degrees: int) -> None:
    image = draw_hand(blank(), 300, 220, 240)
    with landmarker(upright_rad=UPRIGHT_RAD) as still:
        straight = pixels(still.detect(Image(ImageFormat.SRGB, image)), 640, 480)
        lying = np.ascontiguousarray(np.rot90(image, degrees // 90))
        options = ImageProcessingOptions(rotation_degrees=degrees)
        found = pixels(still.detect(Image(ImageFormat.SRGB, lying), options), lying.shape[1], lying.shape[0])
    x, y = straight[..., 0], straight[..., 1]
    expected = {0: (x, y), 1: (y, 640 - x), 2: (640 - x, 480 - y), 3: (480 - y, x)}
    assert np.abs(found - np.stack(expected[degrees // 90 % 4], axis=-1)).max() < 3


def test_video_returns_no_more_hands_than_the_maximum(fake: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = networks_that_see([[-99, -99, 3.0], [3.0, 2.0]], [0.9])
    monkeypatch.setattr(hand_landmarker, "load", lambda models, device: networks)
    video = landmarker(RunningMode.VIDEO, num_hands=2)
    assert [len(video.detect_for_video(FRAME, k).handedness) for k in range(3)] == [1, 2, 2]
    assert len(networks.palm.calls) == 2  # type: ignore[attr-defined]


def test_new_hands_are_cropped_rotated_by_default(fake: Networks) -> None:
    turned, straight = (tasks_detection(fake, upright_rad=angle) for angle in (90.0, UPRIGHT_RAD))
    image = FRAME.numpy_view()
    (one,), (other,) = turned(image, 0), straight(image, 0)
    assert np.isclose(one.roi.angle_rad - other.roi.angle_rad, 90 % (2 * np.pi) - np.pi / 2)
    assert landmarker().detect(FRAME) != landmarker(upright_rad=UPRIGHT_RAD).detect(FRAME)


def test_a_palm_in_a_tracked_region_is_ignored(networks: Networks) -> None:
    image = draw_hand(blank(), 300, 240, 240)
    graph = tasks_tracking(networks, max_hands=2)
    assert [len(graph(image, 0)) for _ in range(4)] == [1] * 4


def test_images_keep_a_copy_that_cannot_be_written() -> None:
    data = np.zeros((4, 6, 3), np.uint8)
    image = Image(image_format=ImageFormat.SRGB, data=data)
    data[1, 2, 0] = 9
    assert image[1, 2, 0] == 0 and (image.width, image.height, image.channels) == (6, 4, 3)
    with pytest.raises(ValueError, match="read-only"):
        image.numpy_view()[0, 0, 0] = 1
    with pytest.raises(ValueError, match="Invalid index dimension"):
        _ = image[0, 0]
    assert Image(ImageFormat.GRAY8, data[..., :1]).numpy_view().shape == (4, 6)


@pytest.mark.parametrize(
    ("image_format", "data"),
    [
        (ImageFormat.SRGB, np.zeros((4, 6), np.uint8)),
        (ImageFormat.SRGB, np.zeros((4, 6, 4), np.uint8)),
        (ImageFormat.SRGB, np.zeros((4, 6, 3), np.float32)),
        (ImageFormat.GRAY16, np.zeros((4, 6), np.uint8)),
        (ImageFormat.UNKNOWN, np.zeros((4, 6, 3), np.uint8)),
    ],
)
def test_pixels_must_have_the_format_of_the_image(image_format: ImageFormat, data: np.ndarray) -> None:
    with pytest.raises(ValueError):
        Image(image_format, data)


def test_images_come_from_files(tmp_path: Path) -> None:
    color = np.random.default_rng(0).integers(0, 255, (5, 7, 4), np.uint8)
    for name, data, image_format in (
        ("rgb.png", color[..., :3], ImageFormat.SRGB),
        ("rgba.png", color, ImageFormat.SRGBA),
        ("gray.png", color[..., 0], ImageFormat.GRAY8),
    ):
        swapped = data if data.ndim == 2 else data[..., [2, 1, 0, *([3] if data.shape[2] == 4 else [])]]
        cv2.imwrite(str(tmp_path / name), swapped)
        image = Image.create_from_file(str(tmp_path / name))
        assert image.image_format == image_format and np.array_equal(image.numpy_view(), data)
    (tmp_path / "junk.png").write_text("junk")
    with pytest.raises(RuntimeError, match="Failed to load image"):
        Image.create_from_file(tmp_path / "junk.png")
    with pytest.raises(FileNotFoundError):
        Image.create_from_file(tmp_path / "nothing.png")


def test_a_burst_of_live_frames_gives_the_first_and_the_last_one(fake: Networks) -> None:
    received: list[tuple[int, Image]] = []
    started, go_on = threading.Event(), threading.Event()

    def callback(result: HandLandmarkerResult, image: Image, time_ms: int) -> None:
        received.append((time_ms, image))
        started.set()
        go_on.wait(10)

    live = landmarker(RunningMode.LIVE_STREAM, result_callback=callback)
    frames = [Image(ImageFormat.SRGB, FRAME.numpy_view()) for _ in range(30)]
    for time_ms, frame in enumerate(frames):
        live.detect_async(frame, time_ms)
        assert started.wait(10)
    with pytest.raises(ValueError, match="monotonically increasing"):
        live.detect_async(frames[0], 29)
    go_on.set()
    live.close()
    assert received == [(0, frames[0]), (29, frames[29])]
    live.detect_async(frames[0], 99)
    assert len(received) == 2


def test_every_live_frame_gets_a_result_if_there_is_time(fake: Networks) -> None:
    received: list[int] = []
    done = threading.Semaphore(0)

    def callback(result: HandLandmarkerResult, image: Image, time_ms: int) -> None:
        assert len(result.handedness) == 1
        received.append(time_ms)
        done.release()

    with landmarker(RunningMode.LIVE_STREAM, result_callback=callback) as live:
        for time_ms in range(20):
            live.detect_async(FRAME, time_ms)
            assert done.acquire(timeout=10)
    assert received == list(range(20))


def test_a_callback_may_fail_or_close_its_landmarker(fake: Networks, caplog: pytest.LogCaptureFixture) -> None:
    received, done = [], threading.Semaphore(0)

    def callback(result: HandLandmarkerResult, image: Image, time_ms: int) -> None:
        received.append(time_ms)
        done.release()
        if time_ms == 0:
            raise KeyError("of the caller")
        live.close()

    live = landmarker(RunningMode.LIVE_STREAM, result_callback=callback)
    with caplog.at_level(logging.ERROR, "knuckle"):
        for time_ms in range(2):
            live.detect_async(FRAME, time_ms)
            assert done.acquire(timeout=10)
        live.close()
    assert received == [0, 1] and "callback failed" in caplog.text


@pytest.fixture
def task_file(networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `.task` file like the official one; imported bundles go to a temporary cache."""
    path = tmp_path / "hand_landmarker.task"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(networks.bundle.palm_path, "hand_detector.tflite")
        archive.write(networks.bundle.hand_path, "hand_landmarks_detector.tflite")
    monkeypatch.setenv("KNUCKLE_CACHE", str(tmp_path / "cache"))
    return path


def test_models_come_from_a_file_its_bytes_or_a_folder(task_file: Path, networks: Networks) -> None:
    image = Image(ImageFormat.SRGB, two_hands(0.5))
    results = [HandLandmarker.create_from_model_path(str(task_file)).detect(image)]
    for options in (
        BaseOptions(model_asset_buffer=task_file.read_bytes()),
        BaseOptions(model_asset_path=str(networks.bundle.folder), delegate=BaseOptions.Delegate.CPU),
    ):
        results.append(HandLandmarker.create_from_options(HandLandmarkerOptions(options)).detect(image))
    assert results[0] == results[1] == results[2] and len(results[0].handedness) == 1


def test_missing_models_raise_file_not_found(tmp_path: Path, networks: Networks) -> None:
    with pytest.raises(FileNotFoundError, match="Unable to open file at"):
        HandLandmarker.create_from_model_path(str(tmp_path / "nothing.task"))
    with pytest.raises(FileNotFoundError, match="not a hand landmarker"):
        HandLandmarker.create_from_model_path(str(networks.bundle.palm_path))


def test_options_can_be_varied(fake: Networks) -> None:
    options = HandLandmarkerOptions(MODELS)
    assert options.num_hands == 1 and options.running_mode is RunningMode.IMAGE
    assert HandLandmarker.create_from_options(replace(options, num_hands=3)).detect(FRAME).handedness


def test_containers_become_messages_and_back() -> None:
    point, category = NormalizedLandmark(0.25, 0.5, -0.125, 0.75), Category(1, 0.5, "left", "Left")
    assert point.to_pb2().HasField("visibility") and not point.to_pb2().HasField("presence")
    assert NormalizedLandmark.create_from_pb2(point.to_pb2()) == replace(point, presence=0.0)
    assert Landmark.create_from_pb2(Landmark(1.0, 2.0, 3.0).to_pb2()) == Landmark(1.0, 2.0, 3.0, 0.0, 0.0)
    assert Category.create_from_pb2(category.to_pb2()) == category and category.to_pb2().label == "Left"


@pytest.mark.parametrize(("suffix", "size"), [("jpg", (40, 60)), ("png", (60, 40))])
def test_photos_are_rotated_as_their_orientation_says(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    picture = pillow.new("RGB", (60, 40))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / f"photo.{suffix}", exif=exif)
    image = Image.create_from_file(tmp_path / f"photo.{suffix}")
    assert (image.width, image.height) == size  # MediaPipe 1.2.3 leaves PNG files as they are
