"""The gesture networks of MediaPipe's `gesture_recognizer.task`: an embedder, the canned and a custom classifier.

The file is a zip with two zips in it: `hand_landmarker.task`, and `hand_gesture_recognizer.task` with the networks
`gesture_embedder.tflite`, `canned_gesture_classifier.tflite` and, from Model Maker, `custom_gesture_classifier.tflite`.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knuckle.errors import BundleError, reason_of
from knuckle.geometry import turn
from knuckle.models.bundle import CANNED, CUSTOM, EMBEDDER, LANDMARKER, RECOGNIZER
from knuckle.models.cache import ZIP_DAMAGE, copy_up_to
from knuckle.models.foreign import MOST_BYTES, check_network
from knuckle.models.session import quiet_stderr
from knuckle.models.tflite import litert
from knuckle.results import FloatArray, Hand

CANNED_LABELS = ("None", "Closed_Fist", "Open_Palm", "Pointing_Up", "Thumb_Down", "Thumb_Up", "Victory", "ILoveYou")
MEMBERS = (LANDMARKER, RECOGNIZER, EMBEDDER, CANNED, CUSTOM)
MOST_LABELS = 1 << 16  # bytes of the names of all gestures
EPSILON = 1e-5  # of MediaPipe's LandmarksToMatrixCalculator
Scores = list[tuple[str, float]]


class TfliteFunction:
    """A tflite network as a function from arrays to its first output."""

    def __init__(self, network: bytes, name: str) -> None:
        check_network(network, name, pictures=False)
        with quiet_stderr("INFO: Created TensorFlow Lite XNNPACK delegate"):
            try:
                self._interpreter = litert("interpreter").Interpreter(model_content=network, num_threads=1)
                self._interpreter.allocate_tensors()
            except (ValueError, RuntimeError) as error:
                raise BundleError(f"{name} is not a network that LiteRT can run: {error}") from error
        self._inputs = self._interpreter.get_input_details()
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, *arrays: FloatArray) -> FloatArray:
        """The first output for arrays in the order of the inputs, each in the shape that the network has."""
        for detail, array in zip(self._inputs, arrays, strict=True):
            self._interpreter.set_tensor(detail["index"], array.astype(np.float32).reshape(detail["shape"]))
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output), np.float32)


@dataclass(frozen=True, eq=False)
class Classifier:
    """A classifier of embeddings and its labels."""

    network: TfliteFunction
    labels: tuple[str, ...]


class GestureModel:
    """The networks of a `gesture_recognizer.task`.

    Args:
        task: the bytes of the file.

    Raises:
        BundleError: the bytes are no such file, or a network in it cannot be run.
    """

    def __init__(self, task: bytes) -> None:
        members = _members(_members(task, "the file")[RECOGNIZER], RECOGNIZER)
        missing = [name for name in (EMBEDDER, CANNED) if name not in members]
        if missing:
            raise BundleError(f"{RECOGNIZER} holds no {' and no '.join(missing)}; it holds {', '.join(members)}")
        self.embed = TfliteFunction(members[EMBEDDER], EMBEDDER)
        self.canned = Classifier(TfliteFunction(members[CANNED], CANNED), labels_of(members[CANNED], CANNED_LABELS))
        self.custom: Classifier | None = None
        if custom := members.get(CUSTOM):
            self.custom = Classifier(TfliteFunction(custom, CUSTOM), labels_of(custom, ()))

    def scores(self, hand: Hand, size: tuple[int, int], turned_rad: float) -> tuple[Scores, Scores]:
        """Label and score of the custom gestures, if there are any, and of the canned ones.

        Args:
            hand: the hand, in pixels of an image that is not mirrored.
            size: (width, height) of the image.
            turned_rad: the clockwise rotation that makes the image upright.
        """
        # The package gives its embedder the probability of a right hand, as measured with networks that pass it on.
        right = hand.handedness_score if hand.handedness == "Right" else 1 - hand.handedness_score
        landmarks = hand.landmarks / np.float32(max(size))  # aspect ratio kept; only differences count
        landmarks[:, 2] = hand.landmarks[:, 2] / np.float32(size[0])  # z is in widths, and stays so
        rows = [_normalised(landmarks, turned_rad), np.array([right]), _normalised(hand.world, turned_rad)]
        embedding = self.embed(*rows)

        def of(classifier: Classifier) -> Scores:
            found = classifier.network(embedding).reshape(-1).tolist()
            known = len(classifier.labels) == len(found)  # else the file names no labels, or others
            labels = classifier.labels if known else tuple(str(k) for k in range(len(found)))
            return list(zip(labels, found, strict=True))

        return (of(self.custom) if self.custom else []), of(self.canned)


def landmarker_of(task: bytes) -> bytes:
    """The bytes of the `hand_landmarker.task` inside a `gesture_recognizer.task`.

    Raises:
        BundleError: it is not in there.
    """
    return _members(task, "the file")[LANDMARKER]


def is_gesture_task(task: bytes) -> bool:
    """Whether the bytes are a zip with the member that only gesture recognizers have."""
    try:
        with zipfile.ZipFile(io.BytesIO(task)) as archive:
            return RECOGNIZER in archive.namelist()
    except ZIP_DAMAGE:
        return False


def labels_of(network: bytes, usual: Sequence[str]) -> tuple[str, ...]:
    """The labels in a network's metadata, which is a zip behind it; `usual` where there is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(network)) as archive:
            texts = [name for name in archive.namelist() if name.endswith(".txt")]
            if texts:
                with archive.open(texts[0]) as file:
                    return tuple(file.read(MOST_LABELS).decode(errors="replace").splitlines())
    except ZIP_DAMAGE:
        pass
    return tuple(usual)


def _members(archive: bytes, name: str) -> dict[str, bytes]:
    found = {}
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            for member in MEMBERS:
                if member in opened.namelist():
                    out = io.BytesIO()
                    with opened.open(member) as source:
                        copy_up_to(MOST_BYTES, source, out)
                    found[member] = out.getvalue()
    except BundleError:
        raise
    except ZIP_DAMAGE as error:
        raise BundleError(f"{name} is not a gesture recognizer .task file ({reason_of(error)})") from error
    if name == "the file" and not {LANDMARKER, RECOGNIZER} <= set(found):
        raise BundleError(
            f"the file is not a gesture recognizer .task file: it needs {LANDMARKER} and {RECOGNIZER}, "
            f"it holds {', '.join(found) or 'nothing'}"
        )
    return found


def _normalised(points: FloatArray, turned_rad: float) -> FloatArray:
    """(21, 3) points turned, from the wrist, in units of the longer side of their box: LandmarksToMatrixCalculator."""
    moved = turn(points, turned_rad)
    moved = moved - moved[0]
    scale = float(np.ptp(moved[:, :2], axis=0).max()) + EPSILON
    return np.asarray(moved / scale, np.float32)
