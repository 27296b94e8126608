"""Small perceptrons on the pooled features of a frozen landmark network: visibility, presence."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from knuckle.models.session import Session
from knuckle.models.visibility_head import with_features


@dataclass(frozen=True)
class HeadOptions:
    """How a head is trained.

    Attributes:
        hidden: width of the hidden layer.
        epochs: passes over the data.
        batch: crops per step.
        rate: peak learning rate of AdamW.
        decay: weight decay.
        noise: standard deviation of the noise added to the features, which have deviation 1.
        seed: of all random choices.
    """

    hidden: int = 48
    epochs: int = 60
    batch: int = 256
    rate: float = 4e-3
    decay: float = 0.2
    noise: float = 0.5
    seed: int = 0


@contextmanager
def feature_session(network: Path) -> Iterator[Session]:
    """The engine that will run the network, here with its pooled features as the output `features`, (n, width).

    Args:
        network: tflite file of MediaPipe's landmark network, full or lite.

    Raises:
        BundleError: it is another network.
    """
    with tempfile.TemporaryDirectory() as folder:
        opened = Path(folder) / network.name
        opened.write_bytes(with_features(network.read_bytes()))
        yield Session(opened, 1)


def fit_head(head: nn.Module, features: Tensor, loss: Callable[[Tensor, Tensor], Tensor], options: HeadOptions) -> None:
    """Train a head in place.

    Args:
        head: from features to outputs.
        features: (n, width), normalised.
        loss: called with the outputs of some rows and the numbers of these rows.
    """
    optimiser = torch.optim.AdamW(head.parameters(), lr=options.rate, weight_decay=options.decay)
    steps = options.epochs * -(-len(features) // options.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=steps)
    for _ in range(options.epochs):
        for rows in torch.split(torch.randperm(len(features)), options.batch):
            noise = options.noise * torch.randn(len(rows), features.shape[1])
            step = loss(head(features[rows] + noise), rows)
            optimiser.zero_grad()
            step.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
