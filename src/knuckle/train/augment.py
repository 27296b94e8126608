"""Augmentation: random changes of pictures whose effect on the landmarks is known exactly.

One affine (crop from image) describes rotation, scale, shift and mirroring. It moves the landmarks, and one resampling
with it makes the picture.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from knuckle.extras import cv2
from knuckle.geometry import image_from_crop, invert, turn
from knuckle.images import Image
from knuckle.results import FloatArray, Roi

Random = np.random.Generator
LUMA = (0.299, 0.587, 0.114)
HARDER_NEGATIVES = 0.6  # share of hand-free pictures that `harder_negative` changes
DISTANT_SIDES = (0.18, 0.6)  # side of a distant hand's crop relative to the full crop, from and to
DISTANT_LOOK = 0.5  # strength of `PhotometricAugment` on distant hands
STRETCHED, STRETCH = 0.3, 0.1  # share of pictures that are stretched; standard deviation of the stretch


@dataclass(frozen=True)
class RegionNoise:
    """Random errors of a region, as large as the errors of the tracker's own regions.

    Compared with the region of the true landmarks (`roi_from_landmarks`), regions of tracked hands have errors with
    standard deviations of 4 % of the side in position, 6 % in size and 6 degrees; regions from palms 8 %, 12 % and 10
    degrees. Half of the training regions are like the former and half like the latter. In addition some crops have any
    rotation, and some have lost the hand or cut it off; presence is learned from these.

    Attributes:
        shift: standard deviation of the position, as a share of the side.
        scale: standard deviation of the logarithm of the size.
        angle_rad: standard deviation of the angle.
        any_angle: share of regions with a uniformly random angle.
        lost: share of regions that lose the hand: their `shift` is `lost_shift`.
        lost_shift: see `lost`.
        tracked: share of regions with the smaller errors of tracked hands.
        tracked_errors: how large those are, relative to the others.
    """

    shift: float = 0.07
    scale: float = 0.12
    angle_rad: float = math.radians(12)
    any_angle: float = 0.1
    lost: float = 0.06
    lost_shift: float = 0.45
    tracked: float = 0.5
    tracked_errors: float = 0.55

    def apply(self, roi: Roi, rng: Random) -> Roi:
        """A random region near `roi`."""
        free = rng.random() < self.any_angle
        part = self.tracked_errors if self.tracked and rng.random() < self.tracked else 1.0
        angle = rng.uniform(-math.pi, math.pi) if free else roi.angle_rad + rng.normal(0, part * self.angle_rad)
        shift = self.lost_shift if rng.random() < self.lost else part * self.shift
        dx, dy = rng.normal(0, shift, 2) * roi.size
        return Roi(roi.x + dx, roi.y + dy, roi.size * math.exp(rng.normal(0, part * self.scale)), angle)


def random_stretch(rng: Random) -> FloatArray:
    """(2, 2) linear map that keeps areas, often the identity: it makes hands longer, broader or sheared.

    The photos show few people; stretched, their hands look like those of others.
    """
    if rng.random() >= STRETCHED:
        return np.eye(2)
    longer, sheared = rng.normal(0, STRETCH, 2)
    return np.array([[math.exp(longer), sheared], [0.0, math.exp(-longer)]])


def crop_from_image(roi: Roi, side: int, mirrored: bool, stretched: FloatArray | None = None) -> FloatArray:
    """(2, 3) affine from image pixels to crop pixels.

    Args:
        roi: the region of the image.
        side: side of the crop in pixels.
        mirrored: mirror the crop left to right.
        stretched: (2, 2) linear map applied about the centre of the crop.
    """
    linear = np.diag([-1.0 if mirrored else 1.0, 1.0])
    linear = linear if stretched is None else linear @ stretched
    middle = np.full(2, side / 2)
    affine = linear @ invert(image_from_crop(roi, side))
    affine[:, 2] += middle - linear @ middle
    return affine


def warp(image: Image, affine: FloatArray, side: int, scale: float) -> Image:
    """Resample an image with a (2, 3) affine, crop from image: (side, side, 3) uint8; edge pixels repeat.

    While `scale` (crop pixels per image pixel) is below 1/2, the image is first halved, since bilinear sampling would
    skip pixels. A tracker's crop of a large hand (`knuckle.geometry.crop`) skips them too, but by no more than that.
    """
    while scale < 0.5 and min(image.shape[:2]) > 2:
        image = np.asarray(cv2.pyrDown(image), np.uint8)
        affine = affine @ np.array([[2.0, 0, 0], [0, 2.0, 0], [0, 0, 1.0]])
        scale *= 2
    return np.asarray(
        cv2.warpAffine(image, affine, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def world_in_crop(world: FloatArray, roi: Roi, mirrored: bool, own: int = 21) -> FloatArray:
    """World landmarks (K, 3) in metres, rotated into the axes of the crop, with the mean of the first `own` as origin.

    Unknown ones are NaN.
    """
    centred = turn(world - np.nanmean(world[:own], axis=0), -roi.angle_rad)
    return centred * np.array([-1.0, 1.0, 1.0]) if mirrored else centred


@dataclass(frozen=True)
class PhotometricAugment:
    """Random changes of light, colour and sharpness.

    Attributes:
        strength: 0 changes nothing, 1 is the strength for training.
    """

    strength: float = 1.0

    def apply(self, picture: Image, rng: Random) -> Image:
        """Change exposure, contrast, white balance, haze, saturation, blur, noise and JPEG artefacts."""
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
            deviation = rng.uniform(1, 14)
            (height, width), (top, left) = x.shape[:2], rng.integers(0, 64, 2)
            noise = _noise_field(height, width)[top : top + height, left : left + width]
            x = np.asarray(cv2.addWeighted(x, 1.0, noise, deviation / 32, -128 * deviation / 32), np.uint8)
        if rng.random() < 0.3 * s:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))]
            x = np.asarray(cv2.imdecode(cv2.imencode(".jpg", x, quality)[1], cv2.IMREAD_COLOR), np.uint8)
        return x

    def _toned(self, picture: Image, rng: Random) -> Image:
        """Exposure, white balance, contrast and gamma, as one table of 256 values per channel."""
        s = self.strength
        gain = np.exp(rng.normal(0, 0.12 * s, 3) + rng.normal(0, 0.25 * s))
        tones = np.arange(256)[:, None] * gain
        if rng.random() < 0.3 * s:  # hands in front of a window are dark; some cameras brighten dark areas
            tones = 255 * (np.arange(256)[:, None] / 255) ** np.exp(rng.uniform(-0.5, 0.9)) * gain
        if rng.random() < 0.5 * s:
            mean = float(np.mean(np.multiply(cv2.mean(picture)[:3], gain)))
            tones = (tones - mean) * np.exp(rng.normal(0, 0.25)) + mean
        table = np.clip(tones, 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(picture, table[None]), np.uint8)


def distant(picture: Image, look: PhotometricAugment, rng: Random) -> Image:
    """Make a crop look like that of a distant hand: shrink it, change its look, and enlarge it again.

    The labels stay exact. Nobody could label such a small hand by eye.
    """
    height, width = picture.shape[:2]
    share = math.exp(rng.uniform(*np.log(DISTANT_SIDES)))
    kind = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_LINEAR  # the cameras of phones do the latter
    small = cv2.resize(picture, (max(8, round(share * width)), max(8, round(share * height))), interpolation=kind)
    small = PhotometricAugment(DISTANT_LOOK * look.strength).apply(np.asarray(small, np.uint8), rng)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def backlit(picture: Image, hand: Image, background: Image, rng: Random) -> tuple[Image, Image]:
    """Put the light behind a hand: the hand becomes dark and pale, the background bright.

    Args:
        picture, background: (side, side, 3).
        hand: (side, side), 255 where the hand is.

    Returns:
        The changed picture and the changed background.
    """
    grey = np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1)
    shade, colour = rng.uniform(0.15, 0.7), rng.uniform(0.3, 1.0)
    dark = cv2.addWeighted(picture, shade * colour, grey, shade * (1 - colour), rng.uniform(0, 25))
    place = np.argwhere(hand > 0).mean(axis=0) / hand.shape if hand.any() else np.full(2, 0.5)
    shine = rng.uniform(0, 0.9) * _glow(background, place[::-1] + rng.normal(0, 0.1, 2), rng.uniform(0.15, 0.8))
    light = np.asarray(255 - (255 - background.astype(np.float32)) * (1 - shine), np.uint8)
    if rng.random() < 0.5:  # the light spills over the edges of the hand
        cover = cv2.GaussianBlur(hand, (0, 0), rng.uniform(1, 5)).astype(np.float32)[..., None] / 255
        dark = np.asarray(dark * cover + light * (1 - cover), np.uint8)
    return np.asarray(dark, np.uint8), light


def harder_negative(picture: Image, other: Image, rng: Random) -> Image:
    """Turn a hand-free picture into a harder negative: mix its colours, tint it like skin, blend in another picture.

    The photos show few rooms, and objects that resemble hands in other rooms must be seen in training. Pictures with
    hands are not changed like this, because the hands would become unnatural.

    Args:
        picture, other: two hand-free pictures of the same size.
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


