"""The Tasks HandLandmarker for single images, video, and live streams with a callback."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, starmap
from pathlib import Path
from typing import ClassVar

from knuckle.errors import BundleError, InputError
from knuckle.mediapipe.graphs import (
    FINGER_CONNECTIONS,
    PALM_CONNECTIONS,
    TASKS_UPRIGHT_RAD,
    HandLandmark,
)
from knuckle.mediapipe.tasks.containers import (
    BaseOptions,
    Category,
    ImageProcessingOptions,
    Landmark,
    NormalizedLandmark,
)
from knuckle.mediapipe.tasks.image import Image
from knuckle.mediapipe.tasks.task import HandTask, HandTaskOptions, RunningMode, check_options, lists_of
from knuckle.models import catalogue
from knuckle.pipeline.tracker import Networks, load
from knuckle.results import Hand

__all__ = [
    "HandLandmark",
    "HandLandmarker",
    "HandLandmarkerOptions",
    "HandLandmarkerResult",
    "HandLandmarksConnections",
    "ImageProcessingOptions",
    "RunningMode",
]

VisionTaskRunningMode = RunningMode  # its name in the module that defines it in MediaPipe


class ModelFileError(BundleError, FileNotFoundError):
    """A model file that is missing or contains no hand landmarker."""


class HandLandmarksConnections:
    """The connections between landmarks, as in MediaPipe 1.2; earlier versions had (1, 5) in the palm, not (0, 5)."""

    @dataclass
    class Connection:
        """The indices of two landmarks."""

        start: int
        end: int

    HAND_PALM_CONNECTIONS: ClassVar = [*starmap(Connection, PALM_CONNECTIONS)]
    HAND_THUMB_CONNECTIONS: ClassVar = [*starmap(Connection, FINGER_CONNECTIONS["thumb"])]
    HAND_INDEX_FINGER_CONNECTIONS: ClassVar = [*starmap(Connection, FINGER_CONNECTIONS["index"])]
    HAND_MIDDLE_FINGER_CONNECTIONS: ClassVar = [*starmap(Connection, FINGER_CONNECTIONS["middle"])]
    HAND_RING_FINGER_CONNECTIONS: ClassVar = [*starmap(Connection, FINGER_CONNECTIONS["ring"])]
    HAND_PINKY_FINGER_CONNECTIONS: ClassVar = [*starmap(Connection, FINGER_CONNECTIONS["pinky"])]
    HAND_CONNECTIONS: ClassVar = [*starmap(Connection, (*PALM_CONNECTIONS, *chain(*FINGER_CONNECTIONS.values())))]


@dataclass
class HandLandmarkerResult:
    """Lists with one entry per hand.

    Attributes:
        handedness: for each hand a list with one Category. It assumes an image that is not mirrored.
        hand_landmarks: for each hand 21 landmarks in image widths and heights.
        hand_world_landmarks: for each hand 21 landmarks in metres.
    """

    handedness: list[list[Category]]
    hand_landmarks: list[list[NormalizedLandmark]]
    hand_world_landmarks: list[list[Landmark]]


Callback = Callable[[HandLandmarkerResult, Image, int], None]


@dataclass
class HandLandmarkerOptions(HandTaskOptions):
    """Options of a HandLandmarker.

    Attributes:
        base_options: the models.
        running_mode: decides which method may be called.
        num_hands: maximum number of hands.
        min_hand_detection_confidence: minimum palm score; not range-checked.
        min_hand_presence_confidence: minimum presence of a hand in its crop, 0..1.
        min_tracking_confidence: a palm is ignored if its region overlaps that of a tracked hand by more than this
            intersection over union. For video and live streams it must be above 0 and at most 1.
        result_callback: for live streams; receives the result, the image and its time stamp in another thread.
        upright_rad: not in MediaPipe. With `UPRIGHT_RAD` crops of new hands are upright; MediaPipe rotates them by 26.6
            degrees, which is the default.
    """

    result_callback: Callback | None = None
    upright_rad: float = TASKS_UPRIGHT_RAD


class HandLandmarker(HandTask[HandLandmarkerResult]):
    """Detects hands in images, or tracks them through a video or a live stream; see `create_from_options`.

    After `close` all results are empty.
    """

    def __init__(self, networks: Networks, options: HandLandmarkerOptions) -> None:
        super().__init__(networks, options, options.result_callback, options.upright_rad)

    @classmethod
    def create_from_model_path(cls, model_path: str) -> HandLandmarker:
        """Create a landmarker for single images with default options. It raises what `create_from_options` raises."""
        return cls.create_from_options(HandLandmarkerOptions(BaseOptions(model_asset_path=model_path)))

    @classmethod
    def create_from_options(cls, options: HandLandmarkerOptions) -> HandLandmarker:
        """Create a landmarker.

        Raises:
            ValueError: an option is out of range, a callback is missing or not allowed, or there is no model.
            FileNotFoundError: the model file is missing or contains no hand landmarker.
            RefusedError: `num_hands` is below 1 (a RuntimeError).
        """
        check_options(options, options.result_callback)
        return cls(networks_of(options.base_options), options)

    def detect(
        self, image: Image, image_processing_options: ImageProcessingOptions | None = None
    ) -> HandLandmarkerResult:
        """Find the hands of one image, ordered by palm score.

        Raises:
            ValueError: the mode is not IMAGE, the image is neither SRGB nor SRGBA, or an option is not supported.
        """
        return self._detect(image, image_processing_options)

    def detect_for_video(
        self, image: Image, timestamp_ms: int, image_processing_options: ImageProcessingOptions | None = None
    ) -> HandLandmarkerResult:
        """Find the hands of the next frame of a video.

        Raises:
            ValueError: the mode is not VIDEO, or `timestamp_ms` does not increase; also what `detect` raises.
        """
        return self._detect_for_video(image, timestamp_ms, image_processing_options)

    def detect_async(
        self, image: Image, timestamp_ms: int, image_processing_options: ImageProcessingOptions | None = None
    ) -> None:
        """Submit the next frame of a live stream; the callback receives its result.

        While a frame is processed, only the newest of the following frames waits; the others are dropped.

        Raises:
            ValueError: the mode is not LIVE_STREAM; also what `detect_for_video` raises.
        """
        self._detect_async(image, timestamp_ms, image_processing_options)

    def result_of(self, hands: list[Hand], width: int, height: int, quarter_turns: int) -> HandLandmarkerResult:
        return HandLandmarkerResult(*lists_of(hands, width, height))


def networks_of(options: BaseOptions) -> Networks:
    """Load the networks.

    Raises:
        ValueError: there is no model.
        ModelFileError: the model file is missing or contains no hand landmarker (a FileNotFoundError).
    """
    device = "gpu" if options.delegate == BaseOptions.Delegate.GPU else "cpu"
    if options.model_asset_path is not None:
        path = os.fspath(options.model_asset_path)
        try:
            return load(path, device=device)
        except BundleError as error:
            missing = f"Unable to open file at {os.path.abspath(path)}: "
            raise ModelFileError(f"{'' if os.path.exists(path) else missing}{error}") from error
    if options.model_asset_buffer is not None:
        return load(_bundle_of(options.model_asset_buffer), device=device)
    raise InputError("no model: give BaseOptions a model_asset_path or a model_asset_buffer")


def _bundle_of(task: bytes) -> str:
    """The name of the bundle in the cache for the bytes of a `.task` file; the same bytes are imported once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "buffer.task")
        path.write_bytes(task)
        return catalogue.find(path).name
