"""Image files from clients: decoded safely, never larger than allowed."""

from __future__ import annotations

import io

from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from knuckle.images import Image, as_rgb
from knuckle.media.photo_files import MAX_SIDE
from knuckle.serve.limits import Refused

FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
MAX_JPEG_SCANS = 100  # a progressive JPEG has about 10; every scan costs a pass over the whole image


def decode_image(data: bytes, max_pixels: int) -> Image:
    """Decode a JPEG, PNG or WebP file; of an animation, the first frame.

    Args:
        data: the file.
        max_pixels: largest width × height; checked, as the sides are, in the file's header, before anything is decoded.

    Returns:
        RGB uint8 (height, width, 3), rotated as its EXIF orientation says.

    Raises:
        Refused: 415 for other formats, 413 for too many pixels, 400 for damaged files.
    """
    try:
        with PillowImage.open(io.BytesIO(data), formats=list(FORMATS)) as opened:
            width, height = opened.size
            if max(width, height) > MAX_SIDE:
                raise Refused(413, f"the image has {width} x {height} pixels; a side may have at most {MAX_SIDE}")
            if width * height > max_pixels:
                most = f"at most {max_pixels} are accepted; send a smaller one"
                raise Refused(413, f"the image has {width} x {height} pixels; {most}")
            if opened.format == "JPEG" and data.count(b"\xff\xda") > MAX_JPEG_SCANS:
                raise Refused(413, f"the JPEG has more than {MAX_JPEG_SCANS} scans; save it again with fewer")
            return as_rgb(ImageOps.exif_transpose(opened))
    except (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning) as error:
        raise Refused(413, f"the image is too large: {error}") from error
    except UnidentifiedImageError as error:
        start = f"the data starts with {data[:8]!r}" if data else "the data is empty"
        raise Refused(415, f"expected a JPEG, PNG or WebP file, but {start}") from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:  # Pillow's errors on damaged files
        raise Refused(400, f"the image is damaged: {error}") from error
