"""`Gesture`: what a hand says in one frame."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gesture:
    """A gesture of one hand.

    Attributes:
        name: as the set of gestures calls it: "Thumb_Up", "Victory", …; see docs/gestures.md.
        score: probability that the hand makes this gesture, 0..1.
    """

    name: str
    score: float

    def __str__(self) -> str:
        return f"{self.name} {self.score:.2f}"
