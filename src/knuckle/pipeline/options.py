"""What can be chosen of the pipeline."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from knuckle.errors import InputError
from knuckle.pipeline.palm import UPRIGHT_RAD


@dataclass(frozen=True)
class TrackerOptions:
    """What can be chosen; every field is also a keyword of `HandTracker`, `detect` and `detect_palms`.

    Attributes:
        max_hands: never more hands than this come out.
        min_palm_score: weaker palms are none, 0..1; see also `faint_palms`.
        min_presence: crops of which the network is less sure hold no hand, 0..1.
        mirrored: the image is a mirror image, as a selfie camera shows it; left and right follow.
        search_every: while some but not all of `max_hands` are held, look for more every so many frames;
            1 is what MediaPipe does; None is about 5 times a second, and every frame just after a change.
        smooth: One-Euro filter on landmarks and world landmarks in video.
        predict_motion: move each held hand's region on by its last motion.
        vote_handedness: left or right by the whole track and not by the frame alone.
        remove_duplicates: one hand that was found twice comes out once.
        remember_s: a lost hand that is found again within so many seconds keeps its id.
        upright_rad: angle of wrist to middle MCP that counts as upright when a palm is cut out; pi / 2 is
            straight, MediaPipe's Tasks API uses 90 (radians, by an oversight).
        second_look: a hand that was found by its palm is read again in the region of its own landmarks; None is
            what the bundle is made for.
        faint_palms: where hands are looked for, palms from this part of `min_palm_score` on are tried too, and are
            hands where the landmark network says so, 0..1; 1 tries none more, None is what the bundle is made for.
    """

    max_hands: int = 2
    min_palm_score: float = 0.5
    min_presence: float = 0.5
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

    def __post_init__(self) -> None:
        for name in ("max_hands", "search_every"):
            value = getattr(self, name)
            optional = name == "search_every" and value is None
            if not optional and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"{name} must be a whole number from 1 up, got {value!r}")
        for name in ("min_palm_score", "min_presence"):
            _require_within(name, getattr(self, name), 0, 1)
        for name in ("mirrored", "smooth", "predict_motion", "vote_handedness", "remove_duplicates", "second_look"):
            value = getattr(self, name)
            if not isinstance(value, bool) and not (name == "second_look" and value is None):
                raise InputError(f"{name} must be True or False, got {getattr(self, name)!r}")
        if self.faint_palms is not None:
            _require_within("faint_palms", self.faint_palms, 0, 1)
        _require_within("remember_s", self.remember_s, 0, math.inf)
        _require_within("upright_rad", self.upright_rad, -math.inf, math.inf)

    @classmethod
    def of(cls, options: TrackerOptions | None, changes: dict[str, Any]) -> TrackerOptions:
        """The options with the keyword changes; an unknown keyword is an InputError that lists the known."""
        if unknown := set(changes) - set(cls.__dataclass_fields__):
            known = ", ".join(cls.__dataclass_fields__)
            raise InputError(f"no option called {', '.join(sorted(unknown))}; there are: {known}")
        return replace(options or cls(), **changes)


def _require_within(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise InputError(f"{name} must be a number from {low} to {high}, got {value!r}")
