"""Evaluation of a palm detector during training, on whole photos as the pipeline would see them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from knuckle import metrics
from knuckle.datasets import open_image
from knuckle.datasets.labels import LabelledHand, Shot, palm_of
from knuckle.geometry import letterbox
from knuckle.pipeline.palm import PalmModel, decode_palms, suppress
from knuckle.results import FloatArray, Palm
from knuckle.train.palm.data import has_palm
from knuckle.train.palm.targets import HAND_PER_PALM, AnchorGrid
from knuckle.train.sources import spread

Letterboxed = tuple[npt.NDArray[np.uint8], tuple[int, int]]  # (side, side, 3), and the photo's (width, height)
SIZES = (0.04, 0.08, 0.16, 0.32, 0.8)  # limits of the size classes: hands relative to the longer side of the photo
LEAST_SCORE, OPERATING_SCORE = 0.05, 0.5
FOUND_IOU = 0.5


def detect_palms(
    network: nn.Module, pictures: Sequence[Letterboxed], grid: AnchorGrid, min_score: float
) -> list[list[Palm]]:
    """The palms that the pipeline would find with a network, in pixels of each photo."""
    device = next(network.parameters()).device
    batch = torch.from_numpy(np.stack([picture for picture, _ in pictures])).to(device)
    with torch.no_grad():
        out = network(batch.permute(0, 3, 1, 2).float() / 255)
    raw = {name: out[name].float().cpu().numpy() for name in ("boxes", "scores")}
    model = PalmModel(grid.strides, "boxes", "scores")
    found = []
    for row, (_, size) in enumerate(pictures):
        one = {name: values[row : row + 1] for name, values in raw.items()}
        found.append(suppress(decode_palms(one, size, grid.side, model, min_score)))
    return found


@dataclass(frozen=True, eq=False)
class Matches:
    """Detected palms matched to labelled hands, over many photos.

    Attributes:
        scores, hits, sizes: (n,) for each palm: its score, whether it found a hand, and the size of that hand, or its
            own size if it found none. Sizes are relative to the longer side of the photo.
        errors: (n,) mean error of the key points in palm sides; NaN for palms without a labelled hand.
        truths: (m,) for each labelled hand: its size.
        best: (m,) for each labelled hand: the score of the palm that found it, 0 if none did.
        false_positives, hand_free: palms of at least `OPERATING_SCORE` in hand-free photos, and the number of these.
    """

    scores: FloatArray
    hits: FloatArray
    sizes: FloatArray
    errors: FloatArray
    truths: FloatArray
    best: FloatArray
    false_positives: int = 0
    hand_free: int = 0


def match_palms(palms: Sequence[Sequence[Palm]], shots: Sequence[Shot], sizes: Sequence[tuple[int, int]]) -> Matches:
    """Match detected palms to labels.

    A palm matches at an IoU of 0.5 with the square of the labelled palm, or if only the box of the hand is labelled,
    with its centre inside the box.

    Args:
        sizes: (width, height) of the photos.
    """
    found_rows: list[list[float]] = []
    hand_rows: list[list[float]] = []
    false_positives = hand_free = 0
    for found, shot, size in zip(palms, shots, sizes, strict=True):
        truths = [hand for hand in shot.without_ignored().hands or () if hand.extent is not None]
        unsure = [hand.extent for hand in shot.hands or () if hand.ignore and hand.extent is not None]
        scores = np.array([palm.score for palm in found])
        if not shot.hands:
            hand_free, false_positives = hand_free + 1, false_positives + int((scores >= OPERATING_SCORE).sum())
        owner = metrics.match_by_score(scores, _similarity(found, truths), FOUND_IOU)
        best = np.zeros(len(truths))
        for palm, true in zip(found, owner.tolist(), strict=True):
            if true >= 0:
                best[true] = palm.score
                hand_size = _relative_size(truths[true].extent, size)
                found_rows.append([palm.score, 1.0, hand_size, _keypoint_error(palm, truths[true])])
            elif not metrics.centre_in(palm.box, unsure):
                found_rows.append([palm.score, 0.0, HAND_PER_PALM * _relative_size(palm.box, size), np.nan])
        for hand, score in zip(truths, best.tolist(), strict=True):
            hand_rows.append([_relative_size(hand.extent, size), score])
    scores, hits, shares, errors = np.reshape(np.array(found_rows, np.float64), (-1, 4)).T
    there, bests = np.reshape(np.array(hand_rows, np.float64), (-1, 2)).T
    return Matches(scores, hits, shares, errors, there, bests, false_positives, hand_free)


def _similarity(found: Sequence[Palm], truths: Sequence[LabelledHand]) -> FloatArray:
    """(palms, truths) IoU with the square of the palm; for hands with only a box, 1 if the centre lies in it else 0."""
    boxes = [palm.box for palm in found]
    alike = np.zeros((len(found), len(truths)))
    for column, hand in enumerate(truths):
        if has_palm(hand):
            assert hand.landmarks is not None
            alike[:, column] = metrics.iou_matrix(boxes, [palm_of(hand.landmarks).box])[:, 0]
        elif hand.extent is not None:
            centres = [(box[:2] + box[2:]) / 2 for box in boxes]
            alike[:, column] = metrics.centredness(centres, hand.extent)[:, 0] >= 0
    return alike


def _relative_size(box: FloatArray | None, size: tuple[int, int]) -> float:
    """The longer side of a box relative to the longer side of its photo (width, height)."""
    assert box is not None
    return float((box[2:] - box[:2]).max()) / max(size)


def _keypoint_error(palm: Palm, hand: LabelledHand) -> float:
    """Mean distance of the key points in palm sides; NaN if they are not labelled."""
    if not has_palm(hand):
        return float("nan")
    assert hand.landmarks is not None
    true = palm_of(hand.landmarks)
    away = np.linalg.norm(palm.keypoints - true.keypoints, axis=1)
    return float(away.mean() / max(float((true.box[2:] - true.box[:2]).max()), 1e-6))


def palm_figures(matches: Matches) -> dict[str, float]:
    """AP and recall for all hands and for each size class, error of the key points, false positives.

    A size class counts the hands of that size, the palms that found them, and the palms of that size that found no
    hand. Keys: ap, recall, ap_4_8, recall_4_8, … (%), keypoints (median, % of the palm side), false_per_1000 (false
    positives per 1000 hand-free photos).
    """
    figures = {"ap": 100 * metrics.average_precision(matches.scores, matches.hits, len(matches.truths))}
    figures["recall"] = _recall(matches.best)
    for low, high in itertools.pairwise(SIZES):
        name = f"{100 * low:.0f}_{100 * high:.0f}"
        palms, hands = ((sizes >= low) & (sizes < high) for sizes in (matches.sizes, matches.truths))
        figures[f"ap_{name}"] = 100 * metrics.average_precision(
            matches.scores[palms], matches.hits[palms], int(hands.sum())
        )
        figures[f"recall_{name}"] = _recall(matches.best[hands])
    known = np.isfinite(matches.errors) & (matches.scores >= OPERATING_SCORE)
    figures["keypoints"] = 100 * float(np.median(matches.errors[known])) if known.any() else float("nan")
    figures["false_per_1000"] = metrics.per_1000(matches.false_positives, matches.hand_free)
    return figures


def _recall(best: FloatArray) -> float:
    return 100 * float(np.mean(best >= OPERATING_SCORE)) if len(best) else float("nan")


@dataclass(frozen=True, eq=False)
class PalmEvaluator:
    """`palm_figures` on at most `count` photos, spread evenly over a dataset."""

    shots: Sequence[Shot]
    grid: AnchorGrid
    count: int = 1024
    batch: int = 16
    _kept: dict[int, Letterboxed] = field(default_factory=dict, repr=False)

    def __call__(self, network: nn.Module) -> dict[str, float]:
        return palm_figures(self.matches(network))

    def matches(self, network: nn.Module) -> Matches:
        """The palms that a network finds, matched to the labels."""
        indices = spread(self.shots, self.count)
        palms: list[list[Palm]] = []
        for start in range(0, len(indices), self.batch):
            pictures = [self._letterboxed(index) for index in indices[start : start + self.batch]]
            palms += detect_palms(network, pictures, self.grid, LEAST_SCORE)
        sizes = [self._kept[index][1] for index in indices]
        return match_palms(palms, [self.shots[index] for index in indices], sizes)

    def _letterboxed(self, index: int) -> Letterboxed:
        """One photo, letterboxed, and kept for the next evaluation: a few hundred kilobytes each."""
        if index not in self._kept:
            image = open_image(self.shots[index].source)
            self._kept[index] = letterbox(image, self.grid.side), (image.shape[1], image.shape[0])
        return self._kept[index]
