"""The Tasks GestureRecognizer: hands with a named gesture, for single images, video, and live streams."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from knuckle.errors import InputError
from knuckle.geometry import turn
from knuckle.gestures.recogniser import load_gestures
from knuckle.gestures.taught import NONE
from knuckle.mediapipe.tasks.containers import (
    BaseOptions,
    Category,
    ImageProcessingOptions,
    Landmark,
    NormalizedLandmark,
)
from knuckle.mediapipe.tasks.gesture_model import GestureModel, Scores, is_gesture_task, landmarker_of
from knuckle.mediapipe.tasks.hand_landmarker import networks_of
from knuckle.mediapipe.tasks.image import Image
from knuckle.mediapipe.tasks.task import HandTask, HandTaskOptions, RunningMode, check_options, lists_of
from knuckle.pipeline.tracker import Networks
from knuckle.results import Hand

NO_INDEX = -1  # indices of several classifiers mean nothing together


@dataclass
class ClassifierOptions:
    """Which gestures are returned.

    Attributes:
        display_names_locale: accepted and not used; the models hold no translations.
        max_results: accepted; a hand has one gesture. Must not be 0.
        score_threshold: gestures with a lower score are rejected.
        category_allowlist: only these gestures; not together with `category_denylist`.
        category_denylist: not these gestures.
    """

    display_names_locale: str | None = None
    max_results: int | None = None
    score_threshold: float | None = None
    category_allowlist: list[str] | None = None
    category_denylist: list[str] | None = None


@dataclass
class GestureRecognizerResult:
    """Lists with one entry per hand.

    Attributes:
        gestures: for each hand a list with one Category, whose index is -1; empty if the options reject all gestures.
        handedness, hand_landmarks, hand_world_landmarks: see `HandLandmarkerResult`.
    """

    gestures: list[list[Category]]
    handedness: list[list[Category]]
    hand_landmarks: list[list[NormalizedLandmark]]
    hand_world_landmarks: list[list[Landmark]]


Callback = Callable[[GestureRecognizerResult, Image, int], None]


@dataclass(init=False)
class GestureRecognizerOptions(HandTaskOptions):
    """Options of a GestureRecognizer.

    Attributes:
        base_options: a `gesture_recognizer.task`; or a hand landmarker's `.task`, a bundle's folder or name, to which
            Knuckle's own network of hand shapes is added.
        running_mode, num_hands, min_hand_detection_confidence, min_hand_presence_confidence, min_tracking_confidence,
            result_callback: see `HandLandmarkerOptions`.
        canned_gestures_classifier_options: which of the canned gestures are returned. Its deprecated name is
            `canned_gesture_classifier_options`.
        custom_gestures_classifier_options: the same for gestures that the file adds. Its deprecated name is
            `custom_gesture_classifier_options`.
    """

    canned_gestures_classifier_options: ClassifierOptions = field(default_factory=ClassifierOptions)
    custom_gestures_classifier_options: ClassifierOptions = field(default_factory=ClassifierOptions)
    result_callback: Callback | None = None

    def __init__(
        self,
        base_options: BaseOptions,
        running_mode: RunningMode = RunningMode.IMAGE,
        num_hands: int = 1,
        min_hand_detection_confidence: float = 0.5,
        min_hand_presence_confidence: float = 0.5,
        min_tracking_confidence: float = 0.5,
        canned_gestures_classifier_options: ClassifierOptions | None = None,
        custom_gestures_classifier_options: ClassifierOptions | None = None,
        result_callback: Callback | None = None,
        **deprecated: ClassifierOptions | None,
    ) -> None:
        given = {"canned": canned_gestures_classifier_options, "custom": custom_gestures_classifier_options}
        for name, value in deprecated.items():
            kind = name.removesuffix("_gesture_classifier_options")
            if name == kind or kind not in given:
                raise TypeError(f"GestureRecognizerOptions.__init__() got an unexpected keyword argument {name!r}")
            if value is not None and given[kind] is not None:
                raise InputError(
                    f"Specify either `{kind}_gestures_classifier_options` or deprecated `{name}`, not both."
                )
            given[kind] = value if given[kind] is None else given[kind]
        super().__init__(
            base_options,
            running_mode,
            num_hands,
            min_hand_detection_confidence,
            min_hand_presence_confidence,
            min_tracking_confidence,
        )
        self.canned_gestures_classifier_options = given["canned"] or ClassifierOptions()
        self.custom_gestures_classifier_options = given["custom"] or ClassifierOptions()
        self.result_callback = result_callback

    @property
    def canned_gesture_classifier_options(self) -> ClassifierOptions:
        """Deprecated name of `canned_gestures_classifier_options`."""
        return self.canned_gestures_classifier_options

    @canned_gesture_classifier_options.setter
    def canned_gesture_classifier_options(self, value: ClassifierOptions) -> None:
        self.canned_gestures_classifier_options = value

    @property
    def custom_gesture_classifier_options(self) -> ClassifierOptions:
        """Deprecated name of `custom_gestures_classifier_options`."""
        return self.custom_gestures_classifier_options

    @custom_gesture_classifier_options.setter
    def custom_gesture_classifier_options(self, value: ClassifierOptions) -> None:
        self.custom_gestures_classifier_options = value


class GestureRecognizer(HandTask[GestureRecognizerResult]):
    """Recognizes gestures in images, or through a video or a live stream; see `create_from_options`.

    After `close` all results are empty.
    """

    def __init__(
        self, networks: Networks, options: GestureRecognizerOptions, model: GestureModel | None = None
    ) -> None:
        super().__init__(networks, options, options.result_callback)
        self._model = model
        self._canned = options.canned_gestures_classifier_options
        self._custom = options.custom_gestures_classifier_options

    @classmethod
    def create_from_model_path(cls, model_path: str) -> GestureRecognizer:
        """Create a recognizer for single images with default options. It raises what `create_from_options` raises."""
        return cls.create_from_options(GestureRecognizerOptions(BaseOptions(model_asset_path=model_path)))

    @classmethod
    def create_from_options(cls, options: GestureRecognizerOptions) -> GestureRecognizer:
        """Create a recognizer.

        Raises:
            ValueError: an option is out of range, a callback is missing or not allowed, or there is no model.
            FileNotFoundError: the model file is missing or contains no networks that can be used.
            RefusedError: `num_hands` is below 1 (a RuntimeError).
        """
        for one in (options.canned_gestures_classifier_options, options.custom_gestures_classifier_options):
            check_classifier_options(one)
        base, task = options.base_options, task_bytes(options.base_options)
        model = None
        if task is not None and is_gesture_task(task):
            model = GestureModel(task)
            base = BaseOptions(model_asset_buffer=landmarker_of(task), delegate=base.delegate)
        check_options(options, options.result_callback)
        return cls(networks_of(base), options, model)

    def recognize(
        self, image: Image, image_processing_options: ImageProcessingOptions | None = None
    ) -> GestureRecognizerResult:
        """Find the hands of one image and name their gestures. It raises what `HandLandmarker.detect` raises."""
        return self._detect(image, image_processing_options)

    def recognize_for_video(
        self, image: Image, timestamp_ms: int, image_processing_options: ImageProcessingOptions | None = None
    ) -> GestureRecognizerResult:
        """The same for the next frame of a video. It raises what `HandLandmarker.detect_for_video` raises."""
        return self._detect_for_video(image, timestamp_ms, image_processing_options)

    def recognize_async(
        self, image: Image, timestamp_ms: int, image_processing_options: ImageProcessingOptions | None = None
    ) -> None:
        """Submit the next frame of a live stream; the callback receives its result."""
        self._detect_async(image, timestamp_ms, image_processing_options)

    def result_of(self, hands: list[Hand], width: int, height: int, quarter_turns: int) -> GestureRecognizerResult:
        gestures = [self._gesture_of(hand, (width, height), quarter_turns) for hand in hands]
        return GestureRecognizerResult(gestures, *lists_of(hands, width, height))

    def _gesture_of(self, hand: Hand, size: tuple[int, int], quarter_turns: int) -> list[Category]:
        """The best custom gesture; if there is none, the best canned one."""
        if self._model:
            custom, canned = self._model.scores(hand, size, quarter_turns * math.pi / 2)
        else:
            custom, canned = [], own_scores(hand, quarter_turns)
        best = [
            _best(scores, options) for scores, options in ((custom, self._custom), (canned, self._canned)) if scores
        ]
        named = [one for one in best if one and one[0] != NONE] or [one for one in best if one]
        return [Category(NO_INDEX, score, "", label) for label, score in named[:1]]


def own_scores(hand: Hand, quarter_turns: int) -> Scores:
    """Label and score of MediaPipe's gestures by Knuckle's own network; "up" is up in the upright image."""
    recognise = load_gestures("mediapipe")
    angle_rad = quarter_turns * math.pi / 2
    upright = replace(
        hand,
        landmarks=turn(hand.landmarks, angle_rad),
        world=turn(hand.world, angle_rad),
        landmarks_raw=hand.landmarks_raw,
    )
    (row,) = recognise.probabilities([upright]).tolist()
    return [(NONE, row[-1]), *zip(recognise.names, row, strict=False)]


def _best(scores: Scores, options: ClassifierOptions) -> tuple[str, float] | None:
    allowed, denied = options.category_allowlist, options.category_denylist
    kept = [
        (label, score)
        for label, score in scores
        if (not allowed or label in allowed)
        and (not denied or label not in denied)
        and score >= (options.score_threshold or 0)
    ]
    return max(kept, key=lambda one: one[1], default=None)


def check_classifier_options(options: ClassifierOptions) -> None:
    if options.category_allowlist and options.category_denylist:
        raise InputError("`category_allowlist` and `category_denylist` are mutually exclusive options.")
    if options.max_results == 0:
        raise InputError("Invalid `max_results` option: value must be != 0.")


def task_bytes(options: BaseOptions) -> bytes | None:
    """The bytes of the model if it is a file; None for the name or the folder of a bundle."""
    if options.model_asset_path is not None:
        path = Path(os.fspath(options.model_asset_path))
        return path.read_bytes() if path.is_file() else None
    return options.model_asset_buffer
