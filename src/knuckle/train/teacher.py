"""What a student learns from a teacher's features: how pictures look to it, beside what is labelled in them.

A few thousand labelled photos teach where hands are on these photos; a network that was trained on many more says at
every place of any picture what matters there (FitNets, Romero et al. 2015, arXiv 1412.6550). Nothing of the teacher is
exported.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from knuckle.errors import InputError
from knuckle.train import losses

CHUNK = 16  # pictures that the teacher sees at once; more no longer fit the processor's cache and take longer each
LEAST_VARIANCE = 1e-5  # channels that always say the same count for nothing


class Adapter(nn.Module):
    """A student's features brought to the teacher's channels, and the teacher's to mean 0 and variance 1.

    Mean and variance are those of all that the teacher said so far; `eval()` keeps them as they are.
    """

    seen: Tensor
    mean: Tensor
    square: Tensor

    def __init__(self, channels: int, wanted: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(channels, wanted, 1)
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(wanted))
        self.register_buffer("square", torch.ones(wanted))

    def forward(self, own: Tensor, true: Tensor) -> Tensor:
        """The loss. Maps (n, channels, h, w), or (n, channels) alike in both; the teacher's take the student's size."""
        own, true = (x if x.ndim == 4 else x[..., None, None] for x in (own, true))
        true = F.adaptive_avg_pool2d(true.float(), (own.shape[2], own.shape[3]))
        if self.training:
            self.seen += 1
            self.mean.lerp_(true.mean(dim=(0, 2, 3)), 1 / self.seen)
            self.square.lerp_((true**2).mean(dim=(0, 2, 3)), 1 / self.seen)
        spread = torch.sqrt((self.square - self.mean**2).clamp(min=0) + LEAST_VARIANCE)
        return losses.unexplained(self.widen(own), (true - self.mean[:, None, None]) / spread[:, None, None])


class Teacher:
    """A network that stays as it is, and the layers that compare a student's features with its own.

    Args:
        network: one of the same task; gives `features…` with `train_outputs=True`, of which those are compared that the
            student gives too.
        student: the network that learns.
        share: of each batch that the teacher looks at, above 0 and up to 1; a quarter makes a step a third longer.

    Attributes:
        adapters: trained beside the student.

    Raises:
        InputError: `share` is out of range.
    """

    def __init__(self, network: nn.Module, student: nn.Module, share: float = 0.25) -> None:
        if not 0 < share <= 1:
            raise InputError(f"the teacher's share must be above 0 and at most 1, got {share}")
        self.network, self.share = network.eval().requires_grad_(False), share
        self.side = int(getattr(network, "side"))  # noqa: B009  of nn.Module
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(0)  # every process of a run makes the same adapters
            own = student.eval()(_blank(student), train_outputs=True)
            wanted = network(_blank(network), train_outputs=True)
            names = [name for name in wanted if name.startswith("features") and name in own]
            self.adapters = nn.ModuleDict({name: Adapter(own[name].shape[1], wanted[name].shape[1]) for name in names})
        student.train()

    def loss(self, picture: Tensor, out: dict[str, Tensor]) -> Tensor:
        """How much of what the teacher sees a student cannot tell: 1 is all of it, 0 nothing.

        Args:
            picture: (n, 3, side, side) 0..1, what the student was given. out: what it said, with `train_outputs=True`.
        """
        count = math.ceil(self.share * len(picture))
        terms = []
        self.network.to(picture.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        true = self._features(picture[:count])
        for name, adapter in self.adapters.items():
            terms.append(adapter(out[name][:count], true[name]))
        return torch.stack(terms).mean()

    @torch.no_grad()
    def _features(self, picture: Tensor) -> dict[str, Tensor]:
        if picture.shape[-1] != self.side:
            picture = F.interpolate(picture, (self.side, self.side), mode="bilinear", align_corners=False)
        parts = [self.network(part, train_outputs=True) for part in torch.split(picture, CHUNK)]
        return {name: torch.cat([part[name] for part in parts]) for name in self.adapters}


def _blank(network: nn.Module) -> Tensor:
    side = int(getattr(network, "side"))  # noqa: B009  of nn.Module
    return torch.zeros(1, 3, side, side)
