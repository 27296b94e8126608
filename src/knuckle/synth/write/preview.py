"""Contact sheets: many samples in one image, with or without their labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets.labels import LabelledHand, Visibility
from knuckle.errors import InputError, SinkError
from knuckle.extras import cv2
from knuckle.images import Image
from knuckle.media.draw_style import DETECTION_COLOUR, OUTLINE
from knuckle.results import FINGER_COLOURS, FINGERS, PALM_COLOUR, PALM_CONNECTIONS, FloatArray

GAP = 2  # pixels between the images of a sheet
SELF_OCCLUDED_COLOUR, HIDDEN_COLOUR = (235, 87, 87), (40, 40, 46)


def draw_labels(image: Image, hands: Iterable[LabelledHand], palms: bool = True, zoom: int = 2) -> Image:
    """An enlarged copy of an image with the bones, landmarks and palm boxes of labelled hands.

    The rim of a landmark shows its visibility. Light: visible. Red: hidden by the hand itself. Dark: by something else.
    """
    picture: Any = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    for hand in hands:
        if hand.landmarks is None:
            continue
        points = (hand.landmarks[:, :2] + 0.5) * zoom - 0.5
        fixed = np.round(np.clip(points, -4000, 60000) * 8).astype(np.int32)
        width = 1 if hand.palm_size * zoom < 120 else 2
        strokes = [(fixed[list(pair)], PALM_COLOUR) for pair in PALM_CONNECTIONS]
        strokes += [(fixed[list(FINGERS[name])], colour) for name, colour in FINGER_COLOURS.items()]
        for line, colour in strokes:
            cv2.polylines(picture, [line], False, OUTLINE, width + 2, cv2.LINE_AA, 3)
            cv2.polylines(picture, [line], False, colour, width, cv2.LINE_AA, 3)
        _dots(picture, hand, hand.landmarks[:, 2], fixed, width)
        if palms and hand.palm is not None:
            x0, y0, x1, y1 = np.round(np.clip(hand.palm * zoom, -4000, 60000)).astype(int).tolist()
            cv2.rectangle(picture, (x0, y0), (x1, y1), DETECTION_COLOUR, 1, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


def _dots(picture: Any, hand: LabelledHand, depth: FloatArray, fixed: Any, width: int) -> None:
    colours = {point: FINGER_COLOURS[name] for name, points in FINGERS.items() for point in points}
    radius = round((width + 0.6) * 8)
    rims = np.full((21, 3), OUTLINE)
    if hand.visibility is not None:
        rims[hand.visibility == Visibility.HIDDEN] = HIDDEN_COLOUR
    if hand.self_occluded is not None:
        rims[hand.self_occluded & (hand.visibility == Visibility.HIDDEN)] = SELF_OCCLUDED_COLOUR
    for point in np.argsort(-depth):
        x, y = fixed[point].tolist()
        cv2.circle(picture, (x, y), radius + 8, rims[point].tolist(), -1, cv2.LINE_AA, 3)
        cv2.circle(picture, (x, y), radius, colours.get(int(point), PALM_COLOUR), -1, cv2.LINE_AA, 3)


def contact_sheet(pictures: Sequence[Image], columns: int = 8) -> Image:
    """Images of one size side by side, row by row.

    Raises:
        InputError: there are no images, or they differ in size.
    """
    shapes = {picture.shape for picture in pictures}
    if len(shapes) != 1:
        raise InputError(f"a contact sheet needs images of one size, got {sorted(shapes)}")
    height, width, _ = shapes.pop()
    rows = -(-len(pictures) // columns)
    columns = min(columns, len(pictures))
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        y, x = (number // columns) * (height + GAP), (number % columns) * (width + GAP)
        sheet[y : y + height, x : x + width] = picture
    return sheet


def save_sheet(path: Path, sheet: Image, quality: int = 90) -> None:
    """Write a sheet as .png or .jpg; `quality` is that of the .jpg.

    Raises:
        InputError: another suffix.
        SinkError: the file cannot be written.
    """
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise InputError(f"a contact sheet must be a .png or .jpg file, got {path.name}")
    options = [] if path.suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, data = cv2.imencode(path.suffix, sheet[..., ::-1], options)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error
