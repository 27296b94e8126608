"""One hand as HTML, which notebooks show: the part of the image around it, with its skeleton drawn on top."""

from __future__ import annotations

from typing import cast

import numpy as np

from knuckle.extras import cv2
from knuckle.images import Image
from knuckle.results.regions import FloatArray
from knuckle.results.skeleton import BONES

SHOWN_PX = 240  # longer side of the picture on the page
MARGIN = 0.15  # shown around the hand, as a share of the longer side of its box


def hand_html(title: str, landmarks: FloatArray, image: Image | None) -> str:
    """An SVG picture of a hand with a line of text.

    Args:
        title: the line of text.
        landmarks: (21, 3) image pixels.
        image: the image that the hand was found in, RGB uint8; None draws the skeleton alone.
    """
    from html import escape

    text = f"<div style='font-family: monospace'>{escape(title)}</div>"
    points = landmarks[:, :2].astype(np.float64)
    if not np.isfinite(points).all():
        return text
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * max(float((high - low).max()), 1.0)
    x0, y0 = np.floor(low - margin)
    width, height = np.ceil(high + margin) - (x0, y0) + 1
    stroke = max(width, height) / 120
    parts = [] if image is None else [_backdrop(image, (x0, y0, width, height))]
    for (start, end), colour in BONES:
        (ax, ay), (bx, by) = points[start], points[end]
        line = f"<line x1='{ax:.1f}' y1='{ay:.1f}' x2='{bx:.1f}' y2='{by:.1f}'"
        parts.append(f"{line} stroke='rgb{colour}' stroke-width='{2 * stroke:.2f}' stroke-linecap='round'/>")
    parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{1.5 * stroke:.2f}' fill='#18181b'/>" for x, y in points]
    scale = SHOWN_PX / max(width, height)
    size = f"width='{scale * width:.0f}' height='{scale * height:.0f}'"
    view = f"viewBox='{x0:.0f} {y0:.0f} {width:.0f} {height:.0f}'"
    style = "style='background: #71717a'"
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size} {view} {style}>{''.join(parts)}</svg>{text}"


def _backdrop(image: Image, box: tuple[float, float, float, float]) -> str:
    """The part of the image inside a box x, y, width, height as an SVG image in pixels of the whole image."""
    import base64

    x, y, width, height = box
    left, top = int(max(x, 0)), int(max(y, 0))
    right, bottom = int(min(x + width, image.shape[1])), int(min(y + height, image.shape[0]))
    if right <= left or bottom <= top:
        return ""
    part = image[top:bottom, left:right]
    scale = min(1.0, 2 * SHOWN_PX / max(part.shape[:2]))
    if scale < 1:
        size = (max(1, round(scale * part.shape[1])), max(1, round(scale * part.shape[0])))
        part = cast(Image, cv2.resize(part, size, interpolation=cv2.INTER_AREA))
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(part, cv2.COLOR_RGB2BGR))
    data = base64.b64encode(encoded.tobytes()).decode()
    # Pixel centres are at integers, and SVG's pixels reach from edge to edge.
    place = f"x='{left - 0.5}' y='{top - 0.5}' width='{right - left}' height='{bottom - top}'"
    return f"<image {place} preserveAspectRatio='none' href='data:image/jpeg;base64,{data}'/>"
