"""The words of evaluation: what people labelled, what a tracker said, and what came of comparing the two.

Pixels are image pixels with centres at integers, boxes are x0, y0, x1, y1, left and right are the person's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from knuckle.results import FloatArray, Hand, Palm

LabelledBy = Literal["people", "mediapipe", "renderer", "nobody"]
HIDDEN_UNKNOWN, OUTSIDE, HIDDEN, VISIBLE = 0, 1, 2, 3  # the values of `TrueHand.visibility`


@dataclass(frozen=True, eq=False)
class TrueHand:
    """One labelled hand; None is what nobody labelled.

    Attributes:
        box: (4,) around the whole hand.
        landmarks: (21, 2) or (21, 3) pixels in the order of `HandLandmark`, z relative to the wrist; a row of NaN is
            a point without a label.
        world: (21, 3) metres, x right, y down, z away; the origin may be anywhere.
        handedness: "Left" or "Right", the person's own.
        visibility: (21,) 0 nobody said, 1 outside of the image, 2 hidden, 3 visible.
        palm: (4,) the square of the palm that a palm detector should give.
        track: number of this person's hand within its clip.
    """

    box: FloatArray | None = None
    landmarks: FloatArray | None = None
    world: FloatArray | None = None
    handedness: str | None = None
    visibility: FloatArray | None = None
    palm: FloatArray | None = None
    track: int | None = None

    @property
    def extent(self) -> FloatArray | None:
        """The box, or the smallest one around the labelled landmarks, or None."""
        if self.box is not None or self.landmarks is None:
            return self.box
        points = self.landmarks[np.isfinite(self.landmarks[:, :2]).all(axis=1), :2]
        return np.concatenate([points.min(axis=0), points.max(axis=0)]) if len(points) else None


@dataclass(frozen=True, eq=False)
class Shot:
    """One labelled image: a photo, or one frame of a clip.

    Attributes:
        source: path of the photo or the clip.
        frame: index of the frame in its clip; 0 for photos.
        time_s: seconds since the clip began.
        size: width, height in pixels, or None where the labels do not tell.
        hands: the labelled hands; () where somebody looked and there are none, None where nobody looked.
        complete: all hands of the image are in `hands`, so a detection elsewhere is a false alarm.
        both_hands_box: (4,) one box around all hands together, for sources that label only that.
        group: images of one group are not independent (a person, a room, a clip); intervals resample groups.
        slices: names of subsets to report apart ("small", "glove", ...).
    """

    source: str
    frame: int = 0
    time_s: float = 0.0
    size: tuple[int, int] | None = None
    hands: tuple[TrueHand, ...] | None = None
    complete: bool = True
    both_hands_box: FloatArray | None = None
    group: str = ""
    slices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Clip:
    """A video; all its frames are tracked, those in `shots` are labelled. `still`: nothing moves in it."""

    source: str
    shots: tuple[Shot, ...] = ()
    still: bool = False


@dataclass(frozen=True, eq=False)
class Dataset:
    """Photos and clips with labels.

    Attributes:
        labelled_by: "mediapipe" makes every figure agreement and not accuracy; "renderer" is exact but synthetic.
        note: one line for the report: origin, what the labels leave out.
    """

    name: str
    shots: tuple[Shot, ...] = ()
    clips: tuple[Clip, ...] = ()
    labelled_by: LabelledBy = "people"
    licence: str = ""
    note: str = ""


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
