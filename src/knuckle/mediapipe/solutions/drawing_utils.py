"""MediaPipe's drawing functions, with the same arguments and the same pixels. They draw on BGR uint8 images in place.

Landmarks come from `knuckle.solutions` (a message with a list) or `knuckle.tasks` (a list). Connections are pairs of
indices, or objects with `start` and `end`.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError, MissingExtraError
from knuckle.extras import cv2

Color = tuple[int, int, int]
Pixel = tuple[int, int]

WHITE_COLOR = (224, 224, 224)
BLACK_COLOR = (0, 0, 0)
RED_COLOR = (0, 0, 255)
GREEN_COLOR = (0, 128, 0)
BLUE_COLOR = (255, 0, 0)

_MINIMUM = {"visibility": 0.5, "presence": 0.5}  # points below one of these are not drawn
_RELATIVE_BOUNDING_BOX = 2


@dataclass
class DrawingSpec:
    """BGR colour, thickness in pixels (negative fills the shape), and radius of points in pixels."""

    color: Color = WHITE_COLOR
    thickness: int = 2
    circle_radius: int = 2


_WHITE, _RED = DrawingSpec(), DrawingSpec(color=RED_COLOR)
_PLOT_RED, _PLOT_BLACK = DrawingSpec(color=RED_COLOR, thickness=5), DrawingSpec(color=BLACK_COLOR, thickness=5)
LandmarkSpec = DrawingSpec | Mapping[int, DrawingSpec] | None
ConnectionSpec = DrawingSpec | Mapping[tuple[int, int], DrawingSpec]


def draw_landmarks(
    image: npt.NDArray[Any],
    landmark_list: Any,
    connections: Iterable[Any] | None = None,
    landmark_drawing_spec: LandmarkSpec = _RED,
    connection_drawing_spec: ConnectionSpec = _WHITE,
    is_drawing_landmarks: bool = True,
) -> None:
    """Draw one hand: its connections as lines, then its landmarks as dots with a rim.

    Args:
        image: BGR uint8 (height, width, 3), changed in place.
        landmark_list: landmarks in image widths and heights; None or an empty list draws nothing. Points outside the
            image, or with a visibility or presence below 0.5, are not drawn.
        connections: pairs of points to connect.
        landmark_drawing_spec: style of all points, or one per index; None draws no points.
        connection_drawing_spec: style of all lines, or one per pair.
        is_drawing_landmarks: False draws no points.

    Raises:
        ValueError: the image does not have three channels, or a connection names a missing point.
    """
    if not landmark_list:
        return
    height, width = _size(image)
    points = getattr(landmark_list, "landmark", landmark_list)
    pixels = _pixels(points, width, height)
    for start, end in _pairs(connections, len(points)):
        if start in pixels and end in pixels:
            spec = _spec(connection_drawing_spec, (start, end))
            cv2.line(image, pixels[start], pixels[end], spec.color, spec.thickness)
    if not is_drawing_landmarks or not landmark_drawing_spec:
        return
    for index, pixel in pixels.items():
        spec = _spec(landmark_drawing_spec, index)
        rim = max(spec.circle_radius + 1, int(spec.circle_radius * 1.2))
        cv2.circle(image, pixel, rim, WHITE_COLOR, spec.thickness)
        cv2.circle(image, pixel, spec.circle_radius, spec.color, spec.thickness)


def draw_detection(
    image: npt.NDArray[Any],
    detection: Any,
    keypoint_drawing_spec: DrawingSpec = _RED,
    bbox_drawing_spec: DrawingSpec = _WHITE,
) -> None:
    """Draw the key points and the box of a detection message; parts outside the image are not drawn.

    Raises:
        ValueError: the image does not have three channels, or the detection has no relative box.
    """
    location = getattr(detection, "location_data", None)
    if location is None:
        return
    height, width = _size(image)
    if location.format != _RELATIVE_BOUNDING_BOX:
        raise InputError("LocationData must be relative for this drawing funtion to work.")
    for keypoint in location.relative_keypoints:
        if pixel := _normalized_to_pixel_coordinates(keypoint.x, keypoint.y, width, height):
            spec = keypoint_drawing_spec
            cv2.circle(image, pixel, spec.circle_radius, spec.color, spec.thickness)
    box = location.relative_bounding_box
    low = _normalized_to_pixel_coordinates(box.xmin, box.ymin, width, height)
    high = _normalized_to_pixel_coordinates(box.xmin + box.width, box.ymin + box.height, width, height)
    if low and high:
        cv2.rectangle(image, low, high, bbox_drawing_spec.color, bbox_drawing_spec.thickness)


def draw_axis(
    image: npt.NDArray[Any],
    rotation: npt.NDArray[Any],
    translation: npt.NDArray[Any],
    focal_length: tuple[float, float] = (1.0, 1.0),
    principal_point: tuple[float, float] = (0.0, 0.0),
    axis_length: float = 0.1,
    axis_drawing_spec: DrawingSpec = _WHITE,
) -> None:
    """Draw the axes of an object as arrows: x in red, y in green, z in blue.

    Args:
        image: BGR uint8 (height, width, 3), changed in place.
        rotation: (3, 3), camera from object. The camera looks along -z, with y up.
        translation: (3,), camera from object.
        focal_length, principal_point: (x, y) in half widths and half heights of the image.
        axis_length: length of each arrow, in the unit of `translation`.
        axis_drawing_spec: only its thickness is used.

    Raises:
        ValueError: the image does not have three channels.
    """
    height, width = _size(image)
    ends = np.vstack([np.zeros(3), np.eye(3)]).astype(np.float32)
    x, y, z = (np.matmul(rotation, axis_length * ends.T).T + translation).T
    x_ndc = np.clip(-focal_length[0] * x / (z + 1e-5) + principal_point[0], -1.0, 1.0)
    y_ndc = np.clip(-focal_length[1] * y / (z + 1e-5) + principal_point[1], -1.0, 1.0)
    columns, rows = ((1 + x_ndc) * 0.5 * width).astype(int), ((1 - y_ndc) * 0.5 * height).astype(int)
    origin, *tips = zip(columns.tolist(), rows.tolist(), strict=True)
    for tip, color in zip(tips, (RED_COLOR, GREEN_COLOR, BLUE_COLOR), strict=True):
        cv2.arrowedLine(image, origin, tip, color, axis_drawing_spec.thickness)


def plot_landmarks(
    landmark_list: Any,
    connections: Iterable[Any] | None = None,
    landmark_drawing_spec: DrawingSpec = _PLOT_RED,
    connection_drawing_spec: DrawingSpec = _PLOT_BLACK,
    elevation: int = 10,
    azimuth: int = 10,
) -> None:
    """Show landmarks in a 3D plot of matplotlib, 10 × 10 inches, viewed from `elevation` and `azimuth` in degrees.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: a connection names a missing point.
    """
    if not landmark_list:
        return
    try:
        pyplot = importlib.import_module("matplotlib.pyplot")
    except ModuleNotFoundError as error:
        raise MissingExtraError("plot_landmarks needs matplotlib: pip install 'knuckle[plot]'") from error
    points = getattr(landmark_list, "landmark", landmark_list)
    positions = {i: (-p.z, p.x, -p.y) for i, p in enumerate(points) if not _is_hidden(p)}
    pyplot.figure(figsize=(10, 10))
    axes = pyplot.axes(projection="3d")
    axes.view_init(elev=elevation, azim=azimuth)
    for position in positions.values():
        _draw_3d(axes.scatter3D, [position], landmark_drawing_spec)
    for start, end in _pairs(connections, len(points)):
        if start in positions and end in positions:
            _draw_3d(axes.plot3D, [positions[start], positions[end]], connection_drawing_spec)
    pyplot.show()


def _draw_3d(draw: Any, positions: Sequence[tuple[float, float, float]], spec: DrawingSpec) -> None:
    xs, ys, zs = (list(column) for column in zip(*positions, strict=True))
    color = tuple(channel / 255 for channel in reversed(spec.color))
    draw(xs=xs, ys=ys, zs=zs, color=color, linewidth=spec.thickness)


def _size(image: npt.NDArray[Any]) -> tuple[int, int]:
    if image.shape[2] != 3:
        raise InputError("Input image must contain three channel bgr data.")
    return image.shape[0], image.shape[1]


def _pixels(points: Sequence[Any], width: int, height: int) -> dict[int, Pixel]:
    """The pixels of the points that are drawn, by index."""
    pixels = {}
    for index, point in enumerate(points):
        pixel = _normalized_to_pixel_coordinates(point.x, point.y, width, height)
        if pixel and not _is_hidden(point):
            pixels[index] = pixel
    return pixels


def _is_hidden(point: Any) -> bool:
    for name, minimum in _MINIMUM.items():
        is_set = point.HasField(name) if hasattr(point, "HasField") else getattr(point, name) is not None
        if is_set and getattr(point, name) < minimum:
            return True
    return False


def _pairs(connections: Iterable[Any] | None, count: int) -> Iterable[tuple[int, int]]:
    for connection in connections or ():
        start, end = (connection.start, connection.end) if hasattr(connection, "start") else connection
        if not (0 <= start < count and 0 <= end < count):
            raise InputError(
                f"Landmark index is out of range. Invalid connection from landmark #{start} to landmark #{end}."
            )
        yield start, end


def _spec(specs: Any, key: Any) -> DrawingSpec:
    spec: DrawingSpec = specs[key] if isinstance(specs, Mapping) else specs
    return spec


# Many scripts call this function, although it is private in MediaPipe too.
def _normalized_to_pixel_coordinates(
    normalized_x: float, normalized_y: float, image_width: int, image_height: int
) -> Pixel | None:
    """The (x, y) pixel of a point in image widths and heights; None if it is outside the image."""
    if not (_is_unit(normalized_x) and _is_unit(normalized_y)):
        return None
    x, y = math.floor(normalized_x * image_width), math.floor(normalized_y * image_height)
    return min(x, image_width - 1), min(y, image_height - 1)


def _is_unit(value: float) -> bool:
    return 0 <= value < 1 or math.isclose(0, value) or math.isclose(1, value)
