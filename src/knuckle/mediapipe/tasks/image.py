"""The image type of the Tasks API."""

from __future__ import annotations

import os
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.mediapipe.graphs import RefusedError


class ImageFormat(IntEnum):
    """The channels of an image and their type."""

    UNKNOWN = 0
    SRGB = 1
    SRGBA = 2
    GRAY8 = 3
    GRAY16 = 4
    SRGB48 = 7
    SRGBA64 = 8
    VEC32F1 = 9
    VEC32F2 = 12
    VEC32F4 = 13


_LAYOUTS: dict[ImageFormat, tuple[type[np.generic], int]] = {
    ImageFormat.SRGB: (np.uint8, 3),
    ImageFormat.SRGBA: (np.uint8, 4),
    ImageFormat.GRAY8: (np.uint8, 1),
    ImageFormat.GRAY16: (np.uint16, 1),
    ImageFormat.SRGB48: (np.uint16, 3),
    ImageFormat.SRGBA64: (np.uint16, 4),
    ImageFormat.VEC32F1: (np.float32, 1),
    ImageFormat.VEC32F2: (np.float32, 2),
    ImageFormat.VEC32F4: (np.float32, 4),
}


class Image:
    """An immutable image; it copies the pixels.

    Args:
        image_format: channels and type of the pixels.
        data: (height, width) or (height, width, channels), as the format requires.

    Raises:
        InputError: the format is not supported, or `data` does not have it.
    """

    def __init__(self, image_format: ImageFormat, data: npt.NDArray[Any]) -> None:
        self.image_format = ImageFormat(image_format)
        if self.image_format not in _LAYOUTS:
            raise InputError(f"an Image cannot have the format {self.image_format!r}")
        dtype, self.channels = _LAYOUTS[self.image_format]
        pixels = np.array(data, order="C")
        if pixels.ndim == 3 and pixels.shape[2] == 1:
            pixels = pixels[:, :, 0]
        if pixels.dtype != dtype or pixels.shape[2:] != ((self.channels,) if self.channels > 1 else ()):
            expected = f"{self.image_format.name} takes {np.dtype(dtype)} with {self.channels} channels"
            raise RefusedError(f"{expected}, got {pixels.dtype} {pixels.shape}")
        pixels.flags.writeable = False
        self._pixels = pixels

    @classmethod
    def create_from_file(cls, file_name: str | os.PathLike[str]) -> Image:
        """Load an image file. JPEG photos are rotated as their EXIF orientation says, as in MediaPipe from 1.0 on.

        Raises:
            FileNotFoundError: the file does not exist.
            RefusedError: it is not an image (a RuntimeError).
        """
        import PIL.Image
        import PIL.ImageOps

        try:
            with PIL.Image.open(file_name) as stored:
                picture = PIL.ImageOps.exif_transpose(stored) if stored.format in ("JPEG", "MPO") else stored
                if picture.mode == "L":
                    return cls(ImageFormat.GRAY8, np.asarray(picture))
                has_alpha = "A" in picture.getbands() or "transparency" in picture.info
                if has_alpha:
                    return cls(ImageFormat.SRGBA, np.asarray(picture.convert("RGBA")))
                return cls(ImageFormat.SRGB, np.asarray(picture.convert("RGB")))
        except (PIL.UnidentifiedImageError, SyntaxError) as error:
            raise RefusedError(f"Failed to load image from file {os.fspath(file_name)}: {error}") from error

    @property
    def width(self) -> int:
        return int(self._pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self._pixels.shape[0])

    def numpy_view(self) -> npt.NDArray[Any]:
        """The pixels, read-only: (height, width, channels), or (height, width) for a single channel."""
        return self._pixels

    def __getitem__(self, index: tuple[int, ...]) -> Any:
        """One value: `image[row, column, channel]`, or `image[row, column]` for a single channel."""
        if len(index) != self._pixels.ndim:
            raise InputError(f"Invalid index dimension: {len(index)}, expected {self._pixels.ndim}")
        return self._pixels[index].item()
