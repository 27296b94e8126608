"""Changes of pictures that keep their meaning: what the landmarks do is known exactly.

Image and points move together: one affine says both, and one resampling does all of turning, scaling, mirroring.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np

from knuckle.geometry import image_from_crop, invert, turn
from knuckle.images import Image
from knuckle.results import FloatArray, Roi

Random = np.random.Generator
LUMA = (0.299, 0.587, 0.114)
STRANGE = 0.6  # share of pictures without hands that get other colours, or parts of another one
AFAR, AFAR_LOOK = (0.18, 0.6), 0.5  # side of a distant hand's crop as a part of the full one; how far its look changes
STRETCHED, STRETCH = 0.3, 0.1  # share of pictures that are stretched, and standard deviation of how far


@dataclass(frozen=True)
class Jitter:
    """How far a region may lie from where it should, as the tracker's own are.

    Measured against `roi_from_landmarks` of the true landmarks, regions of followed hands are off by (standard
    deviations) 4 % of their side in place, 6 % in size, 6 degrees; those from palms by 8 %, 12 % and 10 degrees.
    Half of training's are as far off as the first, half as the second; and there are two tails: crops that are turned
    at will, and crops that lost the hand, cut it off or hold none of it, from which presence is learned.
    """

    shift: float = 0.07
    scale: float = 0.12
    angle_rad: float = math.radians(12)
    any_angle: float = 0.1
    lost: float = 0.06
    lost_shift: float = 0.45
    followed: float = 0.5
    followed_part: float = 0.55

    def moved(self, roi: Roi, rng: Random) -> Roi:
        """A region near `roi`."""
        free = rng.random() < self.any_angle
        part = self.followed_part if self.followed and rng.random() < self.followed else 1.0
        angle = rng.uniform(-math.pi, math.pi) if free else roi.angle_rad + rng.normal(0, part * self.angle_rad)
        shift = self.lost_shift if rng.random() < self.lost else part * self.shift
        dx, dy = rng.normal(0, shift, 2) * roi.size
        return Roi(roi.x + dx, roi.y + dy, roi.size * math.exp(rng.normal(0, part * self.scale)), angle)


def stretch(rng: Random) -> FloatArray:
    """(2, 2) that keeps areas: hands get longer or broader, or are seen a bit more from the side; often nothing.

    Few people are in the photos; this makes other hands of theirs.
    """
    if rng.random() >= STRETCHED:
        return np.eye(2)
    longer, sheared = rng.normal(0, STRETCH, 2)
    return np.array([[math.exp(longer), sheared], [0.0, math.exp(-longer)]])


def crop_from_image(roi: Roi, side: int, mirrored: bool, stretched: FloatArray | None = None) -> FloatArray:
    """(2, 3) affine from image pixels to crop pixels; mirrored and `stretched` about the crop's middle."""
    linear = np.diag([-1.0 if mirrored else 1.0, 1.0])
    linear = linear if stretched is None else linear @ stretched
    middle = np.full(2, side / 2)
    affine = linear @ invert(image_from_crop(roi, side))
    affine[:, 2] += middle - linear @ middle
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
        """Exposure, contrast, white balance, haze, saturation, blur, noise, JPEG."""
        s = self.strength
        if s == 0:
            return picture
        x = self._toned(picture, rng)
        if rng.random() < 0.2 * s:
            x = _hazed(x, rng)
        if rng.random() < 0.4 * s:
            keep = rng.uniform(0, 1.3)
            mixed = keep * np.eye(3) + (1 - keep) * np.tile(LUMA, (3, 1))
            x = np.asarray(cv2.transform(x, mixed), np.uint8)
        if rng.random() < 0.3:
            x = _blurred(x, s, rng)
        if rng.random() < 0.5 * s:
            x = _grained(x, rng.uniform(1, 14), rng)
        if rng.random() < 0.3 * s:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))]
            x = np.asarray(cv2.imdecode(cv2.imencode(".jpg", x, quality)[1], cv2.IMREAD_COLOR), np.uint8)
        return x

    def _toned(self, picture: Image, rng: Random) -> Image:
        """Exposure, white balance, contrast, darkness: one table of 256 values per channel."""
        s = self.strength
        gain = np.exp(rng.normal(0, 0.12 * s, 3) + rng.normal(0, 0.25 * s))
        tones = np.arange(256)[:, None] * gain
        if rng.random() < 0.3 * s:  # before a window a hand sinks into the dark; cameras and phones also lift it
            tones = 255 * (np.arange(256)[:, None] / 255) ** np.exp(rng.uniform(-0.5, 0.9)) * gain
        if rng.random() < 0.5 * s:
            mean = float(np.mean(np.multiply(cv2.mean(picture)[:3], gain)))
            tones = (tones - mean) * np.exp(rng.normal(0, 0.25)) + mean
        table = np.clip(tones, 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(picture, table[None]), np.uint8)


