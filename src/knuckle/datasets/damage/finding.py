"""What a check of labels has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from knuckle.datasets.labels import Shot

Kind = Literal[
    "unreadable row",
    "unreadable image",
    "another image size",
    "box off the image",
    "points off the image",
    "points beside the box",
    "impossible bone",
    "order of joints",
    "points on one spot",
    "hand labelled twice",
    "swapped side",
    "points elsewhere",
    "image twice",
]
"""Every kind of damage that is looked for."""


@dataclass(frozen=True, eq=False)
class Finding:
    """Something that is probably wrong.

    Attributes:
        kind: the sort of damage.
        text: what is wrong, with numbers.
        source: the photo, clip or file.
        shot: the labelled image; None if it could not be read.
        hand: index of the hand in the image; None for the whole image.
    """

    kind: Kind
    text: str
    source: str
    shot: Shot | None = None
    hand: int | None = None

    @property
    def where(self) -> str:
        """The image as people name it."""
        frame = f", frame {self.shot.frame}" if self.shot is not None and self.shot.frame else ""
        return f"{self.source}{frame}" + ("" if self.hand is None else f", hand {self.hand + 1}")
