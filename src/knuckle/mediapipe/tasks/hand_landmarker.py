"""The Tasks HandLandmarker for single images, video, and live streams with a callback."""

from __future__ import annotations

import logging
import operator
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from itertools import chain, starmap
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

from knuckle.errors import BundleError, InputError
from knuckle.images import Image as Pixels
from knuckle.images import as_rgb
from knuckle.mediapipe.graphs import (
    FINGER_CONNECTIONS,
    PALM_CONNECTIONS,
    TASKS_UPRIGHT_RAD,
    HandLandmark,
    RefusedError,
    tasks_detection,
    tasks_tracking,
)
from knuckle.mediapipe.tasks.containers import (
    BaseOptions,
    Category,
    ImageProcessingOptions,
    Landmark,
    NormalizedLandmark,
)
from knuckle.mediapipe.tasks.image import Image, ImageFormat
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

logger = logging.getLogger("knuckle")
_LABELS = ("Right", "Left")


class ModelFileError(BundleError, FileNotFoundError):
    """A model file that is missing or contains no hand landmarker."""


class RunningMode(Enum):
    """Decides which method of a landmarker may be called."""

    IMAGE = "IMAGE"
    VIDEO = "VIDEO"
    LIVE_STREAM = "LIVE_STREAM"


VisionTaskRunningMode = RunningMode  # its name in the module that defines it in MediaPipe


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
class HandLandmarkerOptions:
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

    base_options: BaseOptions
    running_mode: RunningMode = RunningMode.IMAGE
    num_hands: int = 1
    min_hand_detection_confidence: float = 0.5
    min_hand_presence_confidence: float = 0.5
    min_tracking_confidence: float = 0.5
    result_callback: Callback | None = None
    upright_rad: float = TASKS_UPRIGHT_RAD


class HandLandmarker:
    """Detects hands in images, or tracks them through a video or a live stream; see `create_from_options`.

    After `close` all results are empty.
    """

    def __init__(self, networks: Networks, options: HandLandmarkerOptions) -> None:
        _check(options)
        self._mode, self._callback = options.running_mode, options.result_callback
        chosen: dict[str, Any] = {
            "max_hands": operator.index(options.num_hands),
            "min_palm_score": options.min_hand_detection_confidence,
            "min_presence": options.min_hand_presence_confidence,
            "upright_rad": options.upright_rad,
        }
        if self._mode is RunningMode.IMAGE:
            self._graph = tasks_detection(networks, **chosen)
        else:
            self._graph = tasks_tracking(networks, min_overlap=options.min_tracking_confidence, **chosen)
        self._last_ms: int | None = None
        self._closed = False
        self._live = _Newest(self._call_back) if self._mode is RunningMode.LIVE_STREAM else None

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
        _check(options)
        return cls(_load(options.base_options), options)

    def detect(
        self, image: Image, image_processing_options: ImageProcessingOptions | None = None
    ) -> HandLandmarkerResult:
        """Find the hands of one image, ordered by palm score.

        Raises:
            ValueError: the mode is not IMAGE, the image is neither SRGB nor SRGBA, or an option is not supported.
        """
        if self._closed:
            return HandLandmarkerResult([], [], [])
        self._require(RunningMode.IMAGE)
        return self._run(_pixels(image), _quarter_turns(image_processing_options))

    def detect_for_video(
        self, image: Image, timestamp_ms: int, image_processing_options: ImageProcessingOptions | None = None
    ) -> HandLandmarkerResult:
        """Find the hands of the next frame of a video.

        Raises:
            ValueError: the mode is not VIDEO, or `timestamp_ms` does not increase; also what `detect` raises.
        """
        if self._closed:
            return HandLandmarkerResult([], [], [])
        self._require(RunningMode.VIDEO)
        pixels, turns = _pixels(image), _quarter_turns(image_processing_options)
        self._advance(timestamp_ms)
        return self._run(pixels, turns)

    def detect_async(
        self, image: Image, timestamp_ms: int, image_processing_options: ImageProcessingOptions | None = None
    ) -> None:
        """Submit the next frame of a live stream; the callback receives its result.

        While a frame is processed, only the newest of the following frames waits; the others are dropped.

        Raises:
            ValueError: the mode is not LIVE_STREAM; also what `detect_for_video` raises.
        """
        if self._closed:
            return
        self._require(RunningMode.LIVE_STREAM)
        pixels, turns = _pixels(image), _quarter_turns(image_processing_options)
        self._advance(timestamp_ms)
        assert self._live is not None
        self._live.put(image, pixels, turns, timestamp_ms)

    def close(self) -> None:
        """Process the waiting frame, then stop. A second call does nothing."""
        self._closed = True
        if self._live:
            self._live.close()

    def __enter__(self) -> HandLandmarker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require(self, mode: RunningMode) -> None:
        if self._mode is not mode:
            wanted, current = (m.name.lower().replace("_", " ") + " mode" for m in (mode, self._mode))
            raise InputError(f"Task is not initialized with the {wanted}. Current running mode:{current}")

    def _advance(self, timestamp_ms: int) -> None:
        timestamp_ms = operator.index(timestamp_ms)
        if self._last_ms is not None and timestamp_ms <= self._last_ms:
            raise InputError("Input timestamp must be monotonically increasing.")
        self._last_ms = timestamp_ms

    def _run(self, pixels: Pixels, quarter_turns: int) -> HandLandmarkerResult:
        hands: list[Hand] = self._graph(pixels, quarter_turns)
        height, width = pixels.shape[:2]
        return self.result_of(hands, width, height, quarter_turns)

    def result_of(self, hands: list[Hand], width: int, height: int, quarter_turns: int) -> HandLandmarkerResult:
        """The result for hands in an image of this size that `quarter_turns` clockwise make upright."""
        result = HandLandmarkerResult([], [], [])
        for hand in hands:
            side = Category(_LABELS.index(hand.handedness), hand.handedness_score, hand.handedness, hand.handedness)
            result.handedness.append([side])
            units = hand.normalized(width, height).tolist()
            result.hand_landmarks.append([NormalizedLandmark(x, y, z) for x, y, z in units])
            result.hand_world_landmarks.append([Landmark(x, y, z) for x, y, z in hand.world.tolist()])
        return result

    def _call_back(self, image: Image, pixels: Pixels, quarter_turns: int, timestamp_ms: int) -> None:
        assert self._callback is not None
        self._callback(self._run(pixels, quarter_turns), image, timestamp_ms)


