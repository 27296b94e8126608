"""The dataclasses of the Tasks API: options, and the parts of results."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


@dataclass
class BaseOptions:
    """The models, and the device they run on.

    Attributes:
        model_asset_path: a `.task` file, the folder of a bundle, or its name, such as "mediapipe".
        model_asset_buffer: the bytes of a `.task` file; used if there is no path.
        delegate: GPU runs on the graphics processor; anything else on the CPU.
    """

    class Delegate(IntEnum):
        """The device of the networks."""

        DEFAULT = 0
        CPU = 1
        GPU = 2

    model_asset_path: str | None = None
    model_asset_buffer: bytes | None = None
    delegate: Delegate | None = None


@dataclass
class ImageProcessingOptions:
    """How to process an image.

    Attributes:
        region_of_interest: must be None; the hand landmarker only takes whole images.
        rotation_degrees: clockwise rotation that makes the image upright, a multiple of 90. Landmarks still refer to
            the image that was passed.
    """

    region_of_interest: Any = None
    rotation_degrees: int = 0


@dataclass
class Category:
    """The handedness of a hand: index 0 "Right" or 1 "Left", and its score, 0.5..1."""

    index: int | None = None
    score: float | None = None
    display_name: str | None = None
    category_name: str | None = None


@dataclass
class Landmark:
    """A world landmark in metres. Visibility, presence and name are None."""

    x: float | None = None
    y: float | None = None
    z: float | None = None
    visibility: float | None = None
    presence: float | None = None
    name: str | None = None


@dataclass
class NormalizedLandmark:
    """A landmark: x and z in image widths, y in image heights. Visibility, presence and name are None."""

    x: float | None = None
    y: float | None = None
    z: float | None = None
    visibility: float | None = None
    presence: float | None = None
    name: str | None = None
