"""Decoded pictures become images: RGB uint8, upright, with square pixels, of standard dynamic range."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from knuckle.images import Image
from knuckle.media.hdr import TRANSFERS, tone_mapped

MAX_STRETCH = 8  # pixels that are said to be longer than this are square: the file is wrong
Turn = tuple[int, int, int, int]  # a, b, c, d with x' = a x + c y and y' = b x + d y, each -1, 0 or 1
UPRIGHT: Turn = (1, 0, 0, 1)


@dataclass(frozen=True)
class PixelMeaning:
    """What the pixels of a picture mean.

    Attributes:
        aspect: width of a pixel by its height; None if unknown, that is 1.
        turn: how to turn and mirror the picture.
        transfer, primaries: codes of the transfer function and of the colour primaries, ITU-T H.273.
    """

    aspect: Fraction | None = None
    turn: Turn = UPRIGHT
    transfer: int = 2
    primaries: int = 2


def image_of(picture: Any, meaning: PixelMeaning) -> Image:
    """The image of a decoded picture (`av.VideoFrame`): RGB uint8 (height, width, 3)."""
    size: dict[str, int] = {}
    if stretched := square_size(picture.width, picture.height, meaning.aspect):
        size = {"width": stretched[0], "height": stretched[1]}
    if meaning.transfer in TRANSFERS:
        codes = picture.to_ndarray(format="rgb48le", **size)
        image = tone_mapped(codes, meaning.transfer, meaning.primaries, stated_peak(picture))
    else:
        image = picture.to_ndarray(format="rgb24", **size)
    return turned(image, meaning.turn)


def square_size(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int] | None:
    """The (width, height) at which pixels are square; None if they are already. No side gets smaller."""
    if not pixel_aspect or pixel_aspect == 1 or not 1 / MAX_STRETCH <= pixel_aspect <= MAX_STRETCH:
        return None
    if pixel_aspect > 1:
        return round(width * pixel_aspect), height
    return width, round(height / pixel_aspect)


def display_matrix(picture: Any) -> Turn:
    """How the file says that the picture is to be turned and mirrored."""
    from av.sidedata.sidedata import Type

    data = picture.side_data.get(Type.DISPLAYMATRIX)  # iterating gives data up to PyAV 18, and keys from 19 on
    if data is not None:
        a, b, _, c, d = np.frombuffer(bytes(data)[:20], np.int32).tolist()
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return (-1 if a < 0 else 1, 0, 0, -1 if d < 0 else 1)
        return (0, -1 if b < 0 else 1, -1 if c < 0 else 1, 0)
    return UPRIGHT


def turned(image: Image, matrix: Turn) -> Image:
    """The image, turned and mirrored by a matrix of `display_matrix`."""
    if matrix == UPRIGHT:
        return image
    from knuckle.extras import cv2

    a, b, c, d = matrix
    if b or c:
        image, a, d = np.asarray(cv2.transpose(image), np.uint8), c, b
    if a < 0 and d < 0:
        return np.asarray(cv2.flip(image, -1), np.uint8)
    if a < 0 or d < 0:
        return np.asarray(cv2.flip(image, 1 if a < 0 else 0), np.uint8)
    return image


def stated_peak(picture: Any) -> float | None:
    """Peak of the screen that the film was made on, cd/m²; None if the file does not say."""
    from av.sidedata.sidedata import Type

    data = picture.side_data.get(Type.MASTERING_DISPLAY_METADATA)
    if data is not None:
        numerator, denominator, _, known = struct.unpack_from("4i", bytes(data), 72)  # AVMasteringDisplayMetadata
        if known and denominator:
            return float(numerator / denominator)
    return None
