"""What `knuckle train` saves, read again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from knuckle.errors import InputError

FREE = ("minutes", "workers", "device", "save_every", "log_every", "evaluate_every")  # may differ when resuming


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What `train` saved: network, average, optimiser, step, seconds, and config as JSON.

    Raises:
        InputError: it is no such file.
    """
    try:
        saved: dict[str, Any] = dict(torch.load(path, map_location="cpu", weights_only=True))
        missing = {"network", "average", "optimiser", "step", "seconds", "config"} - set(saved)
    except Exception as error:  # pickle, zip and torch have no common class of errors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} is not a checkpoint of knuckle train: {reason}") from error
    if missing:
        raise InputError(f"{path} is not a checkpoint of knuckle train: it lacks {', '.join(sorted(missing))}")
    return saved


def restored(path: Path, make: Callable[[dict[str, Any]], nn.Module]) -> tuple[nn.Module, dict[str, Any]]:
    """A checkpoint's network with its averaged weights, ready to run, and the run's config.

    Args:
        make: config -> the network without its weights.

    Raises:
        InputError: it is no checkpoint, or not of such a network.
    """
    saved = read_checkpoint(path)
    config = json.loads(saved["config"])
    network = make(config)
    try:
        network.load_state_dict(saved["average"])
    except RuntimeError as error:
        raise InputError(f"{path}: its weights are not those of the network that it names") from error
    return network.eval(), config


def decides(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a run's configuration that decides its weights, flat: what must be the same to resume it."""
    plain: dict[str, Any] = json.loads(json.dumps(config))
    loop = plain.pop("loop")
    if "teacher" not in plain:  # without one its weight decides nothing; runs from before there were any have none
        plain.get("weights", {}).pop("teacher", None)
    return plain | {name: value for name, value in loop.items() if name not in FREE}
