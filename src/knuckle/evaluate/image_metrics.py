"""The metrics of single images: `MEASURES` and `POOLED`. Each is a row of the report; its equation is in `metrics`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from knuckle import metrics
from knuckle.evaluate.matching import MatchedImage, RankedPalms, joined
from knuckle.results import FINGERTIPS

OPERATING_PALM_SCORE = 0.5
TIPS = list(FINGERTIPS)
Better = Literal["higher", "lower"] | None


@dataclass(frozen=True)
class Measure:
    """A metric that is a mean.

    Attributes:
        name: in words; {limit} stands for the PCK threshold.
        unit: None is the unit of the errors.
        values: the values of one image; the figure is the mean over the finite values of all images.
        factor: multiplies the mean, 100 for percent.
    """

    name: str
    unit: str | None
    better: Better
    values: Callable[[MatchedImage], npt.ArrayLike]
    factor: float = 100


def hands_found(one: MatchedImage) -> npt.ArrayLike:
    """Recall: for each labelled hand whether it was found."""
    return [k in one.pairs[:, 1] for k, hand in enumerate(one.labels) if hand.extent is not None]


def false_positives_beside_hands(one: MatchedImage) -> npt.ArrayLike:
    """Number of false positives of an image with hands, if all its hands are labelled."""
    return [len(one.predicted.hands) - len(one.pairs)] if one.is_complete and one.labels else []


def false_positives(one: MatchedImage) -> npt.ArrayLike:
    """Number of false positives of a hand-free image."""
    return [len(one.predicted.hands)] if one.is_complete and not one.labels else []


def has_false_positive(one: MatchedImage) -> npt.ArrayLike:
    """Whether a hand-free image has a false positive."""
    return [len(one.predicted.hands) > 0] if one.is_complete and not one.labels else []


def extra_errors(one: MatchedImage) -> npt.ArrayLike:
    """The errors of the points beyond the 21."""
    return [error for errors in one.extra_errors.values() for error in errors]


def palms_found(one: MatchedImage) -> npt.ArrayLike:
    """For each labelled hand whether a palm with a score of at least `OPERATING_PALM_SCORE` found it."""
    sure = one.palms.found[one.palms.scores >= OPERATING_PALM_SCORE]
    return [k in sure for k in range(one.palms.truths)]


def box_overlap(one: MatchedImage) -> npt.ArrayLike:
    """IoU of each labelled box with the box of the hand that was found there, 0 for a missed hand."""
    overlaps = {k: 0.0 for k, hand in enumerate(one.labels) if hand.box is not None}
    for index, k in one.pairs.tolist():
        if k in overlaps:
            overlaps[k] = metrics.iou_matrix([one.predicted.hands[index].box], [one.labels[k].box])[0, 0]
    return list(overlaps.values())


def two_found(one: MatchedImage) -> npt.ArrayLike:
    """How many hands lie in the box around both hands, two at most."""
    if one.shot.both_hands_box is None:
        return []
    centres = [(hand.box[:2] + hand.box[2:]) / 2 for hand in one.predicted.hands]
    inside = metrics.centredness(centres, [one.shot.both_hands_box]) >= 0
    return [min(2, int(inside.sum()))]


def pair_overlap(one: MatchedImage) -> npt.ArrayLike:
    """IoU of the box around both hands with the box around all predicted hands, 0 if no hand is predicted."""
    if one.shot.both_hands_box is None:
        return []
    if not one.predicted.hands:
        return [0]
    boxes = np.stack([hand.box for hand in one.predicted.hands])
    around = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
    return [float(metrics.iou_matrix([around], [one.shot.both_hands_box])[0, 0])]


def within_limit(one: MatchedImage) -> npt.ArrayLike:
    """For each labelled point whether its error is at most the unit's limit (PCK)."""
    return np.where(np.isnan(one.errors), np.nan, one.errors <= one.unit.limit)


def handedness_correct(one: MatchedImage) -> npt.ArrayLike:
    """For each found hand whether its handedness is the labelled one; hands without a predicted or labelled handedness
    do not count."""
    hands = [(one.predicted.hands[index].handedness, one.labels[k].handedness) for index, k in one.pairs.tolist()]
    known = [(predicted, label) for predicted, label in hands if predicted and label]
    return metrics.accuracy([predicted for predicted, _ in known], [label for _, label in known])


