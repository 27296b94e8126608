"""Image files become RGB arrays: every format of Pillow and pillow-heif, upright, large ones at a reduced size.

Memory: a photo of up to `FULL_PIXELS` is read as it is. A larger one, or one with a side above `MAX_SIDE`, is read at a
half, a third, … of its size. JPEG and JPEG 2000 are decoded at a reduced size. Other formats must be decoded whole, so
they may have `MAX_PIXELS` at most. docs/formats.md lists the memory that this takes.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from knuckle.errors import Error, SourceError
from knuckle.forks import FORKS_WAIT, RenewedLock
from knuckle.images import Image, as_rgb
from knuckle.media.kinds import RAW_SUFFIXES

FULL_PIXELS = 110_000_000  # a 108 megapixel phone photo is read as it is
MAX_SIDE = 32_766  # OpenCV's warps take no more
MAX_PIXELS = 400_000_000
STRIP_PIXELS = 16_000_000  # larger photos become arrays strip by strip, because Pillow's conversion doubles the memory
ANIMATIONS = {"GIF", "WEBP", "PNG", "AVIF"}  # formats of Pillow whose several pictures are a clip
ALBUMS = {"TIFF", "HEIF"}  # formats whose several pictures are pages, each a photo of its own
NOT_A_PAGE = 0b101  # bits of TIFF's tag NewSubfileType: a smaller copy of another page, or a mask
NEW_SUBFILE_TYPE = 254
EXIF_ORIENTATION = 274
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF orientation -> Pillow's Transpose, which makes it upright
SWAP_SIDES = {2, 4, 5, 6}  # the values of Transpose that make width height

_PILLOW = RenewedLock()

File = str | os.PathLike[str] | IO[bytes]


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a file.

    Attributes:
        image: RGB uint8 (height, width, 3), upright.
        full_size: (width, height) in the file, upright; larger than the image if it was read at a reduced size.
    """

    image: Image
    full_size: tuple[int, int]


def load_image(path: str | os.PathLike[str]) -> Image:
    """Load an image file as RGB uint8 (height, width, 3), rotated upright by its EXIF orientation.

    Of several pages the first is loaded. A photo of more than `FULL_PIXELS`, or with a side above `MAX_SIDE`, is loaded
    at a reduced size.

    Raises:
        SourceError: the file does not exist, is not an image, is damaged or larger than `MAX_PIXELS`.
    """
    return next(read_pictures(path, os.fspath(path))).image


def read_pictures(file: File, name: str) -> Iterator[Picture]:
    """The pictures of a file: the pages of a TIFF or HEIC file, the first picture of any other.

    Args:
        file: a path, or a file in memory.
        name: what errors call it.

    Raises:
        SourceError: see `load_image`.
    """
    with open_pillow(file, name) as opened:
        with explained(file, name):
            pages = _pages(opened)
        for page in pages:
            with explained(file, name):
                picture = _decode(opened, page, name)
            yield picture


def count_pictures(file: File, name: str) -> int:
    """How many pictures `read_pictures` gives; 1 if the file cannot be read, which reading it explains."""
    try:
        with open_pillow(file, name) as opened, explained(file, name):
            return len(_pages(opened))
    except SourceError:
        return 1


@contextmanager
def open_pillow(file: File, name: str) -> Iterator[Any]:
    """A file as Pillow opens it, without the limit of pixels that Pillow has for the whole process.

    Raises:
        SourceError: it does not exist or is not an image.
    """
    register_heif()
    from PIL import Image as pillow

    with explained(file, name):
        if Path(name).suffix.lower() in RAW_SUFFIXES:
            raise SourceError(f"{name} is a raw file of a camera; convert it to JPEG or TIFF first")
        with _without_limit():
            opened = pillow.open(file)
    with opened:
        yield opened


@cache
def register_heif() -> None:
    """Load Pillow with its usual formats, and teach it to open HEIC files.

    Where there is no package pillow-heif, `first_bytes` says what is missing.
    """
    with FORKS_WAIT:
        from PIL import Image as pillow

        pillow.preinit()
        with suppress(ImportError):
            import pillow_heif

            pillow_heif.register_heif_opener()


@contextmanager
def _without_limit() -> Iterator[None]:
    """Lift Pillow's limit of pixels and its warnings about it; our own limits apply when the size is known."""
    from PIL import Image as pillow

    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, pillow.MAX_IMAGE_PIXELS = pillow.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            pillow.MAX_IMAGE_PIXELS = before


