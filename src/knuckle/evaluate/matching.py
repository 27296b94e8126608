"""Predicted hands matched with labelled hands, image by image: the input of all metrics of single images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from knuckle import metrics
from knuckle.datasets.labels import LabelledHand, Shot, Visibility
from knuckle.errors import InputError
from knuckle.evaluate.results import ImagePrediction, Predictions
from knuckle.metrics.detection import IntArray
from knuckle.results import FloatArray

# A hand counts as found when the IoU of the box around its landmarks and the labelled box is at least this. Labelled
# boxes are drawn around the outline of the hand, ours around its joints. Only 14 of 1768 hands found on photos of five
# sources have an IoU of 0.1 to 0.3, so the threshold decides little.
FOUND_IOU = 0.3


@dataclass(frozen=True)
class Unit:
    """What landmark errors are divided by.

    Attributes:
        size_px: the length of a labelled hand in pixels, NaN if it is not labelled.
        limit: the threshold of the PCK figure.
        reach: the end of the PCK curve.
    """

    name: str
    size_px: Callable[[LabelledHand], float]
    limit: float
    reach: float


def box_size(hand: LabelledHand) -> float:
    """The longer side of the hand's box in pixels."""
    extent = hand.extent
    return math.nan if extent is None else float((extent[2:] - extent[:2]).max())


PALM = Unit("% of palm", lambda hand: hand.palm_size, 0.2, 0.5)
BOX = Unit("% of the hand's box", box_size, 0.1, 0.25)


@dataclass(frozen=True, eq=False)
class MatchedImage:
    """One labelled image and a tracker's prediction for it. What several metrics need is computed once.

    Attributes:
        pairs: (k, 2) index of a predicted hand, index of the labelled hand that it matches.
        unit: of the landmark errors.
        photo: not a frame of a clip, so the palm detector ran and palms can be compared.
    """

    shot: Shot
    predicted: ImagePrediction
    pairs: IntArray
    unit: Unit = PALM
    photo: bool = True

    @property
    def labels(self) -> tuple[LabelledHand, ...]:
        """The labelled hands; () for a hand-free or unchecked image."""
        return self.shot.hands or ()

    @property
    def is_complete(self) -> bool:
        """Whether all hands of the image are labelled, so that any other detection is a false positive."""
        return self.shot.complete and self.shot.hands is not None

    @cached_property
    def errors(self) -> FloatArray:
        """(labelled hands, 21) errors in `unit`: NaN without a label, inf for the points of hands not found."""
        return self._errors(raw=False)

    @cached_property
    def raw_errors(self) -> FloatArray:
        """The errors of the landmarks before smoothing."""
        return self._errors(raw=True)

    def _errors(self, raw: bool) -> FloatArray:
        found = {label: index for index, label in self.pairs.tolist()}
        predicted, true, sizes = [], [], []
        for k, hand in enumerate(self.labels):
            if hand.landmarks is None:
                continue
            points = np.full((21, 2), np.nan)
            if k in found:
                hand_there = self.predicted.hands[found[k]]
                points = (hand_there.landmarks_raw if raw else hand_there.landmarks)[:, :2]
            predicted.append(points)
            true.append(hand.landmarks[:, :2])
            sizes.append(self.unit.size_px(hand))
        shape = (len(true), 21, 2)
        return metrics.normalised_error(np.reshape(predicted, shape), np.reshape(true, shape), sizes)

    @cached_property
    def extra_errors(self) -> dict[str, list[float]]:
        """By point beyond the 21: its errors in `unit`, of found hands with that point in label and prediction."""
        errors: dict[str, list[float]] = {}
        for index, k in self.pairs.tolist():
            label, seen = self.labels[k].extra, self.predicted.hands[index].extra
            size = self.unit.size_px(self.labels[k])
            if label is None or seen is None or not size > 0:
                continue
            away = np.hypot(*(seen.chosen(label.names).landmarks - label.landmarks)[:, :2].T) / size
            for name, error in zip(label.names, away.tolist(), strict=True):
                if math.isfinite(error):
                    errors.setdefault(name, []).append(error)
        return errors

    @cached_property
    def worlds(self) -> tuple[FloatArray, FloatArray]:
        """Predicted and labelled world landmarks of the found hands that have both, (n, 21, 3) metres each."""
        predicted, true = [], []
        for index, k in self.pairs.tolist():
            label, world = self.labels[k].world, self.predicted.hands[index].world
            if label is not None and np.isfinite(world).all() and np.isfinite(label).all():
                predicted.append(world)
                true.append(label)
        shape = (len(true), 21, 3)
        return np.reshape(predicted, shape), np.reshape(true, shape)

    @cached_property
    def palms(self) -> RankedPalms:
        """The palms by score and which labelled hand each one found."""
        squares = has_palms(self.shot)
        labelled = [hand.palm if squares else hand.extent for hand in self.labels]
        boxes = [box for box in labelled if box is not None]
        palms = self.predicted.palms
        if not (self.photo and self.is_complete) or palms is None:
            return RankedPalms(np.zeros(0), np.zeros(0, np.intp), 0)
        scores = np.array([palm.score for palm in palms], np.float64)
        if squares:
            alike, min_similarity = metrics.iou_matrix([palm.box for palm in palms], boxes), 0.5
        else:
            alike, min_similarity = (
                metrics.centredness([(palm.box[:2] + palm.box[2:]) / 2 for palm in palms], boxes),
                0.0,
            )
        return RankedPalms(scores, metrics.match_by_score(scores, alike, min_similarity), len(boxes))

    @cached_property
    def presences(self) -> tuple[FloatArray, FloatArray]:
        """Presence of each predicted hand, and 1 if it is a labelled hand, 0 if it is a false positive."""
        if not self.is_complete:
            return np.zeros(0), np.zeros(0)
        hands = self.predicted.hands
        presence = np.array([np.nan if hand.presence is None else hand.presence for hand in hands], np.float64)
        real = np.isin(np.arange(len(hands)), self.pairs[:, 0]).astype(np.float64)
        known = np.isfinite(presence)
        return presence[known], real[known]

    @cached_property
    def visibilities(self) -> tuple[FloatArray, FloatArray]:
        """Predicted visibility of the labelled points of found hands, and 1 if visible, 0 if hidden."""
        scores, visible = [np.zeros(0)], [np.zeros(0)]
        for index, k in self.pairs.tolist():
            predicted, true = self.predicted.hands[index].visibility, self.labels[k].visibility
            if predicted is not None and true is not None:
                known = np.isin(true, (Visibility.HIDDEN, Visibility.VISIBLE))
                scores.append(predicted[known])
                visible.append((true[known] == Visibility.VISIBLE).astype(np.float64))
        return np.concatenate(scores), np.concatenate(visible)


