"""What is counted on single images: each measure gives a numerator and a denominator per image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from knuckle.datasets.labels import LabelledHand, Shot, Visibility
from knuckle.errors import InputError
from knuckle.evaluate import metrics, metrics_landmarks
from knuckle.evaluate.metrics import IntArray
from knuckle.evaluate.results import Predictions, Seen
from knuckle.media.columns import NAMES
from knuckle.results import FloatArray

JOINTS = NAMES
# A hand counts as found when the box around its landmarks and the labelled one overlap so much. Labelled boxes are
# drawn around flesh and often around some wrist, ours around joints. Of 1768 hands found on photos of five sources 14
# overlap a label by 0.1 to 0.3, so the figure decides little.
FOUND_IOU = 0.3
OPERATING_PALM_SCORE = 0.5
TIPS = np.array([int(tip) for tip in metrics_landmarks.FINGERTIPS])


@dataclass(frozen=True, eq=False)
class Look:
    """One labelled image and what a tracker said about it.

    Attributes:
        pairs: (k, 2) its hands and the labelled ones that they are.
        photo: it is no frame of a clip, so every detector was asked and palms can be compared.
    """

    shot: Shot
    seen: Seen
    pairs: IntArray
    photo: bool = True

    @property
    def truths(self) -> tuple[LabelledHand, ...]:
        return self.shot.hands or ()


@dataclass(frozen=True)
class Unit:
    """What errors are divided by: the palm, or the hand's box where the palm is not labelled. `limit`: for PCK."""

    name: str
    of: Callable[[LabelledHand], float]
    limit: float
    reach: float


def _palm_px(hand: LabelledHand) -> float:
    return math.nan if hand.landmarks is None else float(metrics_landmarks.palm_size(hand.landmarks))


def _box_px(hand: LabelledHand) -> float:
    extent = hand.extent
    return math.nan if extent is None else float((extent[2:] - extent[:2]).max())


PALM = Unit("% of palm", _palm_px, 0.2, 0.5)
BOX = Unit("% of the hand's box", _box_px, 0.1, 0.25)


def error_unit(looks: Sequence[Look]) -> Unit:
    """The palm where it is labelled anywhere in these images."""
    return PALM if any(math.isfinite(_palm_px(hand)) for one in looks for hand in one.truths) else BOX


def look(shot: Shot, predictions: Predictions, photo: bool = True) -> Look:
    """Pair an image's hands with its labels.

    Raises:
        InputError: the predictions do not have this image.
    """
    seen = predictions.seen.get((shot.source, shot.frame))
    if seen is None:
        raise InputError(f"predictions of {predictions.model} lack {shot.source} frame {shot.frame}; run it again")
    boxes = [extent for hand in shot.hands or () if (extent := hand.extent) is not None]
    places = [k for k, hand in enumerate(shot.hands or ()) if hand.extent is not None]
    overlap = metrics.iou_matrix([hand.box for hand in seen.hands], boxes)
    pairs = metrics.match(overlap, FOUND_IOU)
    return Look(shot, seen, np.array([(i, places[j]) for i, j in pairs], np.intp).reshape(-1, 2), photo)


def errors_of(one: Look, unit: Unit, raw: bool = False) -> FloatArray:
    """(truths, 21) errors in the unit: NaN without a label, inf for points of hands that were not found; `raw`: before
    smoothing."""
    labelled = [k for k, hand in enumerate(one.truths) if hand.landmarks is not None]
    found = {true: seen for seen, true in one.pairs.tolist()}
    nowhere = np.full((21, 2), np.nan)
    hands = [one.seen.hands[found[k]] if k in found else None for k in labelled]
    predicted = [nowhere if h is None else (h.landmarks_raw if raw else h.landmarks)[:, :2] for h in hands]
    true = [one.truths[k].landmarks[:, :2] for k in labelled]  # type: ignore[index]  # those that have them
    sizes = [unit.of(one.truths[k]) for k in labelled]
    shape = (len(labelled), 21, 2)
    return metrics_landmarks.normalised_error(np.reshape(predicted, shape), np.reshape(true, shape), sizes)


