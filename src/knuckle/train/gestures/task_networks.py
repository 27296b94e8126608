"""Features, hand shapes and gestures as PyTorch modules that MediaPipe's gesture recognizer can run as tflite files.

The embedder does what `knuckle.gestures.features`, `directions` and `network` do, from what MediaPipe gives it; a
classifier does what a `GestureSet` or `TaughtGestures` does. `tests/train/gestures/test_task_file.py` compares them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from knuckle.gestures import directions, features
from knuckle.gestures.directions import CONDITIONS, LIMIT, OUT, SHARPNESS
from knuckle.gestures.network import ShapeNetwork
from knuckle.gestures.recogniser import GestureSet
from knuckle.gestures.taught import DIRECTION_SCALE, TaughtGestures
from knuckle.results import FloatArray

TINY = features.TINY
STEEP = 1e6


def constant(values: FloatArray) -> Tensor:
    """Values as a float32 tensor."""
    return torch.from_numpy(np.array(values, np.float32))


def length_of(vectors: Tensor) -> Tensor:
    """(..., 1) Euclidean lengths, at least `TINY`."""
    return torch.sqrt((vectors * vectors).sum(dim=-1, keepdim=True)).clamp(min=TINY)


class TaskEmbedder(nn.Module):
    """Landmarks (1, 21, 3), probability of a right hand (1, 1), world landmarks (1, 21, 3) -> an embedding (1, n).

    MediaPipe gives landmarks from the wrist, in units of the longer side of their box, in the upright image. The
    embedding is that of the network, then the probabilities of shapes, then the conditions.
    """

    axes: Tensor
    triangle: Tensor
    middle: Tensor
    tips: Tensor
    vectors: Tensor
    across: Tensor

    def __init__(self, network: ShapeNetwork) -> None:
        super().__init__()
        self.layers = nn.ParameterList(constant(values) for layer in network.layers for values in layer)
        self.temperature = network.temperature
        matrices = {"axes": features._AXES, "triangle": features._TRIANGLE, "middle": features._MIDDLE}
        matrices |= {"tips": features._TIPS, "vectors": directions._VECTORS}
        for name, matrix in matrices.items():
            self.register_buffer(name, constant(matrix))
        self.register_buffer("across", torch.tensor([1.0, 0.0, 0.0]))

    def forward(self, hand: Tensor, right: Tensor, world: Tensor) -> Tensor:
        side = ((right - 0.5) * STEEP).clamp(-1, 1).reshape(1, 1)  # a comparison would be another kind of operator
        mirror = 1 + (side - 1) * self.across
        hand, world = hand.reshape(21, 3), world.reshape(21, 3)
        in_space = self.in_palm_frame(world * mirror)
        in_image = self.wrist_down((hand * mirror)[:, :2])
        tips = [torch.sqrt(((self.tips @ points) ** 2).sum(dim=1)) for points in (in_space, in_image)]
        values = torch.cat(
            [in_space.reshape(1, 63), in_image.reshape(1, 42), *(part.reshape(1, 10) for part in tips)], 1
        )
        *hidden, last, last_bias = list(self.layers)
        for weights, bias in zip(hidden[::2], hidden[1::2], strict=True):
            values = torch.relu(values @ weights + bias)
        shapes = torch.softmax((values @ last + last_bias) / self.temperature, dim=1)
        return torch.cat([values, shapes, self.conditions(world, side)], dim=1)

    def in_palm_frame(self, points: Tensor) -> Tensor:
        """See `features.in_palm_frame`."""
        up, aside = torch.split(self.axes @ points, 1)
        length = length_of(up)
        up = up / length
        aside = aside - (aside * up).sum(dim=1, keepdim=True) * up
        aside = aside / length_of(aside)
        frame = torch.cat([aside, up, crossed(aside, up)]) / length
        return (points - points[:1]) @ frame.T

    def wrist_down(self, points: Tensor) -> Tensor:
        """See `features.wrist_down`."""
        sides = self.triangle @ points
        lengths = length_of(sides)
        x, y = torch.split(sides[:1] / lengths[:1] / lengths[1:].max(), 1, dim=1)
        frame = torch.cat([torch.cat([-y, -x], dim=1), torch.cat([x, -y], dim=1)])
        return (points - self.middle @ points) @ frame

    def conditions(self, world: Tensor, side: Tensor) -> Tensor:
        """(1, len(CONDITIONS)) see `directions.conditions_of`."""
        thumb, index, knuckles, across, out = torch.split(self.vectors @ world, 1)
        up = [-vector[:, 1:2] / length_of(vector) for vector in (thumb, index, knuckles)]
        away = crossed(across, knuckles)
        facing = away[:, 2:] / length_of(away) * side + LIMIT
        gap = length_of(out) / length_of(knuckles) - OUT + LIMIT
        cosines = torch.cat([up[0], -up[0], up[1], -up[1], up[2], facing, gap], dim=1)
        return torch.sigmoid(SHARPNESS * (cosines - LIMIT))


def crossed(a: Tensor, b: Tensor) -> Tensor:
    """(1, 3) cross product of two rows."""
    (ax, ay, az), (bx, by, bz) = torch.split(a, 1, dim=1), torch.split(b, 1, dim=1)
    return torch.cat([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], dim=1)


class TaskClassifier(nn.Module):
    """An embedding (1, n) -> probabilities (1, gestures + 1), that of no gesture first, as MediaPipe has it."""

    def __init__(self, network: ShapeNetwork) -> None:
        super().__init__()
        self.parts = [network.whiten.shape[0], len(network.shapes), len(CONDITIONS)]

    def forward(self, embedding: Tensor) -> Tensor:
        values, shapes, conditions = torch.split(embedding, self.parts, dim=1)
        return self.probabilities(values, shapes, conditions)

    def probabilities(self, values: Tensor, shapes: Tensor, conditions: Tensor) -> Tensor:
        raise NotImplementedError


class SetClassifier(TaskClassifier):
    """A set of gestures."""

    chosen: Tensor
    owners: Tensor

    def __init__(self, network: ShapeNetwork, gestures: GestureSet) -> None:
        super().__init__(network)
        self.register_buffer("chosen", constant(np.eye(len(network.shapes))[gestures.shapes].T))
        one_hot = np.eye(2 * len(CONDITIONS) + 1)
        for k, column in enumerate(gestures.factors.T):
            self.register_buffer(f"factor{k}", constant(one_hot[column].T))
        self.factors = gestures.factors.shape[1]
        self.register_buffer("owners", constant(gestures.owners[:, :-1]))

    def probabilities(self, values: Tensor, shapes: Tensor, conditions: Tensor) -> Tensor:
        factors = torch.cat([torch.ones_like(conditions[:, :1]), conditions, 1 - conditions], dim=1)
        terms = shapes @ self.chosen
        for k in range(self.factors):
            terms = terms * (factors @ getattr(self, f"factor{k}"))
        found = terms @ self.owners
        return torch.cat([torch.relu(1 - found.sum(dim=1, keepdim=True)), found], dim=1)


class TaughtClassifier(TaskClassifier):
    """Gestures that a user taught."""

    whiten: Tensor
    centre: Tensor
    means: Tensor

    def __init__(self, network: ShapeNetwork, taught: TaughtGestures) -> None:
        super().__init__(network)
        self.taught = taught
        for name, matrix in {"whiten": network.whiten, "centre": network.centre, "means": taught.means}.items():
            self.register_buffer(name, constant(matrix))

    def probabilities(self, values: Tensor, shapes: Tensor, conditions: Tensor) -> Tensor:
        points = (values - self.centre) @ self.whiten
        if self.taught.directed:
            points = torch.cat([points, DIRECTION_SCALE * conditions], dim=1)
        squares = ((points - self.means) ** 2).sum(dim=1).reshape(1, -1)
        nothing = torch.full((1, 1), self.taught.radius**2)
        return torch.softmax(torch.cat([nothing, squares], dim=1) / (-2 * self.taught.temperature), dim=1)
