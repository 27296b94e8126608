"""How long a run will take, measured before its first step."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

MEASURED = 16  # samples of the measured batches, at most


@dataclass(frozen=True)
class Pace:
    """Measured speeds.

    Attributes:
        sample_s: making one sample. step_s: what the networks do with one sample in a step of training.
        evaluation_s: one evaluation; 0 without one.
    """

    sample_s: float
    step_s: float
    evaluation_s: float

    def samples_per_s(self, workers: int) -> float:
        """Samples per second of training; workers prepare samples while the networks compute."""
        each = max(self.sample_s / workers, self.step_s) if workers else self.sample_s + self.step_s
        return 1 / max(each, 1e-9)

    def seconds(self, samples: int, evaluations: int, workers: int) -> float:
        """Seconds of a run with this many samples and evaluations."""
        return samples / self.samples_per_s(workers) + evaluations * self.evaluation_s


def measure(
    make: Callable[[], Mapping[str, torch.Tensor]], step: Callable[[Any], object], modules: nn.Module, device: Any
) -> tuple[float, float]:
    """Seconds to make a batch, and to train on it. The weights and all random states are as before.

    Args:
        make: makes the batch that is measured.
        step: does with it what a step of training does.
        modules: everything that a step changes.
    """
    before = copy.deepcopy(modules.state_dict())
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        step(make())  # the first one reads photos and allocates memory
        synchronise(device)
        start = time.perf_counter()
        batch = make()
        made = time.perf_counter()
        step(batch)
        synchronise(device)
        end = time.perf_counter()
    modules.load_state_dict(before)
    for parameter in modules.parameters():
        parameter.grad = None
    return made - start, end - made


def synchronise(device: Any) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
