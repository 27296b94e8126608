"""Drawn hands that the real networks recognise, so that tests and documentation need no photo."""

from __future__ import annotations

import cv2
import numpy as np

from knuckle.images import Image

# An open left hand, palm towards the viewer, fingers up, in units of its height: outline of the palm, joints.
PALM = ((0.38, 0.98), (0.30, 0.72), (0.27, 0.60), (0.33, 0.50), (0.62, 0.50), (0.70, 0.60), (0.66, 0.80), (0.60, 0.98))
DIGITS = {
    "thumb": ((0.36, 0.80), (0.20, 0.66), (0.10, 0.54), (0.05, 0.44)),
    "index": ((0.345, 0.54), (0.29, 0.34), (0.265, 0.22), (0.25, 0.12)),
    "middle": ((0.445, 0.52), (0.43, 0.29), (0.425, 0.16), (0.42, 0.05)),
    "ring": ((0.545, 0.53), (0.57, 0.32), (0.585, 0.20), (0.595, 0.10)),
    "pinky": ((0.635, 0.58), (0.695, 0.42), (0.73, 0.33), (0.755, 0.25)),
}
WRIST = (0.49, 0.95)
WIDTHS = {"thumb": 0.095, "index": 0.082, "middle": 0.085, "ring": 0.08, "pinky": 0.068}
SKIN = (224, 172, 138)


def draw_hand(image: Image, x: float, y: float, size: float, angle_rad: float = 0.0, right: bool = False) -> Image:
    """Draw a hand with its middle at x, y (pixels), `size` pixels high, turned clockwise; returns `image`."""
    skin = SKIN

    def place(points: object) -> np.ndarray:
        return np.round(placed(points, x, y, size, angle_rad, right) * 16).astype(np.int32)

    dark = tuple(int(v * 0.72) for v in skin)
    shade = tuple(int(v * 0.88) for v in skin)
    wrist = place(((0.39, 0.90), (0.39, 1.5), (0.60, 1.5), (0.60, 0.90)))
    cv2.fillPoly(image, [wrist], skin, cv2.LINE_AA, 4)
    for grow, colour in ((0.018, dark), (0.0, skin)):
        for name in ("thumb", "pinky", "ring", "middle", "index"):
            width = max(1, round((WIDTHS[name] + grow) * size))
            cv2.polylines(image, [place(DIGITS[name])], False, colour, width, cv2.LINE_AA, 4)
        palm = place(PALM)
        cv2.fillPoly(image, [palm], skin, cv2.LINE_AA, 4)
        cv2.polylines(image, [palm], True, colour, max(1, round(0.05 * size)), cv2.LINE_AA, 4)
    cv2.fillPoly(image, [place(PALM)], skin, cv2.LINE_AA, 4)
    for name, joints in DIGITS.items():
        for joint in place(joints)[1:3]:
            cv2.circle(image, joint.tolist(), round(WIDTHS[name] * size * 0.3 * 16), shade, -1, cv2.LINE_AA, 4)
        tip = place(joints)[3]
        cv2.circle(image, tip.tolist(), round(WIDTHS[name] * size * 0.28 * 16), (246, 214, 198), -1, cv2.LINE_AA, 4)
    return image


def placed(points: object, x: float, y: float, size: float, angle_rad: float = 0.0, right: bool = False) -> np.ndarray:
    """(n, 2) pixels of points of the drawing, which are in units of its height."""
    unit = (np.array(points, dtype=np.float64) - [0.45, 0.52]) * size
    if right:
        unit[:, 0] *= -1
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return unit @ np.array([[c, s], [-s, c]]) + np.array([x, y])


JOINTS = (WRIST, *(joint for joints in DIGITS.values() for joint in joints))  # the 21 landmarks
TIPS = {name: joints[-1] for name, joints in DIGITS.items()}


def blank(width: int = 640, height: int = 480) -> Image:
    """A wall: a soft gradient, so that nothing is exactly flat."""
    ramp = np.linspace(150, 205, width)[None, :, None] + np.linspace(-12, 12, height)[:, None, None]
    return np.broadcast_to(ramp, (height, width, 3)).astype(np.uint8).copy()