def with_background(picture: Image, hand: Image, background: Image) -> Image:
    """Put another background behind a hand; `hand` (side, side) is 255 where the hand is, 0 elsewhere.

    The edge is soft and lies inside the hand, so that nothing of the old background remains.
    """
    cover = np.clip(cv2.GaussianBlur(hand, (0, 0), 0.7).astype(np.float32)[..., None] / 127.5 - 1, 0, 1)
    return np.asarray(np.rint(picture * cover + background * (1 - cover)), np.uint8)


def occluder(side: int, rng: Random) -> tuple[slice, slice]:
    """Rows and columns of a random rectangle that hides part of a crop; 10 to 40 % of the side long."""
    height, width = (rng.uniform(0.1, 0.4, 2) * side).astype(int)
    top, left = int(rng.integers(0, side - height)), int(rng.integers(0, side - width))
    return slice(top, top + height), slice(left, left + width)


@functools.cache
def _noise_field(height: int, width: int) -> Image:
    """Normal noise with mean 128 and deviation 32, larger than a picture: new noise for each picture is slow."""
    return np.clip(np.random.default_rng(0).normal(128, 32, (height + 64, width + 64, 3)), 0, 255).astype(np.uint8)


def _glow(x: Image, middle: FloatArray, spread: float) -> FloatArray:
    """(height, width, 1) Gaussian of height 1; `middle` (x, y) and `spread` are shares of the picture's sides."""
    height, width = x.shape[:2]
    rows, columns = np.mgrid[0:1:17j, 0:1:17j] - middle[::-1, None, None]
    bell = np.exp(-(rows**2 + columns**2) / (2 * spread**2)).astype(np.float32)
    return np.asarray(cv2.resize(bell, (width, height)))[..., None]


