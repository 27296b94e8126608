"""Drawing on RGB pictures: hands, palms and regions, in widths that follow the picture's size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import cv2
import numpy as np

from knuckle.geometry import corners
from knuckle.graph import Graph, Node
from knuckle.images import Image, as_rgb
from knuckle.results import FINGERS, PALM_CONNECTIONS, FloatArray, Hand, Palm, Roi

Colour = tuple[int, int, int]

FINGER_COLOURS: dict[str, Colour] = {
    "thumb": (255, 138, 76),
    "index": (255, 205, 60),
    "middle": (96, 214, 120),
    "ring": (64, 190, 246),
    "pinky": (178, 132, 255),
}
PALM_COLOUR: Colour = (226, 230, 236)
SIDE_COLOURS: dict[str, Colour] = {"Left": (37, 99, 235), "Right": (219, 39, 119)}
DETECTION_COLOUR: Colour = (250, 204, 21)
OUTLINE: Colour = (24, 24, 27)
SUBPIXEL_BITS = 3  # OpenCV draws at 1/8 pixel: lines on a slow hand do not jump


def draw_hands(
    image: Any, hands: Sequence[Hand], *, labels: bool = True, boxes: bool = False, copy: bool = True
) -> Image:
    """Bones and joints of each hand, nearer joints brighter and larger, with side and id beside the wrist.

    Args:
        image: RGB uint8 (height, width, 3).
        hands: what a tracker or `detect` gave for it.
        labels: write "Left 1": handedness and track id.
        boxes: also the box around the landmarks.
        copy: False draws on `image` itself, which must then be writable RGB uint8.
    """
    picture: Image = hand_renderer(labels, boxes, copy)(image, hands)
    return picture


@lru_cache
def hand_renderer(labels: bool = True, boxes: bool = False, copy: bool = True) -> Graph:
    """The renderer subgraph, which `draw_hands` runs: image, hands -> picture. Arguments as there."""
    nodes = [
        Node(partial(_canvas, copy=copy), ("image",), "canvas"),
        Node(_drawable, ("hands",), "drawn_hands"),
        Node(_line_widths, ("canvas", "drawn_hands"), "widths"),
        Node(_bones, ("canvas", "drawn_hands", "widths"), "with_bones"),
        Node(_joints, ("with_bones", "drawn_hands", "widths"), "with_joints"),
    ]
    if boxes:
        nodes.append(Node(_boxes, (nodes[-1].output, "drawn_hands", "widths"), "with_boxes"))
    if labels:
        nodes.append(Node(_labels, (nodes[-1].output, "drawn_hands"), "with_labels"))
    return Graph("hand_renderer", inputs=["image", "hands"], nodes=nodes, output=nodes[-1].output)


def draw_palms(image: Any, palms: Sequence[Palm], *, copy: bool = True) -> Image:
    """Box, seven key points and score of each palm."""
    picture = _canvas(image, copy)
    width = max(1, round(min(picture.shape[:2]) / 240))
    for palm in palms:
        x0, y0, x1, y1 = palm.box.round().astype(int).tolist()
        cv2.rectangle(picture, (x0, y0), (x1, y1), DETECTION_COLOUR, width, cv2.LINE_AA)
        for point in palm.keypoints:
            _dot(picture, point, 1.5 * width, DETECTION_COLOUR)
        _text(picture, f"{palm.score:.2f}", (x0, y0), DETECTION_COLOUR, OUTLINE)
    return picture


def draw_rois(image: Any, rois: Sequence[Roi], *, copy: bool = True) -> Image:
    """Each region's outline, its upper edge (where the fingers point) thicker."""
    picture = _canvas(image, copy)
    width = max(1, round(min(picture.shape[:2]) / 360))
    for roi in rois:
        square = corners(roi).round().astype(np.int32)
        cv2.polylines(picture, [square], True, DETECTION_COLOUR, width, cv2.LINE_AA)
        cv2.polylines(picture, [square[:2]], False, DETECTION_COLOUR, 3 * width, cv2.LINE_AA)
    return picture


def _canvas(image: Any, copy: bool) -> Image:
    picture = as_rgb(image)
    writable = picture.flags.c_contiguous and picture.flags.writeable
    return np.array(picture) if copy or not writable else picture


def _drawable(hands: Sequence[Hand]) -> list[Hand]:
    """The hands without those that hold NaN or infinity."""
    return [hand for hand in hands if np.isfinite(hand.landmarks).all()]


