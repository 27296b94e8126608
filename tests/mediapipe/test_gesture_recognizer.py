"""The Tasks GestureRecognizer: our own gestures, networks of a `.task` file, options, modes, errors."""

from __future__ import annotations

import io
import tempfile
import threading
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from knuckle.errors import BundleError
from knuckle.media.sources import load_image
from knuckle.mediapipe.tasks.gesture_model import GestureModel
from knuckle.tasks import (
    BaseOptions,
    ClassifierOptions,
    GestureRecognizer,
    GestureRecognizerOptions,
    GestureRecognizerResult,
    Image,
    ImageFormat,
    ImageProcessingOptions,
    RunningMode,
)

torch = pytest.importorskip("torch")
litert_torch = pytest.importorskip("litert_torch")

OWN = BaseOptions(model_asset_path="knuckle")


def recognizer(base: BaseOptions = OWN, mode: RunningMode = RunningMode.IMAGE, **options: Any) -> GestureRecognizer:
    return GestureRecognizer.create_from_options(GestureRecognizerOptions(base, mode, **options))


def name_in(result: GestureRecognizerResult) -> str | None:
    return result.gestures[0][0].category_name if result.gestures and result.gestures[0] else None


@pytest.fixture(scope="session")
def thumb_down(shared: Path) -> Image:
    """A photo of a thumb that points down."""
    for path in sorted((shared / "data/photos/gestures40").glob("none_*")):
        image = Image(ImageFormat.SRGB, load_image(path))
        if name_in(recognizer().recognize(image)) == "Thumb_Down":
            return image
    raise AssertionError("no photo shows a thumb that points down")


def test_our_own_network_gives_mediapipes_gestures(thumb_down: Image) -> None:
    with recognizer() as own:
        found = own.recognize(thumb_down)
    ((gesture,),) = found.gestures
    assert (gesture.index, gesture.category_name, gesture.display_name) == (-1, "Thumb_Down", "")
    assert gesture.score is not None and 0.4 < gesture.score <= 1
    assert len(found.handedness) == len(found.hand_landmarks) == len(found.hand_world_landmarks) == 1
    assert own.recognize(thumb_down) == GestureRecognizerResult([], [], [], [])


def test_up_is_up_in_the_upright_image(thumb_down: Image) -> None:
    pixels = thumb_down.numpy_view()
    for quarter_turns, turn in ((1, cv2.ROTATE_90_COUNTERCLOCKWISE), (2, cv2.ROTATE_180), (3, cv2.ROTATE_90_CLOCKWISE)):
        turned = Image(ImageFormat.SRGB, np.ascontiguousarray(cv2.rotate(pixels, turn)))
        with recognizer() as own:
            found = own.recognize(turned, ImageProcessingOptions(rotation_degrees=90 * quarter_turns))
        assert name_in(found) == "Thumb_Down", quarter_turns


def test_options_choose_gestures(thumb_down: Image) -> None:
    def name(**options: Any) -> str | None:
        return name_in(
            recognizer(canned_gestures_classifier_options=ClassifierOptions(**options)).recognize(thumb_down)
        )

    assert name(category_allowlist=["Thumb_Down", "Victory"]) == "Thumb_Down"
    assert name(category_denylist=["Thumb_Down"]) not in ("Thumb_Down", None)
    assert name(score_threshold=1.0) is None
    with pytest.raises(ValueError, match="mutually exclusive"):
        name(category_allowlist=["A"], category_denylist=["B"])
    with pytest.raises(ValueError, match="max_results"):
        name(max_results=0)


def test_deprecated_names_of_options() -> None:
    chosen = ClassifierOptions(score_threshold=0.3)
    options = GestureRecognizerOptions(OWN, canned_gesture_classifier_options=chosen)
    assert options.canned_gestures_classifier_options is options.canned_gesture_classifier_options is chosen
    options.custom_gesture_classifier_options = chosen
    assert options.custom_gestures_classifier_options is chosen
    with pytest.raises(ValueError, match="not both"):
        GestureRecognizerOptions(
            OWN, canned_gestures_classifier_options=chosen, canned_gesture_classifier_options=chosen
        )
    with pytest.raises(TypeError, match="unexpected keyword argument 'canned_options'"):
        GestureRecognizerOptions(OWN, canned_options=chosen)


def test_video_and_live_streams(thumb_down: Image) -> None:
    with recognizer(mode=RunningMode.VIDEO) as video:
        assert name_in(video.recognize_for_video(thumb_down, 0)) == "Thumb_Down"
        with pytest.raises(ValueError, match="monotonically"):
            video.recognize_for_video(thumb_down, 0)
        with pytest.raises(ValueError, match="image mode"):
            video.recognize(thumb_down)
    done, seen = threading.Event(), list[tuple[str | None, int]]()

    def callback(result: GestureRecognizerResult, image: Image, timestamp_ms: int) -> None:
        seen.append((name_in(result), timestamp_ms))
        done.set()

    with recognizer(mode=RunningMode.LIVE_STREAM, result_callback=callback) as live:
        live.recognize_async(thumb_down, 7)
        assert done.wait(60)
    assert seen == [("Thumb_Down", 7)]


