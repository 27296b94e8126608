"""MediaPipe's palm detector, full and lite: an encoder-decoder with 5×5 depthwise residuals and PReLU.

The layers are created in the order of the published tflite file, from which `load_tflite` reads their weights.
"""

from __future__ import annotations

import math
import os

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from knuckle.train.nets.layers import Conv, Depthwise, rows
from knuckle.train.nets.tflite_weights import layers_of, load_tflite, stored_layers

SIDE = 192
STRIDES = ((8, 2), (16, 6))
# The anchors of a cell share a centre, and each fires for palms of other sizes: the smallest and the largest palm,
# relative to the side, as measured on photos. They are 0.55 to 1 times the anchor scales of the published graph.
SPANS = (
    ((0.0, 0.16), (0.13, 0.25)),
    ((0.18, 0.3), (0.23, 0.42), (0.29, 0.5), (0.35, 0.6), (0.41, 0.7), (0.47, math.inf)),
)


class Residual(nn.Module):
    """5×5 depthwise, 1×1, shortcut, PReLU. At stride 2 the shortcut is max-pooled and padded with zero channels."""

    def __init__(self, in_channels: int, out_channels: int | None = None, stride: int = 1) -> None:
        super().__init__()
        out_channels = out_channels or in_channels
        self.filter = Depthwise(in_channels, 5, stride)
        self.mix = Conv(in_channels, out_channels, 1)
        self.prelu = nn.PReLU(out_channels)
        self.pool = nn.MaxPool2d(2) if stride == 2 else nn.Identity()
        self.new_channels = out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        shortcut = F.pad(self.pool(x), (0, 0, 0, 0, 0, self.new_channels)) if self.new_channels else self.pool(x)
        y: Tensor = self.prelu(shortcut + self.mix(self.filter(x)))
        return y


def residuals(channels: int, count: int) -> list[nn.Module]:
    """`count` residuals that keep the number of channels."""
    return [Residual(channels) for _ in range(count)]


class Up(nn.Module):
    """Upsampling by 2, 1×1 to `out_channels` channels, PReLU, plus the encoder's map, two residuals."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.mix = Conv(in_channels, out_channels, 1)
        self.prelu = nn.PReLU(out_channels)
        self.refine = nn.Sequential(*residuals(out_channels, 2))

    def forward(self, x: Tensor, encoded: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        y: Tensor = self.refine(encoded + self.prelu(self.mix(x)))
        return y


class ReferencePalmNet(nn.Module):
    """The reference palm detector.

    Args:
        depth: residuals per stage: 4 in the full network (337 M multiply-adds), 3 in the lite one (283 M).

    Input (n, 3, 192, 192) RGB 0..1. `forward` gives boxes (n, 2016, 18), pixels relative to the anchors of
    `palm.anchors(192, STRIDES)`, and scores (n, 2016, 1), logits. With `train_outputs=True` also the input
    maps of the heads: features_8 (n, 128, 24, 24) and features_16 (n, 256, 12, 12).
    """

    side = SIDE
    strides, spans = STRIDES, SPANS

    def __init__(self, depth: int = 4) -> None:
        super().__init__()
        self.depth = depth
        self.stem, self.prelu = Conv(3, 32, 5, 2), nn.PReLU(32)
        self.to_24 = nn.Sequential(
            *residuals(32, depth),  # 32 × 96 × 96
            Residual(32, 64, 2),
            *residuals(64, depth),  # 64 × 48 × 48
            Residual(64, 128, 2),
            *residuals(128, depth),  # 128 × 24 × 24
        )
        self.to_12 = nn.Sequential(Residual(128, 256, 2), *residuals(256, depth))  # 256 × 12 × 12
        self.to_6 = nn.Sequential(Residual(256, 256, 2), *residuals(256, depth))  # 256 × 6 × 6
        self.up_12 = Up(256, 256)  # 256 × 12 × 12
        self.scores_12, self.boxes_12 = Conv(256, 6, 1), Conv(256, 108, 1)
        self.up_24 = Up(256, 128)  # 128 × 24 × 24
        self.scores_24, self.boxes_24 = Conv(128, 2, 1), Conv(128, 36, 1)

    def forward(self, x: Tensor, train_outputs: bool = False) -> dict[str, Tensor]:
        at_24 = self.to_24(self.prelu(self.stem(x)))
        at_12 = self.to_12(at_24)
        up_12 = self.up_12(self.to_6(at_12), at_12)
        # In the file's order, so that an export has its outputs in the order of the published files.
        scores_12, boxes_12 = rows(self.scores_12(up_12), 1), rows(self.boxes_12(up_12), 18)
        up_24 = self.up_24(up_12, at_24)
        scores_24, boxes_24 = rows(self.scores_24(up_24), 1), rows(self.boxes_24(up_24), 18)
        out = {"boxes": torch.cat([boxes_24, boxes_12], dim=1), "scores": torch.cat([scores_24, scores_12], dim=1)}
        return out | {"features_8": up_24, "features_16": up_12} if train_outputs else out


def load_reference_palm(path: str | os.PathLike[str]) -> ReferencePalmNet:
    """Read the network, full or lite, from its tflite file.

    Raises:
        BundleError: the file is neither of them.
    """
    full, lite = ReferencePalmNet(depth=4), ReferencePalmNet(depth=3)
    network = lite if len(stored_layers(path)) == len(layers_of(lite)) else full
    load_tflite(network, path)
    return network
