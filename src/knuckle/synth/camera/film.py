"""What a camera does to light: blur, vignette, exposure, white balance, noise, tone curve, sharpening, JPEG, fisheye.

The order is that of a real camera: optics and movement act on linear light, the sensor adds noise to it (Foi et al.
2008, doi 10.1109/TIP.2008.2001399: variance = a * signal + b), then come white balance, colour, tone curve, sharpening
and compression on 8 bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from knuckle.images import Image
from knuckle.synth.render.mesh import Camera, Floats, Picture

MIDDLE_GREY = 0.21  # mean of everyday photos, 0.5 after the sRGB curve
ADAPTED = 0.75  # share of the light's colour that automatic white balance removes
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
STEPS = 4096  # of the tone curve's table, evenly spaced in the square root of light
WIDEST_RAD = math.radians(72)  # rays further from the axis than this are not drawn: a pinhole has none at 90 degrees


@dataclass(frozen=True)
class Film:
    """One camera's way to turn light into an 8-bit picture.

    Attributes:
        stops: exposure beside what the meter says, in powers of two.
        warmth, tint: white balance error, red against blue and green against magenta, 0 is right.
        saturation, contrast: 1 leaves them.
        lift: light of haze, flare and screens over everything, 0..0.2.
        glow: share of the light that bright areas spread around them.
        defocus_px, motion_px, motion_rad: disc and streak of the blur, pixels of the picture, whole picture.
        vignette: light lost in the corners, 0..1; vignette_at: its centre in sides.
        shot, read: a and b of the noise's variance; grain_px: how wide a grain is.
        resolution: pixels of the sensor per pixel of the picture along an axis, at most 1.
        sharpen: strength of an unsharp mask.
        jpeg: quality 1..100 of the camera's own compression, 0 for none.
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


