"""Squares, angles and affines between image and crop, and the functions that cut crops.

Pixel centres are at integers, in the image and in the crop, and crop pixel 0 lies on the edge of the region. So the
coordinate c in a crop of `side` pixels is the fraction c / side of the region. The networks were trained with this
convention (the CPU path of MediaPipe's image-to-tensor step).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.extras import cv2
from knuckle.images import Image
from knuckle.results import FloatArray, Roi

# Numbers of a region are below this, in pixels: single precision still holds half pixels there.
MAX_PX = 1e6
# OpenCV's `remap` takes sides below this.
MAX_SIDE = 32767
# A part of an image up to this size is copied before it is sampled, see `crop`.
MAX_COPY_BYTES = 64 << 20


def wrap_angle(angle_rad: float) -> float:
    """The angle within [-pi, pi)."""
    return angle_rad - 2 * math.pi * math.floor((angle_rad + math.pi) / (2 * math.pi))


def turn(points: FloatArray, angle_rad: float) -> FloatArray:
    """Rotate (…, 2 or 3) points about the origin, clockwise on screen (y points down); a third column is kept."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    turned = np.array(points)
    turned[..., 0] = c * points[..., 0] - s * points[..., 1]
    turned[..., 1] = s * points[..., 0] + c * points[..., 1]
    return turned


def whole_image(width: int, height: int) -> Roi:
    """The smallest square around the whole image; a crop of it is the letterboxed image."""
    return Roi(width / 2, height / 2, max(width, height))


def is_usable(roi: Roi) -> bool:
    """Whether a region can be cropped: finite numbers below `MAX_PX`, and a size above 0."""
    return 0 < roi.size < MAX_PX and abs(roi.x) < MAX_PX and abs(roi.y) < MAX_PX and math.isfinite(roi.angle_rad)


def image_from_crop(roi: Roi, side: int) -> FloatArray:
    """The (2, 3) float64 affine from crop pixels to image pixels.

    Raises:
        InputError: the region is not usable, see `is_usable`.
    """
    if not is_usable(roi):
        raise InputError(f"a region needs finite numbers below {MAX_PX:g} and a size above 0, got {roi}")
    scale = roi.size / side
    c, s = scale * math.cos(roi.angle_rad), scale * math.sin(roi.angle_rad)
    half = side / 2
    return np.array([[c, -s, roi.x - c * half + s * half], [s, c, roi.y - s * half - c * half]])


def invert(affine: FloatArray) -> FloatArray:
    """The inverse of a (2, 3) affine."""
    linear = np.linalg.inv(affine[:, :2])
    return np.column_stack([linear, -linear @ affine[:, 2]])


def apply(affine: FloatArray, points: FloatArray) -> FloatArray:
    """Map (…, 2) points by a (2, 3) affine."""
    mapped: FloatArray = points @ affine[:, :2].T + affine[:, 2]
    return mapped