class _Newest:
    """Runs a function in a thread of its own; one call waits, and a newer call replaces it."""

    def __init__(self, run: Callable[..., None]) -> None:
        self.run = run
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="knuckle-live")
        self.lock = threading.Lock()
        self.busy = False
        self.waiting: tuple[Any, ...] | None = None
        self.thread: int | None = None

    def put(self, *job: Any) -> None:
        with self.lock:
            if self.busy:
                self.waiting = job
            else:
                self.busy = True
                self.pool.submit(self._work, job)

    def _work(self, job: tuple[Any, ...] | None) -> None:
        self.thread = threading.get_ident()
        while job is not None:
            try:
                self.run(*job)
            except Exception:  # the caller's callback may raise any error; the stream continues
                logger.exception("the result callback failed")
            with self.lock:
                job, self.waiting = self.waiting, None
                self.busy = job is not None

    def close(self) -> None:
        # A callback that closes its own landmarker must not wait for itself.
        self.pool.shutdown(wait=threading.get_ident() != self.thread)


def _check(options: HandLandmarkerOptions) -> None:
    is_live = options.running_mode is RunningMode.LIVE_STREAM
    if not isinstance(options.running_mode, RunningMode):
        raise InputError(f"running_mode must be a RunningMode, got {options.running_mode!r}")
    if is_live and options.result_callback is None:
        raise InputError("The vision task is in live stream mode, a user-defined result callback must be provided.")
    if not is_live and options.result_callback is not None:
        raise InputError(
            "The vision task is in image or video mode, a user-defined result callback should not be provided."
        )
    if not 0 <= options.min_hand_presence_confidence <= 1:
        raise InputError(f"min_hand_presence_confidence must be 0..1, got {options.min_hand_presence_confidence}")
    if options.running_mode is not RunningMode.IMAGE and not 0 < options.min_tracking_confidence <= 1:
        raise InputError(f"min_tracking_confidence must be above 0 and up to 1, got {options.min_tracking_confidence}")
    if operator.index(options.num_hands) < 1:
        raise RefusedError(f"num_hands should be greater than or equal to 1, got {options.num_hands}")


def _load(options: BaseOptions) -> Networks:
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


def _pixels(image: Image) -> Pixels:
    if image.image_format not in (ImageFormat.SRGB, ImageFormat.SRGBA):
        raise InputError(f"the hand landmarker takes SRGB or SRGBA images, got {image.image_format.name}")
    return as_rgb(image.numpy_view())


def _quarter_turns(options: ImageProcessingOptions | None) -> int:
    if options is None:
        return 0
    if options.region_of_interest is not None:
        raise InputError("This task doesn't support region-of-interest.")
    turns, rest = divmod(options.rotation_degrees, 90)
    if rest:
        raise InputError("Expected rotation to be a multiple of 90°.")
    return int(turns)
