"""The curves of the report: PCK, precision and recall of palms, calibration of presence and visibility."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from knuckle import metrics
from knuckle.evaluate.matching import MatchedImage, joined
from knuckle.evaluate.results import Curve
from knuckle.results import FloatArray

Images = Sequence[MatchedImage]
NO_LINE = np.zeros((0, 2))


def curves(images: Mapping[str, Images]) -> list[Curve]:
    """All curves that the labels allow, each with a line per tracker.

    Args:
        images: the matched images of each tracker; all have errors in one unit.
    """
    unit = next(iter(images.values()))[0].unit.name
    found = [
        Curve("PCK, all labelled points", f"error up to, {unit}", "share of points, %", _lines(images, pck_line)),
        Curve("palms", "recall, %", "precision, %", _lines(images, precision_recall_line)),
        Curve("presence", "presence", "share that is a labelled hand", _lines(images, presence_line), True),
        Curve("visibility", "visibility", "share that is visible", _lines(images, visibility_line), True),
    ]
    return [curve for curve in found if curve.lines]


def _lines(images: Mapping[str, Images], line: Callable[[Images], FloatArray]) -> dict[str, FloatArray]:
    made = {name: line(matched) for name, matched in images.items()}
    return {name: points for name, points in made.items() if len(points) > 1}


def pck_line(images: Images) -> FloatArray:
    """(51, 2) error in % of the unit, share of the labelled points up to it in %; empty without labelled points."""
    errors = np.concatenate([one.errors for one in images])
    if np.isnan(errors).all():
        return NO_LINE
    limits = np.linspace(0, images[0].unit.reach, 51)
    return 100 * np.stack([limits, metrics.pck(errors, limits)], axis=1)


def precision_recall_line(images: Images) -> FloatArray:
    """(scores, 2) recall and precision of palms in %; empty without labelled hands."""
    ranked = [one.palms for one in images if one.predicted.palms is not None]
    truths = sum(palms.truths for palms in ranked)
    if not truths:
        return NO_LINE
    scores, hits = joined([(palms.scores, palms.hits) for palms in ranked])
    recall, precision, _ = metrics.precision_recall(scores, hits, truths)
    return 100 * np.stack([recall, precision], axis=1)


def presence_line(images: Images) -> FloatArray:
    """(bins, 2) predicted presence and the share of these predictions that are labelled hands."""
    return _reliability_line([one.presences for one in images])


def visibility_line(images: Images) -> FloatArray:
    """(bins, 2) predicted visibility and the share of these points that are visible."""
    return _reliability_line([one.visibilities for one in images])


def _reliability_line(pairs: Sequence[tuple[FloatArray, FloatArray]]) -> FloatArray:
    found = metrics.reliability(*joined(pairs))
    filled = found.samples > 0
    return np.stack([found.probability[filled], found.frequency[filled]], axis=1)
