"""Knuckle's palm detector: an encoder-decoder of 3×3 convolutions with one anchor per cell.

Like the detector of MediaPipe Hands (arXiv 2006.10214, section 2.1), but with operations that are fast on CPUs: 3×3
filters and ReLU instead of 5×5 filters and PReLU. MediaPipe's anchors all have the same size, so several per cell are
redundant; this network has one per cell. The decoder (a feature pyramid, Lin et al. 2017, arXiv 1612.03144) gives small
distant palms the context of their surroundings.

Coarse maps use dense convolutions. The fine map, which finds palms below a fifth of the side, uses separable ones
(Howard et al. 2017, arXiv 1704.04861): 64 channels take the time of 32 dense ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from knuckle.errors import InputError
from knuckle.train.nets.layers import Conv, ConvNorm, Depthwise, Residual, rows

STRIDES = ((8, 1), (16, 1))
# Sizes of palms relative to the side: small ones for the fine grid, large for the coarse one, medium for both.
SPANS = (((0.0, 0.18),), ((0.1, math.inf),))
VALUES = 18  # centre, size, seven key points
# A box value of 1 at each stride, relative to the side: so the initial outputs are about as large as palms.
UNITS = (1 / 12, 1 / 4)
PRIOR = 0.01  # every anchor's score before training (arXiv 1708.02002, section 4.1)


@dataclass(frozen=True)
class PalmNetShape:
    """The architecture of a palm network; it is stored with the weights.

    Attributes:
        side: side of the square input, pixels; a multiple of 32. An existing network of ours can be resized.
        stem: channels at 1/2 of the side.
        widths: channels at 1/4, 1/8, 1/16 and 1/32 of the side.
        depths: residual blocks at each of these resolutions; separable ones at 1/8.
        refine: separable blocks at 1/8 after the decoder.
        decoder: whether coarse maps are added to fine ones before the heads (an ablation of the paper).
    """

    side: int = 192
    stem: int = 16
    widths: tuple[int, int, int, int] = (24, 64, 96, 160)
    depths: tuple[int, int, int, int] = (0, 3, 2, 1)
    refine: int = 2
    decoder: bool = True

    def __post_init__(self) -> None:
        if self.side < 64 or self.side % 32:
            raise InputError(f"side must be a multiple of 32 and at least 64, got {self.side}")
        if min(self.stem, *self.widths) < 1 or min(*self.depths, self.refine) < 0:
            raise InputError(f"widths must be above 0 and depths 0 or more, got {self}")


class Separable(nn.Module):
    """A 3×3 filter per channel and a 1×1 convolution, with a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filter, self.mix = Depthwise(channels, 3), ConvNorm(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.mix(self.filter(x)))


class PalmNet(nn.Module):
    """The palm detector.

    Input (n, 3, side, side) RGB 0..1. `forward` gives boxes (n, anchors, 18), pixels relative to the anchors of
    `palm.anchors(side, STRIDES)`, and scores (n, anchors, 1), logits. With `train_outputs=True` also the input
    maps of the heads: features_8 (n, 64, side / 8, side / 8) and features_16 (n, 96, side / 16, side / 16).
    """

    strides, spans = STRIDES, SPANS

    def __init__(self, shape: PalmNetShape = PalmNetShape()) -> None:
        super().__init__()
        self.shape, self.side = shape, shape.side
        widths = shape.widths
        self.stem = ConvNorm(3, shape.stem, 3, 2)  # 16 × 96 × 96
        self.down = nn.ModuleList(
            ConvNorm(in_channels, out_channels, 3, 2)
            for in_channels, out_channels in zip((shape.stem, *widths[:-1]), widths, strict=True)
        )
        # 24 × 48 × 48, 64 × 24 × 24, 96 × 12 × 12, 160 × 6 × 6
        self.stages = nn.ModuleList(
            nn.Sequential(*(block(width) for _ in range(depth)))
            for block, width, depth in zip((Residual, Separable, Residual, Residual), widths, shape.depths, strict=True)
        )
        if shape.decoder:
            self.up = nn.ModuleList((ConvNorm(widths[3], widths[2], 1), ConvNorm(widths[2], widths[1], 1)))
            self.mix = ConvNorm(widths[2], widths[2])
            self.refine = nn.Sequential(*(Separable(widths[1]) for _ in range(shape.refine)))
        self.boxes = nn.ModuleList(Conv(width, VALUES, 1) for width in widths[1:3])
        self.scores = nn.ModuleList(Conv(width, 1, 1) for width in widths[1:3])
        for head in self.scores:
            assert isinstance(head, Conv) and head.bias is not None
            nn.init.constant_(head.bias, -math.log((1 - PRIOR) / PRIOR))

    def forward(self, picture: Tensor, train_outputs: bool = False) -> dict[str, Tensor]:
        levels, x = [], F.relu(self.stem(picture))
        for down, stage in zip(self.down, self.stages, strict=True):
            x = stage(F.relu(down(x)))
            levels.append(x)
        fine, middle, coarse = levels[1:]
        if self.shape.decoder:
            middle = F.relu(middle + twice(self.up[0](coarse)))
            middle = F.relu(self.mix(middle))  # 96 × 12 × 12
            fine = self.refine(F.relu(fine + twice(self.up[1](middle))))  # 64 × 24 × 24
        maps = list(zip((fine, middle), self.boxes, self.scores, UNITS, strict=True))
        out = {
            "boxes": torch.cat(
                [rows(boxes(x).float(), VALUES) * (unit * self.side) for x, boxes, _, unit in maps], dim=1
            ),
            "scores": torch.cat([rows(scores(x).float(), 1) for x, _, scores, _ in maps], dim=1),
        }
        return out | {"features_8": fine, "features_16": middle} if train_outputs else out

    def resized(self, side: int) -> PalmNet:
        """The same weights for an input of another side. Palms of the same size in pixels give the same output.

        Raises:
            InputError: side is not a multiple of 32, or below 64.
        """
        other = PalmNet(replace(self.shape, side=side))
        other.load_state_dict(self.state_dict())
        with torch.no_grad():
            for parameter in other.boxes.parameters():
                parameter.mul_(self.side / side)  # `forward` multiplies by shares of the side
        return other


def twice(x: Tensor) -> Tensor:
    """Doubles height and width by repeating values."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
