"""Several processes that train one network together (torchrun). In a single process every function here is trivial."""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
from torch import Tensor, nn


def rank() -> int:
    """The number of this process; process 0 writes logs and checkpoints."""
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    """The number of processes."""
    return int(os.environ.get("WORLD_SIZE", 1))


def start(device: torch.device) -> None:
    """Connect to the other processes."""
    if world_size() > 1:
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")


def leave() -> None:
    """Wait for the other processes and disconnect."""
    if world_size() > 1:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def group_size() -> int:
    """The number of connected processes; 1 outside a training loop."""
    available = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if available else 1


def sum_of(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes; no gradient flows through it."""
    total = value.detach().clone()
    if group_size() > 1:
        torch.distributed.all_reduce(total)
    return total


def mean_of(value: Tensor) -> Tensor:
    """The mean of a tensor over all processes; no gradient flows through it."""
    return sum_of(value) / group_size()


def any_of(condition: bool, device: torch.device) -> bool:
    """Whether the condition holds in any process. All processes must leave the training loop at the same step."""
    return bool(sum_of(torch.tensor(float(condition), device=device)) > 0) if group_size() > 1 else condition


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace the gradients of layers outside `DistributedDataParallel` by their mean over all processes."""
    if group_size() > 1:
        for parameter in parameters:
            assert parameter.grad is not None
            parameter.grad = mean_of(parameter.grad)
