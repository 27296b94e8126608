"""The training task of the landmark network: all its choices."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from knuckle.errors import InputError
from knuckle.models import catalogue
from knuckle.results import PointSet, point_set_of
from knuckle.train.augment import PhotometricAugment, RegionNoise
from knuckle.train.hand import candidates
from knuckle.train.hand.candidates import CandidateCrops, CandidateOptions
from knuckle.train.hand.data import HandCrops, read_source
from knuckle.train.hand.device_crops import device_crops
from knuckle.train.hand.distill import AnswersAsLabels
from knuckle.train.hand.evaluator import HandEvaluator
from knuckle.train.hand.loss import HandLossWeights, hand_losses
from knuckle.train.hand.network import (
    keep_all_but_further_points,
    keep_all_but_landmarks,
    points_of,
    start_hand_network,
)
from knuckle.train.loop import Batch, Job, LoopOptions
from knuckle.train.nets.hand_net import HandNetShape
from knuckle.train.nets.reference_hand import ReferenceHandNet, load_reference_hand
from knuckle.train.rounding import Rounding
from knuckle.train.task import FEW, TrainingTask
from knuckle.train.teacher import Teacher, input_side

LAYER_RATE = 1e-3  # for single layers: those of the landmarks, or of new points
# Such a layer cannot learn to read crops that are turned or cut off, and gets worse on good ones when it tries. So it
# sees regions as the tracker cuts them, and milder changes of the look.
TRACKED = RegionNoise(0.04, 0.06, math.radians(6), any_angle=0.0, lost=0.0, tracked=0.0)
LAYER_LOOK = 0.3


@dataclass(frozen=True, kw_only=True)
class HandTask(TrainingTask):
    """All choices of a training run of the landmark network.

    Attributes:
        data: labelled images (docs/datasets.md). Can be given several times; images are drawn by weight.
        distill: learn this network's answers to the same augmented crops in place of the labels, wherever it sees a
            hand: `mediapipe`, another bundle, or a checkpoint.
        augment: where samples are made. "workers": on the CPU, one by one, as --workers says. "device": in batches on
            the device of the training, which then holds all pictures (0.25 MB each); for GPUs.
        points: the points to learn: `hand`, `nails`, `carpals`, `without_ring`, …, or a .json file (docs/points.md). By
            default those that the network gives already. New points start as their parents.
        part: what is trained. "landmarks": only the layer that gives the landmarks of MediaPipe's networks and of
            `knuckle`. A step takes less than half of the time, and presence, side and visibility stay exactly as they
            were. "points": only the layers of the points beyond the 21, which stay exactly as they were. "all": the
            whole network. "auto": "points" when such a network gets new points, "landmarks" when it is fine-tuned on
            few images, else "all".
        pairs: share of the samples that come in pairs, the second moved a little; --weight-steady keeps their errors
            alike, so that landmarks jitter less in videos.
        quantise: round to 8 bits in training, so that the int8 file loses less.
        shape: of a new network.
        candidates: regions that a palm network proposes, on which presence is learned.
        weights: of the loss terms.
    """

    distill: str | None = field(default=None, metadata={"metavar": "BUNDLE"})
    augment: Literal["workers", "device"] = "workers"
    points: str | None = field(default=None, metadata={"metavar": "NAME|FILE.json"})
    part: Literal["auto", "all", "landmarks", "points"] = "auto"
    pairs: float = field(default=0.0, metadata={"metavar": "SHARE"})
    quantise: bool = False
    shape: HandNetShape = field(default=HandNetShape(), metadata={"new_only": True})
    candidates: CandidateOptions = field(default=CandidateOptions(), metadata={"prefix": "candidate_"})
    weights: HandLossWeights = field(default=HandLossWeights(), metadata={"prefix": "weight_"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.pairs <= 1:
            raise InputError(f"the share of pairs must be from 0 to 1, got {self.pairs}")
        if self.augment == "device" and self.candidates.data:
            raise InputError("candidates are made by workers; leave out --augment device or --candidate-data")
        if self.points is not None and (self.distill or self.augment == "device"):
            raise InputError(
                "--points learns from labels that workers prepare; leave out --distill and --augment device"
            )

    def job(self) -> Job:
        network, config = self.start()
        points = points_of(config)
        side = input_side(network)
        data, check = self.datasets(read_source)
        images = sum(len(source.shots) for source in data)
        noise, strength = RegionNoise(), self.look
        part = self.trained_part(network, images)
        if part != "all":
            (keep_all_but_landmarks if part == "landmarks" else keep_all_but_further_points)(network)
            config["part"], noise, strength = part, TRACKED, LAYER_LOOK * self.look
        look = PhotometricAugment(strength)
        proposed = self._candidate_crops(side, look, points)
        samples = HandCrops(
            data, side, self.loop.seed, noise, look, candidates=proposed, points=points, pairs=self.pairs
        )
        evaluator = None if check is None else HandEvaluator(check.shots, side, points=points)
        config |= {"task": "hand", "data": list(self.data), "check": self.check, "look": self.look}
        config |= {"weights": dataclasses.asdict(self.weights), "hold_out": self.hold_out}
        if check is not None and self.check is None:  # for people and for `knuckle label --compare`
            config["held_out"] = sorted({Path(shot.source).name for shot in check.shots})
        if proposed is not None:
            config |= {"candidates": dataclasses.asdict(self.candidates)}
        teacher = None
        if self.teacher is not None:
            teacher = Teacher(load_reference_hand(catalogue.find(self.teacher).hand_path), network, self.teacher_share)
            config |= {"teacher": self.teacher, "teacher_share": self.teacher_share}
        distilled = None
        if self.distill is not None:
            distilled = AnswersAsLabels(start_hand_network(self.distill, HandNetShape())[0], side)
            config |= {"distill": self.distill}

        def losses_of(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
            batch = batch if distilled is None else distilled(batch)
            return hand_losses(net, batch, self.weights, teacher, points)

        on_device = None
        if self.augment == "device":
            on_device = partial(device_crops, data, side, self.loop.seed, self.look, self.pairs)
            config |= {"augment": self.augment}
        helpers = teacher.adapters if teacher else nn.Module()
        if self.quantise:
            helpers = nn.ModuleDict({"teacher": helpers, "rounding": Rounding(network)})
            config |= {"quantise": True}
        if self.pairs:
            config |= {"pairs": self.pairs}
        job = Job(network, samples, losses_of, evaluator, config, helpers, on_device, images)
        return replace(job, error=lambda figures: figures.get("extra", math.nan)) if part == "points" else job

    def start(self) -> tuple[nn.Module, dict[str, Any]]:
        """The network to train, and its description."""
        points = None if self.points is None else point_set_of(self.points)
        return start_hand_network(self.init, self.shape, self.resize, points)

    def trained_part(self, network: nn.Module, images: int) -> Literal["all", "landmarks", "points"]:
        """What `part` means for a network and so many images."""
        if self.part != "auto":
            return self.part
        if self.points is not None and isinstance(network, ReferenceHandNet) and network.further is not None:
            return "points"
        learns_more = self.init == "new" or self.resize or self.distill or self.teacher or self.candidates.data
        few = images < FEW and not learns_more and isinstance(network, ReferenceHandNet)
        return "landmarks" if few else "all"

    def loop_for(self, images: int, given: Collection[str]) -> LoopOptions:
        """As `TrainingTask.loop_for`. Single layers learn at a higher rate than a whole network."""
        options = super().loop_for(images, given)
        single = self.init != "new" and self.trained_part(self.start()[0], images) != "all"
        return replace(options, rate=LAYER_RATE) if single and "rate" not in given else options

    def _candidate_crops(self, side: int, look: PhotometricAugment, points: PointSet) -> CandidateCrops | None:
        labelled = [candidates.read_source(text) for text in self.candidates.data]
        unlabelled = [candidates.read_unlabelled(text) for text in self.candidates.unlabelled]
        self.allowed([*labelled, *unlabelled], ("train",), "training")
        shots, others = ([shot for source in found for shot in source.shots] for found in (labelled, unlabelled))
        if not shots and not others:
            return None
        return replace(candidates.find_candidates(shots, others, side, self.candidates, look), points=points)
