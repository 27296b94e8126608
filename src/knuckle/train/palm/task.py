"""Training of palm detectors: which network, which losses, how it is judged."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from knuckle import metrics
from knuckle.datasets import open_image
from knuckle.datasets.labels import LabelledHand, Shot
from knuckle.errors import InputError
from knuckle.geometry import letterbox
from knuckle.models import catalogue
from knuckle.pipeline.palm import PalmModel, decode_palms, suppress
from knuckle.results import FloatArray, Palm
from knuckle.synth.camera.labels import palm_of
from knuckle.train import losses
from knuckle.train.augment import Look
from knuckle.train.checkpoint import restored
from knuckle.train.loop import Batch, LoopOptions, Task
from knuckle.train.nets.palm_net import PalmNet, PalmNetShape
from knuckle.train.nets.reference_palm import ReferencePalmNet, load_reference_palm
from knuckle.train.palm.data import PalmPictures, PalmSource, is_labelled
from knuckle.train.palm.targets import AnchorGrid
from knuckle.train.teacher import Teacher

ScoreLoss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
SCORE_LOSSES: dict[str, ScoreLoss] = {"focal": losses.focal, "cross-entropy": losses.mined_cross_entropy}
REFERENCES = {"mediapipe": 4, "mediapipe-lite": 3}  # residuals per stage
SIZES = (0.04, 0.08, 0.16, 0.32, 0.8)  # hands as shares of the picture's longer side, between which figures are told
HAND_PER_PALM = 1.9  # longer side of a hand's box by that of its palm's square, where only the palm was seen
LEAST_SCORE, OPERATING_SCORE = 0.05, 0.5
FOUND_IOU = 0.5


@dataclass(frozen=True)
class PalmLossWeights:
    """How much each term counts.

    Attributes:
        score: weight of "is there a palm", over all anchors.
        box: weight of the palm's place and size.
        keypoints: weight of its seven key points.
        teacher: weight of what a teacher's features tell, with --teacher.
    """

    score: float = 1.0
    box: float = 1.0
    keypoints: float = 1.0
    teacher: float = 1.0


def palm_losses(
    network: nn.Module,
    batch: Batch,
    weights: PalmLossWeights = PalmLossWeights(),
    score_loss: str = "focal",
    teacher: Teacher | None = None,
) -> dict[str, torch.Tensor]:
    """The terms of the palm network's loss, weighted."""
    picture = batch["picture"].to(memory_format=torch.channels_last).float() / 255
    out = network(picture, train_outputs=True)
    boxes, scores = out["boxes"].float(), out["scores"].float()[..., 0]
    true, positive, unit = batch["values"], batch["score"] * batch["weight"], batch["unit"]
    terms = {
        "score": weights.score * SCORE_LOSSES[score_loss](scores, batch["score"], batch["weight"]),
        "box": weights.box * losses.box_loss(boxes[..., :4], true[..., :4], positive, unit),
        "keypoints": weights.keypoints * losses.keypoint_loss(boxes[..., 4:], true[..., 4:], positive, unit),
    }
    return terms if teacher is None else terms | {"teacher": weights.teacher * teacher.loss(picture, out)}


def grid_of(network: nn.Module) -> AnchorGrid:
    """The anchors of a palm network."""
    side, strides, spans = (getattr(network, name) for name in ("side", "strides", "spans"))
    return AnchorGrid(int(side), strides, spans)


def new_palm_network(config: dict[str, Any]) -> nn.Module:
    """The network that a run's config describes, without its weights.

    Raises:
        InputError: it is no palm network's.
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
        raise InputError(f"this is no palm network of knuckle train: {name!r} ({error})") from error


def load_palm_network(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a checkpoint with its averaged weights, and the run's config.

    Raises:
        InputError: it is no checkpoint of a palm network.
    """
    return restored(path, new_palm_network)


