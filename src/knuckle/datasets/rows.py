"""What all label readers share: where a damaged row stands, arrays of the right shape, sizes of images."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.datasets.labels import LabelledHand, Visibility
from knuckle.errors import InputError, SourceError
from knuckle.results import FloatArray

LARGEST = 1e9  # of pixels, millimetres and the like: beyond it a number is damage
EXIF_ORIENTATION, LYING = 0x0112, (5, 6, 7, 8)  # the EXIF values that swap width and height


@contextmanager
def row_of(path: str | Path, row: object) -> Iterator[None]:
    """Whatever is wrong with a row inside comes out as one line with the file and the row."""
    try:
        yield
    except KeyError as error:
        raise InputError(f"{path}, row {row}: there is no {error}") from error
    except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}, row {row}: {error}") from error


def numbers(values: Any, *shape: int) -> FloatArray:
    """`values` as finite float32 of that shape.

    Raises:
        ValueError: they are not, in words.
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
    """(21, width) float32 where null stands for a number that nobody labelled; such rows become NaN."""
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
    """(4,) x0, y0, x1, y1 with some area."""
    box = numbers(edges, 4)
    if (box[2:] <= box[:2]).any():
        raise ValueError(
            f"a box must be left, top, right, bottom with some area, got {np.round(box.astype(float), 3).tolist()}"
        )
    return box


def box_from_corner(edges: Any) -> FloatArray:
    """(4,) x0, y0, x1, y1 of a COCO box: left, top, width, height."""
    x, y, width, height = numbers(edges, 4).tolist()
    return box_of([x, y, x + width, y + height])


def unit_to_pixels(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    """(n, 2) shares of width and height as pixels; what lies far outside of 0..1 was no share."""
    if np.nanmax(np.abs(values - 0.5)) > 1.5:
        raise ValueError(f"expected shares of the image's width and height, 0 to 1, got {values.tolist()!r:.60}")
    return np.asarray(values * np.array(size, np.float32), np.float32)


def project(xyz: FloatArray, camera: npt.ArrayLike) -> FloatArray:
    """(n, 2) pixels of (n, 3) points in camera space (x right, y down, z away) by the 3 × 3 matrix K: K xyz / z."""
    if np.nanmin(xyz[:, 2]) <= 0:
        raise ValueError("a landmark lies behind the camera")
    shown = xyz @ np.asarray(camera, xyz.dtype).T
    return np.asarray(shown[:, :2] / shown[:, 2:], np.float32)


def visibility_of(pixels: FloatArray, seen: npt.NDArray[np.bool_], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """(21,) `Visibility`, for labels that place every point and say which ones can be seen."""
    inside = ((pixels[:, :2] >= -0.5) & (pixels[:, :2] < np.array(size) - 0.5)).all(axis=1)
    return np.where(inside, np.where(seen, Visibility.VISIBLE, Visibility.HIDDEN), Visibility.OUTSIDE).astype(np.uint8)


def keypoints_of(values: Any, order: Sequence[int] = range(21)) -> tuple[FloatArray, FloatArray]:
    """COCO's 63 numbers x, y, v as (21, 2) pixels, NaN where v is 0, and (21,) v; `order`: where ours stand."""
    rows = numbers(values, 63).reshape(21, 3)[list(order)]
    return blanked(rows[:, :2], rows[:, 2] > 0), np.asarray(rows[:, 2], np.float32)


def blanked(pixels: FloatArray, labelled: npt.NDArray[np.bool_]) -> FloatArray:
    """The points, NaN where nobody labelled them."""
    return np.where(labelled[:, None], pixels, np.nan).astype(np.float32)


def visibility_by_flag(flags: FloatArray) -> npt.NDArray[np.uint8]:
    """(21,) `Visibility` of COCO's v: 0 not labelled, 1 hidden, 2 visible."""
    if not np.isin(flags, range(3)).all():
        raise ValueError(f"the third number of a point must be 0, 1 or 2, got {sorted(set(flags.tolist()))}")
    meaning = np.array([Visibility.UNKNOWN, Visibility.HIDDEN, Visibility.VISIBLE], np.uint8)
    return np.asarray(meaning[flags.astype(int)], np.uint8)


def side_of(name: Any) -> str | None:
    """ "Left" or "Right" from a label, or None."""
    if name is None:
        return None
    side = str(name).capitalize()
    if side not in ("Left", "Right"):
        raise ValueError(f"handedness must be left or right, got {name!r}")
    return side


def tips(thumb: Any, index: Any) -> FloatArray:
    """(21, 2) landmarks of which only the tips of thumb and index finger are labelled."""
    landmarks = np.full((21, 2), np.nan, np.float32)
    landmarks[4], landmarks[8] = numbers(thumb, 2), numbers(index, 2)
    return landmarks


def may_show(hand: LabelledHand) -> bool:
    """Whether some point of the hand is visible, or may be because nobody said; other hands need not be found."""
    return hand.visibility is None or bool(np.isin(hand.visibility, (Visibility.UNKNOWN, Visibility.VISIBLE)).any())


def may_be_found(hand: LabelledHand) -> bool:
    """Whether some point of the hand is in the image, be it hidden: finding it there is no false alarm."""
    return hand.visibility is None or bool((hand.visibility != Visibility.OUTSIDE).any())


def image_size(path: str | Path) -> tuple[int, int] | None:
    """Width and height of an image as it stands upright, from its header; None where there is no file.

    Raises:
        SourceError: the file is no image.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            width, height = opened.size
            lies = opened.getexif().get(EXIF_ORIENTATION) in LYING
    except FileNotFoundError:
        return None
    except (UnidentifiedImageError, OSError) as error:
        raise SourceError(f"{path} is not an image that can be read: {error}") from error
    return (height, width) if lies else (width, height)


def load_json(path: Path) -> Any:
    """A JSON file.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing; it belongs to the labels beside it") from error
    except ValueError as error:
        raise InputError(f"{path} is not whole JSON: {error}") from error


def objects_in(path: Path, whole: Any, name: str) -> list[Mapping[str, Any]]:
    """The list of objects that a JSON file has under a name.

    Raises:
        InputError: it has none.
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
    """Number (from 1) and object of every line that is not empty.

    Raises:
        InputError: a line is no JSON object.
    """
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                with row_of(path, number):
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError(f"expected a JSON object, got {line.strip()[:40]}")
                yield number, row


def text_rows(path: Path, separator: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """Number (from 1) and fields of every line that is not empty."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line.strip().split(separator)


def files_of(path: Path, *patterns: str) -> list[Path]:
    """The path itself where it is a file of such a name, or what a folder holds of them."""
    if path.is_file():
        return [path] if any(path.match(pattern.rsplit("/", 1)[-1]) for pattern in patterns) else []
    return sorted({found for pattern in patterns for found in path.glob(pattern) if found.is_file()})


def folder_with(name: str, folders: Iterable[Path]) -> Path:
    """The first of the folders that holds such a file, or the first of all."""
    tried: Sequence[Path] = list(folders)
    return next((folder for folder in tried if (folder / name).is_file()), tried[0])
