"""The training task of the palm detector: all its choices."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from knuckle.models import catalogue
from knuckle.train.augment import PhotometricAugment
from knuckle.train.loop import Batch, Job
from knuckle.train.nets.palm_net import PalmNetShape
from knuckle.train.nets.reference_palm import load_reference_palm
from knuckle.train.palm.data import PalmPictures, read_source
from knuckle.train.palm.evaluator import PalmEvaluator
from knuckle.train.palm.loss import PalmLossWeights, ScoreLoss, palm_losses
from knuckle.train.palm.network import grid_of, start_palm_network
from knuckle.train.task import TrainingTask
from knuckle.train.teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class PalmTask(TrainingTask):
    """All choices of a training run of the palm detector.

    Attributes:
        data: images with all their hands labelled (docs/training_palm.md). Can be given several times; images are
            drawn by weight.
        score_loss: focal loss over all anchors, or cross entropy over palms and the hardest background anchors.
        shape: of a new network.
        weights: of the loss terms.
    """

    score_loss: ScoreLoss = "focal"
    shape: PalmNetShape = field(default=PalmNetShape(), metadata={"new_only": True})
    weights: PalmLossWeights = field(default=PalmLossWeights(), metadata={"prefix": "weight_"})

    def job(self) -> Job:
        network, config = start_palm_network(self.init, self.shape, self.resize)
        grid = grid_of(network)
        data, check = self.datasets(read_source)
        samples = PalmPictures(data, grid, self.loop.seed, PhotometricAugment(self.look))
        evaluator = None if check is None else PalmEvaluator(check.shots, grid)
        config |= {
            "task": "palm",
            "data": list(self.data),
            "check": self.check,
            "hold_out": self.hold_out,
            "score_loss": self.score_loss,
            "look": self.look,
        }
        config |= {"weights": dataclasses.asdict(self.weights)}
        teacher = None
        if self.teacher is not None:
            teacher = Teacher(load_reference_palm(catalogue.find(self.teacher).palm_path), network, self.teacher_share)
            config |= {"teacher": self.teacher, "teacher_share": self.teacher_share}

        def losses_of(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
            return palm_losses(net, batch, self.weights, self.score_loss, teacher)

        helpers, images = teacher.adapters if teacher else nn.Module(), sum(len(source.shots) for source in data)
        return Job(network, samples, losses_of, evaluator, config, helpers, images=images, error=palm_error)


def palm_error(figures: Mapping[str, float]) -> float:
    """What early stopping keeps small: 100 minus the average precision, %."""
    return 100 - figures["ap"]