class Embedder(torch.nn.Module):
    """Like MediaPipe's: landmarks, handedness, world landmarks -> an embedding, here simply all of them."""

    def forward(self, hand: Any, handedness: Any, world: Any) -> Any:
        return torch.cat([hand.reshape(1, 63), handedness, world.reshape(1, 63)], dim=1)


class ByRow(torch.nn.Module):
    """Probabilities from one number of the embedding each."""

    def __init__(self, rows: Sequence[int]) -> None:
        super().__init__()
        weights = torch.zeros(len(rows), 127)
        for k, row in enumerate(rows):
            weights[k, abs(row)] = 20.0 if row > 0 else -20.0
        self.weights = torch.nn.Parameter(weights)

    def forward(self, embedding: Any) -> Any:
        return torch.softmax(embedding @ self.weights.T, dim=1)


def tflite(network: Any, inputs: tuple[Any, ...], labels: Sequence[str] = ()) -> bytes:
    """The bytes of a converted network; labels are a zip behind it, as tflite metadata is."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("labels.txt", "\n".join(labels))
    return bytes(converted(network, inputs)) + (file.getvalue() if labels else b"")


def converted(network: Any, inputs: tuple[Any, ...]) -> bytes:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the converter's own packages
        path = Path(folder, "network.tflite")
        litert_torch.convert(network.eval(), inputs).export(str(path))
        return path.read_bytes()


@pytest.fixture(scope="session")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `gesture_recognizer.task` of the official structure, whose networks look at single landmarks."""
    import knuckle

    networks = knuckle.load("mediapipe").bundle
    folder = tmp_path_factory.mktemp("task")
    points = (torch.zeros(1, 21, 3), torch.zeros(1, 1), torch.zeros(1, 21, 3))
    thumb_y = 3 * 4 + 1
    members = {
        "gesture_embedder.tflite": tflite(Embedder(), points),
        # The thumb's tip above or below the wrist in the image.
        "canned_gesture_classifier.tflite": tflite(
            ByRow([-thumb_y, thumb_y]), (torch.zeros(1, 127),), ("Thumb_Up", "Thumb_Down")
        ),
        "custom_gesture_classifier.tflite": tflite(ByRow([-63, 63]), (torch.zeros(1, 127),), ("None", "right hand")),
    }

    def packed(files: dict[str, bytes]) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return file.getvalue()

    landmarker = {
        "hand_detector.tflite": (networks.folder / networks.palm.file).read_bytes(),
        "hand_landmarks_detector.tflite": (networks.folder / networks.hand.file).read_bytes(),
    }
    path = folder / "gesture_recognizer.task"
    path.write_bytes(
        packed({"hand_landmarker.task": packed(landmarker), "hand_gesture_recognizer.task": packed(members)})
    )
    return path


def test_the_networks_of_a_task_file_decide(task: Path, thumb_down: Image) -> None:
    with recognizer(BaseOptions(model_asset_path=str(task))) as theirs:
        found = theirs.recognize(thumb_down)
    assert len(found.gestures) == 1
    names = {"Thumb_Down", "right hand"}
    assert name_in(found) in names
    only_canned = ClassifierOptions(category_allowlist=["None"])
    with recognizer(
        BaseOptions(model_asset_buffer=task.read_bytes()), custom_gestures_classifier_options=only_canned
    ) as theirs:
        assert name_in(theirs.recognize(thumb_down)) == "Thumb_Down"


def test_the_embedder_gets_what_mediapipe_gives_it(task: Path, thumb_down: Image) -> None:
    import knuckle

    model = GestureModel(task.read_bytes())
    pixels = thumb_down.numpy_view()
    height, width = pixels.shape[:2]
    (hand,) = knuckle.detect(pixels, max_hands=1)
    given: list[np.ndarray] = []
    embed = model.embed
    model.embed = lambda *arrays: (given.extend(arrays), embed(*arrays))[1]  # type: ignore[assignment, func-returns-value]
    model.scores(hand, (width, height), 0.0)
    image, (right,), world = given
    for points in (image, world):
        assert points.shape == (21, 3) and not points[0].any()
        assert abs(np.ptp(points[:, :2], axis=0).max() - 1) < 0.01  # the box of the hand has a longer side of 1
    moved = hand.landmarks - hand.landmarks[0]
    scale = np.ptp(moved[:, :2], axis=0).max()
    np.testing.assert_allclose(image[:, :2], moved[:, :2] / scale, atol=0.01)
    np.testing.assert_allclose(image[:, 2], moved[:, 2] / scale * max(width, height) / width, atol=0.01)
    assert right == (hand.handedness_score if hand.handedness == "Right" else 1 - hand.handedness_score)


def test_damaged_task_files_are_refused(tmp_path: Path, task: Path) -> None:
    inner = zipfile.ZipFile(task).read("hand_landmarker.task")
    path = tmp_path / "half.task"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hand_landmarker.task", inner)
        archive.writestr("hand_gesture_recognizer.task", b"no zip")
    with pytest.raises(BundleError, match=r"hand_gesture_recognizer\.task is not a gesture recognizer"):
        recognizer(BaseOptions(model_asset_path=str(path)))
    with pytest.raises(FileNotFoundError):
        recognizer(BaseOptions(model_asset_path=str(tmp_path / "absent.task")))
    with pytest.raises(ValueError, match="no model"):
        recognizer(BaseOptions())