def _line_widths(picture: Image, hands: Sequence[Hand]) -> list[int]:
    """Thick enough to see in a large picture, thin enough to tell the fingers of a small hand apart."""
    by_picture = min(picture.shape[:2]) / 160
    sizes = [float((hand.box[2:] - hand.box[:2]).max()) for hand in hands]
    return [max(1, round(min(by_picture, size / 40))) for size in sizes]


def _bones(picture: Image, hands: Sequence[Hand], widths: Sequence[int]) -> Image:
    """Palm and fingers as lines, each finger in its colour."""
    for hand, width in zip(hands, widths, strict=True):
        points = _fixed(hand.landmarks[:, :2])
        strokes = [(points[list(pair)], PALM_COLOUR) for pair in PALM_CONNECTIONS]
        strokes += [(points[list(FINGERS[name])], colour) for name, colour in FINGER_COLOURS.items()]
        cv2.polylines(picture, [line for line, _ in strokes], False, OUTLINE, width + 2, cv2.LINE_AA, SUBPIXEL_BITS)
        for line, colour in strokes:
            cv2.polylines(picture, [line], False, colour, width, cv2.LINE_AA, SUBPIXEL_BITS)
    return picture


def _joints(picture: Image, hands: Sequence[Hand], widths: Sequence[int]) -> Image:
    """A dot per landmark, nearer ones brighter, larger and on top."""
    colours = {point: FINGER_COLOURS[name] for name, points in FINGERS.items() for point in points}
    for hand, width in zip(hands, widths, strict=True):
        depth = hand.landmarks[:, 2]
        nearness = (depth.max() - depth) / max(float(np.ptp(depth)), 1e-6)
        for point in np.argsort(nearness):
            near = float(nearness[point])
            shade = tuple(round(value * (0.55 + 0.45 * near)) for value in colours.get(int(point), PALM_COLOUR))
            _dot(picture, hand.landmarks[point, :2], width * (1.1 + 0.6 * near), shade)
    return picture


def _boxes(picture: Image, hands: Sequence[Hand], widths: Sequence[int]) -> Image:
    """The box around the landmarks."""
    for hand, width in zip(hands, widths, strict=True):
        x0, y0, x1, y1 = hand.box.round().astype(int).tolist()
        cv2.rectangle(picture, (x0, y0), (x1, y1), SIDE_COLOURS[hand.handedness], max(1, width // 2), cv2.LINE_AA)
    return picture


def _labels(picture: Image, hands: Sequence[Hand]) -> Image:
    """Handedness and id, beside the box on the side away from the fingers, so that no finger is covered."""
    for hand in hands:
        text = hand.handedness if hand.track_id is None else f"{hand.handedness} {hand.track_id}"
        x0, y0, _, y1 = hand.box.tolist()
        below = bool(hand.landmarks[0, 1] >= hand.landmarks[9, 1])
        corner = (x0, y1 + 6) if below else (x0, y0 - 6)
        _text(picture, text, corner, (255, 255, 255), SIDE_COLOURS[hand.handedness], below)
    return picture


def _dot(picture: Image, point: FloatArray, radius: float, colour: Any) -> None:
    x, y = _fixed(point).tolist()
    whole = 1 << SUBPIXEL_BITS
    cv2.circle(picture, (x, y), round((radius + 1) * whole), OUTLINE, -1, cv2.LINE_AA, SUBPIXEL_BITS)
    cv2.circle(picture, (x, y), round(radius * whole), colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)


def _fixed(points: FloatArray) -> Any:
    return np.round(np.clip(points, -4000, 60000) * (1 << SUBPIXEL_BITS)).astype(np.int32)


def _text(
    picture: Image, text: str, corner: tuple[float, float], ink: Colour, paper: Colour, below: bool = False
) -> None:
    """Text on a plate, kept within the picture; `corner` is the plate's lower left, or upper left where `below`."""
    height, width = picture.shape[:2]
    scale = max(0.4, min(height, width) / 900)
    thickness = max(1, round(scale * 1.6))
    (text_width, text_height), tail = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    pad = round(6 * scale)
    plate_height = text_height + tail + pad
    x = int(np.clip(corner[0], 0, max(0, width - text_width - 2 * pad)))
    y = int(np.clip(corner[1] if below else corner[1] - plate_height, 0, max(0, height - plate_height)))
    cv2.rectangle(picture, (x, y), (x + text_width + 2 * pad, y + plate_height), paper, -1)
    origin = (x + pad, y + text_height + pad // 2)
    cv2.putText(picture, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thickness, cv2.LINE_AA)
