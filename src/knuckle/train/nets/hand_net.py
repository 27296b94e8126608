"""Knuckle's landmark network: plain 3×3 convolutions, one token per joint, coordinates as distributions.

It is designed for CPUs: dense 3×3 convolutions with ReLU reach nearly the peak of a core, while depthwise ones are
limited by memory. The body is a small residual network (He et al. 2016, arXiv 1512.03385) whose batch norms are folded
into the convolutions on export. The head has a token for each joint: the sum of a projection of the joint's own heatmap
and a projection of the pooled features. One mixer block (Tolstikhin et al. 2021, arXiv 2105.01601) exchanges
information between joints, and the same layers read out every token. A coordinate is the mean of a distribution over
bins (SimCC, Li et al. 2022, arXiv 2107.03332, with the integral of Sun et al. 2018, arXiv 1711.08229), which learns
from fewer pictures than regression from pooled features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from knuckle.errors import InputError
from knuckle.train.nets.layers import Conv, ConvNorm, Residual, checked_side

Head = Literal["bins", "heatmap", "direct"]
MARGIN = 0.25  # landmarks may lie outside the crop: the bins extend beyond it by this share of its side
WORLD_SCALE_M = 0.1


@dataclass(frozen=True)
class HandNetShape:
    """The architecture of a landmark network; it is stored with the weights.

    Attributes:
        side: side of the square input, pixels; a multiple of 32.
        stem: channels at 1/2 of the side.
        widths: channels at 1/4, 1/8, 1/16 and 1/32 of the side.
        depths: residual blocks at each of these resolutions.
        token: length of the token of a joint.
        head: "bins" (distributions of x and y), "heatmap" (one over the map at 1/8) or "direct" (regression).
        bin_px: width of a bin, input pixels.
        point_count: number of points; 21 unless --points says otherwise.
    """

    side: int = 128
    stem: int = 24
    widths: tuple[int, int, int, int] = (32, 64, 128, 192)
    depths: tuple[int, int, int, int] = (1, 1, 2, 1)
    token: int = 192
    head: Head = "bins"
    bin_px: float = 2.0
    point_count: int = field(default=21, metadata={"flag": None})

    def __post_init__(self) -> None:
        checked_side(self.side)
        if min(self.stem, *self.widths, self.token) < 1 or min(self.depths) < 0 or not self.bin_px > 0:
            raise InputError(f"widths and bins must be above 0, got {self}")

    @property
    def bins(self) -> int:
        return round(self.side * (1 + 2 * MARGIN) / self.bin_px)


class Mixer(nn.Module):
    """A mixer block: mixes over joints, then over the channels of each token."""

    def __init__(self, token: int, joints: int) -> None:
        super().__init__()
        self.norm_joints, self.norm_token = nn.LayerNorm(token), nn.LayerNorm(token)
        self.joints = nn.Sequential(nn.Linear(joints, 64), nn.ReLU(), nn.Linear(64, joints))
        self.token = nn.Sequential(nn.Linear(token, 2 * token), nn.ReLU(), nn.Linear(2 * token, token))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.joints(self.norm_joints(x).transpose(1, 2)).transpose(1, 2)
        y: Tensor = x + self.token(self.norm_token(x))
        return y


class HandNet(nn.Module):
    """The landmark network.

    Input (n, 3, side, side) RGB 0..1. `forward` gives a dict:
        landmarks (n, 63), or 3 for each of another number of points: x, y, z in pixels of the input, z as x and y times
        `knuckle.pipeline.hand.Z_SCALE`.
        world (n, 63): metres. presence (n, 1): 0..1. handedness (n, 1): probability of "Left" in a mirrored image.
        visibility (n, 21): 0..1. log_sigma (n, 21): natural log of the expected error of x and y, pixels.
    With `train_outputs=True` also the inputs of the losses: x_logits and y_logits (n, 21, bins), map_logits
    (n, 21, cells), presence_logit, handedness_logit, visibility_logit; and the features that are compared with a
    teacher's: features (n, 21 * token), and the last map at each stride, features_8, features_16 and features_32.
    """

    centres: Tensor
    ticks: Tensor

    def __init__(self, shape: HandNetShape = HandNetShape()) -> None:
        super().__init__()
        self.shape, self.side = shape, shape.side
        widths = shape.widths
        self.stem = ConvNorm(3, shape.stem, 3, 2)  # 24 × 64 × 64
        self.down = nn.ModuleList(
            ConvNorm(in_channels, out_channels, 3, 2)
            for in_channels, out_channels in zip((shape.stem, *widths[:-1]), widths, strict=True)
        )
        # 32 × 32 × 32, 64 × 16 × 16, 128 × 8 × 8, 192 × 4 × 4
        self.stages = nn.ModuleList(
            nn.Sequential(*(Residual(width) for _ in range(depth)))
            for width, depth in zip(widths, shape.depths, strict=True)
        )
        cell = shape.side // 8
        self.lateral = ConvNorm(widths[3], widths[2], 1)  # from 1/32 to 1/16
        self.finer = ConvNorm(widths[2], widths[1], 1)  # from 1/16 to 1/8
        self.maps = Conv(widths[1], shape.point_count, 1)  # one map per joint: 21 × 16 × 16
        self.own = nn.Linear(cell * cell, shape.token)
        self.whole = nn.Linear(widths[3], shape.point_count * shape.token)
        self.mixer = Mixer(shape.token, shape.point_count)
        self.norm = nn.LayerNorm(shape.token)
        self.x, self.y = (nn.Linear(shape.token, shape.bins if shape.head == "bins" else 1) for _ in range(2))
        self.z, self.world = nn.Linear(shape.token, 1), nn.Linear(shape.token, 3)
        self.visibility, self.log_sigma = nn.Linear(shape.token, 1), nn.Linear(shape.token, 1)
        self.presence, self.handedness = nn.Linear(widths[3], 1), nn.Linear(widths[3], 1)
        centres = (torch.arange(shape.bins) + 0.5) * shape.bin_px - MARGIN * shape.side
        self.register_buffer("centres", centres, persistent=False)
        ticks = (torch.arange(cell) + 0.5) * (shape.side / cell)
        self.register_buffer("ticks", ticks, persistent=False)

    def resized(self, side: int) -> HandNet:
        """A copy for an input of another side, to go on training from. Its convolutions are the same.

        The layers that depend on the side are resampled: those that read the maps, and those that give the bins.

        Raises:
            InputError: side is not a multiple of 32, or below 64.
        """
        other = HandNet(replace(self.shape, side=side))
        state, wanted = self.state_dict(), other.state_dict()
        cell, finer = self.side // 8, side // 8
        read = state["own.weight"].reshape(1, -1, cell, cell)
        resampled = F.interpolate(read, size=(finer, finer), mode="bilinear", align_corners=False)
        state["own.weight"] = resampled.reshape(-1, finer * finer) * (cell / finer) ** 2  # a sum over more cells
        for name in ("x.weight", "x.bias", "y.weight", "y.bias"):
            if state[name].shape != wanted[name].shape:
                bins = state[name].reshape(self.shape.bins, -1).T[None]
                longer = F.interpolate(bins, size=other.shape.bins, mode="linear", align_corners=False)
                state[name] = longer[0].T.reshape(wanted[name].shape)
        state["log_sigma.bias"] = state["log_sigma.bias"] + math.log(side / self.side)  # it is in pixels
        other.load_state_dict(state)
        return other

    def forward(self, picture: Tensor, train_outputs: bool = False) -> dict[str, Tensor]:
        levels, x = [], F.relu(self.stem(picture))
        for down, stage in zip(self.down, self.stages, strict=True):
            x = stage(F.relu(down(x)))
            levels.append(x)
        pooled = x.mean(dim=(2, 3))  # 192
        seen = F.relu(levels[2] + F.interpolate(self.lateral(x), scale_factor=2.0, mode="nearest"))
        seen = F.relu(levels[1] + F.interpolate(self.finer(seen), scale_factor=2.0, mode="nearest"))
        maps = self.maps(seen)
        tokens = self.own(maps.flatten(2)) + self.whole(pooled).reshape(-1, self.shape.point_count, self.shape.token)
        tokens = self.norm(self.mixer(tokens))  # 21 × 192
        x_px, y_px, logits = self._coordinates(tokens, maps)
        z_px = self.z(tokens) * self.side
        logits |= {
            "map_logits": maps.flatten(2),
            "presence_logit": self.presence(pooled),
            "handedness_logit": self.handedness(pooled),
            "visibility_logit": self.visibility(tokens).flatten(1),
            "features": tokens.flatten(1),
            **{f"features_{2**k}": level for k, level in enumerate(levels[1:], 3)},
        }
        out = {
            "landmarks": torch.cat([x_px, y_px, z_px], dim=2).flatten(1),
            "world": (self.world(tokens) * WORLD_SCALE_M).flatten(1),
            "presence": torch.sigmoid(logits["presence_logit"]),
            "handedness": torch.sigmoid(logits["handedness_logit"]),
            "visibility": torch.sigmoid(logits["visibility_logit"]),
            "log_sigma": self.log_sigma(tokens).flatten(1),
        }
        return out | logits if train_outputs else out

    def _coordinates(self, tokens: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """x and y (n, 21, 1) in input pixels, and the logits of their distributions for the losses."""
        if self.shape.head == "direct":
            return (0.5 + self.x(tokens).float()) * self.side, (0.5 + self.y(tokens).float()) * self.side, {}
        if self.shape.head == "heatmap":
            cells = F.softmax(maps.flatten(2).float(), dim=2).reshape(maps.shape)
            x_px = (cells.sum(dim=2) * self.ticks).sum(dim=2, keepdim=True)
            y_px = (cells.sum(dim=3) * self.ticks).sum(dim=2, keepdim=True)
            # A regression adds what is finer than a cell or outside the crop.
            return x_px + self.x(tokens) * self.side, y_px + self.y(tokens) * self.side, {}
        x_logits, y_logits = self.x(tokens), self.y(tokens)
        return self._mean(x_logits), self._mean(y_logits), {"x_logits": x_logits, "y_logits": y_logits}

    def _mean(self, logits: Tensor) -> Tensor:
        """The mean (n, 21, 1) of distributions (n, 21, bins) in pixels, computed in float32."""
        return (F.softmax(logits.float(), dim=2) * self.centres).sum(dim=2, keepdim=True)
