"""What all hand tasks do alike: options, running modes, images in, and the lists of a result."""

from __future__ import annotations

import logging
import operator
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Generic, TypeVar

from knuckle.errors import InputError
from knuckle.images import Image as Pixels
from knuckle.images import as_rgb
from knuckle.mediapipe.graphs import TASKS_UPRIGHT_RAD, RefusedError, tasks_detection, tasks_tracking
from knuckle.mediapipe.tasks.containers import (
    BaseOptions,
    Category,
    ImageProcessingOptions,
    Landmark,
    NormalizedLandmark,
)
from knuckle.mediapipe.tasks.image import Image, ImageFormat
from knuckle.pipeline.tracker import Networks
from knuckle.results import Hand

logger = logging.getLogger("knuckle")
_LABELS = ("Right", "Left")
Result = TypeVar("Result")
Task = TypeVar("Task", bound="HandTask[Any]")


class RunningMode(Enum):
    """Decides which method of a task may be called."""

    IMAGE = "IMAGE"
    VIDEO = "VIDEO"
    LIVE_STREAM = "LIVE_STREAM"


VisionTaskRunningMode = RunningMode  # its name in the module that defines it in MediaPipe


@dataclass
class HandTaskOptions:
    """The options of every hand task; `HandLandmarkerOptions` explains them."""

    base_options: BaseOptions
    running_mode: RunningMode = RunningMode.IMAGE
    num_hands: int = 1
    min_hand_detection_confidence: float = 0.5
    min_hand_presence_confidence: float = 0.5
    min_tracking_confidence: float = 0.5


class HandTask(ABC, Generic[Result]):
    """Hands of images, or of the frames of a video or a live stream, as results of one kind.

    A task adds `result_of`, and its own names for `_detect`, `_detect_for_video` and `_detect_async`. After `close` all
    results are empty.

    Args:
        networks: the networks that find hands.
        options: see `HandLandmarkerOptions`; they are checked by `check_options`.
        callback: receives the results of a live stream, each with its image and time stamp.
        upright_rad: see `HandLandmarkerOptions`.
    """

    def __init__(
        self,
        networks: Networks,
        options: HandTaskOptions,
        callback: Callable[[Result, Image, int], None] | None,
        upright_rad: float = TASKS_UPRIGHT_RAD,
    ) -> None:
        check_options(options, callback)
        self._mode, self._callback = options.running_mode, callback
        chosen: dict[str, Any] = {
            "max_hands": operator.index(options.num_hands),
            "min_palm_score": options.min_hand_detection_confidence,
            "min_presence": options.min_hand_presence_confidence,
            "upright_rad": upright_rad,
        }
        if self._mode is RunningMode.IMAGE:
            self._graph = tasks_detection(networks, **chosen)
        else:
            self._graph = tasks_tracking(networks, min_overlap=options.min_tracking_confidence, **chosen)
        self._last_ms: int | None = None
        self._closed = False
        self._live = _Newest(self._call_back) if self._mode is RunningMode.LIVE_STREAM else None

    @abstractmethod
    def result_of(self, hands: list[Hand], width: int, height: int, quarter_turns: int) -> Result:
        """The result for hands in an image of this size that `quarter_turns` clockwise make upright."""

    def _detect(self, image: Image, options: ImageProcessingOptions | None) -> Result:
        if self._closed:
            return self.result_of([], image.width, image.height, 0)
        self._require(RunningMode.IMAGE)
        return self._run(_pixels(image), _quarter_turns(options))

    def _detect_for_video(self, image: Image, timestamp_ms: int, options: ImageProcessingOptions | None) -> Result:
        if self._closed:
            return self.result_of([], image.width, image.height, 0)
        self._require(RunningMode.VIDEO)
        pixels, turns = _pixels(image), _quarter_turns(options)
        self._advance(timestamp_ms)
        return self._run(pixels, turns)

    def _detect_async(self, image: Image, timestamp_ms: int, options: ImageProcessingOptions | None) -> None:
        if self._closed:
            return
        self._require(RunningMode.LIVE_STREAM)
        pixels, turns = _pixels(image), _quarter_turns(options)
        self._advance(timestamp_ms)
        assert self._live is not None
        self._live.put(image, pixels, turns, timestamp_ms)

    def close(self) -> None:
        """Process the waiting frame, then stop. A second call does nothing."""
        self._closed = True
        if self._live:
            self._live.close()

    def __enter__(self: Task) -> Task:
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

    def _run(self, pixels: Pixels, quarter_turns: int) -> Result:
        hands: list[Hand] = self._graph(pixels, quarter_turns)
        height, width = pixels.shape[:2]
        return self.result_of(hands, width, height, quarter_turns)

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


def check_options(options: HandTaskOptions, callback: Callable[..., None] | None) -> None:
    """Check all options but the models.

    Raises:
        ValueError: an option is out of range, or a callback is missing or not allowed.
        RefusedError: `num_hands` is below 1 (a RuntimeError).
    """
    is_live = options.running_mode is RunningMode.LIVE_STREAM
    if not isinstance(options.running_mode, RunningMode):
        raise InputError(f"running_mode must be a RunningMode, got {options.running_mode!r}")
    if is_live and callback is None:
        raise InputError("The vision task is in live stream mode, a user-defined result callback must be provided.")
    if not is_live and callback is not None:
        raise InputError(
            "The vision task is in image or video mode, a user-defined result callback should not be provided."
        )
    if not 0 <= options.min_hand_presence_confidence <= 1:
        raise InputError(f"min_hand_presence_confidence must be 0..1, got {options.min_hand_presence_confidence}")
    if options.running_mode is not RunningMode.IMAGE and not 0 < options.min_tracking_confidence <= 1:
        raise InputError(f"min_tracking_confidence must be above 0 and up to 1, got {options.min_tracking_confidence}")
    if operator.index(options.num_hands) < 1:
        raise RefusedError(f"num_hands should be greater than or equal to 1, got {options.num_hands}")


def lists_of(
    hands: list[Hand], width: int, height: int
) -> tuple[list[list[Category]], list[list[NormalizedLandmark]], list[list[Landmark]]]:
    """Handedness, landmarks and world landmarks of hands in an image of this size, as results have them."""
    handedness, landmarks, world = [], [], []
    for hand in hands:
        side = Category(_LABELS.index(hand.handedness), hand.handedness_score, hand.handedness, hand.handedness)
        handedness.append([side])
        landmarks.append([NormalizedLandmark(x, y, z) for x, y, z in hand.normalized(width, height).tolist()])
        world.append([Landmark(x, y, z) for x, y, z in hand.world.tolist()])
    return handedness, landmarks, world


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
