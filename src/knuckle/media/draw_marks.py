"""Marks on an RGB image: lines, dots and text on a plate. Coordinates are image pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from knuckle.extras import cv2
from knuckle.images import Image
from knuckle.media.draw_style import OUTLINE
from knuckle.results import Colour, FloatArray

ANTIALIASED = 16  # OpenCV's LINE_AA, which would be looked up for each of many small marks
SUBPIXEL_BITS = 3  # OpenCV draws at 1/8 pixel, so that lines on a slow hand do not jump


def fixed(points: FloatArray) -> Any:
    """Points as OpenCV's fixed-point numbers, clamped to what it can draw. NaN becomes any number."""
    with np.errstate(invalid="ignore"):
        return np.round(np.clip(points, -4000, 60000) * (1 << SUBPIXEL_BITS)).astype(np.int32)


def lines(picture: Image, strokes: Sequence[tuple[Any, Colour]], width: int) -> None:
    """Draw lines of fixed-point ends, all outlines below all colours."""
    cv2.polylines(picture, [line for line, _ in strokes], False, OUTLINE, width + 2, ANTIALIASED, SUBPIXEL_BITS)
    for line, colour in strokes:
        cv2.polylines(picture, [line], False, colour, width, ANTIALIASED, SUBPIXEL_BITS)


def dot(picture: Image, centre: Any, radius: float, colour: Any) -> None:
    """Draw a filled circle with an outline of one pixel around a fixed-point centre."""
    disc(picture, centre, radius + 1, OUTLINE)
    disc(picture, centre, radius, colour)


def disc(picture: Image, centre: Any, radius: float, colour: Any) -> None:
    """Draw a filled circle around a fixed-point centre."""
    cv2.circle(picture, centre, round(radius * (1 << SUBPIXEL_BITS)), colour, -1, ANTIALIASED, SUBPIXEL_BITS)


class Plate:
    """A line of text on a filled plate, in a size that suits the picture.

    Attributes:
        width, height: of the plate, in pixels.
    """

    def __init__(self, picture: Image, text: str) -> None:
        self.text = text
        self.scale = max(0.4, min(picture.shape[:2]) / 900)
        self.thickness = max(1, round(self.scale * 1.6))
        (text_width, self._ascent), tail = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, self.scale, self.thickness)
        self._pad = round(6 * self.scale)
        self.width, self.height = text_width + 2 * self._pad, self._ascent + tail + self._pad

    def inside(self, picture: Image, x: float, y: float) -> tuple[int, int]:
        """The upper left corner nearest to (x, y) with which the plate lies inside the picture."""
        height, width = picture.shape[:2]
        return int(np.clip(x, 0, max(0, width - self.width))), int(np.clip(y, 0, max(0, height - self.height)))

    def draw(self, picture: Image, x: int, y: int, ink: Colour, paper: Colour) -> None:
        """Draw it with its upper left corner at (x, y)."""
        cv2.rectangle(picture, (x, y), (x + self.width - 1, y + self.height - 1), paper, -1)
        origin = (x + self._pad, y + self._ascent + self._pad // 2)
        cv2.putText(picture, self.text, origin, cv2.FONT_HERSHEY_SIMPLEX, self.scale, ink, self.thickness, ANTIALIASED)
