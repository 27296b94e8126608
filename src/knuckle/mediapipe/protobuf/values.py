"""What fields of messages accept, and how they round it."""

from __future__ import annotations

import ctypes
import operator
from typing import Any

import numpy as np

from knuckle.mediapipe.protobuf.schema import Type


def single(value: float) -> float:
    """A number in single precision; too large ones become infinite."""
    return ctypes.c_float(value).value


def as_single(value: Any) -> float:
    """A float field's value. It raises a TypeError for text and arrays."""
    if type(value) is float:  # nearly always
        return ctypes.c_float(value).value
    if isinstance(value, (str, bytes, np.ndarray)):
        raise TypeError(f"must be real number, not {type(value).__name__}")
    return single(float(value))


def as_int32(value: Any) -> int:
    """An int32 field's value. It raises a TypeError for other types, and a ValueError for more than 32 bits."""
    number = operator.index(value)
    if not -(1 << 31) <= number < 1 << 31:
        raise ValueError(f"Value out of range: {number}")
    return number


def as_text(value: Any) -> str:
    """A string field's value: text, or its UTF-8 bytes. It raises a TypeError for anything else."""
    if not isinstance(value, (str, bytes)):
        raise TypeError(f"bad argument type for a string field: {type(value).__name__}")
    return value if isinstance(value, str) else value.decode()


CONVERSIONS = {Type.FLOAT: as_single, Type.INT32: as_int32, Type.STRING: as_text}


def shortest(value: float) -> float:
    """The number with the fewest digits, at least 6, that rounds to this single-precision value: 0.1, not 0.1000000."""
    for digits in (6, 7, 8):
        short = float(f"{value:.{digits}g}")
        if single(short) == value:
            return short
    return float(f"{value:.9g}")
