"""Labels and predictions of several trackers -> tables with intervals, curves and the worst cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from knuckle.datasets.labels import Dataset
from knuckle.errors import InputError
from knuckle.evaluate import score_clips, score_images
from knuckle.evaluate.intervals import Interval, bootstrap, bootstrap_ratio, bootstrap_ratio_difference, wilson
from knuckle.evaluate.results import Case, Curve, Figure, Predictions, Row, Score, Table
from knuckle.evaluate.score_images import Look, look
from knuckle.results import FloatArray

WORST = 8
NO_MATTER = 0.002  # relative; two implementations of one arithmetic differ by less in every figure
LEAST_GROUPS = 6  # that five agree happens by chance in 2 of 32 cases, and their resampling is always on one side
RESAMPLES = 300  # for figures that are no ratios of sums
AGREEMENT = "labelled by MediaPipe itself: agreement with it, not accuracy"


@dataclass(frozen=True)
class Counted:
    """One metric of all trackers, by image or clip: figures are sums of the first column by sums of the second.

    Attributes:
        by_model: (n, 2) each, numerators and denominators.
        groups: (n,) what is resampled together.
        statistic: instead of the ratio, any function of the kept items' indices and the model's name.
    """

    metric: str
    unit: str
    better: Literal["higher", "lower"] | None
    by_model: Mapping[str, FloatArray]
    groups: Sequence[Any]
    factor: float = 1.0
    statistic: Callable[[str, Any], float] | None = None


def score(dataset: Dataset, predictions: Sequence[Predictions], against: Mapping[str, str] | None = None) -> Score:
    """Compare what trackers said about a dataset with its labels, and with each other.

    Args:
        against: for each tracker that is to be judged the one that it is compared with; by default all with the first.

    Raises:
        InputError: predictions lack an image of the dataset, or two trackers have one name.
    """
    names = tuple(prediction.model for prediction in predictions)
    if len(set(names)) < len(names):
        raise InputError(f"each tracker needs a name of its own, got {', '.join(names)}")
    rivals = dict.fromkeys(names[1:], names[0]) if against is None else against
    shots = [(shot, True) for shot in dataset.shots] + [(shot, False) for clip in dataset.clips for shot in clip.shots]
    shots = [(s, photo) for s, photo in shots if s.hands is not None or s.both_hands_box is not None]
    looks = {one.model: [look(shot, one, photo) for shot, photo in shots] for one in predictions}
    groups = [one.shot.group or f"{one.shot.source}:{one.shot.frame}" for one in looks[names[0]]]
    note = AGREEMENT if dataset.labelled_by == "mediapipe" else ""
    tables = []
    for title, chosen in _slices(looks[names[0]]) if groups else ():
        kept = {name: [looks[name][k] for k in chosen] for name in names}
        counted = image_metrics(kept, [groups[k] for k in chosen])
        tables.append(Table(title, tuple(_row(one, rivals) for one in counted if _measured(one)), note))
    joints = [_row(one, rivals) for one in joint_metrics(looks, groups) if _measured(one)] if groups else []
    tables.append(Table("mean error per joint, hands that were found", tuple(joints) if len(joints) > 5 else (), note))
    clips = clip_metrics(dataset, predictions) if dataset.clips else []
    tables.append(Table("video", tuple(_row(one, rivals) for one in clips if _measured(one)), note))
    return Score(
        dataset,
        names,
        tuple(table for table in tables if table.rows),
        tuple(curves(looks)) if groups else (),
        tuple(case for name in names for case in worst(name, looks[name])),
    )


def _slices(looks: Sequence[Look]) -> list[tuple[str, list[int]]]:
    """All images, then those of each slice."""
    names = sorted({name for one in looks for name in one.shot.slices})
    whole = [("images", list(range(len(looks))))]
    return whole + [(name, [k for k, one in enumerate(looks) if name in one.shot.slices]) for name in names]


def image_metrics(looks: Mapping[str, Sequence[Look]], groups: Sequence[Any]) -> list[Counted]:
    """Every metric of single images."""
    unit = score_images.error_unit(next(iter(looks.values())))
    metrics = [
        Counted(
            measure.name.format(limit=f"{100 * unit.limit:g}"),
            unit.name if measure.unit is None else measure.unit,
            measure.better,
            {
                name: np.array([measure.count(one, unit) for one in of], np.float64).reshape(-1, 2)
                for name, of in looks.items()
            },
            groups,
            measure.factor,
        )
        for measure in score_images.MEASURES
    ]
    others = [*_medians(looks, groups, unit), *_visibility(looks, groups), _speed(looks, groups)]
    return [*metrics, _palm_ap(looks, groups), *others]


def _palm_ap(looks: Mapping[str, Sequence[Look]], groups: Sequence[Any]) -> Counted:
    ranked = {name: [score_images.palm_hits(one) for one in of] for name, of in looks.items()}
    known = {
        name: of for name, of in ranked.items() if any(truths for _, _, truths in of) and any(len(s) for s, _, _ in of)
    }
    square = any(score_images.has_palms(one.shot) for one in next(iter(looks.values())))
    name = "palm AP, IoU 0.5" if square else "palm AP, centre in the hand's box"

    def statistic(model: str, kept: Any) -> float:
        return score_images.average_precision_of([known[model][k] for k in kept])

    sums = {
        model: np.array([(0, truths) for _, _, truths in of], np.float64).reshape(-1, 2) for model, of in known.items()
    }
    return Counted(name, "%", "higher", sums, groups, 100, statistic)


def _medians(looks: Mapping[str, Sequence[Look]], groups: Sequence[Any], unit: score_images.Unit) -> list[Counted]:
    errors = {name: [score_images.errors_of(one, unit) for one in of] for name, of in looks.items()}

    def statistic(model: str, kept: Any) -> float:
        return score_images.median_of([errors[model][k] for k in kept])

    sums = {
        name: np.array([(0, score_images.labelled(one)) for one in of], np.float64).reshape(-1, 2)
        for name, of in errors.items()
    }
    return [Counted("median error, missed = infinite", unit.name, "lower", sums, groups, 100, statistic)]


def _visibility(looks: Mapping[str, Sequence[Look]], groups: Sequence[Any]) -> list[Counted]:
    told = {name: [score_images.visibility_of(one) for one in of] for name, of in looks.items()}
    told = {name: of for name, of in told.items() if any(len(scores) for scores, _ in of)}

    def statistic(model: str, kept: Any) -> float:
        return score_images.auroc_of([told[model][k] for k in kept])

    sums = {
        name: np.array([(0, len(scores)) for scores, _ in of], np.float64).reshape(-1, 2) for name, of in told.items()
    }
    return [Counted("visibility AUROC", "", "higher", sums, groups, 1, statistic)]


def _speed(looks: Mapping[str, Sequence[Look]], groups: Sequence[Any]) -> Counted:
    ms = {name: np.array([one.seen.ms for one in of], np.float64) for name, of in looks.items()}

    def statistic(model: str, kept: Any) -> float:
        known = ms[model][kept][np.isfinite(ms[model][kept])]
        return float(np.median(known)) if known.size else math.nan

    sums = {name: np.stack([np.zeros(len(of)), np.isfinite(of)], axis=1) for name, of in ms.items()}
    return Counted("time per image, median", "ms", None, sums, groups, 1, statistic)


def joint_metrics(looks: Mapping[str, Sequence[Look]], groups: Sequence[Any]) -> list[Counted]:
    """Mean error of each of the 21 points."""
    unit = score_images.error_unit(next(iter(looks.values())))
    errors = {name: [score_images.errors_of(one, unit) for one in of] for name, of in looks.items()}
    return [
        Counted(
            joint,
            unit.name,
            "lower",
            {name: score_images.sums_of_joint(of, k) for name, of in errors.items()},
            groups,
            100,
        )
        for k, joint in enumerate(score_images.JOINTS)
    ]


def clip_metrics(dataset: Dataset, predictions: Sequence[Predictions]) -> list[Counted]:
    """Every metric of clips; a clip is what is resampled."""
    watched = {one.model: [score_clips.watch(clip, one) for clip in dataset.clips] for one in predictions}
    groups = [clip.source for clip in dataset.clips]
    return [
        Counted(
            measure.name,
            measure.unit,
            measure.better,
            {
                name: np.array([measure.count(one) for one in of], np.float64).reshape(-1, 2)
                for name, of in watched.items()
            },
            groups,
            measure.factor,
        )
        for measure in score_clips.MEASURES
    ]


def _measured(one: Counted) -> bool:
    return any(values[:, 1].sum() > 0 for values in one.by_model.values() if len(values))


def _row(one: Counted, rivals: Mapping[str, str]) -> Row:
    figures = {
        name: _figure(one, name) for name, values in one.by_model.items() if len(values) and values[:, 1].sum() > 0
    }
    judged = {name: rival for name, rival in rivals.items() if name in figures and rival in figures and one.better}
    return Row(
        one.metric, one.unit, one.better, figures, {name: verdict(one, name, rival) for name, rival in judged.items()}
    )


def _figure(one: Counted, name: str) -> Figure:
    values, factor = one.by_model[name], one.factor
    if one.statistic:
        statistic = one.statistic
        interval = bootstrap(lambda kept: statistic(name, kept), one.groups, resamples=RESAMPLES)
    else:
        interval = bootstrap_ratio(values[:, 0], values[:, 1], one.groups)
        certain = interval.value == 0 if one.factor == 1000 else one.unit == "%" and interval.value in (0.0, 1.0)
        if certain and len(set(one.groups)) > 1:  # of no events at all resampling would make [0, 0]
            _, low, high = wilson(values[:, 0].sum(), values[:, 1].sum())
            interval = Interval(interval.value, min(low, interval.value), max(high, interval.value))
    low, high = factor * interval.low, factor * interval.high
    return Figure(factor * interval.value, low, high, int(values[:, 1].sum()))


def verdict(one: Counted, name: str, rival: str) -> str:
    """ "better", "worse" or "same": whether the interval of the paired difference leaves 0 out.

    A difference below `NO_MATTER` of the rival's figure is "same" however sure it is, and so is any of fewer than
    `LEAST_GROUPS` clips or groups of images.
    """
    told = [group for group, (_, below) in zip(one.groups, one.by_model[name], strict=True) if below]
    if len(set(told)) < LEAST_GROUPS:
        return "same"
    difference = _difference(one, name, rival)
    if not (difference.low > 0 or difference.high < 0):
        return "same"
    if abs(one.factor * difference.value) < NO_MATTER * abs(_figure(one, rival).value):
        return "same"
    return "better" if (difference.value > 0) == (one.better == "higher") else "worse"


def _difference(one: Counted, name: str, rival: str) -> Interval:
    if one.statistic:
        statistic = one.statistic
        return bootstrap(lambda kept: statistic(name, kept) - statistic(rival, kept), one.groups, resamples=RESAMPLES)
    columns = [(one.by_model[model][:, 0], one.by_model[model][:, 1]) for model in (name, rival)]
    return bootstrap_ratio_difference(columns[0], columns[1], one.groups)


def curves(looks: Mapping[str, Sequence[Look]]) -> list[Curve]:
    """PCK, precision and recall of palms, calibration of presence and visibility, where labels allow them."""
    unit = score_images.error_unit(next(iter(looks.values())))
    found = [
        Curve(
            "PCK, all labelled points",
            f"error up to, {unit.name}",
            "share of points, %",
            _lines(looks, lambda of: score_images.pck_line(of, unit)),
        ),
        Curve("palms", "recall, %", "precision, %", _lines(looks, score_images.precision_recall_line)),
        Curve("presence", "presence", "share that is a labelled hand", _lines(looks, score_images.presence_line), True),
        Curve("visibility", "visibility", "share that is visible", _lines(looks, score_images.visibility_line), True),
    ]
    return [curve for curve in found if curve.lines]


def _lines(looks: Mapping[str, Sequence[Look]], line: Callable[[Sequence[Look]], FloatArray]) -> dict[str, FloatArray]:
    made = {name: line(of) for name, of in looks.items()}
    return {name: points for name, points in made.items() if len(points) > 1}


def worst(name: str, looks: Sequence[Look]) -> list[Case]:
    """The images on which this tracker did worst: missed and false hands first, then the largest errors."""
    unit = score_images.error_unit(looks)
    cases = [Case(name, one.shot, one.seen, *score_images.complaint(one, unit)) for one in looks]
    return sorted((case for case in cases if case.badness > 0), key=lambda case: -case.badness)[:WORST]
