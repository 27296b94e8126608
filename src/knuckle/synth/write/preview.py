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
from knuckle.media.draw_style import DETECTION_COLOUR, OUTLINE, colour_of_point
from knuckle.results import BONES, Colour, ExtraPoints, FloatArray
from knuckle.results.point_set import NAMES

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
        pixels = hand.landmarks if hand.extra is None else np.concatenate([hand.landmarks, hand.extra.landmarks])
        points = (np.nan_to_num(pixels[:, :2]) + 0.5) * zoom - 0.5
        known = np.asarray(np.isfinite(pixels).all(axis=1))  # hands may lack fingers
        fixed = np.round(np.clip(points, -4000, 60000) * 8).astype(np.int32)
        width = 1 if hand.palm_size * zoom < 120 else 2
        for pair, colour in (*BONES, *bones_of(hand.extra)):
            line = fixed[pair]
            if not known[pair].all():
                continue
            cv2.polylines(picture, [line], False, OUTLINE, width + 2, cv2.LINE_AA, 3)
            cv2.polylines(picture, [line], False, colour, width, cv2.LINE_AA, 3)
        _dots(picture, hand, np.where(known, pixels[:, 2], np.nan), fixed, width)
        if palms and hand.palm is not None:
            x0, y0, x1, y1 = np.round(np.clip(hand.palm * zoom, -4000, 60000)).astype(int).tolist()
            cv2.rectangle(picture, (x0, y0), (x1, y1), DETECTION_COLOUR, 1, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


def bones_of(extra: ExtraPoints | None) -> list[tuple[list[int], Colour]]:
    """The bones to the points beyond the 21, whose rows follow those of the 21."""
    rows = [*NAMES, *(extra.names if extra else ())]
    pairs = zip(extra.parents, extra.names, strict=True) if extra else ()
    return [([rows.index(a), rows.index(b)], colour_of_point(b)) for a, b in pairs if a in rows]


def _dots(picture: Any, hand: LabelledHand, depth: FloatArray, fixed: Any, width: int) -> None:
    """A dot for each point whose `depth` is known, nearer ones on top."""
    names = [*NAMES, *(hand.extra.names if hand.extra else ())]
    radius = round((width + 0.6) * 8)
    rims = np.full((len(names), 3), OUTLINE)
    for first, part in ((0, hand), (len(NAMES), hand.extra)):
        if part is not None and part.visibility is not None:
            rims[first + np.flatnonzero(part.visibility == Visibility.HIDDEN)] = HIDDEN_COLOUR
    if hand.self_occluded is not None:
        rims[:21][hand.self_occluded & (hand.visibility == Visibility.HIDDEN)] = SELF_OCCLUDED_COLOUR
    for point in np.argsort(-depth)[: np.isfinite(depth).sum()]:
        x, y = fixed[point].tolist()
        cv2.circle(picture, (x, y), radius + 8, rims[point].tolist(), -1, cv2.LINE_AA, 3)
        cv2.circle(picture, (x, y), radius, colour_of_point(names[point]), -1, cv2.LINE_AA, 3)


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
