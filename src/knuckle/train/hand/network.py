"""Landmark networks to train: new ones, those of checkpoints, those of bundles."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from torch import nn

from knuckle.errors import InputError
from knuckle.models import catalogue
from knuckle.results import HAND_POINTS, PointSet
from knuckle.train import checkpoint
from knuckle.train.nets.hand_net import HandNet, HandNetShape
from knuckle.train.nets.reference_hand import FULL, LITE, SIDE, ReferenceHandNet, inner_of, load_reference_hand
from knuckle.train.nets.widen import with_points

REFERENCES = {"mediapipe": FULL, "mediapipe-lite": LITE}


def new_hand_network(config: dict[str, Any]) -> nn.Module:
    """The network that the configuration of a run describes, with random weights.

    Raises:
        InputError: the configuration does not describe a landmark network.
    """
    name = str(config.get("network"))
    try:
        if name == "knuckle":
            shape: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config["shape"].items()}
            return HandNet(HandNetShape(**shape))
        points = points_of(config)
        return ReferenceHandNet(
            REFERENCES[name],
            config.get("hidden", 0),
            config.get("side", SIDE),
            config.get("presence_hidden", 0),
            (len(points.standard), len(points.extra)),
            tuple(config["inner"]) if "inner" in config else None,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"this is not a landmark network of knuckle train: {name!r} ({error})") from error


def points_of(config: dict[str, Any]) -> PointSet:
    """The points of the network that a configuration describes.

    Raises:
        InputError: it describes no set of points.
    """
    return HAND_POINTS if config.get("points") is None else PointSet.from_dict(config["points"])


def load_hand_network(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a checkpoint with its averaged weights, and the configuration of the run.

    Raises:
        InputError: the file is not a checkpoint of a landmark network.
    """
    return checkpoint.restored(path, new_hand_network)


def start_hand_network(
    init: str, shape: HandNetShape, side: int | None = None, points: PointSet | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """The network that `--init` names, and its description for the configuration.

    Args:
        init: "new", a checkpoint FILE.pt, or a bundle. A bundle's own `hand.pt` (from `knuckle export`) is used if
            there is one, else MediaPipe's network is read from its tflite file.
        shape: of a new network.
        side: input side, pixels, if an existing network should take larger or smaller crops.

    Raises:
        InputError, BundleError: it is none of these, or cannot take this side.
    """
    if init == "new":
        return HandNet(shape), {"network": "knuckle", "shape": dataclasses.asdict(shape), "init": init}
    path = Path(init)
    if path.suffix != ".pt":
        stored = catalogue.find(init).hand_path
        path = stored.with_suffix(".pt") if stored.with_suffix(".pt").is_file() else stored
    network, config = load_hand_network(path) if path.suffix == ".pt" else (load_reference_hand(path), {})
    assert isinstance(network, HandNet | ReferenceHandNet)
    given = points_of(config)
    if side is not None and side != network.side:
        network = network.resized(side)
    if points is not None and points.names != given.names:
        network = with_points(network, given, points)
    return network, {**describe(network), **named_points(points or given), "init": init}


def named_points(points: PointSet) -> dict[str, Any]:
    """The part of a configuration that names the points of a network; nothing for the 21."""
    return {} if points.is_usual else {"points": points.to_dict()}


def describe(network: HandNet | ReferenceHandNet) -> dict[str, Any]:
    """What `new_hand_network` needs to create a network again."""
    if isinstance(network, HandNet):
        return {"network": "knuckle", "shape": dataclasses.asdict(network.shape)}
    name = next(name for name, blocks in REFERENCES.items() if blocks[-1][1] == network.world.in_features)
    head = network.visibility
    described: dict[str, Any] = {"network": name}
    described |= {} if head is None else {"hidden": head[0].out_features}
    if isinstance(network.presence, nn.Sequential):
        described["presence_hidden"] = network.presence[0].out_features
    if network.inner != inner_of(REFERENCES[name]):
        described["inner"] = list(network.inner)
    return described | ({} if network.side == SIDE else {"side": network.side})


def keep_all_but_further_points(network: nn.Module) -> None:
    """Freeze a network except for the layers of its points beyond the 21.

    Raises:
        InputError: no layers of their own give such points.
    """
    if not isinstance(network, ReferenceHandNet) or network.further is None:
        raise InputError(
            "--part points trains points beyond the 21 of MediaPipe's networks and of knuckle; see --points"
        )
    network.requires_grad_(False)
    network.further.requires_grad_(True)


def keep_all_but_landmarks(network: nn.Module) -> None:
    """Freeze a network except for the layer that gives its landmarks.

    Raises:
        InputError: its landmarks do not come from one layer.
    """
    if not isinstance(network, ReferenceHandNet):
        raise InputError("only in MediaPipe's networks and in knuckle one layer gives the landmarks; use --part all")
    network.requires_grad_(False)
    network.landmarks.requires_grad_(True)
