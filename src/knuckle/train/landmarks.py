"""Training of landmark networks: which network, which losses, how it is judged."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from knuckle import zoo
from knuckle.errors import InputError
from knuckle.train import losses
from knuckle.train.augment import Look
from knuckle.train.data import HandCrops, Source
from knuckle.train.loop import Batch, LoopOptions, Task
from knuckle.train.nets.hand_net import HandNet, HandNetShape
from knuckle.train.nets.reference_hand import FULL, LITE, ReferenceHandNet, load_reference_hand

BIN_SIGMA = 1.5  # standard deviation of the target distribution, in bins


@dataclass(frozen=True)
class LossWeights:
    """How much each term counts; terms that a network has no output for are left out."""

    bins: float = 0.25
    landmarks: float = 1.0
    likelihood: float = 0.2
    depth: float = 0.3
    world: float = 0.3
    bones: float = 0.3
    presence: float = 0.5
    handedness: float = 0.3
    visibility: float = 0.3


def hand_losses(network: nn.Module, batch: Batch, weights: LossWeights = LossWeights()) -> dict[str, Tensor]:
    """The terms of the landmark network's loss, weighted."""
    out = network(batch["picture"].to(memory_format=torch.channels_last).float() / 255, train_outputs=True)
    out = {name: value.float() for name, value in out.items()}
    seen, true = out["landmarks"].reshape(-1, 21, 3), batch["landmarks"]
    unit, weight = batch["palm_size"][:, 0], batch["landmark_weight"]
    world, world_weight = out["world"].reshape(-1, 21, 3), batch["world_weight"][:, 0]
    terms = {
        "landmarks": weights.landmarks * losses.landmark_l1(seen[..., :2], true[..., :2], weight, unit),
        "depth": weights.depth * losses.landmark_l1(seen[..., 2:], true[..., 2:], batch["z_weight"], unit),
        "world": weights.world * losses.world_l1(world, batch["world"], world_weight),
        "bones": weights.bones * losses.bone_length(world, batch["world"], world_weight),
    }
    for name in ("presence", "handedness", "visibility"):
        if f"{name}_logit" in out:
            term = losses.binary_cross_entropy(out[f"{name}_logit"], batch[name], batch[f"{name}_weight"])
            terms[name] = getattr(weights, name) * term
    if "log_sigma" in out:
        term = losses.landmark_nll(seen[..., :2], true[..., :2], out["log_sigma"], weight, unit)
        terms["likelihood"] = weights.likelihood * term
    if "x_logits" in out:
        net = network.module if hasattr(network, "module") else network
        assert isinstance(net, HandNet)
        sigma = BIN_SIGMA * net.shape.bin_px
        along = (
            losses.bins_cross_entropy(out[f"{axis}_logits"], true[..., k], weight, net.centres, sigma)
            for k, axis in enumerate("xy")
        )
        terms["bins"] = weights.bins * torch.stack(list(along)).sum()
    return terms


def new_network(config: dict[str, Any]) -> nn.Module:
    """The network that a run's config describes, without its weights."""
    if config["network"] == "knuckle":
        shape: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config["shape"].items()}
        return HandNet(HandNetShape(**shape))
    return ReferenceHandNet({"mediapipe": FULL, "mediapipe-lite": LITE}[config["network"]])


def start_network(init: str, shape: HandNetShape) -> tuple[nn.Module, dict[str, Any]]:
    """What `--init` names, and its config: "new", a bundle with the reference's networks, or a checkpoint.

    Raises:
        InputError, BundleError: it is none of these.
    """
    if init == "new":
        return HandNet(shape), {"network": "knuckle", "shape": dataclasses.asdict(shape), "init": init}
    path = Path(init)
    if path.suffix == ".pt":
        return _from_checkpoint(path)
    bundle = zoo.find(init)
    network = load_reference_hand(bundle.hand_path)
    name = "mediapipe-lite" if network.world.in_features == 672 else "mediapipe"
    return network, {"network": name, "init": init}


def _from_checkpoint(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    config, weights = read_checkpoint(path)
    network = new_network(config)
    network.load_state_dict(weights)
    return network, {**{k: config[k] for k in ("network", "shape") if k in config}, "init": str(path)}


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config and averaged weights of a checkpoint.

    Raises:
        InputError: it is none.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        return json.loads(saved["config"]), saved["average"]
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, EOFError) as error:
        raise InputError(f"{path} is not a checkpoint of knuckle train: {error}") from error
    except Exception as error:  # pickle's own errors have no common class
        raise InputError(f"{path} is not a checkpoint of knuckle train: {error}") from error


def landmark_task(
    init: str,
    data: Sequence[str],
    check: str | None,
    shape: HandNetShape,
    options: LoopOptions,
    weights: LossWeights = LossWeights(),
    look: float = 1.0,
) -> Task:
    """All that `loop.train` needs to train a landmark network.

    Args:
        init: see `start_network`.
        data: datasets with weights, see `Source.read`.
        check: a dataset to judge by while training, or None.
    """
    network, config = start_network(init, shape)
    side = int(getattr(network, "side"))  # noqa: B009  of nn.Module
    sources = [Source.read(text) for text in data]
    config |= {"task": "landmarks", "data": list(data), "weights": dataclasses.asdict(weights), "look": look}
    judge = None if check is None else _Judge(Source.read(check), side)
    samples = HandCrops(sources, side, options.seed, look=Look(look))
    return Task(network, samples, lambda net, batch: hand_losses(net, batch, weights), judge, config)


@dataclass(frozen=True, eq=False)
class _Judge:
    """Figures on the first crops of a dataset, cut plainly from the true landmarks."""

    source: Source
    side: int
    count: int = 1024

    def __call__(self, network: nn.Module) -> dict[str, float]:
        crops = HandCrops([self.source], self.side, augmented=False)
        numbers = range(min(self.count, len(self.source.shots)))
        device = next(network.parameters()).device
        rows: list[dict[str, Any]] = []
        for number in numbers:
            sample = crops(number)
            with torch.no_grad():
                picture = torch.from_numpy(sample["picture"])[None].to(device).float() / 255
                out = {name: value[0].float().cpu().numpy() for name, value in network(picture).items()}
            rows.append(figures_of(out, sample))
        return {name: float(np.nanmedian([row[name] for row in rows])) for name in ("error", "tips")} | {
            name: float(np.nanmean([row[name] for row in rows])) for name in ("presence", "handedness", "world_mm")
        }


def figures_of(out: dict[str, Any], sample: dict[str, Any]) -> dict[str, float]:
    """One crop's figures: error and that of finger tips (% of palm), presence and handedness right, world (mm)."""
    distance = np.hypot(*(out["landmarks"].reshape(21, 3)[:, :2] - sample["landmarks"][:, :2]).T)
    known = sample["landmark_weight"] > 0
    percent = 100 * distance / sample["palm_size"][0]
    tips = known & np.isin(np.arange(21), (4, 8, 12, 16, 20))
    world = np.linalg.norm(out["world"].reshape(21, 3) - sample["world"], axis=1)
    return {
        "error": float(percent[known].mean()) if known.any() else np.nan,
        "tips": float(percent[tips].mean()) if tips.any() else np.nan,
        "presence": _right(out["presence"], sample, "presence"),
        "handedness": _right(out["handedness"], sample, "handedness"),
        "world_mm": float(1000 * world.mean()) if sample["world_weight"][0] > 0 else np.nan,
    }


def _right(seen: Any, sample: dict[str, Any], name: str) -> float:
    if sample[f"{name}_weight"][0] == 0:
        return np.nan
    return float((seen[0] > 0.5) == (sample[name][0] > 0.5))
