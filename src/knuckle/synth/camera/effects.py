"""What a camera does to light: blur, vignetting, exposure, white balance, noise, tone curve, sharpening, JPEG.

The order is that of a real camera. The lens and movement act on linear light. The sensor adds noise with a
variance of a * signal + b (Foi et al. 2008, doi 10.1109/TIP.2008.2001399). White balance, colour, tone curve,
sharpening and compression follow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from knuckle.extras import cv2
from knuckle.images import Image
from knuckle.synth.render.primitives import Floats, Picture

MIDDLE_GREY = 0.21  # mean linear light of everyday photos; 0.5 after the sRGB curve
ADAPTED = 0.75  # how much of the light's colour automatic white balance removes
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
CURVE_STEPS = 4096  # entries of the tone curve's table, evenly spaced in the square root of light


@dataclass(frozen=True)
class CameraEffects:
    """How one camera turns light into an 8-bit picture. The defaults are a perfect camera.

    Attributes:
        stops: exposure error, in powers of two.
        warmth, tint: white balance error, red against blue and green against magenta; 0 is right.
        saturation, contrast: 1 leaves the picture as it is.
        lift: haze, lens flare and screen glare over the whole picture, 0 to 0.2.
        glow: share of the light that bright areas spread around them.
        defocus_px: radius of the defocus disc, pixels.
        motion_px, motion_rad: length and direction of the motion blur of the whole picture.
        vignette: light lost in the corners, 0 to 1. vignette_at: its centre, in shares of width and height.
        shot, read: a and b of the noise variance. grain_px: width of a noise grain.
        resolution: sensor pixels per picture pixel along one axis, at most 1.
        sharpen: strength of an unsharp mask.
        jpeg: quality of the camera's own compression, 1 to 100; 0 for none.
    """

    stops: float = 0.0
    warmth: float = 0.0
    tint: float = 0.0
    saturation: float = 1.0
    contrast: float = 1.0
    lift: float = 0.0
    glow: float = 0.0
    defocus_px: float = 0.0
    motion_px: float = 0.0
    motion_rad: float = 0.0
    vignette: float = 0.0
    vignette_at: tuple[float, float] = (0.5, 0.5)
    shot: float = 0.0
    read: float = 0.0
    grain_px: float = 0.6
    resolution: float = 1.0
    sharpen: float = 0.0
    jpeg: int = 0


def random_effects(
    rng: np.random.Generator, side: int, dark: float = 0.0, quality: float | None = None
) -> CameraEffects:
    """Draw a camera, from a good one in daylight to a poor webcam in the evening.

    Args:
        side: of the picture, pixels; blur is proportional to it.
        dark: 0 for a bright scene, 1 for a dark one, which has more noise and motion blur.
        quality: of the camera, 0 (poor) to 1 (good); drawn if None.
    """
    poor = 1 - (float(rng.beta(2.2, 1.5)) if quality is None else quality)
    noise = poor**2 * 0.0010 * math.exp(rng.normal(0, 0.8)) * (1 + 3 * dark)
    blurred = rng.random()
    return CameraEffects(
        stops=float(rng.normal(0, 0.35 + 0.25 * poor) - 0.8 * dark),
        warmth=float(rng.normal(0, 0.06 + 0.08 * poor)),
        tint=float(rng.normal(0, 0.02 + 0.02 * poor)),
        saturation=float(np.clip(rng.normal(1.0, 0.14), 0.0 if rng.random() < 0.04 else 0.5, 1.6)),
        contrast=float(np.clip(rng.normal(1.04, 0.12), 0.75, 1.4)),
        lift=float(max(0.0, rng.normal(0, 0.02 + 0.03 * poor))) * (rng.random() < 0.3),
        glow=float(rng.uniform(0.0, 0.12) * (rng.random() < 0.3)),
        defocus_px=float(rng.uniform(0.2, 0.5) + poor * abs(rng.normal(0, 0.004)) * side),
        motion_px=float(side * rng.gamma(1.5, 0.012 + 0.012 * dark)) if blurred < 0.22 + 0.2 * dark else 0.0,
        motion_rad=float(rng.uniform(0, math.pi)),
        vignette=float(rng.uniform(0, 0.4) * (rng.random() < 0.5)),
        vignette_at=(float(rng.normal(0.5, 0.4)), float(rng.normal(0.5, 0.4))),
        shot=float(noise),
        read=float(noise * 0.012 * rng.uniform(0.2, 2)),
        grain_px=float(rng.uniform(0.3, 1.1)),
        resolution=float(np.clip(1.25 - poor * rng.uniform(0.2, 1.1), 0.28, 1.0)),
        sharpen=float(max(0.0, rng.normal(0.35, 0.4))),
        jpeg=int(np.clip(98 - 62 * poor * rng.random() - 4 * rng.random(), 25, 97)) if rng.random() < 0.85 else 0,
    )


def exposure_gain(light: Floats) -> float:
    """The gain of automatic exposure: it brings (h, w, 3) linear light to middle grey. The centre counts twice."""
    luma = np.sqrt(np.maximum(light[::4, ::4] @ LUMA, 0))  # the root, so that a lamp in view does not darken the rest
    y, x = luma.shape[0] // 4, luma.shape[1] // 4
    centre = luma[y : luma.shape[0] - y, x : luma.shape[1] - x]
    level = float((0.5 * luma.mean() + 0.5 * centre.mean()) ** 2)
    return MIDDLE_GREY / max(level, 1e-5)


def apply_effects(
    light: Floats,
    effects: CameraEffects,
    rng: np.random.Generator,
    gain: float | None = None,
    illuminant: npt.ArrayLike = (1.0, 1.0, 1.0),
) -> Image:
    """Turn (h, w, 3) linear light into RGB uint8 of the same size.

    Args:
        gain: exposure; None measures it with `exposure_gain`. The frames of a clip share one gain.
        illuminant: (3,) colour of the light; automatic white balance removes most of it.
    """
    gain = (exposure_gain(light) if gain is None else gain) * 2.0**effects.stops
    size = light.shape[1::-1]
    if effects.defocus_px >= 0.3 or effects.motion_px:
        light = _filtered(light, blur_kernel(effects.defocus_px, effects.motion_px, effects.motion_rad))
    if effects.glow:
        light = _with_glow(light, effects.glow)
    if effects.resolution < 1:
        sensor = (max(8, round(size[0] * effects.resolution)), max(8, round(size[1] * effects.resolution)))
        light = cast(Floats, cv2.resize(light, sensor, interpolation=cv2.INTER_AREA))
    if effects.vignette:
        x = np.arange(light.shape[1], dtype=np.float32) / light.shape[1] - effects.vignette_at[0]
        y = np.arange(light.shape[0], dtype=np.float32) / light.shape[0] - effects.vignette_at[1]
        light = light * (1 / (1 + effects.vignette * np.add.outer(y * y, x * x)) ** 2)[..., None]
    light = cast(Floats, cv2.transform(light, _colour_matrix(effects, gain, illuminant)))
    if effects.shot or effects.read:
        light = _with_noise(light, effects, rng)
    table = _tone_curve(round(effects.contrast, 2))
    image: Any = table[(np.sqrt(np.clip(light, 0, 1)) * (CURVE_STEPS - 1)).astype(np.uint16)]
    if effects.sharpen:
        blurred = cv2.GaussianBlur(image, (0, 0), 1.2)
        image = cv2.addWeighted(image, 1 + effects.sharpen, blurred, -effects.sharpen, 0)
    if effects.jpeg:
        image = compress(image, effects.jpeg)
    if image.shape[1::-1] != size:
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return cast(Image, image)


def compress(image: Image, quality: int) -> Image:
    """The picture after JPEG compression, with colour at half resolution."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(decoded[..., ::-1])


