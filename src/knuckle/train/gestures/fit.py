"""Fit the network of hand shapes: posed hands and photos together, then calibrate it on photos of other people."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from knuckle.gestures.features import SIZE
from knuckle.gestures.network import OTHER, ShapeNetwork
from knuckle.results import FloatArray
from knuckle.train.gestures.shapes import SHAPES

HIDDEN, EMBEDDING = 96, 48
KEPT = 24  # dimensions of the whitened embedding
WEIGHT_OF_OTHERS = 0.4  # posed hands that make no gesture are easy to come by; photos of them are not
PHOTO_NOISE = 0.03  # palm lengths; so few photos are known by heart otherwise
PER_STEP = (384, 192)  # posed hands and photos


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of features with what they may be.

    Attributes:
        features: (n, SIZE).
        allowed: (n, len(SHAPES)) of 0 and 1: the shapes that a row may have. A photo of a fist whose thumb cannot be
            seen allows several.
    """

    features: FloatArray
    allowed: FloatArray

    @classmethod
    def of(cls, features: FloatArray, labels: Sequence[str]) -> Examples:
        """Labels are names of shapes, several of them joined by "|"."""
        allowed = np.zeros((len(labels), len(SHAPES)), np.float32)
        for row, label in zip(allowed, labels, strict=True):
            row[[SHAPES.index(name) for name in label.split("|")]] = 1
        return cls(features, allowed)


def fit(
    posed: Examples, photos: Examples, steps: int, seed: int, after_step: Callable[[int, float], None]
) -> ShapeNetwork:
    """Train a network.

    Args:
        posed: posed hands, each with one shape.
        photos: hands of photos.
        steps: gradient steps; 6,000 take about two minutes on one core.
        seed: of the weights and the draws.
        after_step: called with the number of the step and its loss.
    """
    torch.manual_seed(seed)
    net = nn.Sequential(
        *(nn.Linear(SIZE, HIDDEN), nn.ReLU(), nn.Dropout(0.1)),
        *(nn.Linear(HIDDEN, EMBEDDING), nn.ReLU(), nn.Linear(EMBEDDING, len(SHAPES))),
    )
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    inputs, shapes = torch.tensor(posed.features), torch.tensor(posed.allowed.argmax(axis=1))
    photo_inputs, allowed = torch.tensor(photos.features), torch.tensor(photos.allowed)
    first = photos.allowed.argmax(axis=1)
    chance = torch.tensor((np.maximum(np.bincount(first), 4.0) ** -0.7)[first])  # photos of rare shapes more often
    weights = torch.ones(len(SHAPES))
    weights[SHAPES.index(OTHER)] = WEIGHT_OF_OTHERS
    for step in range(steps):
        chosen = torch.randint(0, len(inputs), PER_STEP[:1])
        drawn = torch.multinomial(chance, PER_STEP[1], replacement=True)
        noisy = photo_inputs[drawn] + PHOTO_NOISE * torch.randn(PER_STEP[1], SIZE)
        loss = functional.cross_entropy(net(inputs[chosen]), shapes[chosen], weight=weights, label_smoothing=0.03)
        loss = loss + loss_of_allowed(net(noisy), allowed[drawn])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        after_step(step, loss.item())
    layers = tuple((_half(layer.weight.T), _half(layer.bias)) for layer in net if isinstance(layer, nn.Linear))
    digest = hashlib.sha256(b"".join(values.tobytes() for layer in layers for values in layer)).hexdigest()[:12]
    bare = ShapeNetwork(digest, SHAPES, layers, 1.0, np.zeros(EMBEDDING, np.float32), np.eye(EMBEDDING, KEPT))
    return _with_whitening(bare, photos)


def loss_of_allowed(logits: Tensor, allowed: Tensor) -> Tensor:
    """Mean negative log of the probability of the allowed shapes together."""
    return -torch.logsumexp(functional.log_softmax(logits, 1) + torch.log(allowed + 1e-9), 1).mean()


def _half(values: Any) -> FloatArray:
    """Weights as they are stored: in half precision."""
    return np.asarray(values.detach().numpy().astype(np.float16).astype(np.float32))


def _with_whitening(network: ShapeNetwork, photos: Examples) -> ShapeNetwork:
    """Linear discriminants of the embeddings of photos (Fisher 1936), scaled to a scatter of 1 within shapes."""
    embedding = network(photos.features)[0].astype(np.float64)
    first = photos.allowed.argmax(axis=1)
    counts = np.bincount(first, minlength=len(SHAPES))
    means = np.array([embedding[first == shape].sum(axis=0) for shape in range(len(SHAPES))])
    means /= np.maximum(counts, 1)[:, None]
    residual = embedding - means[first]
    within = residual.T @ residual / len(residual)
    within += np.eye(EMBEDDING) * 0.02 * np.trace(within) / EMBEDDING
    values, vectors = np.linalg.eigh(within)
    unit = vectors / np.sqrt(values)
    between = (means[counts > 0] - embedding.mean(axis=0)) @ unit
    _, _, directions = np.linalg.svd(between, full_matrices=False)
    whiten = (unit @ directions[:KEPT].T).astype(np.float16).astype(np.float32)
    centre = embedding.mean(axis=0).astype(np.float16).astype(np.float32)
    return ShapeNetwork(network.version, network.shapes, network.layers, network.temperature, centre, whiten)


def calibrated(network: ShapeNetwork, photos: Examples) -> ShapeNetwork:
    """The network with the temperature at which the probabilities of photos are most likely."""

    def loss(temperature: float) -> float:
        one = ShapeNetwork(network.version, network.shapes, network.layers, temperature, network.centre, network.whiten)
        found = (one(photos.features)[1] * photos.allowed).sum(axis=1)
        return float(-np.log(np.maximum(found, 1e-9)).mean())

    candidates: npt.NDArray[np.float64] = np.geomspace(0.5, 4, 43)
    best = min(candidates.tolist(), key=loss)
    return ShapeNetwork(network.version, network.shapes, network.layers, round(best, 3), network.centre, network.whiten)
