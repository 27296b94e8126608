"""The training task of the landmark network: all its choices."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from torch import Tensor, nn

from knuckle.models import catalogue
from knuckle.train.augment import PhotometricAugment
from knuckle.train.hand.data import HandCrops, read_source
from knuckle.train.hand.evaluator import HandEvaluator
from knuckle.train.hand.loss import HandLossWeights, hand_losses
from knuckle.train.hand.network import start_hand_network
from knuckle.train.loop import Batch, Job
from knuckle.train.nets.hand_net import HandNetShape
from knuckle.train.nets.reference_hand import load_reference_hand
from knuckle.train.task import TrainingTask
from knuckle.train.teacher import Teacher, input_side


@dataclass(frozen=True, kw_only=True)
class HandTask(TrainingTask):
    """All choices of a training run of the landmark network.

    Attributes:
        data: labelled images (docs/datasets.md). Can be given several times; images are drawn by weight.
        shape: of a new network.
        weights: of the loss terms.
    """

    shape: HandNetShape = field(default=HandNetShape(), metadata={"new_only": True})
    weights: HandLossWeights = field(default=HandLossWeights(), metadata={"prefix": "weight_"})

    def job(self) -> Job:
        network, config = start_hand_network(self.init, self.shape)
        side = input_side(network)
        data, look = [read_source(text) for text in self.data], PhotometricAugment(self.look)
        samples = HandCrops(data, side, self.loop.seed, look=look)
        evaluator = None if self.check is None else HandEvaluator(read_source(self.check).shots, side)
        config |= {"task": "hand", "data": list(self.data), "look": self.look}
        config |= {"weights": dataclasses.asdict(self.weights)}
        teacher = None
        if self.teacher is not None:
            teacher = Teacher(load_reference_hand(catalogue.find(self.teacher).hand_path), network, self.teacher_share)
            config |= {"teacher": self.teacher, "teacher_share": self.teacher_share}

        def losses_of(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
            return hand_losses(net, batch, self.weights, teacher)

        return Job(network, samples, losses_of, evaluator, config, teacher.adapters if teacher else nn.Module())
