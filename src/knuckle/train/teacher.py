"""Feature distillation: a student network also learns to predict the features of a teacher network.

Labels give a few coordinates per picture. The features of a teacher that was trained on many more photos give the
student a target at every position and in every channel, for any picture, labelled or not (FitNets, Romero et al. 2015,
arXiv 1412.6550). The teacher is not exported.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from knuckle.errors import InputError
from knuckle.train import losses
from knuckle.train.distributed import mean_of

CHUNK = 16  # pictures per call of the teacher: larger batches do not fit the cache of the CPU and take longer each
LEAST_VARIANCE = 1e-5  # channels that are nearly constant have no weight


class Adapter(nn.Module):
    """Compares one feature map of the student with the teacher's.

    A 1×1 convolution brings the student's features to the teacher's channels. The teacher's features are normalised to
    mean 0 and variance 1, with running statistics over all processes; `eval()` freezes the statistics.
    """

    seen: Tensor  # number of updates of the statistics; checkpoints store it under this name
    mean: Tensor
    square: Tensor

    def __init__(self, channels: int, wanted: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(channels, wanted, 1)
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(wanted))
        self.register_buffer("square", torch.ones(wanted))

    def forward(self, own: Tensor, true: Tensor) -> Tensor:
        """The loss.

        Args:
            own, true: features of the student and the teacher, both (n, channels, h, w) or both (n, channels). The
                teacher's maps are averaged down to the size of the student's.
        """
        own, true = (x if x.ndim == 4 else x[..., None, None] for x in (own, true))
        true = F.adaptive_avg_pool2d(true.float(), (own.shape[2], own.shape[3]))
        if self.training:
            self.seen += 1
            self.mean.lerp_(mean_of(true.mean(dim=(0, 2, 3))), 1 / self.seen)
            self.square.lerp_(mean_of((true**2).mean(dim=(0, 2, 3))), 1 / self.seen)
        spread = torch.sqrt((self.square - self.mean**2).clamp(min=0) + LEAST_VARIANCE)
        return losses.feature_distillation(self.widen(own), (true - self.mean[:, None, None]) / spread[:, None, None])


class Teacher:
    """A frozen network, and the adapters that compare a student's features with its own.

    Args:
        network: the teacher, a network for the same task. With `train_outputs=True` it gives feature maps named
            `features…`; those that the student gives too are compared.
        student: the network that learns.
        share: the share of each batch that the teacher sees, above 0 and up to 1. A step takes about a third longer at
            a quarter.

    Attributes:
        adapters: layers that are trained together with the student.

    Raises:
        InputError: `share` is out of range.
    """

    def __init__(self, network: nn.Module, student: nn.Module, share: float = 0.25) -> None:
        if not 0 < share <= 1:
            raise InputError(f"the teacher's share must be above 0 and at most 1, got {share}")
        self.network, self.share = network.eval().requires_grad_(False), share
        self.side = input_side(network)
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(0)  # all processes of a run create the same adapters
            own = student.eval()(torch.zeros(1, 3, input_side(student), input_side(student)), train_outputs=True)
            wanted = network(torch.zeros(1, 3, self.side, self.side), train_outputs=True)
            names = [name for name in wanted if name.startswith("features") and name in own]
            self.adapters = nn.ModuleDict({name: Adapter(own[name].shape[1], wanted[name].shape[1]) for name in names})
        student.train()

    def loss(self, picture: Tensor, out: dict[str, Tensor]) -> Tensor:
        """The share of the variance of the teacher's features that the student does not predict, from 1 down to 0.

        Args:
            picture: (n, 3, side, side) 0..1, the student's input.
            out: the student's output with `train_outputs=True`.
        """
        count = math.ceil(self.share * len(picture))
        self.network.to(picture.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        true = self._features(picture[:count])
        terms = [adapter(out[name][:count], true[name]) for name, adapter in self.adapters.items()]
        return torch.stack(terms).mean()

    @torch.no_grad()
    def _features(self, picture: Tensor) -> dict[str, Tensor]:
        if picture.shape[-1] != self.side:
            picture = F.interpolate(picture, (self.side, self.side), mode="bilinear", align_corners=False)
        parts = [self.network(part, train_outputs=True) for part in torch.split(picture, CHUNK)]
        return {name: torch.cat([part[name] for part in parts]) for name in self.adapters}


def input_side(network: nn.Module) -> int:
    """The side of a network's square input, pixels. (Attributes of an `nn.Module` have no type of their own.)"""
    return int(getattr(network, "side"))  # noqa: B009
