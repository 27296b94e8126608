"""What evaluation passes around: the predictions of a tracker, and the figures, curves and cases of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from knuckle.datasets.labels import Dataset, Shot
from knuckle.results import FloatArray, Hand, Palm


@dataclass(frozen=True, eq=False)
class ImagePrediction:
    """What one tracker predicted for one image.

    Attributes:
        size: (width, height) in pixels.
        hands: () if it found no hand.
        palms: the palm detections, None if unknown.
        searched: whether the palm detector ran, None if unknown.
        ms: milliseconds that the tracker took, without decoding the image.
    """

    source: str
    frame: int
    time_s: float
    size: tuple[int, int]
    hands: tuple[Hand, ...] = ()
    palms: tuple[Palm, ...] | None = None
    searched: bool | None = None
    ms: float = float("nan")


@dataclass(frozen=True, eq=False)
class Predictions:
    """All predictions of one tracker for one dataset, by (source, frame)."""

    model: str
    by_image: Mapping[tuple[str, int], ImagePrediction]

    def frames_of(self, source: str) -> list[ImagePrediction]:
        """The frames of one clip in order."""
        return self._by_source.get(source, [])

    @cached_property
    def _by_source(self) -> dict[str, list[ImagePrediction]]:
        clips: dict[str, list[ImagePrediction]] = {}
        for one in sorted(self.by_image.values(), key=lambda one: one.frame):
            clips.setdefault(one.source, []).append(one)
        return clips


@dataclass(frozen=True)
class Figure:
    """A measured number with its 95 % interval (bootstrap over groups of images) and the number of samples.

    `low` and `high` are NaN if there are too few groups; `value` is NaN if nothing could be measured.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")
    count: int = 0


@dataclass(frozen=True)
class Row:
    """One row of a table: a metric, and a figure per model.

    Attributes:
        metric: its name in words, such as "hands found".
        unit: "%", "px", "% of palm", "mm", "per 1000", "" ...
        better: which direction is good; None for figures that are information only.
        figures: by model name; models without this figure are absent.
        verdicts: the result of the paired comparison for models that are compared: "better", "worse" or "same".
    """

    metric: str
    unit: str
    better: Literal["higher", "lower"] | None
    figures: Mapping[str, Figure]
    verdicts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """The rows of one dataset or slice. `note` is a line above them, such as "agreement, not accuracy"."""

    title: str
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True, eq=False)
class Curve:
    """One plot with a line per model, (n, 2) x and y: PCK, precision and recall, reliability.

    `diagonal`: also draw the line of perfect calibration.
    """

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, FloatArray]
    diagonal: bool = False


@dataclass(frozen=True, eq=False)
class Case:
    """One image on which a model did badly. `badness` ranks the cases, `why` is a short reason."""

    model: str
    shot: Shot
    predicted: ImagePrediction
    badness: float
    why: str


@dataclass(frozen=True, eq=False)
class Score:
    """What the report shows of one dataset. `cases`: the worst first."""

    dataset: Dataset
    models: tuple[str, ...]
    tables: tuple[Table, ...]
    curves: tuple[Curve, ...] = ()
    cases: tuple[Case, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Report:
    """All that a report shows.

    Attributes:
        scores: one per dataset.
        predictions: by the dataset's name, those of all trackers, to show what each predicted in the worst cases.
        about: a line per model.
        title: the heading.
        notes: paragraphs below the heading.
        commands: that made the report; those of the scores follow.
    """

    scores: Sequence[Score]
    predictions: Mapping[str, Sequence[Predictions]] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    title: str = "Accuracy"
    notes: Sequence[str] = ()
    commands: Sequence[str] = ()

    @property
    def models(self) -> list[str]:
        """Every model once. Its index gives its colour everywhere in the report."""
        return list(dict.fromkeys(model for score in self.scores for model in score.models))

    @property
    def all_commands(self) -> list[str]:
        """The commands of the report and of its scores, each once."""
        of_scores = [command for score in self.scores for command in score.commands]
        return list(dict.fromkeys([*self.commands, *of_scores]))
