"""Where labels go: close to their hand, inside the image, and never on a hand or on another label."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

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
        self.picture, self.hands = picture, hands
        self.cell = max(1.0, min(picture.shape[:2]) / CELLS)
        # A place outside of all of these boxes, left, top, right and bottom, is free without a look at the map.
        self.boxes = list[tuple[float, float, float, float]]()
        for hand in hands:
            margin = FLESH * hand.palm_size / 2 + 2 * self.cell
            left, top, right, bottom = hand.box.tolist()
            self.boxes.append((left - margin, top - margin, right + margin, bottom + margin))

    @cached_property
    def taken(self) -> Image:
        """The map: 1 where something is. It is drawn when a label is near a hand."""
        height, width = self.picture.shape[:2]
        taken = np.zeros((int(np.ceil(height / self.cell)), int(np.ceil(width / self.cell))), np.uint8)
        for hand in self.hands:
            known = np.isfinite(hand.landmarks[:, 0])  # a hand may lack points
            here = np.clip(np.nan_to_num(hand.landmarks[:, :2]) / self.cell, -2000, 4000)
            points = here.round().astype(np.int32)
            flesh = max(1, round(min(FLESH * hand.palm_size / self.cell, 1000)))
            cv2.fillConvexPoly(taken, cv2.convexHull(points[[point for point in PALM if known[point]]]), 1)
            cv2.polylines(taken, [points[pair] for pair, _ in BONES if known[pair].all()], False, 1, flesh)
        for left, top, right, bottom in self.boxes[len(self.hands) :]:
            self._cells(taken, left, top, right, bottom)[:] = 1
        return taken

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
            if self._is_free(plate, corner):
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

    def _is_free(self, plate: Plate, corner: tuple[int, int]) -> bool:
        (x, y), far_x, far_y = corner, corner[0] + plate.width, corner[1] + plate.height
        if all(far_x < left or x > right or far_y < top or y > bottom for left, top, right, bottom in self.boxes):
            return True
        return not self._cells(self.taken, x, y, far_x, far_y).any()

    def _cells(self, taken: Image, left: float, top: float, right: float, bottom: float) -> Image:
        """The part of the map that lies under a box, which is given in pixels."""
        rows = slice(int(top / self.cell), int(bottom / self.cell) + 1)
        return taken[rows, int(left / self.cell) : int(right / self.cell) + 1]

    def _occupy(self, plate: Plate, corner: tuple[int, int]) -> tuple[int, int]:
        box = (*corner, corner[0] + plate.width, corner[1] + plate.height)
        self.boxes.append(box)
        if "taken" in self.__dict__:
            self._cells(self.taken, *box)[:] = 1
        return corner


def beside(hand: Hand, plate: Plate) -> list[tuple[float, float]]:
    """Corners for the label of a hand: on the wrist's side of its box, then on the other sides."""
    x0, y0, x1, y1 = hand.box.tolist()
    gap = GAP_PX + GAP_PALMS * hand.palm_size
    below, above = (x0, y1 + gap), (x0, y0 - gap - plate.height)
    first, second = (below, above) if hand.landmarks[0, 1] >= hand.landmarks[9, 1] else (above, below)
    middle = (y0 + y1 - plate.height) / 2
    return [first, (x1 + gap, middle), (x0 - gap - plate.width, middle), second, first]
