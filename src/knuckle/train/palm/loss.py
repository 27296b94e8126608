"""The loss of the palm detector: its terms and their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from knuckle.train import losses
from knuckle.train.loop import Batch
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
        only_boxes: weight of the scores of hands with only a box: the best anchor inside should have a palm.
        teacher: weight of the teacher's features, with --teacher.
    """

    score: float = 1.0
    box: float = 1.0
    keypoints: float = 1.0
    only_boxes: float = 1.0
    teacher: float = 1.0


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
    if weights.only_boxes:
        terms["only_boxes"] = weights.only_boxes * losses.best_of_bag(scores, batch["bag"])
    return terms if teacher is None else terms | {"teacher": weights.teacher * teacher.loss(picture, out)}