def random_film(rng: np.random.Generator, side: int, dark: float = 0.0, quality: float | None = None) -> Film:
    """Any camera from a good one in daylight to a poor webcam in the evening.

    Args:
        side: of the picture, pixels; blur is a share of it.
        dark: 0 for a bright scene, 1 for a dark one, whose noise and movement are larger.
        quality: 0 (poor) to 1 (good); drawn where None.
    """
    poor = 1 - (float(rng.beta(2.2, 1.5)) if quality is None else quality)
    noise = poor**2 * 0.0010 * math.exp(rng.normal(0, 0.8)) * (1 + 3 * dark)
    blurred = rng.random()
    return Film(
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


def meter(light: Floats) -> float:
    """The gain that brings (h, w, 3) linear light to middle grey, as automatic exposure does, middle first."""
    luma = np.sqrt(np.maximum(light[::4, ::4] @ LUMA, 0))  # the root: a lamp in view does not darken all else
    y, x = luma.shape[0] // 4, luma.shape[1] // 4
    centre = luma[y : luma.shape[0] - y, x : luma.shape[1] - x]
    level = float((0.5 * luma.mean() + 0.5 * centre.mean()) ** 2)
    return MIDDLE_GREY / max(level, 1e-5)


def develop(
    light: Floats,
    film: Film,
    rng: np.random.Generator,
    gain: float | None = None,
    illuminant: npt.ArrayLike = (1.0, 1.0, 1.0),
) -> Image:
    """Take (h, w, 3) linear light to RGB uint8 of the same size.

    `gain` replaces the meter's (for clips); `illuminant` is the colour of the light, which automatic white balance
    takes away for the most part.
    """
    gain = (meter(light) if gain is None else gain) * 2.0**film.stops
    size = light.shape[1::-1]
    light = _glow(_blur(light, film), film)
    if film.resolution < 1:
        sensor = (max(8, round(size[0] * film.resolution)), max(8, round(size[1] * film.resolution)))
        light = cast(Floats, cv2.resize(light, sensor, interpolation=cv2.INTER_AREA))
    if film.vignette:
        light = light * _vignette(light.shape[1], light.shape[0], film)[..., None]
    light = _noisy(cast(Floats, cv2.transform(light, _colours(film, gain, illuminant))), film, rng)
    image: Any = _curve(film)[(np.sqrt(np.clip(light, 0, 1)) * (STEPS - 1)).astype(np.uint16)]
    if film.sharpen:
        image = cv2.addWeighted(image, 1 + film.sharpen, cv2.GaussianBlur(image, (0, 0), 1.2), -film.sharpen, 0)
    if film.jpeg:
        image = compress(image, film.jpeg)
    if image.shape[1::-1] != size:
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return cast(Image, image)


def compress(image: Image, quality: int) -> Image:
    """The picture after a JPEG file of that quality, colour at half resolution."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(decoded[..., ::-1])


def spread(radius_px: float, length_px: float = 0.0, angle_rad: float = 0.0) -> Floats:
    """The picture of a point: a disc of defocus swept along a straight streak, (k, k) summing to 1, k odd."""
    reach = math.ceil(radius_px + length_px / 2)
    ticks = np.arange(-reach, reach + 1, dtype=np.float32)
    x, y = np.meshgrid(ticks, ticks)
    along = x * math.cos(angle_rad) + y * math.sin(angle_rad)
    across = y * math.cos(angle_rad) - x * math.sin(angle_rad)
    outside = np.hypot(np.maximum(np.abs(along) - length_px / 2, 0), across)
    kernel = np.clip(radius_px + 0.5 - outside, 0, 1)
    return cast(Floats, (kernel / kernel.sum()).astype(np.float32))


def moving(picture: Picture, background: Floats, length_px: float, angle_rad: float) -> Floats:
    """Light of a picture whose things move over a background at rest: only the things are streaked."""
    kernel = spread(0.3, length_px, angle_rad)
    front = picture.rgb - background * (1 - picture.cover)[..., None]
    cover = _filtered(picture.cover, kernel)
    return cast(Floats, _filtered(front, kernel) + background * (1 - cover)[..., None])


def _blur(light: Floats, film: Film) -> Floats:
    if film.defocus_px < 0.3 and not film.motion_px:
        return light
    return _filtered(light, spread(film.defocus_px, film.motion_px, film.motion_rad))


def _filtered(light: Floats, kernel: Floats) -> Floats:
    return cast(Floats, cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REPLICATE))


def _glow(light: Floats, film: Film) -> Floats:
    if not film.glow:
        return light
    small = cv2.resize(light, (light.shape[1] // 8 + 1, light.shape[0] // 8 + 1), interpolation=cv2.INTER_AREA)
    wide = cv2.resize(cv2.GaussianBlur(small, (0, 0), 2.0), light.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cast(Floats, light + np.float32(film.glow) * (wide - light))


def _vignette(width: int, height: int, film: Film) -> Floats:
    x = np.arange(width, dtype=np.float32) / width - film.vignette_at[0]
    y = np.arange(height, dtype=np.float32) / height - film.vignette_at[1]
    return cast(Floats, 1 / (1 + film.vignette * np.add.outer(y * y, x * x)) ** 2)


def _colours(film: Film, gain: float, illuminant: npt.ArrayLike) -> npt.NDArray[Any]:
    """White balance, exposure, saturation and haze as one (3, 4) matrix."""
    colour = np.maximum(np.asarray(illuminant, float), 1e-4)
    balance = np.array([1 + film.warmth, 1 + film.tint, 1 - film.warmth]) * (colour @ LUMA / colour) ** ADAPTED
    grey = np.tile(LUMA, (3, 1))
    matrix = (film.saturation * np.eye(3) + (1 - film.saturation) * grey) @ np.diag(balance * gain)
    return np.column_stack([matrix * (1 - film.lift), np.full(3, film.lift * 0.6)])


def _noisy(light: Floats, film: Film, rng: np.random.Generator) -> Floats:
    if not (film.shot or film.read):
        return light
    height, width = light.shape[:2]
    grain: Any = np.ascontiguousarray(_static(rng, height, width)[0])
    colour: Any = _static(rng, height // 2 + 1, width // 2 + 1)[1:]  # cameras smooth colour more
    colour = cv2.resize(
        np.ascontiguousarray(np.moveaxis(colour, 0, -1)), (width, height), interpolation=cv2.INTER_LINEAR
    )
    if film.grain_px > 0.35:
        wide = cv2.GaussianBlur(grain, (0, 0), film.grain_px)
        grain = wide * np.float32(max(1.0, 2.6 * film.grain_px))  # as strong as before
    grain = grain[..., None] + np.float32(0.5) * colour
    return cast(Floats, light + grain * np.sqrt(np.maximum(film.shot * light + film.read, 0)))


def _static(rng: np.random.Generator, height: int, width: int) -> Floats:
    """(4, height, width) of normal noise, from a random place of a store that repeats: drawing it costs more."""
    store = _noise_store()
    over = (height // store.shape[1] + 1, width // store.shape[2] + 1)
    store = store if over == (1, 1) else np.tile(store, (1, *over))
    y, x = (int(rng.integers(room - n + 1)) for room, n in zip(store.shape[1:], (height, width), strict=True))
    return store[:, y : y + height, x : x + width]


@lru_cache(maxsize=1)
def _noise_store() -> Floats:
    return np.random.default_rng(29).standard_normal((4, 1024, 1024), np.float32)


def _curve(film: Film) -> Image:
    return _curve_of(round(film.contrast, 2))


@lru_cache(maxsize=128)
def _curve_of(contrast: float) -> Image:
    """The tone curve as a table over the square root of light: sRGB, a soft shoulder, contrast about middle grey."""
    light = np.linspace(0, 1, STEPS) ** 2
    light = 1.18 * light / (1 + 0.18 * light / 1.0)  # light near white is held back
    signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    middle = 0.46
    bent = np.where(
        signal < middle,
        middle * (signal / middle) ** contrast,
        1 - (1 - middle) * np.maximum((1 - signal) / (1 - middle), 0) ** contrast,
    )
    table: Image = np.rint(255 * np.clip(bent, 0, 1)).astype(np.uint8)
    return table


def fisheye_rays(points: npt.NDArray[Any], distortion: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """Undistort (…, 2) points, (pixel - c) / f, to x / z, y / z of their rays (the inverse of `labels.project`).

    The model is OpenCV's fisheye (Kannala and Brandt 2006): radius = theta (1 + k1 theta^2 + … + k4 theta^8).
    """
    radius = np.linalg.norm(points, axis=-1)
    angles = np.linspace(0, WIDEST_RAD, 2048)
    steps = fisheye_radius(angles, distortion)
    theta = np.interp(radius, steps, angles)
    scale = np.divide(np.tan(theta), radius, out=np.ones_like(theta), where=radius > 1e-9)
    return np.asarray(points * scale[..., None], np.float64)


def fisheye_radius(theta: npt.NDArray[Any], distortion: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """Distance from the principal point, in focal lengths, of rays `theta` radians off the axis."""
    k = (*distortion, 0.0, 0.0, 0.0, 0.0)[:4]
    square = theta * theta
    return np.asarray(theta * (1 + square * (k[0] + square * (k[1] + square * (k[2] + square * k[3])))))


def pinhole(camera: Camera) -> Camera:
    """The pinhole whose picture holds all that a fisheye camera sees, at about its resolution."""
    if not camera.distortion:
        return camera
    edge = np.linspace(-0.5, 0.5, 33)
    x = np.concatenate([edge, edge, np.full(33, -0.5), np.full(33, 0.5)]) * camera.width + (camera.width - 1) / 2
    y = np.concatenate([np.full(33, -0.5), np.full(33, 0.5), edge, edge]) * camera.height + (camera.height - 1) / 2
    rays = fisheye_rays(np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy], -1), camera.distortion)
    low, high = rays.min(0), rays.max(0)
    scale = min(1.5 * max(camera.width, camera.height) / (float((high - low).max()) * camera.fx), 1.0)
    fx, fy = camera.fx * scale, camera.fy * scale
    width, height = math.ceil((high[0] - low[0]) * fx) + 2, math.ceil((high[1] - low[1]) * fy) + 2
    return Camera(width, height, fx, fy, 0.5 - low[0] * fx, 0.5 - low[1] * fy)


def bend(picture: Picture, camera: Camera) -> Picture:
    """A picture of `pinhole(camera)` as the fisheye camera sees it."""
    if not camera.distortion:
        return picture
    straight = pinhole(camera)
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = fisheye_rays(np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy], -1), camera.distortion)
    column = (rays[..., 0] * straight.fx + straight.cx).astype(np.float32)
    row = (rays[..., 1] * straight.fy + straight.cy).astype(np.float32)

    def sampled(values: npt.NDArray[Any], how: int) -> Any:
        return cv2.remap(values, column, row, how, borderMode=cv2.BORDER_REPLICATE)

    return replace(
        picture,
        rgb=sampled(picture.rgb, cv2.INTER_LINEAR),
        cover=sampled(picture.cover, cv2.INTER_LINEAR),
        depth=sampled(picture.depth, cv2.INTER_NEAREST),
        ids=sampled(picture.ids, cv2.INTER_NEAREST),
    )
