"""Frames of a source, regions of an image and palms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.images import Image

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a source.

    Attributes:
        image: RGB uint8 (height, width, 3), upright, with square pixels.
        index: 0, 1, 2, … within its source.
        time_s: seconds since the source began, from the time stamps of the file where it has them.
        source: the file, address or camera that it comes from.
    """

    image: Image
    index: int = 0
    time_s: float = 0.0
    source: str = ""

    @property
    def width(self) -> int:
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        return int(self.image.shape[0])

    def numbered(self, index: int) -> Frame:
        """The frame with another index."""
        return replace(self, index=index)


@dataclass(frozen=True)
class Roi:
    """A square region of the image. It may be rotated and may reach beyond the border.

    Attributes:
        x, y: centre, image pixels.
        size: side, image pixels.
        angle_rad: 0 when the fingers point up in the image; clockwise on screen is positive.
    """

    x: float
    y: float
    size: float
    angle_rad: float = 0.0

    @classmethod
    def around(cls, box: Sequence[float], angle_rad: float = 0.0) -> Roi:
        """The region for a tight box x0, y0, x1, y1 (image pixels) of a whole hand: 1.5 times its longer side.

        Raises:
            InputError: the box is not four numbers.
        """
        if np.shape(box) != (4,):
            raise InputError(f"a box is x0, y0, x1, y1 in image pixels, got {box!r}")
        x0, y0, x1, y1 = box
        return cls((x0 + x1) / 2, (y0 + y1) / 2, 1.5 * max(x1 - x0, y1 - y0), angle_rad)


@dataclass(frozen=True, eq=False)
class Palm:
    """A palm detection.

    Attributes:
        box: (4,) x0, y0, x1, y1 in image pixels.
        keypoints: (7, 2) image pixels, in the order of `PALM_KEYPOINTS`.
        score: 0..1, for ranking.
    """

    box: FloatArray
    keypoints: FloatArray
    score: float

    def __eq__(self, other: object) -> bool:
        return same_values(self, other) if isinstance(other, Palm) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.score)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and floats, ready for JSON."""
        return {"box": rounded(self.box, 2), "keypoints": rounded(self.keypoints, 2), "score": round(self.score, 4)}


def rounded(values: FloatArray, digits: int) -> Any:
    """Nested lists of numbers with this many digits; NaN, which JSON does not have, becomes None."""
    return listed(np.round(values.astype(np.float64), digits))


def listed(values: npt.NDArray[np.floating[Any]]) -> Any:
    """Nested lists; NaN, which means unknown, becomes None."""
    known = np.isfinite(values)
    return values.tolist() if known.all() else np.where(known, values.astype(object), np.array(None)).tolist()


def same_values(one: Any, other: Any) -> bool:
    """Whether two objects of one dataclass are equal, field by field; arrays by their elements."""
    for name in (one_field.name for one_field in fields(one) if one_field.compare):
        a, b = getattr(one, name), getattr(other, name)
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            if not np.array_equal(a, b, equal_nan=True):
                return False
        elif isinstance(a, np.ndarray) or isinstance(b, np.ndarray) or a != b:
            return False
    return True