def blur_kernel(radius_px: float, length_px: float = 0.0, angle_rad: float = 0.0) -> Floats:
    """The image of a point: a defocus disc swept along a straight line. (k, k) with a sum of 1, k is odd."""
    reach = math.ceil(radius_px + length_px / 2)
    ticks = np.arange(-reach, reach + 1, dtype=np.float32)
    x, y = np.meshgrid(ticks, ticks)
    along = x * math.cos(angle_rad) + y * math.sin(angle_rad)
    across = y * math.cos(angle_rad) - x * math.sin(angle_rad)
    outside = np.hypot(np.maximum(np.abs(along) - length_px / 2, 0), across)
    kernel = np.clip(radius_px + 0.5 - outside, 0, 1)
    return cast(Floats, (kernel / kernel.sum()).astype(np.float32))


def blur_moving(picture: Picture, background: Floats, length_px: float, angle_rad: float) -> Floats:
    """A picture of objects that move over a still background: only the objects are motion-blurred."""
    kernel = blur_kernel(0.3, length_px, angle_rad)
    front = picture.rgb - background * (1 - picture.cover)[..., None]
    cover = _filtered(picture.cover, kernel)
    return cast(Floats, _filtered(front, kernel) + background * (1 - cover)[..., None])


def _filtered(light: Floats, kernel: Floats) -> Floats:
    return cast(Floats, cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REPLICATE))


