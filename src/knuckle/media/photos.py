"""Still images: files, folders of files, and images in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from knuckle.errors import Error, SourceError
from knuckle.images import Image, as_rgb
from knuckle.media.reader import Reader
from knuckle.results import Frame

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}


def load_image(path: str | os.PathLike[str]) -> Image:
    """Load an image file as RGB uint8 (height, width, 3), rotated upright by its EXIF orientation.

    Raises:
        SourceError: the file does not exist, is not an image, or is damaged.
    """
    from PIL import Image as pillow
    from PIL import ImageOps, UnidentifiedImageError

    try:
        with pillow.open(path) as opened:
            return as_rgb(ImageOps.exif_transpose(opened))
    except FileNotFoundError as error:
        raise SourceError(f"there is no file {path}") from error
    except UnidentifiedImageError as error:
        raise SourceError(f"{path} is not an image file ({first_bytes(path)})") from error
    except pillow.DecompressionBombError as error:
        raise SourceError(f"{path} is too large: {error}") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise SourceError(f"{path} cannot be read, it may be cut off or damaged: {error}") from error


def first_bytes(path: str | os.PathLike[str]) -> str:
    """The start of a file for an error message: it shows a text or HTML page saved under the wrong name."""
    with open(path, "rb") as file:
        start = file.read(12)
    return f"it begins with {start!r}" if start else "it is empty"


def read_image(image: Any) -> Reader:
    """Read one image in memory: a NumPy array or a PIL image. See `knuckle.images.as_rgb` for the types.

    Raises:
        InputError: the image has an unsupported type or shape.
    """
    frame = Frame(as_rgb(image), source="image")
    return Reader("image", "image", lambda _: iter([frame]), 1)


def read_photos(name: str, paths: Sequence[Path]) -> Reader:
    """Read image files. A bad file among several is skipped and noted in `Reader.problems`.

    Every frame has the time 0: the photos are independent of each other.
    """

    def frames(reader: Reader) -> Iterator[Frame]:
        for index, path in enumerate(paths):
            try:
                image = load_image(path)
            except Error as error:
                if len(paths) == 1:
                    raise
                reader.problems.append(error)
                continue
            yield Frame(image, index, 0.0, str(path))

    return Reader(name, "image", frames, len(paths))
