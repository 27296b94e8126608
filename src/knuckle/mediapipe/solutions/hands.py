"""MediaPipe's legacy `Hands`, with the same arguments, results and errors, on Knuckle's networks."""

from __future__ import annotations

import operator
from itertools import chain
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from knuckle.errors import InputError
from knuckle.graph import Graph
from knuckle.images import as_rgb
from knuckle.mediapipe.graphs import (
    FINGER_CONNECTIONS,
    PALM_CONNECTIONS,
    HandLandmark,
    RefusedError,
    legacy_tracking,
)
from knuckle.mediapipe.solutions.messages import ClassificationList, LandmarkList, NormalizedLandmarkList
from knuckle.pipeline.tracker import load
from knuckle.results import Hand

HAND_PALM_CONNECTIONS = PALM_CONNECTIONS
HAND_THUMB_CONNECTIONS = FINGER_CONNECTIONS["thumb"]
HAND_INDEX_FINGER_CONNECTIONS = FINGER_CONNECTIONS["index"]
HAND_MIDDLE_FINGER_CONNECTIONS = FINGER_CONNECTIONS["middle"]
HAND_RING_FINGER_CONNECTIONS = FINGER_CONNECTIONS["ring"]
HAND_PINKY_FINGER_CONNECTIONS = FINGER_CONNECTIONS["pinky"]
HAND_CONNECTIONS = frozenset({*PALM_CONNECTIONS, *chain(*FINGER_CONNECTIONS.values())})

__all__ = ["HAND_CONNECTIONS", "HandLandmark", "Hands", "SolutionOutputs"]

_BUNDLES = {0: "mediapipe-lite", 1: "mediapipe"}
_LABELS = ("Left", "Right")


class SolutionOutputs(NamedTuple):
    """The result of `Hands.process`: lists with one message per hand; all three are None if there is no hand."""

    multi_hand_landmarks: list[NormalizedLandmarkList] | None
    multi_hand_world_landmarks: list[LandmarkList] | None
    multi_handedness: list[ClassificationList] | None


class Hands:
    """Detects hands in single images, or tracks them through a video.

    Args:
        static_image_mode: treat every image independently.
        max_num_hands: maximum number of palms per frame. In video more hands are possible, as in MediaPipe.
        model_complexity: 0 for the bundle "mediapipe-lite", 1 for "mediapipe".
        min_detection_confidence: minimum palm score; not range-checked.
        min_tracking_confidence: minimum presence of a hand in its crop, also of a new hand; not range-checked.

    Raises:
        InputError: `model_complexity` is neither 0 nor 1 (a ValueError).
        TypeError: an argument is not a number.
        BundleError: the models are not available.
    """

    def __init__(
        self,
        static_image_mode: bool = False,
        max_num_hands: int = 2,
        model_complexity: int = 1,
        min_detection_confidence: float = 0.5,
        min_tracking_confidence: float = 0.5,
    ) -> None:
        if isinstance(model_complexity, float):
            fix = "before MediaPipe 0.8.9 the confidences stood here: pass them as min_detection_confidence=…"
            raise TypeError(f"model_complexity must be 0 or 1, got {model_complexity}; {fix}")
        complexity = operator.index(model_complexity)
        if complexity not in _BUNDLES:
            raise InputError(f"model_complexity must be 0 or 1, got {complexity}")
        self._max_hands = operator.index(max_num_hands)
        self._graph: Graph | None = legacy_tracking(
            load(_BUNDLES[complexity]),
            max_hands=self._max_hands,
            min_palm_score=_number(min_detection_confidence),
            min_presence=_number(min_tracking_confidence),
            static=bool(static_image_mode),
        )

    def process(self, image: Any) -> SolutionOutputs:
        """Find the hands of an image, or of the next frame.

        Args:
            image: RGB uint8 (height, width, 3). Handedness assumes a mirror image: flip an image from a camera first.

        Raises:
            ValueError: the image does not have three channels, or `close` was called.
            IndexError, AttributeError, TypeError: the image is two-dimensional, not an array, not 8 bits deep.
            RefusedError: the image is empty, or `max_num_hands` is below 1 (a RuntimeError).
        """
        if self._graph is None:
            raise InputError("_graph is None in SolutionBase")
        if image.shape[2] != 3:
            raise InputError("Input image must contain three channel rgb data.")
        if self._max_hands < 1:
            raise RefusedError(f"max_num_hands should be greater than or equal to 1, got {self._max_hands}")
        if 0 in image.shape:
            raise RefusedError(f"ROI width and height must be > 0, got an image of shape {image.shape}")
        hands: list[Hand] = self._graph(as_rgb(image.astype(np.uint8, casting="safe", copy=False)))
        return _outputs(hands, image.shape[1], image.shape[0])

    def reset(self) -> None:
        """Forget the tracked hands."""
        if self._graph is not None:
            self._graph.reset()

    def close(self) -> None:
        """Release the networks.

        Raises:
            ValueError: it is already closed.
        """
        if self._graph is None:
            raise InputError("Closing SolutionBase._graph which is already None")
        self._graph = None

    def __enter__(self) -> Hands:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _number(value: Any) -> float:
    if not isinstance(value, (int, float, np.number)):
        raise TypeError(f"must be real number, not {type(value).__name__}")
    return float(value)


def _outputs(hands: list[Hand], width: int, height: int) -> SolutionOutputs:
    if not hands:
        return SolutionOutputs(None, None, None)
    landmarks, world, handedness = [], [], []
    for hand in hands:
        landmarks.append(NormalizedLandmarkList())
        for x, y, z in hand.normalized(width, height).tolist():
            landmarks[-1].landmark.add(x=x, y=y, z=z)
        world.append(LandmarkList())
        for x, y, z in hand.world.tolist():
            world[-1].landmark.add(x=x, y=y, z=z)
        handedness.append(ClassificationList())
        index = _LABELS.index(hand.handedness)
        handedness[-1].classification.add(index=index, score=hand.handedness_score, label=hand.handedness)
    return SolutionOutputs(landmarks, world, handedness)
