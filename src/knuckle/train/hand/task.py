"""Training of landmark networks: which network, which losses, how it is judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from knuckle.errors import InputError
from knuckle.models import catalogue
from knuckle.results import FloatArray
from knuckle.train import checkpoint, losses
from knuckle.train.augment import Look
from knuckle.train.hand.data import TIPS, HandCrops, Source
from knuckle.train.loop import Batch, LoopOptions, Task
from knuckle.train.nets.hand_net import HandNet, HandNetShape
from knuckle.train.nets.reference_hand import FULL, LITE, ReferenceHandNet, load_reference_hand
from knuckle.train.teacher import Teacher

REFERENCES = {"mediapipe": FULL, "mediapipe-lite": LITE}
BIN_SIGMA = 1.5  # standard deviation of the target distribution, in bins


@dataclass(frozen=True)
class LossWeights:
    """How much each term counts; terms that a network has no output for are left out.

    Attributes:
        bins: weight of the distributions of x and y.
        maps: weight of the maps of the joints.
        landmarks: weight of the landmarks' error in the image.
        likelihood: weight of how well the network tells its own error.
        depth: weight of the landmarks' z.
        world: weight of the world landmarks' error.
        bones: weight of the bones' lengths.
        presence: weight of "is there a hand".
        handedness: weight of left or right.
        visibility: weight of which landmarks can be seen.
        teacher: weight of what a teacher's features tell, with --teacher.
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


def hand_losses(
    network: nn.Module, batch: Batch, weights: LossWeights = LossWeights(), teacher: Teacher | None = None
) -> dict[str, Tensor]:
    """The terms of the landmark network's loss, weighted."""
    picture = batch["picture"].to(memory_format=torch.channels_last).float() / 255
    out = network(picture, train_outputs=True)
    taught = {} if teacher is None else {"teacher": weights.teacher * teacher.loss(picture, out)}
    out = {name: value.float() for name, value in out.items() if not name.startswith("features")}
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
    net = network.module if hasattr(network, "module") else network
    if "map_logits" in out:
        assert isinstance(net, HandNet)
        terms["maps"] = weights.maps * losses.map_cross_entropy(out["map_logits"], true[..., :2], weight, net.ticks)
    if "x_logits" in out:
        assert isinstance(net, HandNet)
        sigma = BIN_SIGMA * net.shape.bin_px
        along = (
            losses.bins_cross_entropy(out[f"{axis}_logits"], true[..., k], weight, net.centres, sigma)
            for k, axis in enumerate("xy")
        )
        terms["bins"] = weights.bins * torch.stack(list(along)).sum()
    return terms | taught


def new_network(config: dict[str, Any]) -> nn.Module:
    """The network that a run's config describes, without its weights.

    Raises:
        InputError: it is no landmark network's.
    """
    name = str(config.get("network"))
    try:
        if name == "knuckle":
            shape: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config["shape"].items()}
            return HandNet(HandNetShape(**shape))
        return ReferenceHandNet(REFERENCES[name], config.get("hidden", 0))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"this is no landmark network of knuckle train: {name!r} ({error})") from error


def start_network(init: str, shape: HandNetShape) -> tuple[nn.Module, dict[str, Any]]:
    """What `--init` names, and its config.

    Args:
        init: "new", a checkpoint FILE.pt, or a bundle: its own HAND.pt beside the network where there is one (what
            `knuckle export` writes), else the reference's network that it holds.
        shape: of a new network.

    Raises:
        InputError, BundleError: it is none of these.
    """
    if init == "new":
        return HandNet(shape), {"network": "knuckle", "shape": dataclasses.asdict(shape), "init": init}
    path = Path(init)
    if path.suffix != ".pt":
        bundle = catalogue.find(init)
        path = bundle.hand_path.with_suffix(".pt")
        if not path.is_file():
            reference = load_reference_hand(bundle.hand_path)
            return reference, {**config_of(reference), "init": init}
    network, config = load_network(path)
    return network, {**{k: config[k] for k in ("network", "shape", "hidden") if k in config}, "init": init}


def config_of(network: ReferenceHandNet) -> dict[str, Any]:
    """What `new_network` needs to make a reference network again."""
    name = next(name for name, blocks in REFERENCES.items() if blocks[-1][1] == network.world.in_features)
    head = network.visibility
    return {"network": name} | ({} if head is None else {"hidden": head[0].out_features})