def labelled(errors: FloatArray) -> int:
    """How many points have a label."""
    return int((~np.isnan(errors)).sum())


def median_of(errors: Sequence[FloatArray]) -> float:
    return metrics_landmarks.median_error(np.concatenate(errors)) if errors else math.nan


def sums_of_joint(errors: Sequence[FloatArray], joint: int) -> FloatArray:
    """(n, 2) per image: sum of a joint's errors where it was found, and how often it was."""
    return np.array([_mean_parts(of[:, joint]) for of in errors], np.float64).reshape(-1, 2)


Parts = tuple[float, float]


@dataclass(frozen=True)
class Measure:
    """A metric of images; `unit` None is that of errors, `count` gives numerator and denominator of one image."""

    name: str
    unit: str | None
    better: Literal["higher", "lower"] | None
    count: Callable[[Look, Unit], Parts]
    factor: float = 100


def _mean_parts(errors: FloatArray) -> Parts:
    found = errors[np.isfinite(errors)]
    return float(found.sum()), found.size


def hands_found(one: Look, unit: Unit) -> Parts:
    return len(one.pairs), sum(hand.extent is not None for hand in one.truths)


def false_hands(one: Look, unit: Unit) -> Parts:
    counts = one.shot.complete and bool(one.truths)
    return (len(one.seen.hands) - len(one.pairs), 1) if counts else (0, 0)


def false_alarms(one: Look, unit: Unit) -> Parts:
    return (len(one.seen.hands), 1) if one.shot.hands == () and one.shot.complete else (0, 0)


def alarmed_images(one: Look, unit: Unit) -> Parts:
    hands, images = false_alarms(one, unit)
    return float(hands > 0), images


def box_overlap(one: Look, unit: Unit) -> Parts:
    boxed = [k for k, hand in enumerate(one.truths) if hand.box is not None]
    pairs = [(seen, true) for seen, true in one.pairs.tolist() if true in boxed]
    overlaps = [metrics.iou_matrix([one.seen.hands[i].box], [one.truths[k].box])[0, 0] for i, k in pairs]
    return float(sum(overlaps)), len(boxed)


def palms_found(one: Look, unit: Unit) -> Parts:
    scores, hits, truths = palm_hits(one)
    return float(hits[scores >= OPERATING_PALM_SCORE].sum()), truths


def pair_overlap(one: Look, unit: Unit) -> Parts:
    if one.shot.both_hands_box is None:
        return 0, 0
    if not one.seen.hands:
        return 0, 1
    boxes = np.stack([hand.box for hand in one.seen.hands])
    around = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
    return float(metrics.iou_matrix([around], [one.shot.both_hands_box])[0, 0]), 1


def two_found(one: Look, unit: Unit) -> Parts:
    """Hands within the box around both, two at most."""
    if one.shot.both_hands_box is None:
        return 0, 0
    centres = [(hand.box[:2] + hand.box[2:]) / 2 for hand in one.seen.hands]
    inside = metrics.centredness(centres, [one.shot.both_hands_box]) >= 0
    return min(2, int(inside.sum())), 1


def mean_error(one: Look, unit: Unit) -> Parts:
    return _mean_parts(errors_of(one, unit))


def raw_error(one: Look, unit: Unit) -> Parts:
    return (0, 0) if one.photo else _mean_parts(errors_of(one, unit, raw=True))


def tips_error(one: Look, unit: Unit) -> Parts:
    return _mean_parts(errors_of(one, unit)[:, TIPS])


def within(one: Look, unit: Unit) -> Parts:
    errors = errors_of(one, unit)
    return float((errors <= unit.limit).sum()), labelled(errors)


def auc(one: Look, unit: Unit) -> Parts:
    """The area under PCK from 0 to `reach` is the mean of 1 − error / reach, 0 where that is negative."""
    errors = errors_of(one, unit)
    height = np.maximum(1 - errors[~np.isnan(errors)] / unit.reach, 0)
    return float(height.sum()), height.size


