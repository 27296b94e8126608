"""The loss of the landmark network: its terms and their weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from knuckle.results import HAND_POINTS, PointSet
from knuckle.train import losses
from knuckle.train.loop import Batch
from knuckle.train.nets.hand_net import HandNet
from knuckle.train.teacher import Teacher

BIN_SIGMA = 1.5  # standard deviation of the target distribution, in bins


@dataclass(frozen=True)
class HandLossWeights:
    """The weight of each loss term. Terms for which a network has no output are left out.

    Attributes:
        bins: weight of the distributions of x and y.
        maps: weight of the heatmaps of the joints.
        landmarks: weight of the landmark error in the image.
        likelihood: weight of the likelihood of the error that the network predicts for itself.
        depth: weight of the error of the landmarks' z.
        world: weight of the error of the world landmarks.
        bones: weight of the error of the bone lengths.
        presence: weight of whether there is a hand.
        handedness: weight of left or right.
        visibility: weight of which landmarks are visible.
        teacher: weight of the teacher's features, with --teacher.
        steady: weight of how much the landmark error changes when a crop moves a little, with --pairs.
    """

    bins: float = 0.25
    maps: float = 0.25
    landmarks: float = 1.0
    likelihood: float = 0.2
    depth: float = 0.3
    world: float = 0.3
    bones: float = 0.3
    presence: float = 0.5
    handedness: float = 0.3
    visibility: float = 0.3
    teacher: float = 0.5
    steady: float = 0.4


def hand_losses(
    network: nn.Module,
    batch: Batch,
    weights: HandLossWeights = HandLossWeights(),
    teacher: Teacher | None = None,
    points: PointSet = HAND_POINTS,
) -> dict[str, Tensor]:
    """The weighted terms of the landmark network's loss.

    Args:
        network: may be wrapped in `DistributedDataParallel`.
        batch: samples of `HandCrops`, stacked.
        points: the points of both.
    """
    picture = batch["picture"].to(memory_format=torch.channels_last).float() / 255
    out = network(picture, train_outputs=True)
    distilled = {} if teacher is None else {"teacher": weights.teacher * teacher.loss(picture, out)}
    out = {name: value.float() for name, value in out.items() if not name.startswith("features")}
    predicted, true = out["landmarks"].reshape(-1, len(points), 3), batch["landmarks"]
    unit, weight = batch["palm_size"][:, 0], batch["landmark_weight"]
    world, world_weight = out["world"].reshape(-1, len(points), 3), batch["world_weight"]
    terms = {
        "landmarks": weights.landmarks * losses.landmark_l1(predicted[..., :2], true[..., :2], weight, unit),
        "depth": weights.depth * losses.landmark_l1(predicted[..., 2:], true[..., 2:], batch["z_weight"], unit),
        "world": weights.world * losses.world_l1(world, batch["world"], world_weight),
        "bones": weights.bones * losses.bone_length(world, batch["world"], world_weight, points.bones),
    }
    if "repeats" in batch:
        error = predicted[..., :2] - true[..., :2]
        terms["steady"] = weights.steady * losses.unsteadiness(error, weight, batch["repeats"], unit)
    for name in ("presence", "handedness", "visibility"):
        if f"{name}_logit" in out:
            term = losses.binary_cross_entropy(out[f"{name}_logit"], batch[name], batch[f"{name}_weight"])
            terms[name] = getattr(weights, name) * term
    if "log_sigma" in out:
        term = losses.landmark_nll(predicted[..., :2], true[..., :2], out["log_sigma"], weight, unit)
        terms["likelihood"] = weights.likelihood * term
    net = network.module if hasattr(network, "module") else network
    if "map_logits" in out:
        assert isinstance(net, HandNet)
        terms["maps"] = weights.maps * losses.map_cross_entropy(out["map_logits"], true[..., :2], weight, net.ticks)
    if "x_logits" in out:
        assert isinstance(net, HandNet)
        sigma = BIN_SIGMA * net.shape.bin_px
        x = losses.bins_cross_entropy(out["x_logits"], true[..., 0], weight, net.centres, sigma)
        y = losses.bins_cross_entropy(out["y_logits"], true[..., 1], weight, net.centres, sigma)
        terms["bins"] = weights.bins * (x + y)
    return terms | distilled