def _hazed(x: Image, rng: Random) -> Image:
    """Light that falls into the lens: a veil of one colour, thickest at one point in or near the picture."""
    veil = rng.uniform(0.15, 0.6) * _glow(x, rng.uniform(-0.3, 1.3, 2), rng.uniform(0.3, 1.5))
    colour = np.clip(rng.uniform(150, 255) * np.exp(rng.normal(0, 0.08, 3)), 0, 255).astype(np.float32)
    return np.asarray(x * (1 - veil) + colour * veil, np.uint8)


def _blurred(x: Image, strength: float, rng: Random) -> Image:
    """Defocus, or motion blur along a line."""
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(x, (0, 0), 0.5 + rng.uniform(0, 2 * strength)), np.uint8)
    return motion_blurred(x, int(rng.integers(3, 4 + round(8 * strength))), rng)


def motion_blurred(x: Image, length_px: float, rng: Random) -> Image:
    """Blur a picture along a line of random direction, as motion during the exposure does."""
    length = max(1, round(length_px))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, math.pi)
    middle = (length - 1) / 2
    for t in np.linspace(-middle, middle, 2 * length):
        kernel[round(middle + t * math.sin(angle)), round(middle + t * math.cos(angle))] = 1
    return np.asarray(cv2.filter2D(x, -1, kernel / kernel.sum()), np.uint8)
