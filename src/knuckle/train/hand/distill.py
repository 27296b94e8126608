"""Distillation: a teacher's answers to the same augmented pictures are learned in place of labels.

Unlike a label, an answer costs nobody any work, so any picture of a hand counts, also one of which only a box is known.
`knuckle.train.teacher` compares features instead, which needs networks of similar shape.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from knuckle.train.hand.labels import LEAST_PALM, PALM_POINTS, TIP_WEIGHT, TIPS
from knuckle.train.loop import Batch
from knuckle.train.teacher import CHUNK, input_side

SURE = 0.5  # presence from which on the teacher is believed


class AnswersAsLabels:
    """Replaces labels of a batch by what a frozen landmark network says about its pictures.

    Where the crop shows a hand and the teacher sees it, its landmarks and world landmarks are learned, and its
    handedness if none is labelled. Elsewhere the labels stay, so a network can still learn hands that its teacher
    misses. Presence is always learned from labels.

    Args:
        network: the teacher.
        side: side of the student's input, pixels.
    """

    def __init__(self, network: nn.Module, side: int) -> None:
        self.network, self.side = network.eval().requires_grad_(False), side

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Batch:
        """A batch with the same pictures. The labels are those of `HandCrops`, stacked."""
        answer = self._answer(batch["picture"])
        is_hand = (batch["presence"] > 0.5) & (batch["presence_weight"] > 0)
        sure = is_hand & (answer["presence"] > SURE)  # (n, 1)
        landmarks, world = (answer[name].reshape(len(sure), -1, 3) for name in ("landmarks", "world"))
        landmarks = landmarks * (self.side / input_side(self.network))
        weight = torch.ones_like(batch["landmark_weight"])
        weight[:, TIPS] *= TIP_WEIGHT
        new = {
            "landmarks": landmarks,
            "landmark_weight": weight,
            "z_weight": weight,
            "palm_size": self._unit(landmarks[..., :2]),
            "world": world - world.mean(dim=1, keepdim=True),
            "world_weight": torch.ones_like(batch["world_weight"]),
        }
        replaced = {
            name: torch.where(sure.reshape(-1, *[1] * (value.ndim - 1)), value, batch[name])
            for name, value in new.items()
        }
        unlabelled = sure & (batch["handedness_weight"] == 0)
        replaced["handedness"] = torch.where(unlabelled, answer["handedness"], batch["handedness"])
        replaced["handedness_weight"] = torch.where(unlabelled, 1.0, batch["handedness_weight"])
        return batch | replaced

    def _answer(self, picture: Tensor) -> dict[str, Tensor]:
        """The teacher's outputs for (n, 3, side, side) uint8 pictures."""
        self.network.to(picture.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        x, side = picture.to(memory_format=torch.channels_last).float() / 255, input_side(self.network)
        if side != self.side:
            x = F.interpolate(x, (side, side), mode="bilinear", align_corners=False)
        parts = [self.network(part) for part in torch.split(x, CHUNK)]
        return {name: torch.cat([part[name] for part in parts]).float() for name in parts[0]}

    def _unit(self, xy: Tensor) -> Tensor:
        """(n, 1) what errors are divided by, as `knuckle.train.hand.labels.error_unit_px`; xy (n, 21, 2)."""
        palm = xy[:, PALM_POINTS]
        span = (palm.amax(dim=1) - palm.amin(dim=1)).amax(dim=1)
        length = torch.linalg.vector_norm(xy[:, 9] - xy[:, 0], dim=1)
        return torch.maximum(length, 0.7 * span).clamp(min=LEAST_PALM * self.side)[:, None]
