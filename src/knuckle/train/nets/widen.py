"""Landmark networks for other points: weights of points that stay are kept, new points start as their parents."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from knuckle.errors import InputError
from knuckle.results import PointSet
from knuckle.train.nets.hand_net import HandNet
from knuckle.train.nets.reference_hand import FurtherPoints, ReferenceHandNet


def sources_of(old: PointSet, new: PointSet) -> list[int]:
    """For each point of the new set the row of the old network that it starts as: its own, or its parent's."""
    parents = {one.name: one.parent for one in new.extra}
    rows = []
    for name in new.names:
        while name not in old.names:  # a point of the 21 that the old network lacks starts as its stand-in
            name = parents.get(name) or old.standing_for(name)
        rows.append(old.names.index(name))
    return rows


def with_points(network: HandNet | ReferenceHandNet, old: PointSet, new: PointSet) -> HandNet | ReferenceHandNet:
    """A copy of a network that gives other points. The points that both sets have are the same as before.

    Args:
        old, new: the points of the network and of the copy.

    Raises:
        InputError: MediaPipe's network or knuckle already has points beyond the 21.
    """
    sources = sources_of(old, new)
    with torch.no_grad():
        if isinstance(network, HandNet):
            return _hand_net(network, sources, [name in old.names for name in new.names])
        return _reference(network, sources, len(new.standard))


def _reference(network: ReferenceHandNet, sources: Sequence[int], own: int) -> ReferenceHandNet:
    """The copy of MediaPipe's network; the first `own` points are of the 21."""
    if network.further is not None:
        raise InputError("this network already has points beyond the 21; start from one that has none, such as knuckle")
    made = copy.deepcopy(network)
    hidden = network.visibility[0].out_features if network.visibility is not None else 0
    if len(sources) > own:
        made.further = FurtherPoints(network.world.in_features, int(hidden), len(sources) - own)  # type: ignore[arg-type]
    for name, each in (("landmarks", 3), ("world", 3), ("visibility", 1)):
        head: nn.Module | None = getattr(network, name)
        if head is not None:
            rows = _rows(sources, each)
            setattr(made, name, _chosen(head, rows[: each * own]))
            if made.further is not None:
                setattr(made.further, name, _chosen(head, rows[each * own :]))
    return made


def _chosen(head: nn.Module, rows: Tensor) -> nn.Module:
    """A copy of a head with some of its outputs."""
    made = copy.deepcopy(head)
    last = made[-1] if isinstance(made, nn.Sequential) else made
    assert isinstance(last, nn.Linear)
    last.weight, last.bias = nn.Parameter(last.weight[rows].clone()), nn.Parameter(last.bias[rows].clone())
    last.out_features = len(rows)
    return made


def _rows(sources: Sequence[int], each: int) -> Tensor:
    """The rows of a layer with `each` outputs per point."""
    return (torch.tensor(sources)[:, None] * each + torch.arange(each)).flatten()


def _hand_net(network: HandNet, sources: Sequence[int], known: Sequence[bool]) -> HandNet:
    """The copy of our network. New tokens do not change the others until they are trained."""
    made = HandNet(replace(network.shape, point_count=len(sources)))
    state = network.state_dict()
    rows = torch.tensor(sources)
    for name in ("maps.weight", "maps.bias", "mixer.joints.2.weight", "mixer.joints.2.bias"):
        state[name] = state[name][rows]
    for name in ("whole.weight", "whole.bias"):
        state[name] = state[name][_rows(sources, network.shape.token)]
    state["mixer.joints.0.weight"] = state["mixer.joints.0.weight"][:, rows] * torch.tensor(known).float()
    made.load_state_dict(state)
    return made
