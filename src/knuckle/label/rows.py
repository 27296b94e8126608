"""What the page sends becomes a row of the label file, and what it asks about an image."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image as pillow

from knuckle.datasets.hand_json import hand_from_json, hand_to_json
from knuckle.errors import InputError
from knuckle.images import Image
from knuckle.label.depth import Depth, set_z
from knuckle.results import FloatArray

JPEG_QUALITY = 92
OUTSIDE = 3  # the code of our JSON lines


def row_of(hands: list[dict[str, Any]], size: tuple[int, int]) -> dict[str, Any]:
    """The row of an image (width, height) whose hands people have looked at."""
    return {"width": size[0], "height": size[1], "labelled_by": "people", "complete": True, "hands": hands}


def checked_hands(
    given: Mapping[str, Any], size: tuple[int, int], depth: Depth | None = None
) -> tuple[list[dict[str, Any]], bool, bool]:
    """The hands that the page sends, in the form of our JSON lines, and whether they are accepted and doubtful.

    Args:
        given: `hands`, `accepted` and `doubtful`.
        size: (width, height) of the image; landmarks beyond its edges are marked.
        depth: gives z to the visible points.

    Raises:
        InputError: the labels are damaged.
    """
    try:
        hands = [hand_to_json(hand_from_json(hand)) for hand in given["hands"]]
        for hand in hands:
            mark_outside(hand, *size)
            mark_outside(hand.get("extra", {}), *size)
            if depth is not None:
                set_z(hand, depth, size)
        return hands, bool(given["accepted"]), bool(given["doubtful"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"these labels are damaged, so they were not saved: {error}") from error


def mark_outside(hand: dict[str, Any], width: int, height: int) -> None:
    """Mark the landmarks beyond the edges of the image."""
    points = hand.get("landmarks")
    if points is None:
        return
    codes = hand.get("visibility") or [None] * len(points)
    for number, (x, y, *_) in enumerate(points):
        inside = x is None or (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5)
        if not inside or codes[number] == OUTSIDE:
            codes[number] = 0 if inside else OUTSIDE
    hand["visibility"] = codes


def checked_place(place: Any) -> FloatArray:
    """(2,) a click x, y or (4,) a box x0, y0, x1, y1 on an image, pixels.

    Raises:
        InputError: the place is neither.
    """
    try:
        where = np.array(place, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"a place is a point x, y or a box x0, y0, x1, y1, got {place!r}") from error
    if where.shape not in ((2,), (4,)) or not np.isfinite(where).all():
        raise InputError(f"a place is a point x, y or a box x0, y0, x1, y1, got {place!r}")
    if len(where) == 4 and not (where[2:] - where[:2] >= 2).all():
        raise InputError(f"the box {place} is empty; draw it from corner to corner")
    return where


def jpeg(image: Image) -> bytes:
    """An image as browsers show it, at its own size."""
    file = io.BytesIO()
    pillow.fromarray(image).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