def start_palm_network(init: str, shape: PalmNetShape, side: int | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """What `--init` names, and its config.

    Args:
        init: "new", a checkpoint FILE.pt, or a bundle: its own palm.pt beside the network where there is one (what
            `knuckle export` writes), else the reference's network that it holds.
        shape: of a new network.
        side: the input of a network of ours that is there already, if another than it has.

    Raises:
        InputError, BundleError: it is none of these.
    """
    if init == "new":
        return PalmNet(shape), {"network": "knuckle", "shape": dataclasses.asdict(shape), "init": init}
    path = Path(init)
    if path.suffix != ".pt":
        bundle = catalogue.find(init)
        path = bundle.palm_path.with_suffix(".pt")
        if not path.is_file():
            network: nn.Module = load_reference_palm(bundle.palm_path)
            name = next(name for name, depth in REFERENCES.items() if depth == network.depth)
            return at_side(network, side), {"network": name, "init": init}
    network, config = load_palm_network(path)
    network = at_side(network, side)
    shaped = {"shape": dataclasses.asdict(network.shape)} if isinstance(network, PalmNet) else {}
    return network, {"network": config["network"], **shaped, "init": init}


def at_side(network: nn.Module, side: int | None) -> nn.Module:
    """The network with an input of that side.

    Raises:
        InputError: it is the reference's, whose anchors are made for 192 px.
    """
    if side in (None, getattr(network, "side")):  # noqa: B009  of nn.Module
        return network
    if not isinstance(network, PalmNet):
        raise InputError(f"MediaPipe's palm network takes 192 px; --side {side} needs one of ours")
    assert side is not None
    return network.resized(side)


def palm_task(
    init: str,
    data: Sequence[str],
    check: str | None,
    shape: PalmNetShape,
    options: LoopOptions,
    weights: PalmLossWeights = PalmLossWeights(),
    score_loss: str = "focal",
    look: float = 1.0,
    side: int | None = None,
    teacher: str | None = None,
    teacher_share: float = 0.25,
) -> Task:
    """All that `loop.train` needs to train a palm network.

    Args:
        init: see `start_palm_network`.
        data: datasets with weights, see `PalmSource.read`.
        check: a dataset to judge by while training, or None.
        score_loss: a key of `SCORE_LOSSES`.
        side: see `start_palm_network`.
        teacher, teacher_share: a bundle with MediaPipe's network to learn features from; see `Teacher`.
    """
    if score_loss not in SCORE_LOSSES:
        raise InputError(f"the score's loss must be {' or '.join(SCORE_LOSSES)}, got {score_loss!r}")
    network, config = start_palm_network(init, shape, side)
    grid = grid_of(network)
    samples = PalmPictures([PalmSource.read(text) for text in data], grid, options.seed, Look(look))
    judge = None if check is None else PalmJudge(PalmSource.read(check).shots, grid)
    config |= {"task": "palm", "data": list(data), "score_loss": score_loss, "look": look}
    config |= {"weights": dataclasses.asdict(weights)}
    if teacher is None:
        return Task(network, samples, lambda net, batch: palm_losses(net, batch, weights, score_loss), judge, config)
    taught = Teacher(load_reference_palm(catalogue.find(teacher).palm_path), network, teacher_share)
    config |= {"teacher": teacher, "teacher_share": teacher_share}
    return Task(
        network,
        samples,
        lambda net, batch: palm_losses(net, batch, weights, score_loss, taught),
        judge,
        config,
        taught.adapters,
    )


def palms_of(
    network: nn.Module, pictures: Sequence[tuple[FloatArray, tuple[int, int]]], grid: AnchorGrid, min_score: float
) -> list[list[Palm]]:
    """What the run time would find with a network in letterboxed pictures (side, side, 3) of photos (width, height)."""
    device = next(network.parameters()).device
    batch = torch.from_numpy(np.stack([picture for picture, _ in pictures])).to(device)
    with torch.no_grad():
        out = network(batch.permute(0, 3, 1, 2).float() / 255)
    raw = {name: out[name].float().cpu().numpy() for name in ("boxes", "scores")}
    model = PalmModel(grid.strides, "boxes", "scores")
    found = []
    for row, (_, size) in enumerate(pictures):
        one = {name: values[row : row + 1] for name, values in raw.items()}
        found.append(suppress(decode_palms(one, size, grid.side, model, min_score)))
    return found


@dataclass(frozen=True, eq=False)
class Ranked:
    """All palms found in pictures and the hands that are there; one entry per palm or hand.

    Attributes:
        scores, hits, sizes: (n,) of the palms: score, whether it found a hand, that hand's size or its own.
        errors: (n,) mean error of the key points of hits, palm sides; NaN for others.
        truths: (m,) sizes of the labelled hands, shares of the longer side of their photo.
        best: (m,) score of the palm that found each hand, 0 where none did.
        alarms, free: palms at `OPERATING_SCORE` in photos without hands, and how many such photos.
    """

    scores: FloatArray
    hits: FloatArray
    sizes: FloatArray
    errors: FloatArray
    truths: FloatArray
    best: FloatArray
    alarms: int = 0
    free: int = 0


def rank(palms: Sequence[Sequence[Palm]], shots: Sequence[Shot], sizes: Sequence[tuple[int, int]]) -> Ranked:
    """Palms against labels: found is an IoU of 0.5 with the palm's square, or a centre in the box of a hand of which
    nobody labelled the palm. Photos are (width, height)."""
    told: list[list[float]] = []
    hands: list[list[float]] = []
    alarms = free = 0
    for found, shot, size in zip(palms, shots, sizes, strict=True):
        truths = [hand for hand in shot.hands or () if hand.extent is not None]
        scores = np.array([palm.score for palm in found])
        if not truths:
            free, alarms = free + 1, alarms + int((scores >= OPERATING_SCORE).sum())
        owner = metrics.match_by_score(scores, _likeness(found, truths), FOUND_IOU)
        best = np.zeros(len(truths))
        for palm, true in zip(found, owner.tolist(), strict=True):
            if true >= 0:
                best[true] = palm.score
                share = _share(truths[true].extent, size)
                told.append([palm.score, 1.0, share, _keypoint_error(palm, truths[true])])
            else:
                told.append([palm.score, 0.0, HAND_PER_PALM * _share(palm.box, size), np.nan])
        hands += [[_share(hand.extent, size), score] for hand, score in zip(truths, best.tolist(), strict=True)]
    scores, hits, shares, errors = np.reshape(np.array(told, np.float64), (-1, 4)).T
    there, bests = np.reshape(np.array(hands, np.float64), (-1, 2)).T
    return Ranked(scores, hits, shares, errors, there, bests, alarms, free)


def _likeness(found: Sequence[Palm], truths: Sequence[LabelledHand]) -> FloatArray:
    """(palms, truths): IoU with the palm's square; 1 or 0 where only a box tells whether the centre lies in it."""
    boxes = [palm.box for palm in found]
    alike = np.zeros((len(found), len(truths)))
    for column, hand in enumerate(truths):
        if is_labelled(hand):
            assert hand.landmarks is not None
            alike[:, column] = metrics.iou_matrix(boxes, [palm_of(hand.landmarks).box])[:, 0]
        elif hand.extent is not None:
            centres = [(box[:2] + box[2:]) / 2 for box in boxes]
            alike[:, column] = metrics.centredness(centres, hand.extent)[:, 0] >= 0
    return alike


def _share(box: FloatArray | None, size: tuple[int, int]) -> float:
    assert box is not None
    return float((box[2:] - box[:2]).max()) / max(size)


def _keypoint_error(palm: Palm, hand: LabelledHand) -> float:
    if not is_labelled(hand):
        return float("nan")
    assert hand.landmarks is not None
    true = palm_of(hand.landmarks)
    away = np.linalg.norm(palm.keypoints - true.keypoints, axis=1)
    return float(away.mean() / max(float((true.box[2:] - true.box[:2]).max()), 1e-6))


def figures_of(ranked: Ranked) -> dict[str, float]:
    """AP and recall, of all hands and by their size, error of key points, false palms per 1000 photos without hands.

    AP of a size counts hands of that size, the palms that found them, and palms that found nothing and are as large.
    """
    figures = {"ap": 100 * metrics.average_precision(ranked.scores, ranked.hits, len(ranked.truths))}
    figures["recall"] = _percent(ranked.best >= OPERATING_SCORE)
    for low, high in itertools.pairwise(SIZES):
        name = f"{100 * low:.0f}_{100 * high:.0f}"
        palms, hands = ((sizes >= low) & (sizes < high) for sizes in (ranked.sizes, ranked.truths))
        figures[f"ap_{name}"] = 100 * metrics.average_precision(
            ranked.scores[palms], ranked.hits[palms], int(hands.sum())
        )
        figures[f"recall_{name}"] = _percent(ranked.best[hands] >= OPERATING_SCORE)
    known = np.isfinite(ranked.errors) & (ranked.scores >= OPERATING_SCORE)
    figures["keypoints"] = 100 * float(np.median(ranked.errors[known])) if known.any() else float("nan")
    figures["false_per_1000"] = metrics.per_1000(ranked.alarms, ranked.free)
    return figures


def _percent(true: Any) -> float:
    return 100 * float(np.mean(true)) if len(true) else float("nan")


@dataclass(frozen=True, eq=False)
class PalmJudge:
    """Figures on whole photos as the run time sees them, spread evenly over a dataset; see `figures_of`."""

    shots: Sequence[Shot]
    grid: AnchorGrid
    count: int = 1024
    batch: int = 16
    _kept: dict[int, tuple[Any, tuple[int, int]]] = field(default_factory=dict, repr=False)

    def __call__(self, network: nn.Module) -> dict[str, float]:
        return figures_of(self.ranked(network))

    def ranked(self, network: nn.Module) -> Ranked:
        """All that the network finds, against the labels."""
        numbers = np.unique(np.linspace(0, len(self.shots) - 1, min(self.count, len(self.shots))).astype(int)).tolist()
        palms: list[list[Palm]] = []
        for start in range(0, len(numbers), self.batch):
            pictures = [self._picture(number) for number in numbers[start : start + self.batch]]
            palms += palms_of(network, pictures, self.grid, LEAST_SCORE)
        sizes = [self._kept[number][1] for number in numbers]
        return rank(palms, [self.shots[number] for number in numbers], sizes)

    def _picture(self, number: int) -> tuple[Any, tuple[int, int]]:
        """One photo's letterbox, kept for the next time: a few hundred kilobytes each."""
        if number not in self._kept:
            image = open_image(self.shots[number].source)
            self._kept[number] = letterbox(image, self.grid.side), (image.shape[1], image.shape[0])
        return self._kept[number]
