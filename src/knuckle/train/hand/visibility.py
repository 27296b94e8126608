"""Training of the visibility head: a small perceptron on the pooled features of MediaPipe's landmark network.

The network itself is frozen. Its features are computed once per crop, by the engine that will run it. Training the head
on them takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from knuckle.errors import InputError
from knuckle.metrics import auroc, reliability
from knuckle.models.visibility_head import Head
from knuckle.results import FloatArray
from knuckle.train import losses
from knuckle.train.hand.data import HandCrops
from knuckle.train.hand.head import HeadOptions, feature_session, fit_head
from knuckle.train.nets.reference_hand import perceptron

OPTIONS = HeadOptions()


@dataclass(frozen=True, eq=False)
class Features:
    """Training data of a head.

    Attributes:
        features: (n, 1152) of MediaPipe's full network or (n, 672) of its lite one.
        visible: (n, 21) 0 or 1.
        weight: (n, 21) 0 where the visibility is not labelled, else 1.
    """

    features: FloatArray
    visible: FloatArray
    weight: FloatArray


def read_features(network: Path, samples: HandCrops, count: int, observe: Callable[[int], None]) -> Features:
    """The pooled features of `count` crops with a hand and labels of its visibility.

    Args:
        network: tflite file of MediaPipe's landmark network, full or lite.
        samples: crops of 224 px.
        observe: called with the number of crops done.

    Raises:
        BundleError: it is another network.
        InputError: too few crops have a hand and labels of its visibility.
    """
    rows: list[tuple[FloatArray, Any, Any]] = []
    with feature_session(network) as session:
        number = 0
        while len(rows) < count:
            sample = samples(number)
            number += 1
            if sample["presence"][0] == 1 and sample["visibility_weight"].any():
                picture = np.ascontiguousarray(sample["picture"].transpose(1, 2, 0))[None]
                features = session(picture)["features"][0].astype(np.float16)
                rows.append((features, sample["visibility"], sample["visibility_weight"]))
                observe(len(rows))
            elif number > 20 * len(rows) + 200:
                raise InputError(f"only {len(rows)} of {number} crops have a hand with labels of its visibility")
    features, visible, weight = (np.stack(column) for column in zip(*rows, strict=True))
    return Features(features.astype(np.float32), visible, weight)


def train_head(data: Features, options: HeadOptions = OPTIONS) -> Head:
    """Train a head. The normalisation of the features is folded into its first layer."""
    torch.manual_seed(options.seed)
    mean, spread = data.features.mean(0), data.features.std(0) + 1e-3
    x = torch.from_numpy((data.features - mean) / spread)
    true, weight = torch.from_numpy(data.visible), torch.from_numpy(data.weight)
    head = perceptron(x.shape[1], options.hidden, 21)

    def loss(predicted: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return losses.binary_cross_entropy(predicted, true[rows], weight[rows])

    fit_head(head, x, loss, options)
    return folded(head, mean, spread)


def folded(head: nn.Sequential, mean: FloatArray, spread: FloatArray) -> Head:
    """The head with its normalisation folded in, rounded to the precision in which it is stored.

    W ((x - mean) / spread) + b = (W / spread) x + (b - W (mean / spread)).
    """
    (first, first_bias), (second, second_bias) = (
        (layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in head if isinstance(layer, nn.Linear)
    )
    scaled = Head(first / spread, first_bias - first @ (mean / spread), second, second_bias)
    return Head.from_bytes(scaled.to_bytes())


def predict(head: Head, features: FloatArray) -> FloatArray:
    """(n, 21) probabilities that a landmark is visible, from (n, features)."""
    hidden = np.maximum(0, features @ head.first.T + head.first_bias)
    predicted: FloatArray = 1 / (1 + np.exp(-(hidden @ head.second.T + head.second_bias)))
    return predicted


def judge(head: Head, data: Features, joints: Sequence[int] = range(21)) -> dict[str, float]:
    """How well a head predicts the visibility of some joints.

    Returns:
        auroc; calibration_error (expected calibration error in 10 bins, Guo et al. 2017, arXiv 1706.04599); right
        (share right at a threshold of 0.5); visible (share of visible landmarks); count of landmarks.
    """
    labelled = data.weight[:, list(joints)] > 0
    predicted, true = (values[:, list(joints)][labelled] for values in (predict(head, data.features), data.visible))
    bins = reliability(predicted, true, bins=10)
    gaps = np.abs(bins.probability - bins.frequency) * bins.samples / len(predicted)
    return {
        "auroc": auroc(predicted, true > 0.5),
        "calibration_error": float(np.nansum(gaps)),
        "right": float(((predicted > 0.5) == (true > 0.5)).mean()),
        "visible": float(true.mean()),
        "count": float(len(true)),
    }
