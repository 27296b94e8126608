"""The random changes of `augment.py` for a whole batch of pictures in PyTorch, on the device of the training.

A GPU changes thousands of pictures a second like this, while processes that prepare samples on the CPU keep it waiting.
On a CPU it is the other way round: one picture after the other, in OpenCV, stays in the cache and takes 1.4 ms at
192 px, and these functions take 9.9 ms. So there are two implementations.

Pictures are (n, 3, side, side) float32, 0 to 255. Regions are (n, 4): x, y, size, angle in radians, as in `Roi`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from knuckle.train.augment import (
    DISTANT_LOOK,
    DISTANT_SIDES,
    LUMA,
    STRETCH,
    STRETCHED,
    RegionNoise,
)

BLURRED, BLUR_TAPS = 0.3, 7  # share of blurred pictures; each is the mean of so many shifted ones
HAZED, DESATURATED, NOISY, COMPRESSED, BENT_TONES, OTHER_CONTRAST = 0.2, 0.4, 0.5, 0.3, 0.3, 0.5  # shares of pictures
# Quantisation of JPEG's luma at quality 50 (ITU-T T.81, table K.1), and the colour space of JFIF.
QUANTISATION = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=torch.float32,
)
YCC_FROM_RGB = torch.tensor([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])


@dataclass(frozen=True, eq=False)
class BatchRandom:
    """Random numbers for a batch, on the device of a generator."""

    generator: torch.Generator

    @property
    def device(self) -> torch.device:
        return self.generator.device

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, device=self.device, generator=self.generator)

    def normal(self, deviation: float, *shape: int) -> Tensor:
        return deviation * torch.randn(*shape, device=self.device, generator=self.generator)

    def chance(self, share: float, count: int) -> Tensor:
        """(count,) True for this share of them."""
        return torch.rand(count, device=self.device, generator=self.generator) < share


def noisy_regions(roi: Tensor, noise: RegionNoise, random: BatchRandom) -> Tensor:
    """Random regions near those given, as `RegionNoise.apply`."""
    n = len(roi)
    part = torch.where(random.chance(noise.tracked, n), noise.tracked_errors, 1.0)
    near = roi[:, 3] + random.normal(noise.angle_rad, n) * part
    angle = torch.where(random.chance(noise.any_angle, n), random.uniform(-math.pi, math.pi, n), near)
    shift = torch.where(random.chance(noise.lost, n), noise.lost_shift, part * noise.shift)
    centre = roi[:, :2] + random.normal(1.0, n, 2) * (shift * roi[:, 2])[:, None]
    size = roi[:, 2] * torch.exp(random.normal(noise.scale, n) * part)
    return torch.cat([centre, size[:, None], angle[:, None]], dim=1)


def random_linear(n: int, random: BatchRandom) -> tuple[Tensor, Tensor, Tensor]:
    """Mirrors and stretches about the centre of the crop: (n, 2, 2), and which are mirrored and stretched (n,)."""
    mirrored, stretched = random.chance(0.5, n), random.chance(STRETCHED, n)
    longer, sheared = (random.normal(STRETCH, n) * stretched for _ in range(2))
    stretch = torch.stack([torch.exp(longer), sheared, torch.zeros_like(longer), torch.exp(-longer)], dim=1)
    mirror = torch.diag_embed(torch.stack([torch.where(mirrored, -1.0, 1.0), torch.ones_like(longer)], dim=1))
    return mirror @ stretch.reshape(n, 2, 2), mirrored, stretched


def affine_of(roi: Tensor, linear: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """The affine that `crop_from_image` gives: matrix (n, 2, 2) and shift (n, 2), crop from picture.

    Args:
        linear: (n, 2, 2) mirror and stretch about the centre of the crop.
        side: of the crop, pixels.
    """
    c, s = torch.cos(roi[:, 3]), torch.sin(roi[:, 3])
    turned = torch.stack([c, s, -s, c], dim=1).reshape(-1, 2, 2) * (side / roi[:, 2])[:, None, None]
    matrix = linear @ turned
    return matrix, side / 2 - torch.einsum("nij,nj->ni", matrix, roi[:, :2])


def warp(pictures: Tensor, roi: Tensor, linear: Tensor, side: int, offset: Tensor | None = None) -> Tensor:
    """Crops of pictures (n, 3, height, height) uint8, bilinear; edge pixels repeat.

    Args:
        offset: (n, 2) pixels of the crop by which each is shifted.
    """
    matrix, shift = affine_of(roi, linear, side)
    pixels = torch.arange(side, device=pictures.device, dtype=torch.float32)
    y, x = torch.meshgrid(pixels, pixels, indexing="ij")
    crop_xy = torch.stack([x, y], dim=-1)[None] - shift[:, None, None]
    if offset is not None:
        crop_xy = crop_xy + offset[:, None, None]
    xy = torch.einsum("nij,nhwj->nhwi", torch.linalg.inv(matrix), crop_xy)
    grid = 2 * xy / (pictures.shape[-1] - 1) - 1
    return F.grid_sample(pictures.float(), grid, mode="bilinear", padding_mode="border", align_corners=True)


def blurred_warp(pictures: Tensor, roi: Tensor, linear: Tensor, side: int, random: BatchRandom) -> Tensor:
    """`warp`, with motion blur along a line or defocus for some: the mean of shifted crops."""
    crops = warp(pictures, roi, linear, side)
    chosen = random.chance(BLURRED, len(crops)).nonzero()[:, 0]
    count = len(chosen)
    if count == 0:
        return crops
    angle, length = random.uniform(0, math.pi, count), random.uniform(2, 11, count) * side / 128
    along = torch.linspace(-0.5, 0.5, BLUR_TAPS, device=random.device)
    line = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)[:, None] * (length[:, None] * along)[..., None]
    turn = torch.arange(BLUR_TAPS, device=random.device) * (2 * math.pi / (BLUR_TAPS - 1))
    ring = torch.stack([torch.cos(turn), torch.sin(turn)], dim=1)
    ring[-1] = 0
    disc = ring * (random.uniform(0.5, 2.5, count) * side / 128)[:, None, None]
    offsets = torch.where(random.chance(0.5, count)[:, None, None], line, disc)
    shifted = [warp(pictures[chosen], roi[chosen], linear[chosen], side, offsets[:, tap]) for tap in range(BLUR_TAPS)]
    crops[chosen] = torch.stack(shifted).mean(dim=0)
    return crops


def toned(x: Tensor, strength: float, random: BatchRandom) -> Tensor:
    """Exposure, white balance, gamma, contrast, haze and saturation."""
    n, side = len(x), x.shape[-1]
    gain = torch.exp(random.normal(0.12 * strength, n, 3) + random.normal(0.25 * strength, n, 1))
    bent = torch.where(random.chance(BENT_TONES * strength, n), torch.exp(random.uniform(-0.5, 0.9, n)), 1.0)
    x = 255 * (x / 255).clamp(1e-4, 1) ** _each(bent) * gain[..., None, None]
    contrast = torch.where(random.chance(OTHER_CONTRAST * strength, n), torch.exp(random.normal(0.25, n)), 1.0)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = ((x - mean) * _each(contrast) + mean).clamp(0, 255)
    thick = torch.where(random.chance(HAZED * strength, n), random.uniform(0.15, 0.6, n), 0.0)
    place, spread = random.uniform(-0.3, 1.3, n, 2), random.uniform(0.3, 1.5, n)
    ticks = torch.linspace(0, 1, side, device=x.device)
    rows, columns = ((ticks - place[:, axis, None]) ** 2 / (2 * spread[:, None] ** 2) for axis in (1, 0))
    veil = _each(thick) * torch.exp(-(rows[:, None, :, None] + columns[:, None, None, :]))
    colour = (random.uniform(150, 255, n, 1) * torch.exp(random.normal(0.08, n, 3))).clamp(0, 255)
    x = x * (1 - veil) + colour[..., None, None] * veil
    keep = torch.where(random.chance(DESATURATED * strength, n), random.uniform(0, 1.3, n), 1.0)
    return (_each(keep) * x + (1 - _each(keep)) * grey(x)).clamp(0, 255)


def grey(x: Tensor) -> Tensor:
    """(n, 1, side, side)."""
    return torch.einsum("nchw,c->nhw", x, torch.tensor(LUMA, device=x.device))[:, None]


def worn(x: Tensor, strength: float, random: BatchRandom) -> Tensor:
    """Noise of the sensor and artefacts of JPEG, each for some of the pictures."""
    n = len(x)
    deviation = torch.where(random.chance(NOISY * strength, n), random.uniform(1, 14, n), 0.0)
    x = (x + random.normal(1.0, *x.shape) * _each(deviation)).clamp(0, 255)
    chosen = random.chance(COMPRESSED * strength, n).nonzero()[:, 0]
    if len(chosen):
        x[chosen] = compressed(x[chosen], random.uniform(15, 80, len(chosen)))
    return x


def compressed(x: Tensor, quality: Tensor) -> Tensor:
    """What JPEG leaves of pictures whose side is a multiple of 8; quality (n,) from 1 to 100."""
    n, _, side, _ = x.shape
    frequency = torch.arange(8, device=x.device, dtype=torch.float32)
    basis = torch.cos((2 * frequency[None] + 1) * frequency[:, None] * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    to_ycc = YCC_FROM_RGB.to(x.device)
    blocks = torch.einsum("ij,njhw->nihw", to_ycc, x - 128).reshape(n, 3, side // 8, 8, side // 8, 8)
    waves = torch.einsum("ij,nbyjxk,lk->nbyixl", basis, blocks, basis)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50).clamp(min=0.02)
    luma = (QUANTISATION.to(x.device) * scale[:, None, None]).clamp(min=1)
    table = torch.stack([luma, luma * 1.4, luma * 1.4], dim=1)[:, :, None, :, None, :]
    waves = torch.round(waves / table) * table
    blocks = torch.einsum("ji,nbyjxk,kl->nbyixl", basis, waves, basis).reshape(n, 3, side, side)
    return (torch.einsum("ij,njhw->nihw", torch.linalg.inv(to_ycc), blocks) + 128).clamp(0, 255)


def distant(x: Tensor, strength: float, random: BatchRandom) -> Tensor:
    """Shrink pictures, change their look, and enlarge them again: they look like distant hands. One size for all."""
    side = x.shape[-1]
    least, most = map(math.log, DISTANT_SIDES)
    share = math.exp(float(random.uniform(least, most, 1)))
    small_side = max(16, round(share * side / 8) * 8)
    small = F.interpolate(x, (small_side, small_side), mode="area" if bool(random.chance(0.7, 1)) else "bilinear")
    small = worn(toned(small, DISTANT_LOOK * strength, random), DISTANT_LOOK * strength, random)
    return F.interpolate(small, (side, side), mode="bilinear", align_corners=False)


def _each(values: Tensor) -> Tensor:
    """(n,) values as (n, 1, 1, 1), one for each picture."""
    return values[:, None, None, None]
