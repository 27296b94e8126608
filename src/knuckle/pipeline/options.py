"""What users can choose about the pipeline."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypedDict

from knuckle.errors import InputError
from knuckle.pipeline.palm import UPRIGHT_RAD


@dataclass(frozen=True)
class TrackerOptions:
    """Options of `HandTracker`, `detect` and `detect_palms`; every field is also a keyword of those.

    Attributes:
        max_hands: the largest number of hands that are returned.
        min_palm_score: confidence threshold of the palm detector, 0..1. Palms with a lower score are discarded; see
            also `faint_palms`. None: the bundle's own threshold.
        min_presence: confidence threshold of the landmark network, 0..1. A crop whose presence is not above it holds
            no hand. None: the bundle's own thresholds, which ask more of newly found hands than of tracked ones.
        mirrored: the image is a mirror image, as selfie cameras show it; swaps left and right.
        search_every: while some but fewer than `max_hands` hands are tracked, run the palm detector every
            `search_every` frames (MediaPipe: 1). None: about 5 times a second, and on every frame just after a hand
            came or went. With no hand tracked, or one just lost, every frame is searched.
        smooth: filter landmarks and world landmarks in video (One-Euro filter); average the probabilities of gestures
            over 0.1 s, so that their names do not flicker.
        predict_motion: move the region of each tracked hand on by the hand's last motion.
        vote_handedness: decide left or right from the whole track instead of from each frame alone.
        remove_duplicates: when one hand was found twice, return it once.
        remember_s: a lost hand keeps its id if it is found again within this many seconds.
        upright_rad: angle of the line from the wrist to the middle finger's MCP that counts as upright when the
            region of a palm is cut out. pi / 2 is straight; MediaPipe's Tasks API uses 90 radians by mistake.
        second_look: run the landmark network twice on new hands, the second time in the region of the hand's own
            landmarks. None: what the bundle says.
        faint_palms: when searching, also try palms that score at least `faint_palms * min_palm_score`, 0..1, and keep
            those that the landmark network confirms. 1 tries no others. None: what the bundle says.
        gestures: recognise gestures (`Hand.gesture`): a set by name ("canned", "mediapipe", "numbers", "fingers",
            "asl", "dgs", "lsf", "libras", "lse", "irish"), or a file that `knuckle gestures train` wrote. None: do not.
    """

    max_hands: int = 2
    min_palm_score: float | None = None
    min_presence: float | None = None
    mirrored: bool = False
    search_every: int | None = None
    smooth: bool = True
    predict_motion: bool = True
    vote_handedness: bool = True
    remove_duplicates: bool = True
    remember_s: float = 1.0
    upright_rad: float = UPRIGHT_RAD
    second_look: bool | None = None
    faint_palms: float | None = None
    gestures: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        for name in ("max_hands", "search_every"):
            value = getattr(self, name)
            optional = name == "search_every" and value is None
            if not optional and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
        for name in ("mirrored", "smooth", "predict_motion", "vote_handedness", "remove_duplicates", "second_look"):
            value = getattr(self, name)
            if not isinstance(value, bool) and not (name == "second_look" and value is None):
                raise InputError(f"{name} must be True or False, got {value!r}")
        for name in ("min_palm_score", "min_presence", "faint_palms"):
            if getattr(self, name) is not None:
                _require_within(name, getattr(self, name), 0, 1)
        if self.gestures is not None and not isinstance(self.gestures, (str, os.PathLike)):
            raise InputError(f"gestures must be the name of a set, a file or None, got {self.gestures!r}")
        _require_within("remember_s", self.remember_s, 0, math.inf)
        _require_within("upright_rad", self.upright_rad, -math.inf, math.inf)

    @classmethod
    def of(cls, options: TrackerOptions | None, changes: OptionKeywords | Mapping[str, object]) -> TrackerOptions:
        """`options` (default: all defaults) with the keyword changes.

        Raises:
            InputError: a keyword is not an option, or a value is out of range.
        """
        if unknown := set(changes) - set(cls.__dataclass_fields__):
            known = ", ".join(cls.__dataclass_fields__)
            raise InputError(f"no option called {', '.join(sorted(unknown))}; options are: {known}")
        if options is not None and not isinstance(options, TrackerOptions):
            raise InputError(f"options must be a TrackerOptions, got {options!r}; write single options as keywords")
        return replace(options or cls(), **changes)


class OptionKeywords(TypedDict, total=False):
    """The fields of `TrackerOptions` as keywords, so that editors complete and type checkers check them."""

    max_hands: int
    min_palm_score: float | None
    min_presence: float | None
    mirrored: bool
    search_every: int | None
    smooth: bool
    predict_motion: bool
    vote_handedness: bool
    remove_duplicates: bool
    remember_s: float
    upright_rad: float
    second_look: bool | None
    faint_palms: float | None
    gestures: str | os.PathLike[str] | None


@dataclass(frozen=True)
class CompleteOptions(TrackerOptions):
    """Options in which the bundle has filled in what the user left open (`Networks.completed`).

    Attributes:
        min_new_confidence: what the score of the palm and both presences of a newly found hand must add up to
            (`tracker.confidence`).
        min_faint_confidence: the same where the palm scored less than `min_palm_score`.
    """

    min_palm_score: float = 0.5
    min_presence: float = 0.5
    min_new_confidence: float = 0.0
    min_faint_confidence: float = 0.95
    second_look: bool = False
    faint_palms: float = 1.0

    @property
    def min_tried_score(self) -> float:
        """Score of the faintest palms that the landmark network looks at."""
        return self.faint_palms * self.min_palm_score


def _require_within(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise InputError(f"{name} must be a number from {low} to {high}, got {value!r}")
