"""Conversion of everything that is accepted as an image to RGB uint8 (height, width, 3)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.extras import cv2

Image = npt.NDArray[np.uint8]
Order: TypeAlias = Literal["rgb", "bgr"]

EXPECTED = "expected RGB uint8 (height, width, 3)"


def as_rgb(image: Any, order: Order = "rgb") -> Image:
    """The image as RGB uint8 (height, width, 3); an array that already is one is returned without a copy.

    Accepts NumPy arrays of 8 or 16 bits with shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), and PIL images. Alpha is
    dropped; 16 bits become 8 by keeping the high byte.

    Args:
        image: an array or a PIL image.
        order: order of the channels of an array: "rgb", or "bgr" as OpenCV delivers them. A PIL image knows its own.

    Raises:
        InputError: `image` is something else; the message names what arrived and what to do.
    """
    if order not in ("rgb", "bgr"):
        raise InputError(f"order must be 'rgb' or 'bgr', got {order!r}")
    if not isinstance(image, np.ndarray):
        image, order = _from_pil(image), "rgb"
    elif type(image) is not np.ndarray:
        image = np.asarray(image)  # np.matrix stays two-dimensional, whatever is done with it
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise InputError(f"{EXPECTED}, gray or RGBA, got an array of shape {image.shape}{_shape_advice(image)}")
    if image.shape[0] == 0 or image.shape[1] == 0:
        raise InputError(f"{EXPECTED}, got an empty image of shape {image.shape}; check how it was cut out or read")
    if np.issubdtype(image.dtype, np.uint16):  # in either byte order, as in TIFF files
        image = (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        raise InputError(f"{EXPECTED}, got {image.dtype} {image.shape}{_dtype_advice(image)}")
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    if order == "bgr":
        code = cv2.COLOR_BGR2RGB if image.shape[2] == 3 else cv2.COLOR_BGRA2RGB
        return cast(Image, cv2.cvtColor(image, code))
    return cast(Image, image[..., :3] if image.shape[2] == 4 else image)


def _from_pil(image: Any) -> npt.NDArray[Any]:
    if not (hasattr(image, "convert") and hasattr(image, "getbands")):
        raise InputError(f"{EXPECTED} or a PIL image, got {_kind_advice(image)}")
    if image.mode.startswith("I;16"):
        return np.asarray(image, dtype=np.uint16)
    if image.mode == "I":  # 16-bit PNG files open as 32-bit integers in some Pillow versions
        return np.asarray(image).clip(0, 65535).astype(np.uint16)
    if image.mode == "F":  # TIFF files of floating point numbers: 0 to 1, or 0 to 255
        gray: npt.NDArray[np.float32] = np.nan_to_num(np.asarray(image))
        return (gray * 255 if gray.max() <= 1 else gray).clip(0, 255).astype(np.uint8)
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in ("P", "PA") and "transparency" in image.info:  # Pillow warns about the direct way
        image = image.convert("RGBA")
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))  # converting RGB would copy it


def _kind_advice(image: Any) -> str:
    """What arrived in place of an array, and what to pass instead."""
    kind = type(image).__name__
    if image is None:
        return (
            "None; cv2.imread returns None for a file that it cannot read, VideoCapture.read at the end of a video: "
            "check the path, or call knuckle.detect(path), which says what is wrong with the file"
        )
    if isinstance(image, (str, os.PathLike)):
        return (
            f"the path {os.fspath(image)!r} ({kind}); knuckle.detect(path) takes the path of a photo, "
            "and HandTracker().track(path) that of a video"
        )
    if isinstance(image, tuple) and len(image) == 2 and isinstance(image[0], bool):
        return "a tuple as VideoCapture.read returns it; write ok, image = capture.read() and pass image"
    if isinstance(image, (list, tuple)):
        if image and isinstance(image[0], (list, tuple, int, float)):
            return f"a {kind} of {len(image)}; an image is an array: np.array(rows, np.uint8)"
        return f"a {kind} of {len(image)}, and one image is taken here; knuckle.detect takes a list of images"
    if isinstance(image, (bytes, bytearray, memoryview)):
        return f"{kind}, as in a file; pass its path, or PIL.Image.open(io.BytesIO(data))"
    if hasattr(image, "read"):
        if hasattr(image, "isOpened"):
            return f"a {kind}; write ok, image = capture.read() and pass image"
        return f"a {kind}, an open file; pass its path, or PIL.Image.open(file)"
    if hasattr(image, "open_frames"):
        return f"a {kind}; loop over it: for frame in reader, and pass frame.image"
    if isinstance(getattr(image, "image", None), np.ndarray):
        return f"a {kind}; pass its .image"
    if hasattr(image, "detach") or hasattr(image, "numpy"):
        return f"a {kind}; pass a NumPy array: tensor.permute(1, 2, 0).cpu().numpy() if the channels come first"
    if isinstance(image, Iterable) and not isinstance(image, Mapping):
        return f"a {kind}; pass its items as a list: knuckle.detect(list(images))"
    return kind


def _shape_advice(image: npt.NDArray[Any]) -> str:
    if image.ndim == 1 and image.dtype.kind in "UT":
        return " that holds text; pass list(paths) to knuckle.detect"
    if image.ndim == 1 and image.dtype == object:
        return " that holds images of several sizes; pass list(images) to knuckle.detect"
    if image.ndim == 0:
        return f" that holds {type(image.item()).__name__}; check how the image was read"
    if image.ndim == 4:
        return ", a batch; pass one image, or list(batch) to knuckle.detect"
    if image.ndim == 3 and image.shape[0] in (1, 3, 4):
        return ", with the channels first; convert with image.transpose(1, 2, 0)"
    return ""


def _dtype_advice(image: npt.NDArray[Any]) -> str:
    if image.dtype == bool:
        return "; convert with image.astype(np.uint8) * 255"
    if not np.issubdtype(image.dtype, np.floating):
        return "; convert values of 0..255 with image.astype(np.uint8)"
    if not np.isfinite(image).all():
        return " that holds NaN or infinity; clean it, then convert with image.astype(np.uint8)"
    if image.min() < 0:
        return " with negative values, as normalised for another network; pass the image as it was before"
    if image.max() <= 1:
        return " within 0..1; convert with (image * 255).astype(np.uint8)"
    return "; convert with image.clip(0, 255).astype(np.uint8)"
