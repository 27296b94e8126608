"""Scale pictures for output: the size that was asked for, the aspect kept."""

from __future__ import annotations

import numpy as np

from knuckle.extras import cv2
from knuckle.images import Image


def target_size(width: int, height: int, size: tuple[int, int] | int | None) -> tuple[int, int]:
    """The (width, height) of the output in pixels.

    Args:
        width, height: of the picture, in pixels.
        size: (width, height), or the longer side, or None for the picture's own size.
    """
    if size is None:
        return width, height
    if isinstance(size, tuple):
        return size
    scale = size / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def fit(image: Image, size: tuple[int, int] | int | None) -> Image:
    """Scale an RGB uint8 (height, width, 3) image to `size`, see `target_size`; black bars keep its aspect."""
    return fit_into(image, *target_size(image.shape[1], image.shape[0], size))


def fit_into(image: Image, width: int, height: int) -> Image:
    """Scale an RGB uint8 image into exactly (height, width, 3); black bars keep its aspect.

    An image of this size is returned as it is. One that lacks a single row or column, as video needs even sizes, gets
    its last one twice.
    """
    old_height, old_width = image.shape[:2]
    right, below = width - old_width, height - old_height
    if (right, below) == (0, 0):
        return image
    if right in (0, 1) and below in (0, 1):
        return np.asarray(cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    scale = min(width / old_width, height / old_height)
    inner = (min(width, max(1, round(old_width * scale))), min(height, max(1, round(old_height * scale))))
    small = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    edges = (top, height - inner[1] - top, left, width - inner[0] - left)
    return np.asarray(cv2.copyMakeBorder(small, *edges, cv2.BORDER_CONSTANT, value=(0, 0, 0)), np.uint8)