def _with_glow(light: Floats, strength: float) -> Floats:
    small = cv2.resize(light, (light.shape[1] // 8 + 1, light.shape[0] // 8 + 1), interpolation=cv2.INTER_AREA)
    wide = cv2.resize(cv2.GaussianBlur(small, (0, 0), 2.0), light.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cast(Floats, light + np.float32(strength) * (wide - light))


def _colour_matrix(effects: CameraEffects, gain: float, illuminant: npt.ArrayLike) -> npt.NDArray[Any]:
    """White balance, exposure, saturation and haze as one (3, 4) matrix."""
    colour = np.maximum(np.asarray(illuminant, float), 1e-4)
    error = np.array([1 + effects.warmth, 1 + effects.tint, 1 - effects.warmth])
    balance = error * (colour @ LUMA / colour) ** ADAPTED
    grey = np.tile(LUMA, (3, 1))
    matrix = (effects.saturation * np.eye(3) + (1 - effects.saturation) * grey) @ np.diag(balance * gain)
    return np.column_stack([matrix * (1 - effects.lift), np.full(3, effects.lift * 0.6)])


def _with_noise(light: Floats, effects: CameraEffects, rng: np.random.Generator) -> Floats:
    height, width = light.shape[:2]
    grain: Any = np.ascontiguousarray(_stored_noise(rng, height, width)[0])
    colour: Any = _stored_noise(rng, height // 2 + 1, width // 2 + 1)[1:]  # cameras smooth colour more
    colour = np.ascontiguousarray(np.moveaxis(colour, 0, -1))
    colour = cv2.resize(colour, (width, height), interpolation=cv2.INTER_LINEAR)
    if effects.grain_px > 0.35:
        wide = cv2.GaussianBlur(grain, (0, 0), effects.grain_px)
        grain = wide * np.float32(max(1.0, 2.6 * effects.grain_px))  # restores the strength that the blur removed
    grain = grain[..., None] + np.float32(0.5) * colour
    return cast(Floats, light + grain * np.sqrt(np.maximum(effects.shot * light + effects.read, 0)))


def _stored_noise(rng: np.random.Generator, height: int, width: int) -> Floats:
    """(4, height, width) normal noise, cut at random from a stored array: drawing fresh noise is slower."""
    store = _noise_store()
    repeats = (height // store.shape[1] + 1, width // store.shape[2] + 1)
    store = store if repeats == (1, 1) else np.tile(store, (1, *repeats))
    y, x = (int(rng.integers(room - n + 1)) for room, n in zip(store.shape[1:], (height, width), strict=True))
    return store[:, y : y + height, x : x + width]


@lru_cache(maxsize=1)
def _noise_store() -> Floats:
    return np.random.default_rng(29).standard_normal((4, 1024, 1024), np.float32)


@lru_cache(maxsize=128)
def _tone_curve(contrast: float) -> Image:
    """(CURVE_STEPS,) uint8 over the square root of light: sRGB, a soft shoulder, contrast about middle grey."""
    light = np.linspace(0, 1, CURVE_STEPS) ** 2
    light = 1.18 * light / (1 + 0.18 * light / 1.0)  # the shoulder: light near white is held back
    signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    middle = 0.46
    bent = np.where(
        signal < middle,
        middle * (signal / middle) ** contrast,
        1 - (1 - middle) * np.maximum((1 - signal) / (1 - middle), 0) ** contrast,
    )
    table: Image = np.rint(255 * np.clip(bent, 0, 1)).astype(np.uint8)
    return table
