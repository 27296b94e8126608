"""MediaPipe's landmark network, full and lite: inverted residuals with ReLU6 and folded batch norms.

The layers are created in the order of the published tflite file, from which `load_tflite` reads their weights.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from knuckle.errors import BundleError
from knuckle.train.nets.layers import Conv, Depthwise, checked_side
from knuckle.train.nets.tflite_weights import load_tflite, stored_layers

SIDE = 224


class InvertedResidual(nn.Module):
    """1×1 up to `inner` channels, depthwise, 1×1 down; with a shortcut if the shapes are equal."""

    def __init__(
        self,
        in_channels: int,
        inner: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        pooled_shortcut: bool = False,
    ) -> None:
        super().__init__()
        self.expand = Conv(in_channels, inner, 1)
        self.filter = Depthwise(inner, kernel, stride)
        self.project = Conv(inner, out_channels, 1)
        self.relu6 = nn.ReLU6(inplace=True)
        self.adds_input = stride == 1 and in_channels == out_channels
        self.pool = nn.MaxPool2d(2) if pooled_shortcut else None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.relu6(self.filter(self.relu6(self.expand(x)))))
        if self.pool is not None:
            y = y + self.pool(x)
        return y + x if self.adds_input else y


# Channels in, inside and out, kernel and stride of each inverted residual block.
FULL = (
    (16, 64, 24, 3, 2),  # 56
    (24, 144, 24, 3, 1),
    (24, 144, 40, 5, 2),  # 28
    (40, 240, 40, 5, 1),
    (40, 240, 80, 3, 2),  # 14
    (80, 480, 80, 3, 1),
    (80, 480, 80, 3, 1),
    (80, 480, 112, 5, 1),
    (112, 672, 112, 5, 1),
    (112, 672, 112, 5, 1),
    (112, 672, 192, 5, 2),  # 7
    (192, 1152, 192, 5, 1),
    (192, 1152, 192, 5, 1),
    (192, 1152, 192, 5, 1),
)
LITE = (
    (16, 64, 16, 3, 2),
    (16, 96, 16, 3, 1),
    (16, 96, 24, 5, 2),
    (24, 144, 24, 5, 1),
    (24, 144, 48, 3, 2),
    (48, 288, 48, 3, 1),
    (48, 288, 48, 3, 1),
    (48, 288, 64, 5, 1),
    (64, 384, 64, 5, 1),
    (64, 384, 64, 5, 1),
    (64, 384, 112, 5, 2),
    (112, 672, 112, 5, 1),
    (112, 672, 112, 5, 1),
    (112, 672, 112, 5, 1),
)


def inner_of(blocks: Sequence[tuple[int, int, int, int, int]]) -> tuple[int, ...]:
    """Channels of the stem, then those inside each block, as published."""
    return (24, *(inner for _, inner, *_ in blocks))


class ReferenceHandNet(nn.Module):
    """The reference landmark network.

    Args:
        blocks: `FULL` (331 M multiply-adds, 2.7 M parameters) or `LITE` (146 M, 1.0 M).
        hidden: width of the visibility head, which the published files do not have; 0 leaves it out.
        presence_hidden: width of the hidden layer of the presence head; 0: one layer, as in the published files.
        side: side of the input, pixels; a multiple of 32. The published weights are for 224.
        points: number of those of the 21 points that it gives, and of further ones. Layers of their own give the
            further ones, so that these can be trained without touching the others.
        inner: channels of the stem, then those inside each block; None: those of the published files. Fewer of them
            make the network faster (`knuckle.train.hand.prune`).

    Input (n, 3, side, side) RGB 0..1. `forward` gives a dict:
        landmarks (n, 3 K) crop pixels for K points, presence (n, 1) 0..1, handedness (n, 1) probability of "Left" in a
        mirrored image, world (n, 3 K) metres, and with a visibility head visibility (n, K) 0..1. With
        `train_outputs=True` also presence_logit, handedness_logit, visibility_logit, features (n, 1152 or 672), which
        all heads read, and the last map at each stride, here for 224 px: features_8 (n, 40 or 24, 28, 28), features_16
        (n, 112 or 64, 14, 14) and features_32 (n, 192 or 112, 7, 7).

    Raises:
        InputError: side is not a multiple of 32, or below 64.
    """

    def __init__(
        self,
        blocks: tuple[tuple[int, int, int, int, int], ...] = FULL,
        hidden: int = 0,
        side: int = SIDE,
        presence_hidden: int = 0,
        points: tuple[int, int] = (21, 0),
        inner: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.side = checked_side(side)
        self.inner = inner or inner_of(blocks)
        first, *others = self.inner
        self.stem = Conv(3, first, 3, 2)  # 24 × 112 × 112
        self.stem_filter = Depthwise(first, 3)
        self.stem_project = Conv(first, 16, 1)  # 16 × 112 × 112
        self.blocks = nn.Sequential(
            *(
                InvertedResidual(i, channels, o, kernel, stride, pooled_shortcut=blocks is LITE and place == 0)
                for place, (channels, (i, _, o, kernel, stride)) in enumerate(zip(others, blocks, strict=True))
            )
        )  # 192 (112) × 7 × 7
        narrow, wide = blocks[-1][2], blocks[-1][1]
        self.expand = Conv(narrow, wide, 1)
        self.filter = Depthwise(wide, 3)  # 1152 (672) × 7 × 7, then the mean of each channel
        self.relu6 = nn.ReLU6(inplace=True)
        self.handedness = nn.Linear(wide, 1)
        self.presence: nn.Module = perceptron(wide, presence_hidden, 1) if presence_hidden else nn.Linear(wide, 1)
        own, further = points
        self.landmarks = nn.Linear(wide, 3 * own)
        self.world = nn.Linear(wide, 3 * own)
        self.visibility = perceptron(wide, hidden, own) if hidden else None
        self.further = FurtherPoints(wide, hidden, further) if further else None

    def resized(self, side: int) -> ReferenceHandNet:
        """A copy for an input of another side. Its landmarks are in pixels of that input; the rest stays as it is.

        Without training it is less accurate: on photos lite's median error rises from 3.4 to 7.6 % of the palm size at
        192 px.

        Raises:
            InputError: side is not a multiple of 32, or below 64.
        """
        other = copy.deepcopy(self)
        with torch.no_grad():
            for layer in (other.landmarks, *([other.further.landmarks] if other.further else [])):
                for parameter in layer.parameters():
                    parameter.mul_(side / self.side)
        other.side = checked_side(side)
        return other

    def forward(self, x: Tensor, train_outputs: bool = False) -> dict[str, Tensor]:
        x = self.relu6(self.stem(x))
        x = self.stem_project(self.relu6(self.stem_filter(x)))
        maps = []
        for block in self.blocks:
            assert isinstance(block, InvertedResidual)
            maps += [x] if block.filter.stride[0] == 2 else []
            x = block(x)
        maps = [*maps[2:], x]  # of 28, 14 and 7
        x = self.relu6(self.expand(x))
        features = self.relu6(self.filter(x)).float().mean(dim=(2, 3))
        with torch.autocast(x.device.type, enabled=False):  # 16 bits would round landmarks to whole pixels
            out, logits = self._heads(features)
        learned = {"features": features, "features_8": maps[0], "features_16": maps[1], "features_32": maps[2]}
        return out | logits | learned if train_outputs else out

    def _heads(self, features: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The outputs that are read from the features, and the logits of some of them."""
        # In the file's order, so that an export has its outputs in the order of the published files.
        logits = {"handedness_logit": self.handedness(features), "presence_logit": self.presence(features)}
        out = {
            "landmarks": self.landmarks(features),
            "presence": torch.sigmoid(logits["presence_logit"]),
            "handedness": torch.sigmoid(logits["handedness_logit"]),
            "world": self.world(features),
        }
        if self.visibility is not None:
            logits["visibility_logit"] = self.visibility(features)
        if self.further is not None:
            out["landmarks"] = torch.cat([out["landmarks"], self.further.landmarks(features)], dim=1)
            out["world"] = torch.cat([out["world"], self.further.world(features)], dim=1)
            if self.further.visibility is not None:
                both = [logits["visibility_logit"], self.further.visibility(features)]
                logits["visibility_logit"] = torch.cat(both, dim=1)
        if "visibility_logit" in logits:
            out["visibility"] = torch.sigmoid(logits["visibility_logit"])
        return out, logits


class FurtherPoints(nn.Module):
    """The layers of the points beyond the 21, which read the same features."""

    def __init__(self, features: int, hidden: int, count: int) -> None:
        super().__init__()
        self.landmarks = nn.Linear(features, 3 * count)
        self.world = nn.Linear(features, 3 * count)
        self.visibility = perceptron(features, hidden, count) if hidden else None


def perceptron(features: int, hidden: int, outputs: int) -> nn.Sequential:
    """A head with one hidden layer, from pooled features to logits."""
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def load_reference_hand(path: str | os.PathLike[str]) -> ReferenceHandNet:
    """Read the network, full or lite, from its tflite file.

    Raises:
        BundleError: the file is neither of them.
    """
    wide = {blocks[-1][1]: blocks for blocks in (FULL, LITE)}
    matrices = [layer.constants[0].shape for layer in stored_layers(path) if layer.kind == "FULLY_CONNECTED"]
    if len(matrices) not in (4, 6) or matrices[0][1] not in wide:
        raise BundleError(f"{path} is not MediaPipe's landmark network, full or lite")
    network = ReferenceHandNet(wide[matrices[0][1]], matrices[4][0] if len(matrices) == 6 else 0)
    load_tflite(network, path)
    return network