def crop(image: Image, roi: Roi, side: int) -> Image:
    """Cut a rotated square out of an image as uint8 (side, side, 3); beyond the border the edge pixels repeat.

    Bilinear in steps of 1/32 pixel, as the reference samples. `cv2.warpAffine` of OpenCV 5 rounds differently, by up to
    3 grey levels, which moves landmarks by up to 0.4 pixels. The part of the image around the square is copied first,
    so that memory is read in rows: for 224 px from a frame that is not in the CPU cache 0.23 instead of 0.38 ms. A part
    that is too large for that is sampled where it is.
    """
    affine = image_from_crop(roi, side)
    reach = roi.size / 2 * (abs(math.cos(roi.angle_rad)) + abs(math.sin(roi.angle_rad))) + 2
    left, right = _within(roi.x - reach, roi.x + reach, image.shape[1])
    top, bottom = _within(roi.y - reach, roi.y + reach, image.shape[0])
    near = image[top:bottom, left:right]
    affine[:, 2] -= left, top
    if max(near.shape) >= MAX_SIDE:
        near, step = thinned(near)
        affine /= step
    elif near.nbytes <= MAX_COPY_BYTES:
        near = near.copy()
    ticks, (across, down, start) = np.arange(side, dtype=np.float32), affine.astype(np.float32).T[:, :, None]
    x, y = (down * ticks + start)[:, :, None] + (across * ticks)[:, None]
    return cast(Image, cv2.remap(near, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _within(low: float, high: float, length: int) -> tuple[int, int]:
    """Clamp [low, high) to the pixels of an image with this length; never empty."""
    first = min(max(math.floor(low), 0), length - 1)
    return first, max(min(math.ceil(high), length), first + 1)


def thinned(image: Image) -> tuple[Image, int]:
    """Every nth pixel of an image that is too long for OpenCV, and n. Pixel k is pixel k * n of the image."""
    step = math.ceil(max(image.shape[:2]) / (MAX_SIDE - 1))
    return np.ascontiguousarray(image[::step, ::step]), step


def letterbox(image: Image, side: int) -> Image:
    """The whole image, centred in a black square: uint8 (side, side, 3); see `whole_image`."""
    if max(image.shape[:2]) >= MAX_SIDE:
        image, _ = thinned(image)
    whole, fractions = _letterbox_maps(image.shape[1], image.shape[0], side)
    return cast(Image, cv2.remap(image, whole, fractions, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))


@lru_cache(maxsize=16)
def _letterbox_maps(width: int, height: int, side: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The image position of each pixel of the letterbox, computed once per image size.

    Many samples fall exactly between two steps of 1/32 pixel (from 517 to 192 px every third one). In the reference,
    rounding noise decides them, and palms depend on it. So its arithmetic is repeated here step by step: the homography
    of the corners, its inverse by cofactors, blocks of 64 columns, rounding half to even.
    """
    roi = whole_image(width, height)
    low = np.array([roi.x - roi.size / 2, roi.y - roi.size / 2], np.float32)
    high = 2 * np.array([roi.x, roi.y], np.float32) - low
    source = np.array([[low[0], high[1]], low, [high[0], low[1]], high], np.float32)
    target = np.array([[0, side], [0, 0], [side, 0], [side, side]], np.float32)
    (a, b, c), (d, e, f), (g, h, i) = cv2.getPerspectiveTransform(source, target)
    cofactors = np.array(
        [
            [e * i - f * h, c * h - b * i, b * f - c * e],
            [f * g - d * i, a * i - c * g, c * d - a * f],
            [d * h - e * g, b * g - a * h, a * e - b * d],
        ]
    )
    inverse = cofactors * (1 / (a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)))
    block = 64 * (np.arange(side) // 64)
    within, rows = np.arange(side) - block, np.arange(side)[:, None]
    x, y, w = ((m[0] * block + m[1] * rows + m[2], m[0] * within) for m in inverse)
    scale = 32 / (w[0] + w[1])
    x32, y32 = (np.rint((start + step) * scale).astype(np.int32) for start, step in (x, y))
    whole = np.stack([x32 >> 5, y32 >> 5], axis=-1).astype(np.int16)
    return whole, (((y32 & 31) << 5) | (x32 & 31)).astype(np.uint16)


def corners(roi: Roi) -> FloatArray:
    """(4, 2) image pixels: top left, top right, bottom right, bottom left corner of the rotated square."""
    unit = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    square: FloatArray = turn(unit * roi.size, roi.angle_rad) + np.array([roi.x, roi.y])
    return square


def square_box(roi: Roi) -> FloatArray:
    """(4,) x0, y0, x1, y1 of the square without its rotation, which is what the reference compares."""
    half = roi.size / 2
    return np.array([roi.x - half, roi.y - half, roi.x + half, roi.y + half])


def iou(box: FloatArray, boxes: FloatArray) -> FloatArray:
    """Intersection over union of one (4,) box with (n, 4) boxes: (n,). Boxes are x0, y0, x1, y1; 0 for empty unions."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - shared
    ratio: FloatArray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio
