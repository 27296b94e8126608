"""Evaluation of a landmark network during training, on plain crops around the labelled hands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from knuckle.datasets.labels import CORRECTED_WEIGHT, Shot
from knuckle.metrics import auroc
from knuckle.results import HAND_POINTS, PointSet
from knuckle.train.hand.data import plain_sample
from knuckle.train.sources import spread

ERRORS = ("error", "tips", "extra")  # figures whose median is reported; the mean of all others


@dataclass(frozen=True, eq=False)
class HandEvaluator:
    """Figures on at most `count` images, spread evenly over a dataset, cropped without augmentation.

    A call gives: error and tips (median error of the landmarks and of fingertips, % of palm size; points that a person
    corrected count four times in `error`), extra (the same of points beyond the 21, if there are any), presence and
    handedness (accuracy), world_mm (mean error in 3D), and visibility_auroc if the network predicts visibility.
    Figures for which nothing is labelled are NaN.
    """

    shots: Sequence[Shot]
    side: int
    count: int = 1024
    batch: int = 32
    points: PointSet = HAND_POINTS

    def __call__(self, network: nn.Module) -> dict[str, float]:
        indices = spread(self.shots, self.count)
        device = next(network.parameters()).device
        rows: list[dict[str, float]] = []
        predicted, visible = [], []
        for start in range(0, len(indices), self.batch):
            samples = [
                plain_sample(self.shots[index], self.side, np.random.default_rng((0, index)), self.points)
                for index in indices[start : start + self.batch]
            ]
            pictures = torch.from_numpy(np.stack([sample["picture"] for sample in samples])).to(device).float() / 255
            with torch.no_grad():
                out = {name: value.float().cpu().numpy() for name, value in network(pictures).items()}
            for position, sample in enumerate(samples):
                rows.append(crop_figures({name: values[position] for name, values in out.items()}, sample, self.points))
                if "visibility" in out:
                    known = sample["visibility_weight"] > 0
                    predicted.append(out["visibility"][position][known])
                    visible.append(sample["visibility"][known])
        figures = {}
        for name in rows[0]:
            known_values = [row[name] for row in rows if np.isfinite(row[name])]
            average = np.median if name in ERRORS else np.mean
            figures[name] = float(average(known_values)) if known_values else float("nan")
        if predicted:
            figures["visibility_auroc"] = auroc(np.concatenate(predicted), np.concatenate(visible) > 0.5)
        return figures


def crop_figures(out: dict[str, Any], sample: dict[str, Any], points: PointSet = HAND_POINTS) -> dict[str, float]:
    """The figures of one crop, see `HandEvaluator`.

    Args:
        out: the outputs of the network for this crop.
        sample: the crop's labels.
        points: the points of both.
    """
    distance = np.hypot(*(out["landmarks"].reshape(-1, 3)[:, :2] - sample["landmarks"][:, :2]).T)
    percent = 100 * distance / sample["palm_size"][0]
    corrected = np.where(sample["landmark_weight"] >= CORRECTED_WEIGHT / 2, CORRECTED_WEIGHT, 1.0)
    all_known, numbers = sample["landmark_weight"] > 0, np.arange(len(points))
    known = all_known & (numbers < len(points.standard))
    chosen = {"tips": known & np.isin(numbers, points.tips)}
    if points.extra:
        chosen["extra"] = all_known & (numbers >= len(points.standard))
    world = np.linalg.norm(out["world"].reshape(-1, 3) - sample["world"], axis=1)
    in_space = sample["world_weight"] > 0
    correct = {
        name: float((out[name][0] > 0.5) == (sample[name][0] > 0.5)) if sample[f"{name}_weight"][0] else np.nan
        for name in ("presence", "handedness")
    }
    return {
        "error": float(np.average(percent[known], weights=corrected[known])) if known.any() else np.nan,
        **{name: float(percent[rows].mean()) if rows.any() else np.nan for name, rows in chosen.items()},
        **correct,
        "world_mm": float(1000 * world[in_space].mean()) if in_space.any() else np.nan,
    }
