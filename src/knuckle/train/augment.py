"""Changes of pictures that keep their meaning: what the landmarks do is known exactly.

Image and points move together: one affine says both, and one resampling does all of turning, scaling, mirroring.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from knuckle.geometry import image_from_crop, invert, turn
from knuckle.images import Image
from knuckle.results import FloatArray, Roi

Random = np.random.Generator


@dataclass(frozen=True)
class Jitter:
    """How far a region may lie from where it should, as the tracker's own are.

    Measured against `roi_from_hand` of the true landmarks, regions of followed hands are off by (standard
    deviations) 4 % of their side in place, 6 % in size, 6 degrees; those from palms by 8 %, 12 % and 10 degrees.
    Training takes the wider, and two tails: crops that are turned at will, and crops that lost the hand, cut it off
    or hold none of it, from which presence is learned.
    """

    shift: float = 0.07
    scale: float = 0.12
    angle_rad: float = math.radians(12)
    any_angle: float = 0.1
    lost: float = 0.06
    lost_shift: float = 0.45

    def moved(self, roi: Roi, rng: Random) -> Roi:
        """A region near `roi`."""
        free = rng.random() < self.any_angle
        angle = rng.uniform(-math.pi, math.pi) if free else roi.angle_rad + rng.normal(0, self.angle_rad)
        shift = self.lost_shift if rng.random() < self.lost else self.shift
        dx, dy = rng.normal(0, shift, 2) * roi.size
        return Roi(roi.x + dx, roi.y + dy, roi.size * math.exp(rng.normal(0, self.scale)), angle)


def crop_from_image(roi: Roi, side: int, mirrored: bool) -> FloatArray:
    """(2, 3) affine from image pixels to crop pixels; mirrored left to right about the crop's middle where asked."""
    affine = invert(image_from_crop(roi, side))
    if mirrored:
        affine = np.array([[-1.0, 0.0], [0.0, 1.0]]) @ affine
        affine[0, 2] += side
    return affine


def cut(image: Image, affine: FloatArray, side: int, scale: float) -> Image:
    """The crop that an affine tells, uint8 (side, side, 3); edge pixels repeat, as in `knuckle.geometry.crop`.

    Where `scale` (crop pixels per image pixel) is below 1/2 the image is first halved: bilinear sampling would skip
    pixels, which a tracker's crop of a large hand does too, but never by more than that.
    """
    while scale < 0.5 and min(image.shape[:2]) > 2:
        image = np.asarray(cv2.pyrDown(image), np.uint8)
        affine = affine @ np.array([[2.0, 0, 0], [0, 2.0, 0], [0, 0, 1.0]])
        scale *= 2
    return np.asarray(
        cv2.warpAffine(image, affine, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def world_in_crop(world: FloatArray, roi: Roi, mirrored: bool) -> FloatArray:
    """World landmarks (21, 3) turned into the crop's axes, about their mean."""
    centred = turn(world - np.nanmean(world, axis=0), -roi.angle_rad)
    return centred * np.array([-1.0, 1.0, 1.0]) if mirrored else centred


@dataclass(frozen=True)
class Look:
    """How strongly the look of a picture is changed; 0 is not at all, 1 is as in training."""

    strength: float = 1.0

    def changed(self, picture: Image, rng: Random) -> Image:
        """Exposure, contrast, white balance, saturation, blur, noise, JPEG, something in the way."""
        s = self.strength
        if s == 0:
            return picture
        x = picture.astype(np.float32)
        gain = np.exp(rng.normal(0, 0.12 * s, 3) + rng.normal(0, 0.25 * s)).astype(np.float32)
        x *= gain
        if rng.random() < 0.5 * s:
            mean = x.mean()
            x = (x - mean) * np.float32(np.exp(rng.normal(0, 0.25))) + mean
        if rng.random() < 0.4 * s:
            gray = x @ np.array([0.299, 0.587, 0.114], np.float32)
            keep = np.float32(rng.uniform(0, 1.3))
            x = x * keep + gray[..., None] * (1 - keep)
        if rng.random() < 0.3 * s:
            x = _blurred(x, rng)
        if rng.random() < 0.5 * s:
            x += rng.normal(0, rng.uniform(1, 14), x.shape).astype(np.float32)
        changed = np.clip(x, 0, 255).astype(np.uint8)
        if rng.random() < 0.3 * s:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))]
            changed = np.asarray(cv2.imdecode(cv2.imencode(".jpg", changed, quality)[1], cv2.IMREAD_COLOR), np.uint8)
        return changed


def _blurred(x: FloatArray, rng: Random) -> FloatArray:
    """Defocus, or motion along a line."""
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(x, (0, 0), rng.uniform(0.5, 2.5)), np.float32)
    length = int(rng.integers(3, 12))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, math.pi)
    middle = (length - 1) / 2
    for t in np.linspace(-middle, middle, 2 * length):
        kernel[round(middle + t * math.sin(angle)), round(middle + t * math.cos(angle))] = 1
    return np.asarray(cv2.filter2D(x, -1, kernel / kernel.sum()), np.float32)


def on_background(picture: Image, hand: Image, background: Image) -> Image:
    """Another picture behind a hand: `hand` (side, side) is 255 where it is, 0 elsewhere.

    The edge is soft, and lies within the hand, so that nothing of the old background shines through.
    """
    cover = np.clip(cv2.GaussianBlur(hand, (0, 0), 0.7).astype(np.float32)[..., None] / 127.5 - 1, 0, 1)
    return np.asarray(np.rint(picture * cover + background * (1 - cover)), np.uint8)


def patch(side: int, rng: Random) -> tuple[slice, slice]:
    """Where something stands in the way: a rectangle of a tenth to four tenths of the side."""
    height, width = (rng.uniform(0.1, 0.4, 2) * side).astype(int)
    top, left = int(rng.integers(0, side - height)), int(rng.integers(0, side - width))
    return slice(top, top + height), slice(left, left + width)