MEASURES = (
    Measure("hands found", "%", "higher", hands_found),
    Measure("false positives per 1000 images with hands", "", "lower", false_positives_beside_hands, 1000),
    Measure("false positives per 1000 hand-free images", "", "lower", false_positives, 1000),
    Measure("hand-free images with a false positive", "%", "lower", has_false_positive),
    Measure("palms found", "%", "higher", palms_found),
    Measure("overlap with the hand's box, missed = 0", "% IoU", "higher", box_overlap),
    Measure("hands within the box around both", "of 2", "higher", two_found, 1),
    Measure("overlap with the box around both, missed = 0", "% IoU", "higher", pair_overlap),
    Measure("mean error, found hands", None, "lower", lambda one: one.errors),
    Measure("mean error before smoothing, found hands", None, "lower", lambda one: [] if one.photo else one.raw_errors),
    Measure("mean error of fingertips, found hands", None, "lower", lambda one: one.errors[:, TIPS]),
    Measure("mean error of points beyond the 21, found hands", None, "lower", extra_errors),
    Measure("PCK at {limit} %, missed = wrong", "%", "higher", within_limit),
    Measure("AUC of PCK, missed = wrong", "%", "higher", lambda one: metrics.pck_area(one.errors, one.unit.reach)),
    Measure("left or right correct, found hands", "%", "higher", handedness_correct),
    Measure("MPJPE, wrists together", "mm", "lower", lambda one: metrics.mpjpe_mm(*one.worlds), 1),
    Measure("PA-MPJPE", "mm", "lower", lambda one: metrics.pa_mpjpe_mm(*one.worlds), 1),
    Measure("bone length error", "mm", "lower", lambda one: metrics.bone_length_error_mm(*one.worlds), 1),
    Measure("Brier score of presence", "", "lower", lambda one: metrics.brier(*one.presences), 1),
)


@dataclass(frozen=True)
class Pooled:
    """A metric that is not a mean: it needs the samples of all images together.

    Attributes:
        samples: what one image contributes.
        count: the number of samples in that contribution.
        statistic: computes the figure from the contributions of some images.
    """

    name: str
    unit: str | None
    better: Better
    samples: Callable[[MatchedImage], Any]
    count: Callable[[Any], int]
    statistic: Callable[[Sequence[Any]], float]
    factor: float = 100


def palm_ap(images: Sequence[RankedPalms]) -> float:
    """Average precision of the palms of several images."""
    scores, hits = joined([(one.scores, one.hits) for one in images])
    return metrics.average_precision(scores, hits, sum(one.truths for one in images))


def median_ms(times: Sequence[float]) -> float:
    """Median of the known times, NaN if no time is known."""
    known = [time for time in times if math.isfinite(time)]
    return float(np.median(known)) if known else math.nan


PALM_AP = Pooled(
    name="palm AP, IoU 0.5",
    unit="%",
    better="higher",
    samples=lambda one: one.palms,
    count=lambda palms: int(palms.truths),
    statistic=palm_ap,
)
PALM_AP_IN_BOX = replace(PALM_AP, name="palm AP, centre in the hand's box")
POOLED = (
    Pooled(
        name="median error, missed = infinite",
        unit=None,
        better="lower",
        samples=lambda one: one.errors,
        count=lambda errors: int((~np.isnan(errors)).sum()),
        statistic=lambda errors: metrics.median_error(np.concatenate(errors)),
    ),
    Pooled(
        name="visibility AUROC",
        unit="",
        better="higher",
        samples=lambda one: one.visibilities,
        count=lambda pair: len(pair[0]),
        statistic=lambda pairs: metrics.auroc(*joined(pairs)),
        factor=1,
    ),
    Pooled(
        name="time per image, median",
        unit="ms",
        better=None,
        samples=lambda one: one.predicted.ms,
        count=lambda ms: int(math.isfinite(ms)),
        statistic=median_ms,
        factor=1,
    ),
)


def failure(one: MatchedImage) -> tuple[float, str]:
    """How badly a tracker did on an image, and why in a few words."""
    labelled = sum(hand.extent is not None for hand in one.labels)
    missed = labelled - len(one.pairs)
    false = len(one.predicted.hands) - len(one.pairs) if one.is_complete else 0
    total, points = metrics.sum_and_count(one.errors)
    mean = 100 * total / points if points else 0.0
    reasons = []
    if missed > 0:
        reasons.append(f"{missed} missed")
    if false > 0:
        reasons.append(f"{false} false")
    if points:
        reasons.append(f"error {mean:.0f} {one.unit.name}")
    return missed + false + mean / 100, ", ".join(reasons)
