"""Checkpoints: what `knuckle train` saves, and operations on saved weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from knuckle.errors import InputError, SinkError

MAY_CHANGE = ("minutes", "workers", "device", "save_every", "log_every", "evaluate_every")  # when a run is resumed
# The part of a configuration that describes the network.
DESCRIPTION = ("task", "network", "shape", "hidden", "presence_hidden", "inner", "side", "points")
OLD_TASKS = {"landmarks": "hand"}  # names of version 0.1


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint: network, average, optimiser, step, seconds, and config as JSON text.

    Raises:
        InputError: the file is not a checkpoint.
    """
    try:
        saved: dict[str, Any] = dict(torch.load(path, map_location="cpu", weights_only=True))
        missing = {"network", "average", "optimiser", "step", "seconds", "config"} - set(saved)
    except Exception as error:  # pickle, zipfile and torch raise errors without a common class
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} is not a checkpoint of knuckle train: {reason}") from error
    if missing:
        raise InputError(f"{path} is not a checkpoint of knuckle train: it lacks {', '.join(sorted(missing))}")
    return saved


def restored(path: Path, make: Callable[[dict[str, Any]], nn.Module]) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a checkpoint with its averaged weights, ready to run, and the configuration of the run.

    Args:
        make: configuration -> the network with any weights.

    Raises:
        InputError: the file is not a checkpoint, or not of such a network.
    """
    saved = read_checkpoint(path)
    config = json.loads(saved["config"])
    config["task"] = task_of(config)
    network = make(config)
    try:
        network.load_state_dict(saved["average"])
    except RuntimeError as error:
        raise InputError(f"{path}: its weights do not fit the network that its configuration describes") from error
    return network.eval(), config


def task_of(config: dict[str, Any]) -> str:
    """ "hand" or "palm", also for checkpoints of version 0.1."""
    task = str(config.get("task"))
    return OLD_TASKS.get(task, task)


def resume_config(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a configuration that decides the weights, flattened. It must be equal to resume a run."""
    plain: dict[str, Any] = json.loads(json.dumps(config))
    loop = plain.pop("loop")
    plain.pop("check", None)  # what is evaluated on changes no weight
    plain.setdefault("hold_out", 0.0)
    plain.pop("held_out", None)  # it follows from the others
    loop.setdefault("patience", 0)  # the first runs had none
    if "task" in plain:
        plain["task"] = task_of(plain)
    if "teacher" not in plain:  # then its weight has no effect; the first runs had none in their configuration
        plain.get("weights", {}).pop("teacher", None)
    return plain | {name: value for name, value in loop.items() if name not in MAY_CHANGE}


def write_weights(network: nn.Module, config: dict[str, Any], path: Path) -> None:
    """Write a checkpoint to start training from: weights only, matrices and filters as float16.

    Of the configuration it keeps what describes the network. The rest names folders of whoever trained it.

    Raises:
        SinkError: the file cannot be written.
    """
    state = network.state_dict()
    half = {key: value.half() if value.ndim > 1 else value for key, value in state.items()}
    nothing: dict[str, Any] = {"network": {}, "optimiser": {}, "step": 0, "seconds": 0.0}
    description = {key: config[key] for key in DESCRIPTION if key in config}
    try:
        torch.save(nothing | {"average": half, "config": json.dumps(description)}, path)
    except (OSError, RuntimeError) as error:
        raise SinkError(f"{path} cannot be written: {error}") from error


def average_checkpoints(paths: Sequence[Path], out: Path) -> None:
    """Write the mean of the averaged weights of several runs that started from one another.

    Such weights lie in the same valley of the loss, and their mean generalises better than each of them (Wortsman et
    al. 2022, "Model soups", arXiv 2203.05482). Everything else is taken from the last checkpoint.

    Raises:
        InputError: a file is not a checkpoint, or the networks differ.
    """
    saved = [read_checkpoint(path) for path in paths]
    mean = saved[-1]["average"]
    for path, each in zip(paths, saved, strict=True):
        if {name: value.shape for name, value in each["average"].items()} != {k: v.shape for k, v in mean.items()}:
            raise InputError(f"{path} and {paths[-1]} hold different networks, which cannot be averaged")
    for name, value in mean.items():
        if value.is_floating_point():
            mean[name] = torch.stack([each["average"][name] for each in saved]).mean(dim=0)
    torch.save(saved[-1], out)


def shift_biases(path: Path, names: Callable[[str], bool], by: float, out: Path) -> None:
    """Write a copy of a checkpoint with `by` subtracted from some biases of its averaged weights.

    Args:
        names: which parameters to change, by name.

    Raises:
        InputError: the file is not a checkpoint, or has no such parameter.
    """
    saved = read_checkpoint(path)
    chosen = [name for name in saved["average"] if names(name)]
    if not chosen:
        raise InputError(f"{path} has none of the biases to change; it belongs to another network")
    for name in chosen:
        saved["average"][name] -= by
    torch.save(saved, out)
