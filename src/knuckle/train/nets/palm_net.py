"""Knuckle's palm detector: an encoder-decoder of 3×3 convolutions with one anchor per cell.

The paper's detector (arXiv 2006.10214, section 2.1) with what processors like: 3×3 filters and ReLU for 5×5 and PReLU.
Its anchors all have one size, so several per cell say the same thing; here there is one. The decoder (a feature
pyramid, Lin et al. 2017, arXiv 1612.03144) lets far small palms be told from their surroundings.

Coarse grids use dense convolutions. The fine one, which finds palms below a fifth of the side, is separable (Howard et
al. 2017, arXiv 1704.04861): in the time of 32 dense channels it has 64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from knuckle.errors import InputError
from knuckle.train.nets.hand_net import ConvNorm, Residual
from knuckle.train.nets.layers import Conv, depthwise
from knuckle.train.nets.reference_palm import rows

STRIDES = ((8, 1), (16, 1))
# Palms as shares of the side: small ones for the fine grid, large ones for the coarse one, those between for both.
SPANS = (((0.0, 0.18),), ((0.1, math.inf),))
VALUES = 18  # centre, size, seven key points
# What a box value of 1 means at each stride, as a share of the side: outputs start out as large as palms are.
UNITS = (1 / 12, 1 / 4)
PRIOR = 0.01  # every anchor's score before training (arXiv 1708.02002, section 4.1)


@dataclass(frozen=True)
class PalmNetShape:
    """What a palm network is made of; it is stored beside its weights.

    Attributes:
        side: of the square input, pixels; a multiple of 32. A network that is there can be trained on at another.
        stem: channels at half the side.
        widths: channels at 1/4, 1/8, 1/16 and 1/32 of the side.
        depths: residual blocks at each of those; at 1/8 separable ones.
        refine: separable blocks at 1/8 after the decoder.
        decoder: whether coarse maps are brought back to fine ones before the heads (the paper's ablation).
    """

    side: int = 192
    stem: int = 16
    widths: tuple[int, int, int, int] = (24, 64, 96, 160)
    depths: tuple[int, int, int, int] = (0, 3, 2, 1)
    refine: int = 2
    decoder: bool = True

    def __post_init__(self) -> None:
        if self.side < 64 or self.side % 32:
            raise InputError(f"side must be a multiple of 32 from 64 up, got {self.side}")
        if min(self.stem, *self.widths) < 1 or min(*self.depths, self.refine) < 0:
            raise InputError(f"a network needs widths above 0 and depths of 0 or more, got {self}")


class Separable(nn.Module):
    """A 3×3 filter per channel, a 1×1 convolution over them, and the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filter, self.mix = depthwise(channels, 3), ConvNorm(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.mix(self.filter(x)))


class PalmNet(nn.Module):
    """The palm detector.

    Input (n, 3, side, side) RGB 0..1. `forward` gives boxes (n, anchors, 18), pixels relative to the anchors of
    `palm.anchors(side, STRIDES)`, and scores (n, anchors, 1), logits. With `train_outputs=True` also the maps
    that the heads read: features_8 (n, 64, side / 8, side / 8) and features_16 (n, 96, side / 16, side / 16).
    """

    strides, spans = STRIDES, SPANS

    def __init__(self, shape: PalmNetShape = PalmNetShape()) -> None:
        super().__init__()
        self.shape, self.side = shape, shape.side
        widths = shape.widths
        self.stem = ConvNorm(3, shape.stem, 3, 2)  # 16 × 96 × 96
        self.down = nn.ModuleList(
            ConvNorm(entering, leaving, 3, 2)
            for entering, leaving in zip((shape.stem, *widths[:-1]), widths, strict=True)
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
        """The same weights for an input of another side, in which a palm of as many pixels is found as before.

        Raises:
            InputError: side is no multiple of 32 from 64 up.
        """
        other = PalmNet(replace(self.shape, side=side))
        other.load_state_dict(self.state_dict())
        with torch.no_grad():
            for parameter in other.boxes.parameters():
                parameter.mul_(self.side / side)  # `forward` multiplies by shares of the side
        return other


def twice(x: Tensor) -> Tensor:
    """Twice as high and wide, each value four times."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
