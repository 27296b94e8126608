"""Draw hands, palms and regions on RGB images. Line widths follow the size of the image and of the hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.extras import cv2
from knuckle.geometry import corners
from knuckle.graph import Graph, Node
from knuckle.images import Image, as_rgb
from knuckle.results import BONES, FINGER_COLOURS, PALM_COLOUR, Colour, FloatArray, Hand, Palm, Roi

JOINT_COLOURS = [PALM_COLOUR] + [colour for colour in FINGER_COLOURS.values() for _ in range(4)]
SIDE_COLOURS: dict[str, Colour] = {"Left": (37, 99, 235), "Right": (219, 39, 119)}
DETECTION_COLOUR: Colour = (250, 204, 21)
OUTLINE: Colour = (24, 24, 27)
MIN_VISIBILITY = 0.5  # landmarks with a lower visibility are drawn as hidden
HIDDEN_OPACITY = 0.55
SUBPIXEL_BITS = 3  # OpenCV draws at 1/8 pixel, so that lines on a slow hand do not jump


def draw_hands(
    image: Any, hands: Sequence[Hand], *, labels: bool = True, boxes: bool = False, copy: bool = True
) -> Image:
    """Draw the bones and joints of each hand. Nearer joints are brighter and larger.

    If the hand has `visibility`, hidden joints are hollow, and the bones that lead to them thin and translucent.

    Args:
        image: RGB uint8 (height, width, 3).
        hands: the hands of this image, from a tracker or from `detect`.
        labels: write handedness and track id beside the wrist, such as "Left 1".
        boxes: also draw the box around the landmarks.
        copy: False draws on `image` itself if it is writable RGB uint8.

    Returns:
        The drawn image, RGB uint8 (height, width, 3). Hands with NaN or infinite landmarks are left out.

    Raises:
        InputError: `image` is not an image; see `knuckle.images.as_rgb`.
    """
    picture: Image = hand_renderer(labels, boxes, copy)(image, hands)
    return picture


@lru_cache
def hand_renderer(labels: bool = True, boxes: bool = False, copy: bool = True) -> Graph:
    """The graph that `draw_hands` runs: image, hands -> picture. For the arguments see there."""
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
    """Draw the box, the seven key points and the score of each palm. For `image` and `copy` see `draw_hands`."""
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
    """Draw the outline of each region, with a thick line on the side that the fingers point to.

    For `image` and `copy` see `draw_hands`.
    """
    picture = _canvas(image, copy)
    width = max(1, round(min(picture.shape[:2]) / 360))
    for roi in rois:
        square = corners(roi).round().astype(np.int32)
        cv2.polylines(picture, [square], True, DETECTION_COLOUR, width, cv2.LINE_AA)
        cv2.polylines(picture, [square[:2]], False, DETECTION_COLOUR, 3 * width, cv2.LINE_AA)
    return picture


def draw_mirrored(image: Any, results: Sequence[Hand] | Sequence[Palm]) -> Image:
    """Flip an image left to right, then draw its hands or palms on it: the text stays readable.

    Args:
        image: RGB uint8 (height, width, 3), not flipped.
        results: the hands or palms of this image.
    """
    flipped = np.ascontiguousarray(as_rgb(image)[:, ::-1])
    last = flipped.shape[1] - 1
    for result in results:
        if isinstance(result, Palm):
            x0, y0, x1, y1 = result.box
            keypoints = np.column_stack([last - result.keypoints[:, 0], result.keypoints[:, 1]])
            palm = replace(result, box=np.array([last - x1, y0, last - x0, y1]), keypoints=keypoints)
            draw_palms(flipped, [palm], copy=False)
        else:
            landmarks = result.landmarks.copy()
            landmarks[:, 0] = last - landmarks[:, 0]
            draw_hands(flipped, [replace(result, landmarks=landmarks)], copy=False)
    return flipped


def _canvas(image: Any, copy: bool) -> Image:
    picture = as_rgb(image)
    writable = picture.flags.c_contiguous and picture.flags.writeable
    return np.array(picture) if copy or not writable else picture


def _drawable(hands: Sequence[Hand]) -> list[Hand]:
    """Leave out hands with NaN or infinite landmarks."""
    return [hand for hand in hands if np.isfinite(hand.landmarks).all()]


def _line_widths(picture: Image, hands: Sequence[Hand]) -> list[int]:
    """One line width per hand, in pixels: visible in a large image, thin enough for the fingers of a small hand."""
    by_picture = min(picture.shape[:2]) / 160
    sizes = [float((hand.box[2:] - hand.box[:2]).max()) for hand in hands]
    return [max(1, round(min(by_picture, size / 40))) for size in sizes]


def _bones(picture: Image, hands: Sequence[Hand], widths: Sequence[int]) -> Image:
    """Draw palm and fingers as lines, each finger in its colour. Hidden parts come first, so that they lie below."""
    for hand, width in zip(hands, widths, strict=True):
        points, hidden = _fixed(hand.landmarks[:, :2]), _hidden(hand)
        _draw_hidden(picture, hand, hidden, width)
        _lines(picture, [(points[pair], colour) for pair, colour in BONES if not hidden[pair].any()], width)
    return picture


def _hidden(hand: Hand) -> npt.NDArray[np.bool_]:
    """(21,) mask of hidden landmarks; all False if the network has no visibility output."""
    return np.zeros(21, np.bool_) if hand.visibility is None else hand.visibility < MIN_VISIBILITY


def _draw_hidden(picture: Image, hand: Hand, hidden: npt.NDArray[np.bool_], width: int) -> None:
    """Blend thin bones and hollow joints into the part of the image around the hand."""
    margin = 3 * width + 3
    x0, y0, x1, y1 = (hand.box + np.array([-margin, -margin, margin, margin])).round().clip(0, 60000).astype(int)
    patch = picture[y0:y1, x0:x1]
    if not hidden.any() or not patch.size:
        return
    over = np.array(patch)
    points = _fixed(hand.landmarks[:, :2] - np.array([x0, y0]))
    _lines(over, [(points[pair], colour) for pair, colour in BONES if hidden[pair].any()], max(1, width // 2))
    for point in np.flatnonzero(hidden):
        centre = hand.landmarks[point, :2] - np.array([x0, y0])
        _dot(over, centre, 1.2 * width, JOINT_COLOURS[point])
        _disc(over, points[point].tolist(), 0.6 * width, OUTLINE)
    cv2.addWeighted(over, HIDDEN_OPACITY, patch, 1 - HIDDEN_OPACITY, 0, dst=patch)


def _joints(picture: Image, hands: Sequence[Hand], widths: Sequence[int]) -> Image:
    """Draw a dot per visible landmark; nearer ones are brighter, larger and on top."""
    for hand, width in zip(hands, widths, strict=True):
        depth, hidden = hand.landmarks[:, 2], _hidden(hand)
        nearness = (depth.max() - depth) / max(float(np.ptp(depth)), 1e-6)
        for point in np.argsort(nearness):
            if hidden[point]:
                continue
            near = float(nearness[point])
            shade = tuple(round(value * (0.55 + 0.45 * near)) for value in JOINT_COLOURS[point])
            _dot(picture, hand.landmarks[point, :2], width * (1.1 + 0.6 * near), shade)
    return picture


def _boxes(picture: Image, hands: Sequence[Hand], widths: Sequence[int]) -> Image:
    """Draw the box around the landmarks of each hand."""
    for hand, width in zip(hands, widths, strict=True):
        x0, y0, x1, y1 = hand.box.round().astype(int).tolist()
        cv2.rectangle(picture, (x0, y0), (x1, y1), SIDE_COLOURS[hand.handedness], max(1, width // 2), cv2.LINE_AA)
    return picture


def _labels(picture: Image, hands: Sequence[Hand]) -> Image:
    """Write handedness and track id beside the box, on the wrist's side, so that no finger is covered."""
    for hand in hands:
        text = hand.handedness if hand.track_id is None else f"{hand.handedness} {hand.track_id}"
        x0, y0, _, y1 = hand.box.tolist()
        below = bool(hand.landmarks[0, 1] >= hand.landmarks[9, 1])
        corner = (x0, y1 + 6) if below else (x0, y0 - 6)
        _text(picture, text, corner, (255, 255, 255), SIDE_COLOURS[hand.handedness], below)
    return picture


