"""What gestures in motion are reported as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["once", "begin", "change", "end"]


@dataclass(frozen=True)
class GestureEvent:
    """A gesture in motion, or a held gesture that triggers.

    Attributes:
        name: "swipe", "tap", "double_pinch", "grab", "release", "wave", "circle", "zoom", "rotate", "frame", or the
            name of a held gesture.
        phase: "once" for what is over when it is recognised; "begin", "change" and "end" of "zoom", "rotate" and
            "frame", which last.
        track_ids: the hands.
        start_s, end_s: seconds: when it began, and when it ended or the time of this frame.
        direction: "left", "right", "up" or "down" in the image for swipes; "clockwise" or "counterclockwise" on screen
            for "circle" and "rotate"; "in" or "out" for "zoom"; else None.
        speed: palm lengths per second, for swipes, waves and circles; else 0.
        amount: "zoom": distance of the hands as a multiple of that at the beginning. "rotate": radians since the
            beginning, clockwise on screen. "circle": turns. Else 1.
        box: "frame": x0, y0, x1, y1 that the hands frame, image pixels; else None.
    """

    name: str
    phase: Phase
    track_ids: tuple[int, ...]
    start_s: float
    end_s: float
    direction: str | None = None
    speed: float = 0.0
    amount: float = 1.0
    box: tuple[float, float, float, float] | None = None
