"""Conversion of everything that is accepted as an image to RGB uint8 (height, width, 3)."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError

Image = npt.NDArray[np.uint8]

EXPECTED = "expected RGB uint8 (height, width, 3)"


def as_rgb(image: Any) -> Image:
    """The image as RGB uint8 (height, width, 3); an array that already is one is returned without a copy.

    Accepts NumPy arrays of 8 or 16 bits with shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), and PIL images. Alpha is
    dropped; 16 bits become 8 by keeping the high byte. Three channels are taken as RGB: convert BGR images first.

    Raises:
        InputError: `image` is something else; the message names what arrived.
    """
    if not isinstance(image, np.ndarray):
        image = _from_pil(image)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise InputError(f"{EXPECTED}, gray or RGBA, got an array of shape {image.shape}")
    if image.shape[0] == 0 or image.shape[1] == 0:
        raise InputError(f"{EXPECTED}, got an empty image of shape {image.shape}")
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        raise InputError(f"{EXPECTED}, got {image.dtype} {image.shape}{_advice(image)}")
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return cast(Image, image[..., :3] if image.shape[2] == 4 else image)


def _from_pil(image: Any) -> npt.NDArray[Any]:
    if not (hasattr(image, "convert") and hasattr(image, "getbands")):
        raise InputError(f"{EXPECTED} or a PIL image, got {type(image).__name__}")
    if image.mode.startswith("I;16"):
        return np.asarray(image, dtype=np.uint16)
    if image.mode == "I":  # 16-bit PNG files open as 32-bit integers in some Pillow versions
        return np.asarray(image).clip(0, 65535).astype(np.uint16)
    return np.asarray(image.convert("RGB"))


def _advice(image: npt.NDArray[Any]) -> str:
    if not np.issubdtype(image.dtype, np.floating):
        return "; convert with .astype(np.uint8)"
    if not np.isfinite(image).all():
        return " that holds NaN or infinity; clean it, then convert with .astype(np.uint8)"
    if image.max() <= 1:
        return " within 0..1; convert with (image * 255).astype(np.uint8)"
    return "; convert with .clip(0, 255).astype(np.uint8)"