def right_side(one: Look, unit: Unit) -> Parts:
    pairs = [(i, k) for i, k in one.pairs.tolist() if one.truths[k].handedness and one.seen.hands[i].handedness]
    return sum(one.seen.hands[i].handedness == one.truths[k].handedness for i, k in pairs), len(pairs)


def _worlds(one: Look) -> tuple[FloatArray, FloatArray]:
    pairs = [(i, k) for i, k in one.pairs.tolist() if one.truths[k].world is not None]
    pairs = [(i, k) for i, k in pairs if np.isfinite(one.seen.hands[i].world).all()]
    predicted, true = ([of for of in column] for column in zip(*pairs, strict=True)) if pairs else ([], [])
    shape = (len(pairs), 21, 3)
    worlds = np.reshape([one.seen.hands[i].world for i in predicted], shape)
    return worlds, np.reshape([one.truths[k].world for k in true], shape)


def mpjpe(one: Look, unit: Unit) -> Parts:
    return _mean_parts(metrics_landmarks.mpjpe_mm(*_worlds(one)))


def pa_mpjpe(one: Look, unit: Unit) -> Parts:
    return _mean_parts(metrics_landmarks.pa_mpjpe_mm(*_worlds(one)))


def bone_error(one: Look, unit: Unit) -> Parts:
    return _mean_parts(metrics_landmarks.bone_length_error_mm(*_worlds(one)))


def _presences(one: Look) -> tuple[FloatArray, FloatArray]:
    """Presence of each hand and whether a labelled hand is there; images with all hands labelled alone tell."""
    if not one.shot.complete or one.shot.hands is None:
        return np.zeros(0), np.zeros(0)
    presence = np.array([np.nan if hand.presence is None else hand.presence for hand in one.seen.hands], np.float64)
    real = np.isin(np.arange(len(presence)), one.pairs[:, 0])
    known = np.isfinite(presence)
    return presence[known], real[known].astype(np.float64)


def presence_brier(one: Look, unit: Unit) -> Parts:
    presence, real = _presences(one)
    return float(((presence - real) ** 2).sum()), len(presence)


MEASURES = (
    Measure("hands found", "%", "higher", hands_found),
    Measure("false hands per 1000 images", "", "lower", false_hands, 1000),
    Measure("false alarms per 1000 images without hands", "", "lower", false_alarms, 1000),
    Measure("images without hands that raise an alarm", "%", "lower", alarmed_images),
    Measure("palms found", "%", "higher", palms_found),
    Measure("overlap with the hand's box, missed = 0", "% IoU", "higher", box_overlap),
    Measure("hands within the box around both", "of 2", "higher", two_found, 1),
    Measure("overlap with the box around both, missed = 0", "% IoU", "higher", pair_overlap),
    Measure("mean error, found hands", None, "lower", mean_error),
    Measure("mean error before smoothing, found hands", None, "lower", raw_error),
    Measure("mean error of fingertips, found hands", None, "lower", tips_error),
    Measure("PCK at {limit} %, missed = wrong", "%", "higher", within),
    Measure("AUC of PCK, missed = wrong", "%", "higher", auc),
    Measure("left or right correct, found hands", "%", "higher", right_side),
    Measure("MPJPE, wrists together", "mm", "lower", mpjpe, 1),
    Measure("PA-MPJPE", "mm", "lower", pa_mpjpe, 1),
    Measure("bone length error", "mm", "lower", bone_error, 1),
    Measure("Brier score of presence", "", "lower", presence_brier, 1),
)


def has_palms(shot: Shot) -> bool:
    return any(hand.palm is not None for hand in shot.hands or ())


