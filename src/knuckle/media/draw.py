"""Draw hands, palms and regions on RGB images. Line widths follow the size of the image and of the hand."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.extras import cv2
from knuckle.geometry import corners
from knuckle.graph import Graph, Node
from knuckle.images import Image, as_rgb
from knuckle.media.draw_labels import FreeRoom, beside
from knuckle.media.draw_marks import Plate, disc, dot, fixed, lines
from knuckle.media.draw_style import (
    DETECTION_COLOUR,
    OUTLINE,
    DrawStyle,
    bone_colours,
    hand_colour,
    joint_colours,
)
from knuckle.results import Colour, Hand, Palm, Roi

WHITE: Colour = (255, 255, 255)
MIN_VISIBILITY = 0.5  # landmarks with a lower visibility are drawn as hidden
HIDDEN_OPACITY = 0.55


def draw_hands(
    image: Any, hands: Sequence[Hand], style: DrawStyle | None = None, *, copy: bool = True, **changes: Any
) -> Image:
    """Draw the bones and joints of each hand. Nearer joints are brighter and larger.

    If the hand has `visibility`, hidden joints are hollow, and the bones that lead to them thin and translucent. For
    video use `HandDrawer`, in which hidden joints do not flicker.

    Args:
        image: RGB uint8 (height, width, 3).
        hands: the hands of this image, from a tracker or from `detect`.
        style: a DrawStyle; its fields can also be given as keywords, such as `boxes=True`.
        copy: False draws on `image` itself if it is writable RGB uint8.

    Returns:
        The drawn image, RGB uint8 (height, width, 3). Points that a hand does not have (NaN) are left out, and so are
        hands with infinite landmarks or without a wrist.

    Raises:
        InputError: `image` is not an image, see `knuckle.images.as_rgb`; `hands` is no list of hands; or the style is
            not one. Trails and frames per second need video, so they are refused here.
    """
    chosen = DrawStyle.of(style, changes)
    if chosen.trails_s or chosen.fps:
        raise InputError("trails and frames per second need several frames: use a HandDrawer")
    picture: Image = hand_renderer(chosen, copy)(image, hands)
    return picture


@lru_cache
def hand_renderer(style: DrawStyle = DrawStyle(), copy: bool = True) -> Graph:  # noqa: B008  frozen
    """The graph that `draw_hands` runs: image, hands -> picture. For the arguments see there."""
    nodes = [
        Node(partial(canvas, copy=copy), ("image",), "canvas"),
        Node(drawable, ("hands",), "drawn_hands"),
        Node(partial(_line_widths, fixed_width=style.line_width), ("canvas", "drawn_hands"), "widths"),
    ]

    def add(function: Any, output: str) -> None:
        picture = nodes[-1].output if len(nodes) > 3 else "canvas"
        nodes.append(Node(partial(function, style=style), (picture, "drawn_hands", "widths"), output))

    if style.regions:
        add(_regions, "with_regions")
    if style.landmarks:
        add(_bones, "with_bones")
        add(_joints, "with_joints")
    if style.boxes:
        add(_boxes, "with_boxes")
    if style.labels or style.ids or style.gestures:
        add(_labels, "with_labels")
    output = nodes[-1].output if len(nodes) > 3 else "canvas"
    return Graph("hand_renderer", inputs=["image", "hands"], nodes=nodes, output=output)


def draw_palms(
    image: Any, palms: Sequence[Palm], style: DrawStyle | None = None, *, copy: bool = True, **changes: Any
) -> Image:
    """Draw the box, the seven key points and the score of each palm.

    For `image`, `copy` and the errors see `draw_hands`. Of the style, `line_width`, `landmarks` (the key points) and
    `labels` (the score) count.
    """
    chosen = DrawStyle.of(style, changes)
    picture = canvas(image, copy)
    width = max(1, round(chosen.line_width or min(picture.shape[:2]) / 240))
    for palm in palms:
        x0, y0, x1, y1 = palm.box.round().clip(-4000, 60000).astype(int).tolist()
        cv2.rectangle(picture, (x0, y0), (x1, y1), DETECTION_COLOUR, width, cv2.LINE_AA)
        if chosen.landmarks:
            for centre in fixed(palm.keypoints).tolist():
                dot(picture, centre, 1.5 * width, DETECTION_COLOUR)
        if chosen.labels:
            plate = Plate(picture, f"{palm.score:.2f}")
            plate.draw(picture, *plate.inside(picture, x0, y0 - plate.height), DETECTION_COLOUR, OUTLINE)
    return picture


def draw_rois(image: Any, rois: Sequence[Roi], *, copy: bool = True) -> Image:
    """Draw the outline of each region, with a thick line on the side that the fingers point to.

    For `image` and `copy` see `draw_hands`.
    """
    picture = canvas(image, copy)
    width = max(1, round(min(picture.shape[:2]) / 360))
    for roi in rois:
        _region(picture, roi, width, DETECTION_COLOUR)
    return picture


def canvas(image: Any, copy: bool) -> Image:
    """The image to draw on: RGB uint8 (height, width, 3), the image itself if `copy` is False and it can be used."""
    picture = as_rgb(image)
    writable = picture.flags.c_contiguous and picture.flags.writeable
    return np.array(picture) if copy or not writable else picture


def drawable(hands: Sequence[Hand]) -> list[Hand]:
    """Leave out hands with infinite landmarks, and those whose palm is not known. Other points may be missing (NaN)."""
    if isinstance(hands, Hand) or not all(isinstance(hand, Hand) for hand in hands):
        raise InputError(f"hands must be a list of the hands of one image, got {reprlib.repr(hands)}")
    return [hand for hand in hands if np.isfinite(hand.landmarks[[0, 9]]).all() and not np.isinf(hand.landmarks).any()]


def _line_widths(picture: Image, hands: Sequence[Hand], fixed_width: float | None) -> list[int]:
    """One line width per hand, in pixels: visible in a large image, thin enough for the fingers of a small hand."""
    if fixed_width is not None:
        return [max(1, round(fixed_width))] * len(hands)
    by_picture = min(picture.shape[:2]) / 160
    sizes = [float((hand.box[2:] - hand.box[:2]).max()) for hand in hands]
    return [max(1, round(min(by_picture, size / 40))) for size in sizes]


def _bones(picture: Image, hands: Sequence[Hand], widths: Sequence[int], style: DrawStyle) -> Image:
    """Draw palm and fingers as lines. Hidden parts come first, so that they lie below."""
    for hand, width in zip(hands, widths, strict=True):
        points, hidden = fixed(hand.rows("landmarks")[:, :2]), _hidden(hand)
        _draw_hidden(picture, hand, hidden, width, style)
        strokes = [
            (points[pair], colour) for pair, colour in bone_colours(hand, style.colours) if not hidden[pair].any()
        ]
        lines(picture, strokes, width)
    return picture


def _hidden(hand: Hand) -> npt.NDArray[np.bool_]:
    """(n,) mask of hidden points, in the rows of `Hand.rows`; all False if the network has no visibility output."""
    if hand.visibility is None or (hand.extra is not None and hand.extra.visibility is None):
        return np.zeros(len(hand.rows("landmarks")), np.bool_)
    return np.asarray(hand.rows("visibility") < MIN_VISIBILITY)


def _draw_hidden(picture: Image, hand: Hand, hidden: npt.NDArray[np.bool_], width: int, style: DrawStyle) -> None:
    """Blend thin bones and hollow joints into the part of the image around the hand."""
    margin = 3 * width + 3
    x0, y0, x1, y1 = (hand.box + np.array([-margin, -margin, margin, margin])).round().clip(0, 60000).astype(int)
    patch = picture[y0:y1, x0:x1]
    if not hidden.any() or not patch.size:
        return
    over = np.array(patch)
    places = hand.rows("landmarks")[:, :2] - np.array([x0, y0])
    points = fixed(places)
    bones = [(points[pair], colour) for pair, colour in bone_colours(hand, style.colours) if hidden[pair].any()]
    lines(over, bones, max(1, width // 2))
    colours, centres = joint_colours(hand, style.colours), points.tolist()
    for point in np.flatnonzero(hidden & np.isfinite(places[:, 0])):
        dot(over, centres[point], 1.2 * width, colours[point])
        disc(over, centres[point], 0.6 * width, OUTLINE)
    cv2.addWeighted(over, HIDDEN_OPACITY, patch, 1 - HIDDEN_OPACITY, 0, dst=patch)


def _joints(picture: Image, hands: Sequence[Hand], widths: Sequence[int], style: DrawStyle) -> Image:
    """Draw a dot per visible landmark; nearer ones are larger, on top and, in the colour of their finger, brighter."""
    for hand, width in zip(hands, widths, strict=True):
        landmarks, hidden, colours = hand.rows("landmarks"), _hidden(hand), joint_colours(hand, style.colours)
        depth = landmarks[:, 2]
        nearest, farthest = np.nanmin(depth), np.nanmax(depth)
        nearness = (farthest - depth) / max(float(farthest - nearest), 1e-6)
        centres = fixed(landmarks[:, :2]).tolist()
        for point in np.argsort(nearness):
            near = float(nearness[point])
            if hidden[point] or near != near:  # NaN: a point that the hand does not have
                continue
            light = 0.55 + 0.45 * near if style.colours == "finger" else 1.0
            shade = tuple(round(value * light) for value in colours[point])
            dot(picture, centres[point], width * (1.1 + 0.6 * near), shade)
    return picture


def _boxes(picture: Image, hands: Sequence[Hand], widths: Sequence[int], style: DrawStyle) -> Image:
    """Draw the box around the landmarks of each hand."""
    for hand, width in zip(hands, widths, strict=True):
        x0, y0, x1, y1 = hand.box.round().clip(-4000, 60000).astype(int).tolist()
        colour = hand_colour(hand, style.colours)
        cv2.rectangle(picture, (x0, y0), (x1, y1), colour, max(1, width // 2), cv2.LINE_AA)
    return picture


def _regions(picture: Image, hands: Sequence[Hand], widths: Sequence[int], style: DrawStyle) -> Image:
    """Draw the region that the landmark network saw of each hand."""
    for hand, width in zip(hands, widths, strict=True):
        _region(picture, hand.roi, max(1, width // 2), DETECTION_COLOUR)
    return picture


def _region(picture: Image, roi: Roi, width: int, colour: Colour) -> None:
    square = corners(roi).round().clip(-4000, 60000).astype(np.int32)
    cv2.polylines(picture, [square], True, colour, width, cv2.LINE_AA)
    cv2.polylines(picture, [square[:2]], False, colour, 3 * width, cv2.LINE_AA)


def _labels(picture: Image, hands: Sequence[Hand], widths: Sequence[int], style: DrawStyle) -> Image:
    """Write side and track id beside each hand."""
    draw_labels(FreeRoom(picture, hands), hands, style, {})
    return picture


def draw_labels(
    room: FreeRoom, hands: Sequence[Hand], style: DrawStyle, before: Mapping[int, tuple[float, float]]
) -> dict[int, tuple[float, float]]:
    """Write side and track id beside each hand, on the picture of `room`.

    Args:
        room: the picture, and where on it is room.
        hands: its hands.
        style: says what is written.
        before: for each track id, where its label was in the last frame, relative to the hand's box. It stays there
            while that place is free.

    Returns:
        `before` for the next frame.
    """
    places = {}
    for hand in hands:
        parts: list[str] = [hand.handedness] if style.labels else []
        parts += [str(hand.track_id)] if style.ids and hand.track_id is not None else []
        parts += [hand.gesture.name] if style.gestures and hand.gesture else []
        if not parts:
            continue
        plate = Plate(room.picture, " ".join(parts))
        near = beside(hand, plate)
        left, top = hand.box[:2].tolist()
        if hand.track_id is not None and hand.track_id in before:
            dx, dy = before[hand.track_id]
            near = [(left + dx, top + dy), *near]
        place = room.take(plate, near)
        if place is None:
            continue
        plate.draw(
            room.picture, *place, WHITE if style.colours != "hand" else OUTLINE, hand_colour(hand, style.colours)
        )
        if hand.track_id is not None:
            places[hand.track_id] = (place[0] - left, place[1] - top)
    return places
