"""The records of the Tasks API: what goes in, and what results are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


@dataclass
class BaseOptions:
    """Which models, and what they run on.

    Attributes:
        model_asset_path: a `.task` file, a bundle's folder or a bundle's name, such as "mediapipe".
        model_asset_buffer: the bytes of a `.task` file, where no path is given.
        delegate: None and CPU run on the processor.
    """

    class Delegate(IntEnum):
        """What the networks run on."""

        DEFAULT = 0
        CPU = 1
        GPU = 2

    model_asset_path: str | None = None
    model_asset_buffer: bytes | None = None
    delegate: Delegate | None = None


@dataclass
class ImageProcessingOptions:
    """How to look at an image.

    Attributes:
        region_of_interest: must stay None: the hand landmarker takes whole images.
        rotation_degrees: how far to turn the image clockwise so that it is upright, a multiple of 90. Landmarks are
            those of the image as it came.
    """

    region_of_interest: Any = None
    rotation_degrees: int = 0


@dataclass
class Category:
    """One side of a hand: index 0 "Right" or 1 "Left", the person's own, and how sure: 0.5..1."""

    index: int | None = None
    score: float | None = None
    display_name: str | None = None
    category_name: str | None = None


@dataclass
class Landmark:
    """A point in metres; visibility, presence and name are None."""

    x: float | None = None
    y: float | None = None
    z: float | None = None
    visibility: float | None = None
    presence: float | None = None
    name: str | None = None


@dataclass
class NormalizedLandmark:
    """A point: x and z in image widths, y in image heights; visibility, presence and name are None."""

    x: float | None = None
    y: float | None = None
    z: float | None = None
    visibility: float | None = None
    presence: float | None = None
    name: str | None = None
