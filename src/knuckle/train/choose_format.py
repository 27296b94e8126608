"""int8 beside float: both files of a network are evaluated on held-out pictures; int8 is kept where it is no worse."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from knuckle.models.session import Session
from knuckle.train.export import Differences, export, export_forms
from knuckle.train.export_pictures import Examples

# How much worse int8 may be on held-out pictures, as a share of the float figure or as a difference.
LARGER_BY_SHARE = {
    "error": 0.02,
    "tips": 0.02,
    "extra": 0.02,
    "world_mm": 0.02,
    "keypoints": 0.02,
    "false_per_1000": 0.0,
}
SMALLER_BY = {"presence": 0.005, "handedness": 0.005, "visibility_auroc": 0.005, "ap": 0.5, "recall": 0.5}
LEAST_HANDS = 30  # with fewer held-out hands the figures say too little


class FileNetwork(nn.Module):
    """A written network that is called like the one in PyTorch, so that the same evaluators take it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.session = Session(path, 1)
        self.register_parameter("device", nn.Parameter(torch.empty(0)))  # evaluators ask where the weights are

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        pixels = (picture * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        return {name: torch.from_numpy(values) for name, values in self.session(pixels).items()}


@dataclass(frozen=True)
class Comparison:
    """The figures of the int8 and of the float file of a network on the same held-out pictures.

    Attributes:
        int8, floats: as `HandEvaluator` or `PalmEvaluator` gives them.
        count: number of pictures.
    """

    int8: Mapping[str, float]
    floats: Mapping[str, float]
    count: int

    @property
    def worse(self) -> list[str]:
        """The figures in which int8 is worse than float by more than is allowed. NaN figures have no labels."""
        found = []
        for name, value in self.floats.items():
            mine = self.int8[name]
            if math.isnan(value):
                continue
            too_large = name in LARGER_BY_SHARE and not mine <= value * (1 + LARGER_BY_SHARE[name])
            too_small = name in SMALLER_BY and not mine >= value - SMALLER_BY[name]
            found += [name] if too_large or too_small else []
        return found

    def __str__(self) -> str:
        known = [name for name, value in self.floats.items() if not math.isnan(value)]
        names = self.worse or [name for name in (*LARGER_BY_SHARE, *SMALLER_BY) if name in known]
        figures = ", ".join(f"{name} {self.int8[name]:.4g} against {self.floats[name]:.4g}" for name in names)
        verdict = "is worse than" if self.worse else "is no worse than"
        return f"int8 {verdict} float on {self.count} held-out pictures: {figures}"


def compare_formats(
    int8: Path, floats: Path, evaluate: Callable[[nn.Module], dict[str, float]], count: int
) -> Comparison:
    """Evaluate both files of a network.

    Args:
        evaluate: a `HandEvaluator` or `PalmEvaluator` on `count` held-out pictures.
    """
    return Comparison(evaluate(FileNetwork(int8).eval()), evaluate(FileNetwork(floats).eval()), count)


def export_both(network: nn.Module, path: Path, int8: Path, examples: Examples) -> tuple[Differences, str]:
    """Write a network as fp16, and as int8 too where that is no worse on held-out pictures.

    Args:
        path: the fp16 file.
        int8: the int8 file; it is removed if int8 is worse.

    Returns:
        The differences of the fp16 file, as `export` gives them, and why there is an int8 file or none.

    Raises:
        MissingExtraError, EngineError, SinkError: as `export`.
    """
    int8.unlink(missing_ok=True)
    if examples.hands < LEAST_HANDS:
        few = f"no int8: {examples.hands} held-out pictures with a hand are too few, at least {LEAST_HANDS} are needed"
        return export(network, path, "fp16", examples.inputs), few
    differences = export_forms(network, {"fp16": path, "int8": int8}, examples.inputs)
    compared = compare_formats(int8, path, examples.evaluate, examples.count)
    if compared.worse:
        int8.unlink()
    return differences["fp16"], str(compared)
