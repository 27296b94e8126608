"""Where labels go: close to their hand, inside the image, and never on a hand or on another label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from knuckle.extras import cv2
from knuckle.images import Image
from knuckle.media.draw_marks import Plate
from knuckle.results import BONES, FloatArray, Hand

CELLS = 120  # cells along the shorter side of the map of what is taken
FLESH = 0.34  # diameter of a finger with some margin, in palm sizes; landmarks lie inside the flesh
PALM = [0, 1, 5, 9, 13, 17]
GAP_PX, GAP_PALMS = 6, 0.25  # between a hand's box and its label: pixels, and palm sizes for the flesh


class FreeRoom:
    """A coarse map of the places of an image that are neither on a hand nor on a label.

    Args:
        picture: the image.
        hands: its hands.
    """

    def __init__(self, picture: Image, hands: Sequence[Hand]) -> None:
        height, width = picture.shape[:2]
        self.picture = picture
        self.cell = max(1.0, min(height, width) / CELLS)
        self.taken = np.zeros((int(np.ceil(height / self.cell)), int(np.ceil(width / self.cell))), np.uint8)
        for hand in hands:
            points = np.clip(hand.landmarks[:, :2] / self.cell, -2000, 4000).round().astype(np.int32)
            flesh = max(1, round(min(FLESH * hand.palm_size / self.cell, 1000)))
            cv2.fillConvexPoly(self.taken, cv2.convexHull(points[PALM]), 1)
            cv2.polylines(self.taken, [points[pair] for pair, _ in BONES], False, 1, flesh)

    def take(self, plate: Plate, near: Sequence[tuple[float, float]]) -> tuple[int, int] | None:
        """Find and occupy a place for a plate.

        Args:
            plate: the label.
            near: upper left corners to try in this order; then the free place nearest to the last of them is taken.

        Returns:
            The upper left corner, in pixels; None if there is no room.
        """
        if plate.width > self.picture.shape[1] or plate.height > self.picture.shape[0]:
            return None
        for x, y in near:
            corner = plate.inside(self.picture, x, y)
            if not self._under(plate, corner).any():
                return self._occupy(plate, corner)
        rows, columns = np.nonzero(self._free_corners(plate))
        if not len(rows):
            return None
        x, y = near[-1]
        best = int(np.argmin((columns * self.cell - x) ** 2 + (rows * self.cell - y) ** 2))
        return self._occupy(
            plate, plate.inside(self.picture, np.ceil(columns[best] * self.cell), np.ceil(rows[best] * self.cell))
        )

    def _free_corners(self, plate: Plate) -> FloatArray:
        """Mask of the cells in which a plate's upper left corner may lie."""
        rows, columns = (int(np.ceil(side / self.cell)) + 1 for side in (plate.height, plate.width))
        high, wide = self.taken.shape
        sums = cv2.integral(cv2.copyMakeBorder(self.taken, 0, rows, 0, columns, cv2.BORDER_CONSTANT, value=0))
        covered = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
        free: FloatArray = covered[:high, :wide] == 0
        # Corners beyond these would leave the image; `Plate.inside` moves them back onto what may be taken.
        free[int((self.picture.shape[0] - plate.height) / self.cell) + 1 :] = False
        free[:, int((self.picture.shape[1] - plate.width) / self.cell) + 1 :] = False
        return free

    def _under(self, plate: Plate, corner: tuple[int, int]) -> Image:
        """The part of the map that a plate with this upper left corner covers."""
        x, y = corner
        top, left = int(y / self.cell), int(x / self.cell)
        bottom, right = int((y + plate.height) / self.cell) + 1, int((x + plate.width) / self.cell) + 1
        return self.taken[top:bottom, left:right]

    def _occupy(self, plate: Plate, corner: tuple[int, int]) -> tuple[int, int]:
        self._under(plate, corner)[:] = 1
        return corner


def beside(hand: Hand, plate: Plate) -> list[tuple[float, float]]:
    """Corners for the label of a hand: on the wrist's side of its box, then on the other sides."""
    x0, y0, x1, y1 = hand.box.tolist()
    gap = GAP_PX + GAP_PALMS * hand.palm_size
    below, above = (x0, y1 + gap), (x0, y0 - gap - plate.height)
    first, second = (below, above) if hand.landmarks[0, 1] >= hand.landmarks[9, 1] else (above, below)
    middle = (y0 + y1 - plate.height) / 2
    return [first, (x1 + gap, middle), (x0 - gap - plate.width, middle), second, first]
