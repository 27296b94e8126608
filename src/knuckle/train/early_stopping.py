"""Early stopping: keep the weights with the smallest error on held-out images, and end a run that gets no better.

A run on a few dozen labels soon learns them by heart. From then on the error on other images rises.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

from torch import nn


class Best:
    """The best evaluation of a run so far.

    Args:
        patience: evaluations without a smaller error after which a run ends; 0 keeps nothing and never ends it.

    Attributes:
        step, figures: of the best evaluation; step -1 before the first one.
        waited: evaluations since then.
    """

    def __init__(self, patience: int) -> None:
        self.patience, self.step, self.waited = patience, -1, 0
        self.error = math.inf
        self.figures: dict[str, float] = {}
        self.weights: dict[str, Any] | None = None

    def see(self, step: int, error: float, figures: Mapping[str, float], network: nn.Module) -> None:
        """Take an evaluation. An error that is not finite (nothing is labelled) counts for nothing."""
        if not self.patience or not math.isfinite(error):
            return
        if error < self.error:
            self.step, self.error, self.figures, self.waited = step, error, dict(figures), 0
            self.weights = copy.deepcopy(network.state_dict())
        else:
            self.waited += 1

    @property
    def is_over(self) -> bool:
        """Whether the run should end."""
        return 0 < self.patience <= self.waited

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps besides the weights."""
        return {name: getattr(self, name) for name in ("step", "error", "figures", "waited")}

    def restore(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
