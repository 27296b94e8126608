"""Labels and the predictions of several trackers -> tables with intervals, curves and the worst images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from knuckle.datasets.labels import Dataset, Shot, without_ignored
from knuckle.errors import InputError
from knuckle.evaluate import clip_metrics, image_metrics
from knuckle.evaluate.clip_metrics import TrackedClip, follow_clip
from knuckle.evaluate.curves import curves
from knuckle.evaluate.image_metrics import Better, Measure, Pooled, failure
from knuckle.evaluate.matching import MatchedImage, has_palms, in_common_unit, match_image
from knuckle.evaluate.results import Case, Figure, Predictions, Row, Score, Table
from knuckle.metrics import Interval, bootstrap, bootstrap_ratio, bootstrap_ratio_difference, sum_and_count, wilson
from knuckle.results import FloatArray
from knuckle.results.point_set import NAMES

WORST = 8
NEGLIGIBLE = 0.002  # relative: two implementations of the same arithmetic differ by less in every figure
MIN_GROUPS = 6  # five groups agree by chance in 2 of 32 cases, and resampling them always gives one side
RESAMPLES = 300  # for figures that are not ratios of sums
MIN_JOINTS = 6  # with fewer labelled points a table of joints repeats the mean error
AGREEMENT = "labelled by MediaPipe itself: agreement with it, not accuracy"


@dataclass(frozen=True)
class Samples:
    """One metric of all trackers, image by image or clip by clip.

    Attributes:
        sums: per tracker (n, 2); the figure is the sum of the first column by the sum of the second.
        groups: (n,) items of one group are resampled together.
        factor: multiplies the figure, 100 for percent.
        statistic: computes the figure instead, from a tracker's name and the indices of the drawn items.
    """

    metric: str
    unit: str
    better: Better
    sums: Mapping[str, FloatArray]
    groups: Sequence[Any]
    factor: float = 1.0
    statistic: Callable[[str, Any], float] | None = None

    def has(self, name: str) -> bool:
        """Whether there is anything to measure for this tracker."""
        return len(self.sums[name]) > 0 and bool(self.sums[name][:, 1].sum() > 0)


def score(dataset: Dataset, predictions: Sequence[Predictions], against: Mapping[str, str] | None = None) -> Score:
    """Compare the predictions of trackers with the labels of a dataset, and with each other.

    Args:
        against: for each tracker that gets a verdict, the tracker it is compared with; by default all with the first.

    Raises:
        InputError: predictions lack an image of the dataset, or two trackers have the same name.
    """
    dataset = without_ignored(dataset)
    names = tuple(prediction.model for prediction in predictions)
    if len(set(names)) < len(names):
        raise InputError(f"each tracker needs its own name, got {', '.join(names)}")
    rivals = dict.fromkeys(names[1:], names[0]) if against is None else against
    shots = [(shot, True) for shot in dataset.shots] + [(shot, False) for clip in dataset.clips for shot in clip.shots]
    labelled = [(shot, photo) for shot, photo in shots if shot.hands is not None or shot.both_hands_box is not None]
    images = {one.model: [match_image(shot, one, photo) for shot, photo in labelled] for one in predictions}
    note = AGREEMENT if dataset.labelled_by == "mediapipe" else ""
    tables = []
    if labelled:
        tables += image_tables(images, rivals, note)
        images = {name: in_common_unit(matched) for name, matched in images.items()}
    if dataset.clips:
        clips = {}
        for one in predictions:
            frames = {(image.shot.source, image.shot.frame): image for image in images[one.model] if not image.photo}
            clips[one.model] = [follow_clip(clip, one, frames) for clip in dataset.clips]
        tables.append(_table("video", clip_samples(clips), rivals, note))
    return Score(
        dataset,
        names,
        tuple(table for table in tables if table.rows),
        tuple(curves(images)) if labelled else (),
        tuple(case for name in names for case in worst(name, images[name])),
    )


def image_tables(images: Mapping[str, Sequence[MatchedImage]], rivals: Mapping[str, str], note: str) -> list[Table]:
    """A table of all images, one of each slice, and the errors of each joint.

    Args:
        images: the matched images of each tracker, the same images in the same order.
    """
    first = next(iter(images.values()))
    groups = [group_of(one.shot) for one in first]
    slices = {"images": range(len(first))}
    for name in sorted({name for one in first for name in one.shot.slices}):
        slices[name] = [k for k, one in enumerate(first) if name in one.shot.slices]  # type: ignore[assignment]
    tables = []
    for title, indices in slices.items():
        kept = {name: in_common_unit([matched[k] for k in indices]) for name, matched in images.items()}
        tables.append(_table(title, image_samples(kept, [groups[k] for k in indices]), rivals, note))
    whole = {name: in_common_unit(matched) for name, matched in images.items()}
    joints = _table("mean error per joint, hands that were found", joint_samples(whole, groups), rivals, note)
    return [*tables, joints] if len(joints.rows) >= MIN_JOINTS else tables


def group_of(shot: Shot) -> str:
    """What an image is resampled with: its group, or itself."""
    return shot.group or f"{shot.source}:{shot.frame}"


def image_samples(images: Mapping[str, Sequence[MatchedImage]], groups: Sequence[str]) -> list[Samples]:
    """Every metric of single images."""
    first = next(iter(images.values()))
    squares = any(has_palms(one.shot) for one in first)
    palm_ap = image_metrics.PALM_AP if squares else image_metrics.PALM_AP_IN_BOX
    means = [_mean_samples(measure, images, groups) for measure in image_metrics.MEASURES]
    return means + [_pooled_samples(pooled, images, groups) for pooled in (palm_ap, *image_metrics.POOLED)]


def joint_samples(images: Mapping[str, Sequence[MatchedImage]], groups: Sequence[str]) -> list[Samples]:
    """The mean error of each of the 21 landmarks, and of the points beyond them."""
    measures = []
    for k, name in enumerate(NAMES):
        measures.append(Measure(name, None, "lower", lambda one, k=k: one.errors[:, k]))  # type: ignore[misc]
    extra = dict.fromkeys(name for matched in images.values() for one in matched for name in one.extra_errors)
    for name in extra:
        measures.append(
            Measure(name, None, "lower", lambda one, name=name: one.extra_errors.get(name, []))  # type: ignore[misc]
        )
    return [_mean_samples(measure, images, groups) for measure in measures]


def _mean_samples(measure: Measure, images: Mapping[str, Sequence[MatchedImage]], groups: Sequence[str]) -> Samples:
    unit = next(iter(images.values()))[0].unit
    sums = {
        name: _two_columns([sum_and_count(measure.values(one)) for one in matched]) for name, matched in images.items()
    }
    name = measure.name.format(limit=f"{100 * unit.limit:g}")
    return Samples(
        name, measure.unit if measure.unit is not None else unit.name, measure.better, sums, groups, measure.factor
    )


def _pooled_samples(pooled: Pooled, images: Mapping[str, Sequence[MatchedImage]], groups: Sequence[str]) -> Samples:
    unit = next(iter(images.values()))[0].unit
    samples = {name: [pooled.samples(one) for one in matched] for name, matched in images.items()}

    def statistic(name: str, kept: Any) -> float:
        return pooled.statistic([samples[name][k] for k in kept])

    sums = {name: _two_columns([(0, pooled.count(one)) for one in of_images]) for name, of_images in samples.items()}
    shown = unit.name if pooled.unit is None else pooled.unit
    return Samples(pooled.name, shown, pooled.better, sums, groups, pooled.factor, statistic)


def clip_samples(clips: Mapping[str, Sequence[TrackedClip]]) -> list[Samples]:
    """Every metric of clips; whole clips are resampled."""
    groups = [one.clip.source for one in next(iter(clips.values()))]
    found = []
    for measure in clip_metrics.MEASURES:
        sums = {name: _two_columns([measure.parts(one) for one in tracked]) for name, tracked in clips.items()}
        found.append(Samples(measure.name, measure.unit, measure.better, sums, groups, measure.factor))
    return found


def _two_columns(parts: Sequence[tuple[float, float]]) -> FloatArray:
    return np.array(parts, np.float64).reshape(-1, 2)


def _table(title: str, samples: Sequence[Samples], rivals: Mapping[str, str], note: str) -> Table:
    """The rows of the metrics that could be measured for at least one tracker."""
    rows = []
    for one in samples:
        figures = {name: _figure(one, name) for name in one.sums if one.has(name)}
        verdicts = {}
        for name, rival in rivals.items():
            if one.better and name in figures and rival in figures:
                verdicts[name] = verdict(one, name, rival, figures[rival].value)
        if figures:
            rows.append(Row(one.metric, one.unit, one.better, figures, verdicts))
    return Table(title, tuple(rows), note)


def _figure(one: Samples, name: str) -> Figure:
    sums, factor = one.sums[name], one.factor
    if one.statistic:
        statistic = one.statistic
        interval = bootstrap(lambda kept: statistic(name, kept), one.groups, resamples=RESAMPLES)
    else:
        interval = bootstrap_ratio(sums[:, 0], sums[:, 1], one.groups)
        certain = interval.value == 0 if factor == 1000 else one.unit == "%" and interval.value in (0.0, 1.0)
        if certain and len(set(one.groups)) > 1:  # without any event, resampling would give [0, 0]
            _, low, high = wilson(sums[:, 0].sum(), sums[:, 1].sum())
            interval = Interval(interval.value, min(low, interval.value), max(high, interval.value))
    low, high = factor * interval.low, factor * interval.high
    return Figure(factor * interval.value, low, high, int(sums[:, 1].sum()))


def verdict(one: Samples, name: str, rival: str, rival_value: float) -> str:
    """ "better" or "worse" if the interval of the paired difference excludes 0, else "same".

    "same" as well if the difference is below `NEGLIGIBLE` of the rival's figure, or if there are fewer than
    `MIN_GROUPS` groups of images or clips.
    """
    measured = {group for group, (_, count) in zip(one.groups, one.sums[name], strict=True) if count}
    if len(measured) < MIN_GROUPS:
        return "same"
    difference = _difference(one, name, rival)
    if not (difference.low > 0 or difference.high < 0):
        return "same"
    if abs(one.factor * difference.value) < NEGLIGIBLE * abs(rival_value):
        return "same"
    return "better" if (difference.value > 0) == (one.better == "higher") else "worse"


def _difference(one: Samples, name: str, rival: str) -> Interval:
    if one.statistic:
        statistic = one.statistic
        return bootstrap(lambda kept: statistic(name, kept) - statistic(rival, kept), one.groups, resamples=RESAMPLES)
    own, other = one.sums[name], one.sums[rival]
    return bootstrap_ratio_difference((own[:, 0], own[:, 1]), (other[:, 0], other[:, 1]), one.groups)


def worst(name: str, images: Sequence[MatchedImage]) -> list[Case]:
    """The images on which a tracker did worst: missed hands and false positives first, then the largest errors."""
    cases = [Case(name, one.shot, one.predicted, *failure(one)) for one in images]
    return sorted((case for case in cases if case.badness > 0), key=lambda case: -case.badness)[:WORST]
