"""Small perceptrons on the pooled features of a frozen landmark network: visibility, presence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


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
