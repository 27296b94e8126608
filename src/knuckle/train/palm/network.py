"""Palm detectors to train: new ones, those of checkpoints, those of bundles."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from torch import nn

from knuckle.errors import InputError
from knuckle.models import catalogue
from knuckle.train import checkpoint
from knuckle.train.nets.palm_net import PalmNet, PalmNetShape
from knuckle.train.nets.reference_palm import ReferencePalmNet, load_reference_palm
from knuckle.train.palm.targets import AnchorGrid
from knuckle.train.teacher import input_side

REFERENCES = {"mediapipe": 4, "mediapipe-lite": 3}  # residual blocks per stage


def new_palm_network(config: dict[str, Any]) -> nn.Module:
    """The network that the configuration of a run describes, with random weights.

    Raises:
        InputError: the configuration does not describe a palm network.
    """
    name = str(config.get("network"))
    try:
        if config["task"] != "palm":
            raise KeyError(f"a network of {config['task']}")
        if name == "knuckle":
            shape: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config["shape"].items()}
            return PalmNet(PalmNetShape(**shape))
        return ReferencePalmNet(REFERENCES[name])
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"this is not a palm network of knuckle train: {name!r} ({error})") from error


def load_palm_network(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a checkpoint with its averaged weights, and the configuration of the run.

    Raises:
        InputError: the file is not a checkpoint of a palm network.
    """
    return checkpoint.restored(path, new_palm_network)


def start_palm_network(init: str, shape: PalmNetShape, side: int | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """The network that `--init` names, and its description for the configuration.

    Args:
        init: "new", a checkpoint FILE.pt, or a bundle. A bundle's own `palm.pt` (from `knuckle export`) is used if
            there is one, else MediaPipe's network is read from its tflite file.
        shape: of a new network.
        side: input side, pixels, if an existing network should take larger or smaller pictures.

    Raises:
        InputError, BundleError: it is none of these, or cannot take this side.
    """
    if init == "new":
        return PalmNet(shape), {"network": "knuckle", "shape": dataclasses.asdict(shape), "init": init}
    path = Path(init)
    if path.suffix != ".pt":
        bundle = catalogue.find(init)
        path = bundle.palm_path.with_suffix(".pt")
        if not path.is_file():
            reference = load_reference_palm(bundle.palm_path)
            return resized(reference, side), {**describe_reference(reference), "init": init}
    network, config = load_palm_network(path)
    network = resized(network, side)
    shaped = {"shape": dataclasses.asdict(network.shape)} if isinstance(network, PalmNet) else {}
    return network, {"network": config["network"], **shaped, "init": init}


def describe_reference(network: ReferencePalmNet) -> dict[str, Any]:
    """What `new_palm_network` needs to create a reference network again."""
    return {"network": next(name for name, depth in REFERENCES.items() if depth == network.depth)}


def resized(network: nn.Module, side: int | None) -> nn.Module:
    """The network for an input of another side; None keeps its own.

    Raises:
        InputError: it is MediaPipe's, whose anchors are fixed for 192 px.
    """
    if side is None or side == input_side(network):
        return network
    if not isinstance(network, PalmNet):
        raise InputError(f"MediaPipe's palm network takes 192 px; --side {side} needs one of ours")
    return network.resized(side)


def grid_of(network: nn.Module) -> AnchorGrid:
    """The anchors of a palm network."""
    strides, spans = (getattr(network, name) for name in ("strides", "spans"))
    return AnchorGrid(input_side(network), strides, spans)