def from_afar(picture: Image, look: Look, rng: Random) -> Image:
    """A crop whose look was changed where it was small, as that of a distant hand is: few pixels, then enlarged.

    Its labels stay as exact as they were, which nobody could draw on such a crop.
    """
    height, width = picture.shape[:2]
    share = math.exp(rng.uniform(*np.log(AFAR)))
    kind = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_LINEAR  # the other as cameras of phones do
    small = cv2.resize(picture, (max(8, round(share * width)), max(8, round(share * height))), interpolation=kind)
    small = Look(AFAR_LOOK * look.strength).changed(np.asarray(small, np.uint8), rng)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def backlit(picture: Image, hand: Image, background: Image, rng: Random) -> tuple[Image, Image]:
    """The same hand and background with the light behind the hand: that one dark and pale, this one bright.

    Args:
        picture, background: (side, side, 3). hand: (side, side), 255 where the hand is.
    """
    grey = np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1)
    shade, colour = rng.uniform(0.15, 0.7), rng.uniform(0.3, 1.0)
    dark = cv2.addWeighted(picture, shade * colour, grey, shade * (1 - colour), rng.uniform(0, 25))
    place = np.argwhere(hand > 0).mean(axis=0) / hand.shape if hand.any() else np.full(2, 0.5)
    shine = rng.uniform(0, 0.9) * _glow(background, place[::-1] + rng.normal(0, 0.1, 2), rng.uniform(0.15, 0.8))
    light = np.asarray(255 - (255 - background.astype(np.float32)) * (1 - shine), np.uint8)
    if rng.random() < 0.5:  # light creeps round the edges
        cover = cv2.GaussianBlur(hand, (0, 0), rng.uniform(1, 5)).astype(np.float32)[..., None] / 255
        dark = np.asarray(dark * cover + light * (1 - cover), np.uint8)
    return np.asarray(dark, np.uint8), light


def strange(picture: Image, other: Image, rng: Random) -> Image:
    """A picture without hands in which still none is: colours mixed at will, shades of skin, parts of another one.

    Few rooms are at hand, and what looks like a hand in others must be met before. Hands would not stand this.

    Args:
        picture, other: two pictures without hands, of one size.
    """
    if rng.random() < 0.4:
        noise = rng.normal(0, 1, (int(rng.integers(2, 7)),) * 2).astype(np.float32)
        cover = cv2.resize(noise, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        cover = np.clip(0.5 + cover * rng.uniform(0.5, 8), 0, 1)[..., None]
        picture = np.asarray(picture * cover + other * (1 - cover), np.uint8)
    kind = rng.random()
    if kind < 0.4:
        mixed = np.abs(rng.dirichlet((0.5, 0.5, 0.5), 3))
        return np.asarray(cv2.transform(picture, mixed), np.uint8)
    if kind < 0.7:
        grey = np.arange(256)[:, None] / 255
        skin = rng.uniform((190, 130, 95), (255, 225, 205)) * grey ** rng.uniform((0.5, 0.7, 0.8), (0.9, 1.2, 1.5))
        tinted = np.clip(skin, 0, 255).astype(np.uint8)[cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)]
        strength = rng.uniform(0.3, 1)
        return np.asarray(cv2.addWeighted(tinted, strength, picture, 1 - strength, 0), np.uint8)
    return picture


@functools.cache
def _grain(height: int, width: int) -> Image:
    """Normal noise around 128 with a deviation of 32, some larger than a picture: drawing it anew is dear."""
    return np.clip(np.random.default_rng(0).normal(128, 32, (height + 64, width + 64, 3)), 0, 255).astype(np.uint8)


def _grained(x: Image, deviation: float, rng: Random) -> Image:
    """Noise of the given standard deviation added, cut from anywhere in one field of it."""
    height, width = x.shape[:2]
    top, left = rng.integers(0, 64, 2)
    piece = _grain(height, width)[top : top + height, left : left + width]
    return np.asarray(cv2.addWeighted(x, 1.0, piece, deviation / 32, -128 * deviation / 32), np.uint8)


def _glow(x: Image, middle: FloatArray, spread: float) -> FloatArray:
    """(height, width, 1) a bell of height 1 over the picture; its `middle` (x, y) and `spread` in sides of it."""
    height, width = x.shape[:2]
    rows, columns = np.mgrid[0:1:17j, 0:1:17j] - middle[::-1, None, None]
    bell = np.exp(-(rows**2 + columns**2) / (2 * spread**2)).astype(np.float32)
    return np.asarray(cv2.resize(bell, (width, height)))[..., None]


def _hazed(x: Image, rng: Random) -> Image:
    """Light that falls into the lens: a veil of one colour, thickest at one place in or near the picture."""
    veil = rng.uniform(0.15, 0.6) * _glow(x, rng.uniform(-0.3, 1.3, 2), rng.uniform(0.3, 1.5))
    colour = np.clip(rng.uniform(150, 255) * np.exp(rng.normal(0, 0.08, 3)), 0, 255).astype(np.float32)
    return np.asarray(x * (1 - veil) + colour * veil, np.uint8)


def _blurred(x: Image, strength: float, rng: Random) -> Image:
    """Defocus, or motion along a line; as far as `strength` lets it."""
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(x, (0, 0), 0.5 + rng.uniform(0, 2 * strength)), np.uint8)
    length = int(rng.integers(3, 4 + round(8 * strength)))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, math.pi)
    middle = (length - 1) / 2
    for t in np.linspace(-middle, middle, 2 * length):
        kernel[round(middle + t * math.sin(angle)), round(middle + t * math.cos(angle))] = 1
    return np.asarray(cv2.filter2D(x, -1, kernel / kernel.sum()), np.uint8)


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
