"""The training task of the palm detector: its choices, and its loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from knuckle.models import catalogue
from knuckle.train import losses
from knuckle.train.augment import Look
from knuckle.train.loop import Batch, Job
from knuckle.train.nets.palm_net import PalmNetShape
from knuckle.train.nets.reference_palm import load_reference_palm
from knuckle.train.palm.data import PalmPictures, read_source
from knuckle.train.palm.evaluator import PalmEvaluator
from knuckle.train.palm.network import grid_of, start_palm_network
from knuckle.train.task import TrainingTask
from knuckle.train.teacher import Teacher

ScoreLoss = Literal["focal", "cross-entropy"]
SCORE_LOSSES: Mapping[ScoreLoss, losses.ScoreLoss] = {
    "focal": losses.focal,
    "cross-entropy": losses.mined_cross_entropy,
}


@dataclass(frozen=True)
class PalmLossWeights:
    """The weight of each loss term.

    Attributes:
        score: weight of whether an anchor has a palm.
        box: weight of the position and size of the palm.
        keypoints: weight of its seven key points.
        teacher: weight of the teacher's features, with --teacher.
    """

    score: float = 1.0
    box: float = 1.0
    keypoints: float = 1.0
    teacher: float = 1.0


@dataclass(frozen=True, kw_only=True)
class PalmTask(TrainingTask):
    """All choices of a training run of the palm detector.

    Attributes:
        data: images with all their hands labelled (docs/training_palm.md). Can be given several times; images are
            drawn by weight.
        score_loss: focal loss over all anchors, or cross entropy over palms and the hardest background anchors.
        resize: input side for an existing network, pixels; None keeps it.
        shape: of a new network.
        weights: of the loss terms.
    """

    score_loss: ScoreLoss = "focal"
    resize: int | None = field(default=None, metadata={"flag": None})
    shape: PalmNetShape = field(default=PalmNetShape(), metadata={"new_only": True})
    weights: PalmLossWeights = field(default=PalmLossWeights(), metadata={"prefix": "weight_"})

    def job(self) -> Job:
        network, config = start_palm_network(self.init, self.shape, self.resize)
        grid = grid_of(network)
        samples = PalmPictures([read_source(text) for text in self.data], grid, self.loop.seed, Look(self.look))
        evaluator = None if self.check is None else PalmEvaluator(read_source(self.check).shots, grid)
        config |= {"task": "palm", "data": list(self.data), "score_loss": self.score_loss, "look": self.look}
        config |= {"weights": dataclasses.asdict(self.weights)}
        teacher = None
        if self.teacher is not None:
            teacher = Teacher(load_reference_palm(catalogue.find(self.teacher).palm_path), network, self.teacher_share)
            config |= {"teacher": self.teacher, "teacher_share": self.teacher_share}

        def losses_of(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
            return palm_losses(net, batch, self.weights, self.score_loss, teacher)

        return Job(network, samples, losses_of, evaluator, config, teacher.adapters if teacher else nn.Module())


def palm_losses(
    network: nn.Module,
    batch: Batch,
    weights: PalmLossWeights = PalmLossWeights(),
    score_loss: ScoreLoss = "focal",
    teacher: Teacher | None = None,
) -> dict[str, Tensor]:
    """The weighted terms of the palm network's loss.

    Args:
        network: may be wrapped in `DistributedDataParallel`.
        batch: samples of `PalmPictures`, stacked.
    """
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
