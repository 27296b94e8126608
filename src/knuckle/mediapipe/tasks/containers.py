"""The dataclasses of the Tasks API: options, and the parts of results."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from knuckle.mediapipe.solutions import messages


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

    def to_pb2(self) -> messages.Classification:
        """The same as a message, as in MediaPipe 0.10."""
        return messages.Classification(
            index=self.index, score=self.score, label=self.category_name, display_name=self.display_name
        )

    @classmethod
    def create_from_pb2(cls, pb2_obj: messages.Classification) -> Category:
        """From a message, as in MediaPipe 0.10."""
        return cls(pb2_obj.index, pb2_obj.score, pb2_obj.display_name, pb2_obj.label)


@dataclass
class Landmark:
    """A world landmark in metres. Visibility, presence and name are None."""

    x: float | None = None
    y: float | None = None
    z: float | None = None
    visibility: float | None = None
    presence: float | None = None
    name: str | None = None

    def to_pb2(self) -> messages.Landmark:
        """The same as a message, as in MediaPipe 0.10."""
        return messages.Landmark(x=self.x, y=self.y, z=self.z, visibility=self.visibility, presence=self.presence)

    @classmethod
    def create_from_pb2(cls, pb2_obj: messages.Landmark) -> Landmark:
        """From a message, as in MediaPipe 0.10. Unset fields become 0."""
        return cls(pb2_obj.x, pb2_obj.y, pb2_obj.z, pb2_obj.visibility, pb2_obj.presence)


@dataclass
class NormalizedLandmark:
    """A landmark: x and z in image widths, y in image heights. Visibility, presence and name are None."""

    x: float | None = None
    y: float | None = None
    z: float | None = None
    visibility: float | None = None
    presence: float | None = None
    name: str | None = None

    def to_pb2(self) -> messages.NormalizedLandmark:
        """The same as a message, as in MediaPipe 0.10."""
        return messages.NormalizedLandmark(
            x=self.x, y=self.y, z=self.z, visibility=self.visibility, presence=self.presence
        )

    @classmethod
    def create_from_pb2(cls, pb2_obj: messages.NormalizedLandmark) -> NormalizedLandmark:
        """From a message, as in MediaPipe 0.10. Unset fields become 0."""
        return cls(pb2_obj.x, pb2_obj.y, pb2_obj.z, pb2_obj.visibility, pb2_obj.presence)


@dataclass
class Rect:
    """A rectangle in pixels."""

    left: int
    top: int
    bottom: int
    right: int


@dataclass
class RectF:
    """A rectangle in image widths and heights."""

    left: float
    top: float
    bottom: float
    right: float


@dataclass
class NormalizedRect:
    """A rotated rectangle in image widths and heights; the rotation is clockwise, in radians."""

    x_center: float
    y_center: float
    width: float
    height: float
    rotation: float | None = 0.0
    rect_id: int | None = None


@dataclass
class LandmarksDetectionResult:
    """The landmarks of one hand with its handedness and region. The hand landmarker does not return it."""

    landmarks: list[NormalizedLandmark] | None
    categories: list[Category] | None
    world_landmarks: list[Landmark] | None
    rect: NormalizedRect