def palm_hits(one: Look) -> tuple[FloatArray, FloatArray, int]:
    """Score of each palm, whether it found a hand, and how many there are: IoU 0.5 with labelled palm squares, or
    its centre in a hand's box where only boxes are labelled."""
    palms = one.seen.palms or ()
    squares = has_palms(one.shot)
    boxes = [b for hand in one.truths if (b := hand.palm if squares else hand.extent) is not None]
    if not (one.photo and one.shot.complete) or one.shot.hands is None or one.seen.palms is None:
        return np.zeros(0), np.zeros(0), 0
    scores = np.array([palm.score for palm in palms], np.float64)
    if squares:
        alike, least = metrics.iou_matrix([palm.box for palm in palms], boxes), 0.5
    else:
        alike, least = metrics.centredness([(palm.box[:2] + palm.box[2:]) / 2 for palm in palms], boxes), 0.0
    return scores, (metrics.match_by_score(scores, alike, least) >= 0).astype(np.float64), len(boxes)


def average_precision_of(ranked: Sequence[tuple[FloatArray, FloatArray, int]]) -> float:
    scores, hits = (np.concatenate(column) for column in list(zip(*ranked, strict=True))[:2])
    return metrics.average_precision(scores, hits, sum(truths for _, _, truths in ranked))


def visibility_of(one: Look) -> tuple[FloatArray, FloatArray]:
    """Predicted visibility of labelled points of found hands, and whether they are visible."""
    scores, visible = [np.zeros(0)], [np.zeros(0)]
    for i, k in one.pairs.tolist():
        said, true = one.seen.hands[i].visibility, one.truths[k].visibility
        if said is not None and true is not None:
            known = np.isin(true, (Visibility.HIDDEN, Visibility.VISIBLE))
            scores.append(said[known])
            visible.append((true[known] == Visibility.VISIBLE).astype(np.float64))
    return np.concatenate(scores), np.concatenate(visible)


def auroc_of(told: Sequence[tuple[FloatArray, FloatArray]]) -> float:
    scores, visible = (np.concatenate(column) for column in zip(*told, strict=True))
    return metrics.auroc(scores, visible)


def pck_line(looks: Sequence[Look], unit: Unit) -> FloatArray:
    errors = np.concatenate([errors_of(one, unit) for one in looks])
    limits = np.linspace(0, unit.reach, 51)
    return (
        100 * np.stack([limits, metrics_landmarks.pck(errors, limits)], axis=1)
        if labelled(errors)
        else np.zeros((0, 2))
    )


def precision_recall_line(looks: Sequence[Look]) -> FloatArray:
    ranked = [palm_hits(one) for one in looks if one.seen.palms is not None]
    if not ranked or not sum(truths for _, _, truths in ranked):
        return np.zeros((0, 2))
    scores, hits = (np.concatenate(column) for column in list(zip(*ranked, strict=True))[:2])
    recall, precision, _ = metrics.precision_recall(scores, hits, sum(truths for _, _, truths in ranked))
    return 100 * np.stack([recall, precision], axis=1)


def presence_line(looks: Sequence[Look]) -> FloatArray:
    return _reliability_line([_presences(one) for one in looks])


def visibility_line(looks: Sequence[Look]) -> FloatArray:
    return _reliability_line([visibility_of(one) for one in looks])


def _reliability_line(told: Sequence[tuple[FloatArray, FloatArray]]) -> FloatArray:
    probabilities, outcomes = (np.concatenate(column) for column in zip(*told, strict=True)) if told else ((), ())
    found = metrics.reliability(probabilities, outcomes)
    filled = found.samples > 0
    return np.stack([found.probability[filled], found.frequency[filled]], axis=1)


def complaint(one: Look, unit: Unit) -> tuple[float, str]:
    """How bad an image was, and why, in a few words."""
    missed = int(hands_found(one, unit)[1]) - len(one.pairs)
    false = len(one.seen.hands) - len(one.pairs) if one.shot.complete and one.shot.hands is not None else 0
    error, points = mean_error(one, unit)
    mean = 100 * error / points if points else 0.0
    words = [f"{missed} missed"] * (missed > 0) + [f"{false} false"] * (false > 0)
    words += [f"error {mean:.0f} {unit.name}"] * (points > 0)
    return missed + false + mean / 100, ", ".join(words)