@contextmanager
def explained(file: File, name: str) -> Iterator[None]:
    """Turn what decoders raise, which may be anything on damaged files, into a SourceError that names the file."""
    from PIL import UnidentifiedImageError

    try:
        yield
    except Error:
        raise
    except FileNotFoundError as error:
        raise SourceError(f"there is no file {name}") from error
    except PermissionError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror}") from error
    except UnidentifiedImageError as error:
        raise SourceError(f"{name} is not an image file ({first_bytes(file)})") from error
    except MemoryError as error:
        raise SourceError(f"{name} needs more memory than there is; make it smaller first") from error
    except Exception as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{name} cannot be read, it may be cut off or damaged: {reason}") from error


def first_bytes(file: File) -> str:
    """The start of a file for an error message: it shows a text or HTML page saved under the wrong name."""
    if isinstance(file, (str, os.PathLike)):
        with open(file, "rb") as opened:
            start = opened.read(12)
    else:
        file.seek(0)
        start = file.read(12)
    if start.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL")):
        return "it is JPEG XL; convert it to JPEG or PNG"
    if start[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1"):
        return "it is HEIC, and reading it needs pillow-heif: pip install pillow-heif"
    return f"it begins with {start!r}" if start else "it is empty"


def is_animation(file: File) -> bool:
    """Whether a file holds several pictures that are a clip: an animated GIF, WebP, PNG or AVIF."""
    try:
        with open_pillow(file, str(file)) as opened:
            return opened.format in ANIMATIONS and bool(getattr(opened, "is_animated", False))
    except SourceError:
        return False  # reading it says what is wrong


def _pages(opened: Any) -> list[int]:
    if opened.format not in ALBUMS:
        return [0]
    pages = []
    for page in range(getattr(opened, "n_frames", 1)):
        with _without_limit():
            opened.seek(page)
        if opened.format == "HEIF" or not opened.tag_v2.get(NEW_SUBFILE_TYPE, 0) & NOT_A_PAGE:
            pages.append(page)
    return pages or [0]


def _decode(opened: Any, page: int, name: str) -> Picture:
    """Decode one page, reduced where it is too large, and turn it upright."""
    with _without_limit():
        opened.seek(page)
    width, height = opened.size
    factor = _reduction(opened.size)
    is_jpeg = opened.format in ("JPEG", "MPO")
    if opened.format == "JPEG2000" and factor > 1:
        opened.reduce = math.ceil(math.log2(factor))
    elif width * height > MAX_PIXELS and (not is_jpeg or opened.info.get("progressive")):
        raise SourceError(
            f"{name} has {width} × {height} pixels; {opened.format} files are read up to {MAX_PIXELS // 1_000_000} "
            "megapixels, so make it smaller first"
        )
    elif factor > 1 and is_jpeg:
        opened.draft(None, (width // factor, height // factor))
    opened.load()
    turn = None
    with suppress(Exception):  # damaged EXIF data are no reason to refuse the photo
        turn = TURNS.get(opened.getexif().get(EXIF_ORIENTATION))  # after loading, which turns some formats itself
    upright = _reduced(opened)
    if turn is not None:
        upright = upright.transpose(turn)
    return Picture(_to_array(upright), (height, width) if turn in SWAP_SIDES else (width, height))


def _reduction(size: tuple[int, int]) -> int:
    """The smallest whole number to divide both sides by."""
    width, height = size
    return max(math.ceil(max(size) / MAX_SIDE), math.ceil(math.sqrt(width * height / FULL_PIXELS)), 1)


def _reduced(opened: Any) -> Any:
    factor = _reduction(opened.size)
    if factor == 1:
        return opened
    if opened.mode.startswith("I;16"):  # Pillow cannot average these
        return opened.resize((opened.width // factor, opened.height // factor), 0)
    return (opened.convert("RGB") if opened.mode in ("1", "P", "PA") else opened).reduce(factor)


def _to_array(picture: Any) -> Image:
    """RGB pixels. Large pictures go strip by strip, because Pillow copies what it converts twice."""
    if picture.width * picture.height <= STRIP_PIXELS:
        return as_rgb(picture)
    image = np.empty((picture.height, picture.width, 3), np.uint8)
    rows = max(1, STRIP_PIXELS // picture.width)
    for top in range(0, picture.height, rows):
        bottom = min(top + rows, picture.height)
        image[top:bottom] = as_rgb(picture.crop((0, top, picture.width, bottom)))
    return image
