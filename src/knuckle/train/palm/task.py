"""The training task of the palm detector: all its choices."""

from __future__ import annotations

import dataclasses
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
        data, look = [read_source(text) for text in self.data], PhotometricAugment(self.look)
        samples = PalmPictures(data, grid, self.loop.seed, look)
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