def load_network(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a checkpoint with its averaged weights, and the run's config.

    Raises:
        InputError: it is no checkpoint of a landmark network.
    """
    return checkpoint.restored(path, new_network)


def landmark_task(
    init: str,
    data: Sequence[str],
    check: str | None,
    shape: HandNetShape,
    options: LoopOptions,
    weights: LossWeights = LossWeights(),
    look: float = 1.0,
    teacher: str | None = None,
    teacher_share: float = 0.25,
) -> Task:
    """All that `loop.train` needs to train a landmark network.

    Args:
        init: see `start_network`.
        data: datasets with weights, see `Source.read`.
        check: a dataset to judge by while training, or None.
        teacher, teacher_share: a bundle with MediaPipe's network to learn features from; see `Teacher`.
    """
    network, config = start_network(init, shape)
    side = int(getattr(network, "side"))  # noqa: B009  of nn.Module
    sources = [Source.read(text) for text in data]
    config |= {"task": "landmarks", "data": list(data), "weights": dataclasses.asdict(weights), "look": look}
    judge = None if check is None else Judge(Source.read(check), side)
    samples = HandCrops(sources, side, options.seed, look=Look(look))
    if teacher is None:
        return Task(network, samples, lambda net, batch: hand_losses(net, batch, weights), judge, config)
    taught = Teacher(load_reference_hand(catalogue.find(teacher).hand_path), network, teacher_share)
    config |= {"teacher": teacher, "teacher_share": teacher_share}
    return Task(
        network, samples, lambda net, batch: hand_losses(net, batch, weights, taught), judge, config, taught.adapters
    )


@dataclass(frozen=True, eq=False)
class Judge:
    """Figures on crops of a dataset that are cut plainly from the true landmarks, spread evenly over it."""

    source: Source
    side: int
    count: int = 1024
    batch: int = 32

    def __call__(self, network: nn.Module) -> dict[str, float]:
        crops = HandCrops([self.source], self.side, augmented=False)
        there = len(self.source.shots)
        numbers = np.unique(np.linspace(0, there - 1, min(self.count, there)).astype(int)).tolist()
        device = next(network.parameters()).device
        rows: list[dict[str, float]] = []
        seen, shown = [], []
        for start in range(0, len(numbers), self.batch):
            samples = [crops(number) for number in numbers[start : start + self.batch]]
            pictures = torch.from_numpy(np.stack([sample["picture"] for sample in samples])).to(device).float() / 255
            with torch.no_grad():
                out = {name: value.float().cpu().numpy() for name, value in network(pictures).items()}
            for place, sample in enumerate(samples):
                rows.append(figures_of({name: values[place] for name, values in out.items()}, sample))
                if "visibility" in out:
                    known = sample["visibility_weight"] > 0
                    seen.append(out["visibility"][place][known])
                    shown.append(sample["visibility"][known])
        figures = {name: _mean([row[name] for row in rows], name) for name in rows[0]}
        return figures | ({"visibility_auroc": auroc(np.concatenate(seen), np.concatenate(shown))} if seen else {})


def _mean(values: list[float], name: str) -> float:
    """The median of errors, the mean of shares; NaN where nothing is labelled."""
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return float("nan")
    return float(np.median(known) if name in ("error", "tips") else np.mean(known))


def auroc(scores: FloatArray, true: FloatArray) -> float:
    """The probability that a positive scores higher than a negative (ties count half); NaN without both kinds."""
    positive, negative = np.sort(scores[true > 0.5]), np.sort(scores[true <= 0.5])
    if not len(positive) or not len(negative):
        return float("nan")
    lower = np.searchsorted(negative, positive, "left").sum()
    ties = np.searchsorted(negative, positive, "right").sum() - lower
    return float((lower + ties / 2) / (len(positive) * len(negative)))


def figures_of(out: dict[str, Any], sample: dict[str, Any]) -> dict[str, float]:
    """One crop's figures: error and that of finger tips (% of palm), presence and handedness right, world (mm)."""
    distance = np.hypot(*(out["landmarks"].reshape(21, 3)[:, :2] - sample["landmarks"][:, :2]).T)
    known = sample["landmark_weight"] > 0
    percent = 100 * distance / sample["palm_size"][0]
    tips = known & np.isin(np.arange(21), TIPS)
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
