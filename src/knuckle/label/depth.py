"""Depth maps beside photos: z of the points that can be seen. A map is a 16-bit PNG of millimetres, 0 where unknown."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as pillow
from PIL import UnidentifiedImageError

from knuckle.errors import InputError

SUFFIXES = (".depth.png", "_depth.png")  # photo.jpg has photo.depth.png or photo_depth.png
FIELD_OF_VIEW = math.radians(60)  # of a camera about which nothing is known, across the width
REACH = 2  # pixels around a point whose median counts
HAND_MM = 250.0  # no point of a hand is farther from its wrist
VISIBLE = 0  # the code of our JSON lines
Depth = npt.NDArray[np.uint16]


def depth_path(photo: Path) -> Path | None:
    """The depth map beside a photo, if there is one."""
    named = (photo.with_name(photo.stem + suffix) for suffix in SUFFIXES)
    return next((path for path in named if path.is_file()), None)


def read_depth(path: Path) -> Depth:
    """(height, width) millimetres.

    Raises:
        InputError: it is not a 16-bit PNG of one channel.
    """
    try:
        with pillow.open(path) as opened:
            if not opened.mode.startswith("I"):
                raise InputError(f"a depth map is a 16-bit grey PNG of millimetres, {path} has the mode {opened.mode}")
            return np.asarray(opened).astype(np.uint16)
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"the depth map {path} cannot be read: {error}") from error


def set_z(hand: dict[str, Any], depth: Depth, size: tuple[int, int]) -> int:
    """Give the visible points of a hand the z of a depth map. The others keep theirs.

    z is relative to the wrist and in pixels of the photo, so a depth difference is multiplied by f / Z, where Z is the
    depth of the wrist and f the focal length of a camera with `FIELD_OF_VIEW`.

    Args:
        hand: of our JSON lines; it is changed.
        size: (width, height) of the photo. The map shows the same picture, in any size.

    Returns:
        The number of points with a z from the map; 0 where the depth of the wrist is unknown.
    """
    points = hand.get("landmarks")
    if not points or any(len(point) < 3 for point in points):
        return 0
    wrist = depth_at(depth, points[0], size)
    if wrist is None:
        return 0
    focal_px = size[0] / 2 / math.tan(FIELD_OF_VIEW / 2)
    codes, count = hand.get("visibility") or [VISIBLE] * len(points), 0
    for point, code in zip(points, codes, strict=True):
        here = depth_at(depth, point, size) if code == VISIBLE else None
        if here is not None and abs(here - wrist) <= HAND_MM:
            point[2] = round((here - wrist) * focal_px / wrist, 3)
            count += 1
    return count


def depth_at(depth: Depth, point: list[float | None], size: tuple[int, int]) -> float | None:
    """The depth around a point in millimetres, if it is known there."""
    if point[0] is None or point[1] is None:
        return None
    height, width = depth.shape
    x, y = round((point[0] + 0.5) * width / size[0] - 0.5), round((point[1] + 0.5) * height / size[1] - 0.5)
    if not (0 <= x < width and 0 <= y < height):
        return None
    near = depth[max(0, y - REACH) : y + REACH + 1, max(0, x - REACH) : x + REACH + 1]
    known = near[near > 0]
    return float(np.median(known)) if len(known) else None
