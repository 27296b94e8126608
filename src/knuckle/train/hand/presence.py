"""Training of a presence head: a small perceptron on the pooled features of a frozen landmark network of MediaPipe.

A published network learned presence on the regions of its own palm network. Ours proposes others, fainter ones above
all. With everything else frozen, landmarks stay what they are, and training takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from knuckle.results import FloatArray
from knuckle.train.hand.candidates import CandidateCrops
from knuckle.train.hand.head import HeadOptions, feature_session, fit_head
from knuckle.train.nets.reference_hand import perceptron

OPTIONS = HeadOptions(hidden=32, epochs=25, rate=3e-3, decay=0.3)
# Of the former head's logit in the sum. It knows hands that the candidates do not show.
FORMER_WEIGHT = 0.3


@dataclass(frozen=True, eq=False)
class PresenceData:
    """Training data of a presence head.

    Attributes:
        features: (n, 1152) of MediaPipe's full network or (n, 672) of its lite one.
        present: (n,) 1 for a hand, 0 for none.
    """

    features: FloatArray
    present: FloatArray


def read_presence_data(
    network: Path, crops: CandidateCrops, count: int, observe: Callable[[int], None], seed: int = 0
) -> PresenceData:
    """The pooled features of `count` crops of proposed regions, half of them hands.

    Args:
        network: tflite file of MediaPipe's landmark network, full or lite.
        crops: of 224 pixels.
        observe: called with the number of crops done.

    Raises:
        BundleError: it is another network.
    """
    rng, features, present = np.random.default_rng(seed), list[FloatArray](), list[float]()
    with feature_session(network) as session:
        for number in range(count):
            sample = crops.sample(rng)
            picture = np.ascontiguousarray(sample["picture"].transpose(1, 2, 0))[None]
            features.append(session(picture)["features"][0])
            present.append(float(sample["presence"][0]))
            observe(number + 1)
    return PresenceData(np.stack(features), np.array(present, np.float32))


def train_presence_head(
    former: nn.Linear, data: PresenceData, options: HeadOptions = OPTIONS, weight: float = FORMER_WEIGHT
) -> nn.Sequential:
    """Train a head on the features; both classes count the same. The result adds `weight` times the former logit."""
    torch.manual_seed(options.seed)
    mean, spread = (torch.from_numpy(v) for v in (data.features.mean(0), data.features.std(0) + 0.05))
    x, present = (torch.from_numpy(data.features) - mean) / spread, torch.from_numpy(data.present)
    balance = torch.where(present > 0, 0.5 / present.mean(), 0.5 / (1 - present.mean()))
    head = perceptron(x.shape[1], options.hidden, 1)

    def loss(logits: Tensor, rows: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(logits[:, 0], present[rows], balance[rows])

    fit_head(head, x, loss, options)
    return joined(head, mean, spread, former, weight)


def joined(
    head: nn.Sequential, mean: torch.Tensor, spread: torch.Tensor, former: nn.Linear, weight: float
) -> nn.Sequential:
    """One perceptron that gives the head's logit plus `weight` times the former head's.

    The normalisation of the features goes into the first layer. Two hidden units hold the former logit z, because
    z = max(0, z) - max(0, -z).
    """
    first, last = head[0], head[2]
    assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
    wide, narrow = nn.Linear(first.in_features, first.out_features + 2), nn.Linear(first.out_features + 2, 1)
    scaled = first.weight / spread
    signs = torch.tensor([[1.0], [-1.0]])
    with torch.no_grad():
        wide.weight.copy_(torch.cat([scaled, signs * former.weight]))
        wide.bias.copy_(torch.cat([first.bias - scaled @ mean, signs[:, 0] * former.bias]))
        narrow.weight.copy_(torch.cat([last.weight, weight * signs.T], dim=1))
        narrow.bias.copy_(last.bias)
    return nn.Sequential(wide, nn.ReLU(), narrow)
