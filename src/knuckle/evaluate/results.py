"""What evaluation passes around: the predictions of a tracker, and the figures, curves and cases of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from knuckle.datasets.labels import Dataset, Shot
from knuckle.results import FloatArray, Hand, Palm


@dataclass(frozen=True, eq=False)
class Seen:
    """What one tracker said about one image.

    Attributes:
        hands: `Hand`s; () is "looked, found none".
        palms: palm detections of this image, or None where the tracker does not tell.
        searched: whether the palm detector ran, or None where the tracker does not tell.
        ms: milliseconds that it took, decoding left out.
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
    """All that one tracker said about one dataset, by (source, frame)."""

    model: str
    seen: Mapping[tuple[str, int], Seen]


@dataclass(frozen=True)
class Figure:
    """A measured number with its 95 % interval (bootstrap over groups of images) and how many it is from.

    `low` and `high` are NaN where there is nothing to resample; `value` is NaN where nothing could be measured.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")
    count: int = 0


@dataclass(frozen=True)
class Row:
    """One line of a table: a metric, and a figure per model.

    Attributes:
        metric: its name in words, such as "found".
        unit: "%", "px", "% of palm", "mm", "per 1000", "" ...
        better: which way is good; None is for information only.
        figures: by model name; a model without this figure is absent.
        verdicts: for models after the baseline, what the paired comparison says: "better", "worse", "same".
    """

    metric: str
    unit: str
    better: Literal["higher", "lower"] | None
    figures: Mapping[str, Figure]
    verdicts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows of one dataset or slice: `title` says which, `note` is a line above, such as "agreement, not accuracy"."""

    title: str
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True, eq=False)
class Curve:
    """Lines over one pair of axes, one (n, 2) array of x, y per model: PCK, precision-recall, reliability.

    `diagonal` asks for the line of perfect calibration.
    """

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, FloatArray]
    diagonal: bool = False


@dataclass(frozen=True, eq=False)
class Case:
    """One image where a model did badly, for the contact sheet. `badness` ranks, `why` is a few words."""

    model: str
    shot: Shot
    seen: Seen
    badness: float
    why: str


@dataclass(frozen=True, eq=False)
class Score:
    """One dataset scored: what the report shows of it. `cases` are the worst first."""

    dataset: Dataset
    models: tuple[str, ...]
    tables: tuple[Table, ...]
    curves: tuple[Curve, ...] = ()
    cases: tuple[Case, ...] = ()
    commands: tuple[str, ...] = ()