def _lines(picture: Image, lines: Sequence[tuple[Any, Colour]], width: int) -> None:
    """Draw lines of fixed-point ends, all outlines below all colours."""
    cv2.polylines(picture, [line for line, _ in lines], False, OUTLINE, width + 2, cv2.LINE_AA, SUBPIXEL_BITS)
    for line, colour in lines:
        cv2.polylines(picture, [line], False, colour, width, cv2.LINE_AA, SUBPIXEL_BITS)


def _dot(picture: Image, point: FloatArray, radius: float, colour: Any) -> None:
    """Draw a filled circle with an outline of one pixel."""
    centre = _fixed(point).tolist()
    _disc(picture, centre, radius + 1, OUTLINE)
    _disc(picture, centre, radius, colour)


def _disc(picture: Image, centre: Any, radius: float, colour: Any) -> None:
    """Draw a filled circle around a fixed-point centre."""
    cv2.circle(picture, centre, round(radius * (1 << SUBPIXEL_BITS)), colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)


def _fixed(points: FloatArray) -> Any:
    """Points as OpenCV's fixed-point numbers, clamped to what it can draw."""
    return np.round(np.clip(points, -4000, 60000) * (1 << SUBPIXEL_BITS)).astype(np.int32)


def _text(
    picture: Image, text: str, corner: tuple[float, float], ink: Colour, paper: Colour, below: bool = False
) -> None:
    """Write text on a filled plate and keep it inside the image.

    `corner` is the lower left corner of the plate, or its upper left corner if `below`.
    """
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
