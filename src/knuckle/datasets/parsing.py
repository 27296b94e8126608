"""What the readers of formats share: naming damaged rows, arrays of the right shape, files, sizes of images."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.datasets.labels import LabelledHand, Visibility
from knuckle.errors import DAMAGE, InputError, reason_of
from knuckle.media.photo_files import EXIF_ORIENTATION, open_pillow
from knuckle.results import FloatArray

LARGEST = 1e9  # pixels, millimetres and so on: a larger number is damage
QUARTER_TURNS = (5, 6, 7, 8)  # the EXIF orientations that swap width and height; Pillow does it for TIFF


@contextmanager
def row_of(path: str | Path, row: object) -> Iterator[None]:
    """Turn an error while a row is read into one line that names the file and the row.

    Raises:
        InputError: instead of the error that was raised.
    """
    try:
        yield
    except DAMAGE as error:
        raise InputError(f"{path}, row {row}: {reason_of(error)}") from error


def numbers(values: Any, *shape: int) -> FloatArray:
    """`values` as finite float32 of this shape.

    Raises:
        ValueError: they are not finite numbers of this shape.
    """
    wanted = " × ".join(map(str, shape))
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected {wanted} numbers, got {values!r:.60}") from error
    if array.shape != shape:
        raise ValueError(f"expected {wanted} numbers, got {' × '.join(map(str, array.shape)) or 'one'}")
    if not (np.abs(array) < LARGEST).all():
        raise ValueError(f"expected finite numbers, got {values!r:.60}")
    return array.astype(np.float32)


def points(values: Any, *widths: int) -> FloatArray:
    """(21, width) float32; a point with a null is not labelled and becomes NaN.

    Raises:
        ValueError: these are not 21 points, or they have another width than `widths`.
    """
    rows = [[math.nan if value is None else float(value) for value in point] for point in values]
    widths_found = {len(point) for point in rows}
    if len(rows) != 21 or len(widths_found) != 1 or not widths_found <= set(widths):
        raise ValueError(
            f"expected 21 points of {' or '.join(map(str, widths))} numbers, got {len(rows)} of {widths_found}"
        )
    array = np.array(rows, np.float64)
    array[~(np.abs(array) < LARGEST).all(axis=1)] = np.nan
    return array.astype(np.float32)


def box_of(edges: Any) -> FloatArray:
    """(4,) x0, y0, x1, y1.

    Raises:
        ValueError: these are not four numbers, or the box has no area.
    """
    box = numbers(edges, 4)
    if (box[2:] <= box[:2]).any():
        raise ValueError(
            f"a box must be left, top, right, bottom with some area, got {np.round(box.astype(float), 3).tolist()}"
        )
    return box


def box_from_corner(edges: Any) -> FloatArray:
    """(4,) x0, y0, x1, y1 from COCO's left, top, width, height."""
    x, y, width, height = numbers(edges, 4).tolist()
    return box_of([x, y, x + width, y + height])