@dataclass(frozen=True, eq=False)
class RankedPalms:
    """Palms of one image: (n,) scores, (n,) the labelled hand that each found or −1, number of labelled hands."""

    scores: FloatArray
    found: IntArray
    truths: int

    @property
    def hits(self) -> FloatArray:
        """(n,) 1 for palms that found a hand, else 0."""
        return (self.found >= 0).astype(np.float64)


def has_palms(shot: Shot) -> bool:
    """Whether the squares of palms are labelled: then they are compared by IoU 0.5, else by the hand's box."""
    return any(hand.palm is not None for hand in shot.hands or ())


def match_image(shot: Shot, predictions: Predictions, photo: bool = True) -> MatchedImage:
    """Match the predicted hands of an image with its labels.

    Raises:
        InputError: the predictions do not have this image.
    """
    predicted = predictions.by_image.get((shot.source, shot.frame))
    if predicted is None:
        raise InputError(
            f"predictions of {predictions.model} have no frame {shot.frame} of {shot.source}; run the tracker again"
        )
    extents = [(k, hand.extent) for k, hand in enumerate(shot.hands or ())]
    known = [(k, extent) for k, extent in extents if extent is not None]
    overlap = metrics.iou_matrix([hand.box for hand in predicted.hands], [extent for _, extent in known])
    pairs = [(row, known[column][0]) for row, column in metrics.match(overlap, FOUND_IOU).tolist()]
    return MatchedImage(shot, predicted, np.array(pairs, np.intp).reshape(-1, 2), photo=photo)


def in_common_unit(images: Sequence[MatchedImage]) -> list[MatchedImage]:
    """The images with errors in one unit: palms if any palm is labelled, else the hands' boxes."""
    labelled = (hand for one in images for hand in one.labels)
    unit = PALM if any(math.isfinite(hand.palm_size) for hand in labelled) else BOX
    return [one if one.unit is unit else replace(one, unit=unit) for one in images]


def joined(pairs: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    """The scores and outcomes of several images together."""
    return np.concatenate([scores for scores, _ in pairs]), np.concatenate([outcomes for _, outcomes in pairs])
