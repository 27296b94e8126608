"""How good a recogniser is: accuracy of each gesture of a set, false triggers, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from knuckle.gestures.directions import conditions_of
from knuckle.gestures.features import features_of
from knuckle.gestures.network import ShapeNetwork
from knuckle.gestures.recogniser import GestureSet
from knuckle.gestures.taught import NONE
from knuckle.metrics.calibration import reliability
from knuckle.results import FloatArray
from knuckle.train.gestures.photos import PhotoHands


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a recogniser said of labelled hands.

    Attributes:
        names: the gestures, then "None".
        confusion: (truth, said) counts, in the order of `names`.
        calibration_error: expected calibration error of the probability of what was said.
    """

    names: tuple[str, ...]
    confusion: FloatArray
    calibration_error: float

    def accuracies(self) -> Mapping[str, float]:
        """Share of each gesture's hands that were recognised; gestures without hands are left out."""
        totals = self.confusion.sum(axis=1)
        return {name: float(self.confusion[k, k] / totals[k]) for k, name in enumerate(self.names) if totals[k]}

    def macro_accuracy(self) -> float:
        """Mean of the gestures' accuracies, "None" left out."""
        return float(np.mean([value for name, value in self.accuracies().items() if name != NONE]))


def judge(network: ShapeNetwork, gestures: GestureSet, hands: PhotoHands) -> Judgement:
    """Compare what is said of hands with what their labels say.

    The truth is what the set makes of the labelled shape and of where the hand points. Hands whose labels leave it
    open, and hands within 10 degrees of a condition's limit, are left out.
    """
    conditions = conditions_of(hands.world, hands.left)
    truth = np.full((len(hands.labels), len(gestures.names) + 1), -1.0)
    for row, label in enumerate(hands.labels):
        meanings = []
        for shape in str(label).split("|"):
            sure = np.zeros((1, len(network.shapes)), np.float32)
            sure[0, network.shapes.index(shape)] = 1
            meanings.append(gestures.probabilities(sure, sure, conditions[[row]])[0])
        truth[row] = meanings[0] if np.ptp(meanings, axis=0).max() < 0.2 else -1
    clear = truth.max(axis=1) > 0.85
    features = features_of(hands.landmarks, hands.world, hands.left)
    said = gestures.probabilities(*network(features), conditions)[clear]
    truths, best = truth[clear].argmax(axis=1), said.argmax(axis=1)
    confusion = np.zeros((truth.shape[1],) * 2, np.float64)
    np.add.at(confusion, (truths, best), 1)
    bins = reliability(np.clip(said.max(axis=1), 0, 1), best == truths)
    error = np.nansum(np.abs(bins.probability - bins.frequency) * bins.samples) / max(len(truths), 1)
    return Judgement((*gestures.names, NONE), confusion, float(error))
