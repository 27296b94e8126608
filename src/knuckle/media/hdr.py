"""High dynamic range (PQ and HLG) to what screens and networks expect: BT.709 colours, 8 bits, a peak of 203 cd/m².

Per channel: code value -> light (ITU-R BT.2100), BT.2020 -> BT.709 primaries, highlights compressed as in ITU-R
BT.2390, light -> code value (BT.1886). Light below about 90 cd/m², where hands and faces are, keeps its
brightness.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.images import Image
from knuckle.results import FloatArray

PQ, HLG = 16, 18  # codes of transfer functions, ITU-T H.273
TRANSFERS = (PQ, HLG)
BT2020 = 9  # code of colour primaries
SDR_PEAK = 203.0  # cd/m² of white in a picture of standard dynamic range, ITU-R BT.2408
DEFAULT_PEAK = 1000.0  # cd/m² of the screen that a film was made on, if the file does not say; that of all HLG
BT709_FROM_BT2020 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]]
)
CODES = 65536


def tone_mapped(codes: npt.NDArray[np.uint16], transfer: int, primaries: int, peak: float | None) -> Image:
    """RGB uint8 (height, width, 3) of standard dynamic range.

    Args:
        codes: RGB uint16 (height, width, 3), the code values of the picture.
        transfer: `PQ` or `HLG`.
        primaries: code of the colour primaries.
        peak: of the screen that the film was made on, cd/m²; None if unknown.
    """
    from knuckle.extras import cv2

    if peak is None or transfer == HLG or not SDR_PEAK < peak <= 10_000:
        peak = DEFAULT_PEAK
    light = _look_up(codes, light_of_code(transfer, peak))
    if primaries == BT2020:
        light = np.asarray(cv2.transform(light, BT709_FROM_BT2020), np.uint16)
    return np.asarray(_look_up(light, code_of_light(peak)), np.uint8)


@lru_cache
def light_of_code(transfer: int, peak: float) -> npt.NDArray[np.uint16]:
    """(65536,) uint16: light for each code value, 65535 for `peak` and above."""
    codes = np.linspace(0, 1, CODES)
    if transfer == PQ:
        light = _pq_to_light(codes) / peak
    else:  # the inverse of HLG's curve, and the gamma of a screen of 1000 cd/m²
        scene = np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - 0.55991073) / 0.17883277) + 0.28466892) / 12)
        light = scene**1.2
    return np.round(light.clip(0, 1) * (CODES - 1)).astype(np.uint16)


@lru_cache
def code_of_light(peak: float) -> npt.NDArray[np.uint8]:
    """(65536,) uint8: code value of a BT.1886 screen for each light, of which 65535 is `peak`."""
    light = compressed(np.linspace(0, peak, CODES), peak) / SDR_PEAK
    return np.round(light.clip(0, 1) ** (1 / 2.4) * 255).astype(np.uint8)


def compressed(light: FloatArray, peak: float) -> FloatArray:
    """Light in cd/m² up to `peak` to light up to `SDR_PEAK`: the curve of BT.2390, straight below its knee."""
    top = _light_to_pq(np.array(peak))
    signal, limit = _light_to_pq(light) / top, float(_light_to_pq(np.array(SDR_PEAK)) / top)
    knee = 1.5 * limit - 0.5
    t = ((signal - knee) / (1 - knee)).clip(0, 1)
    curve = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * limit
    return _pq_to_light(np.where(signal < knee, signal, curve) * top)


def _pq_to_light(code: FloatArray) -> FloatArray:
    power = code ** (1 / 78.84375)
    light: FloatArray = 10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (
        1 / 0.1593017578125
    )
    return light


def _light_to_pq(light: FloatArray) -> FloatArray:
    power = (light / 10_000) ** 0.1593017578125
    code: FloatArray = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    return code


def _look_up(codes: npt.NDArray[np.uint16], table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`table[codes]`. OpenCV 5 takes tables of 65,536 entries, five times as fast as NumPy."""
    from knuckle.extras import cv2

    if int(cv2.__version__.split(".")[0]) >= 5:
        return np.asarray(cv2.LUT(codes, table))
    return np.take(table, codes)