def unit_to_pixels(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    """(n, 2) pixels from fractions of width and height.

    Raises:
        ValueError: a number is far outside of 0..1, so these are not fractions.
    """
    if np.nanmax(np.abs(values - 0.5)) > 1.5:
        raise ValueError(f"expected fractions of the image's width and height, 0 to 1, got {values.tolist()!r:.60}")
    return np.asarray(values * np.array(size, np.float32), np.float32)


def project(xyz: FloatArray, camera: npt.ArrayLike) -> FloatArray:
    """(n, 2) pixels K xyz / z of (n, 3) points in camera space (x right, y down, z away); K is (3, 3).

    Raises:
        ValueError: a point lies behind the camera.
    """
    if np.nanmin(xyz[:, 2]) <= 0:
        raise ValueError("a landmark lies behind the camera")
    shown = xyz @ np.asarray(camera, xyz.dtype).T
    return np.asarray(shown[:, :2] / shown[:, 2:], np.float32)


def visibility_of(pixels: FloatArray, visible: npt.NDArray[np.bool_], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """(21,) `Visibility`, for labels that give the position of every point and which of them are `visible`."""
    inside = ((pixels[:, :2] >= -0.5) & (pixels[:, :2] < np.array(size) - 0.5)).all(axis=1)
    return np.where(inside, np.where(visible, Visibility.VISIBLE, Visibility.HIDDEN), Visibility.OUTSIDE).astype(
        np.uint8
    )


def keypoints_of(values: Any, order: Sequence[int] = range(21)) -> tuple[FloatArray, FloatArray]:
    """COCO's 63 numbers x, y, v as (21, 2) pixels, NaN where v is 0, and (21,) v.

    Args:
        order: the index of each of our landmarks in COCO's list.
    """
    rows = numbers(values, 63).reshape(21, 3)[list(order)]
    return blanked(rows[:, :2], rows[:, 2] > 0), np.asarray(rows[:, 2], np.float32)


def with_flags_as_labels(hands: Iterable[LabelledHand | None]) -> tuple[list[LabelledHand | None], str]:
    """All hands of a file by what its flags can mean, and a note that says so.

    COCO's v is 1 for a hidden and 2 for a visible point. Many files have only 0 and 1, where 1 means that the point is
    labelled. So if no point of the file is visible, nothing is known about visibility.
    """
    hands = list(hands)
    flags = [hand.visibility for hand in hands if hand is not None and hand.visibility is not None]
    if not flags or np.isin(flags, Visibility.VISIBLE).any() or not np.isin(flags, Visibility.HIDDEN).any():
        return hands, ""
    unknown = [None if hand is None else replace(hand, visibility=None) for hand in hands]
    return unknown, "no point has v = 2, so v = 1 is read as labelled, and not as hidden"


def blanked(pixels: FloatArray, labelled: npt.NDArray[np.bool_]) -> FloatArray:
    """The points, NaN where they are not `labelled`."""
    return np.where(labelled[:, None], pixels, np.nan).astype(np.float32)


def visibility_by_flag(flags: FloatArray) -> npt.NDArray[np.uint8]:
    """(21,) `Visibility` of COCO's v: 0 not labelled, 1 hidden, 2 visible."""
    if not np.isin(flags, range(3)).all():
        raise ValueError(f"the third number of a point must be 0, 1 or 2, got {sorted(set(flags.tolist()))}")
    meaning = np.array([Visibility.UNKNOWN, Visibility.HIDDEN, Visibility.VISIBLE], np.uint8)
    return np.asarray(meaning[flags.astype(int)], np.uint8)


def handedness_of(name: Any) -> str | None:
    """ "Left" or "Right" from any spelling, or None.

    Raises:
        ValueError: it is another word.
    """
    if name is None:
        return None
    side = str(name).capitalize()
    if side not in ("Left", "Right"):
        raise ValueError(f"handedness must be left or right, got {name!r}")
    return side


def fingertips(thumb: Any, index: Any) -> FloatArray:
    """(21, 2) landmarks; only the tips of thumb and index finger are labelled."""
    landmarks = np.full((21, 2), np.nan, np.float32)
    landmarks[4], landmarks[8] = numbers(thumb, 2), numbers(index, 2)
    return landmarks


def hands_maybe_visible(hands: Iterable[LabelledHand], complete: bool) -> tuple[tuple[LabelledHand, ...], bool]:
    """The hands that may be at least partly visible, and whether the image has no others.

    A tracker does not have to find a hand that is completely hidden, but it may. So its image counts as incomplete.

    Args:
        complete: `hands` are all hands of the image.
    """
    hands = list(hands)
    shown = tuple(hand for hand in hands if may_be_visible(hand))
    return shown, complete and len(shown) == sum(is_in_image(hand) for hand in hands)


def may_be_visible(hand: LabelledHand) -> bool:
    """Whether some landmark of the hand is visible, or its visibility is not labelled."""
    return hand.visibility is None or bool(np.isin(hand.visibility, (Visibility.UNKNOWN, Visibility.VISIBLE)).any())


def is_in_image(hand: LabelledHand) -> bool:
    """Whether some landmark of the hand is in the image, visible or hidden."""
    return hand.visibility is None or not np.isin(hand.visibility, (Visibility.OUTSIDE, Visibility.ABSENT)).all()


def image_size(path: str | Path) -> tuple[int, int] | None:
    """(width, height) of an image when it is upright, from its header; None if there is no file.

    Raises:
        SourceError: the file is not an image.
    """
    if not os.path.exists(path):
        return None
    with open_pillow(path, str(path)) as opened:
        width, height = opened.size
        turned = opened.format != "TIFF" and opened.getexif().get(EXIF_ORIENTATION) in QUARTER_TURNS
    return (height, width) if turned else (width, height)


def load_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing; the labels in this folder need it") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON: {reason_of(error)}") from error


def objects_in(path: Path, whole: Any, name: str) -> list[Mapping[str, Any]]:
    """The list of objects under a name in the content `whole` of a JSON file.

    Raises:
        InputError: there is no such list.
    """
    listed = whole.get(name) if isinstance(whole, dict) else None
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise InputError(f"{path}: expected a list of objects under {name!r}")
    return listed


def images_in(path: Path, whole: Any) -> dict[Any, Mapping[str, Any]]:
    """The images of a COCO file by their id.

    Raises:
        InputError: there is no such list, or an image lacks its id, name or size.
    """
    images = {}
    for number, image in enumerate(objects_in(path, whole, "images")):
        with row_of(path, f"images[{number}]"):
            if int(image["width"]) < 1 or int(image["height"]) < 1 or not image["file_name"]:
                raise ValueError("an image needs a file_name, a width and a height")
            images[image["id"]] = image
    return images


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number (from 1) and object of every line that is not empty.

    Raises:
        InputError: a line is not a JSON object.
    """
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, json_object(path, number, line)


def json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    """The object of a line.

    Raises:
        InputError: the line is not a JSON object.
    """
    with row_of(path, number):
        row = json.loads(line)
        if not isinstance(row, dict):
            raise ValueError(f"expected a JSON object, got {line.strip()[:40]}")
    return row


def text_rows(path: Path, separator: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """Line number (from 1) and fields of every line that is not empty."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line.strip().split(separator)


def files_of(path: Path, *patterns: str) -> list[Path]:
    """The files that match a pattern: the path itself if it is a file, else those in the folder, sorted."""
    if path.is_file():
        return [path] if any(path.match(pattern.rsplit("/", 1)[-1]) for pattern in patterns) else []
    return sorted({found for pattern in patterns for found in path.glob(pattern) if found.is_file()})


def folder_with(name: str, folders: Iterable[Path]) -> Path:
    """The first folder with a file of this name, else the first folder."""
    tried: Sequence[Path] = list(folders)
    return next((folder for folder in tried if os.path.isfile(folder / name)), tried[0])
