"""Bytes of a client into a picture, never decoding what would be too large."""

from __future__ import annotations

import io

from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from knuckle.images import Image, as_rgb
from knuckle.serve.limits import Refused

FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
MAX_JPEG_SCANS = 100  # a progressive JPEG has about 10; each one costs a pass over the whole picture


def decode(data: bytes, max_pixels: int) -> Image:
    """A JPEG, PNG or WebP file as RGB uint8 (height, width, 3), upright by its EXIF mark; of animations the first.

    Raises:
        Refused: 415 it is none, 413 it would have more than `max_pixels`, 400 it is damaged.
    """
    try:
        with PillowImage.open(io.BytesIO(data), formats=list(FORMATS)) as opened:
            _require_small(opened, data, max_pixels)
            return as_rgb(ImageOps.exif_transpose(opened))
    except (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning) as error:
        raise Refused(413, f"the picture is too large: {error}") from error
    except UnidentifiedImageError as error:
        start = f"begins with {data[:8]!r}" if data else "is empty"
        raise Refused(415, f"expected a JPEG, PNG or WebP file; what came {start}") from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:  # what damaged files make Pillow raise
        raise Refused(400, f"the picture is damaged: {error}") from error


def _require_small(opened: PillowImage.Image, data: bytes, max_pixels: int) -> None:
    width, height = opened.size
    if width * height > max_pixels:
        raise Refused(
            413, f"the picture has {width} x {height} pixels; at most {max_pixels} are taken, make it smaller"
        )
    if opened.format == "JPEG" and data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise Refused(413, f"the JPEG has more than {MAX_JPEG_SCANS} scans; save it again as baseline or progressive")
