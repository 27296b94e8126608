"""Before and after: what two bundles see in labelled photos, and how far it is from the labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets.hand_json import hand_from_json
from knuckle.datasets.labels import CORRECTED_WEIGHT
from knuckle.errors import InputError
from knuckle.images import Image
from knuckle.label.agreement import SAME_HAND, has_palm
from knuckle.label.propose import MAX_HANDS
from knuckle.metrics import palm_size
from knuckle.pipeline.detect import detect
from knuckle.pipeline.networks import Networks
from knuckle.results import Hand
from knuckle.results.regions import rounded


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two bundles to compare.

    Attributes:
        before, after: the bundle to begin with, and the one that was trained.
        held_out: names of the photos that were held out of the training; None: not known.
    """

    before: Networks
    after: Networks
    held_out: frozenset[str] | None = None

    def counts(self, name: str) -> bool:
        """Whether an image counts: it was not trained on, as far as is known.

        Args:
            name: of the photo, or of the frame as in `datasets.image_source.moment_in`, without its folder.
        """
        return self.held_out is None or name in self.held_out

    def look(self, image: Image, labels: Sequence[Any]) -> dict[str, Any]:
        """What both bundles see in a photo.

        Args:
            labels: its hands, as in our JSON lines.

        Returns:
            For "before" and "after": hands (each (21 or more, 2) image pixels), errors (% of the palm size for each
            labelled hand that was found), moved (the same of the points alone that a person moved, if any), missed
            (labelled hands that were not found).
        """
        found = {}
        for name, networks in (("before", self.before), ("after", self.after)):
            hands = detect(image, networks, max_hands=MAX_HANDS)
            errors = errors_of(hands, labels)
            seen = [error for error in errors if error is not None]
            found[name] = {
                "hands": [rounded(hand.rows("landmarks")[:, :2], 2) for hand in hands],
                "errors": [round(error, 2) for error, _ in seen],
                "moved": [round(moved, 2) for _, moved in seen if moved is not None],
                "missed": len(errors) - len(seen),
            }
        return found


def errors_of(hands: Sequence[Hand], labels: Sequence[Any]) -> list[tuple[float, float | None] | None]:
    """For each label with a palm the error of the nearest hand, % of the palm size; None if none is near.

    The error is the mean over the points. Those that a person moved count as often as in training: nobody moved the
    others, so they are where the first network saw them. The second number is the error of the moved points alone.
    """
    errors: list[tuple[float, float | None] | None] = []
    for label in filter(has_palm, map(hand_from_json, labels)):
        assert label.landmarks is not None
        unit = float(palm_size(label.landmarks)) / 100
        away = [np.linalg.norm(hand.landmarks[:, :2] - label.landmarks[:, :2], axis=1) / unit for hand in hands]
        nearest = min(away, key=np.nanmean, default=np.full(21, np.inf))
        known = np.isfinite(nearest)
        if not known.any() or nearest[known].mean() >= 100 * SAME_HAND:
            errors.append(None)
            continue
        moved = known & (np.zeros(21, bool) if label.corrected is None else label.corrected)
        error = np.average(nearest[known], weights=np.where(moved, CORRECTED_WEIGHT, 1.0)[known])
        errors.append((float(error), float(nearest[moved].mean()) if moved.any() else None))
    return errors


def held_out_in(run: Path) -> frozenset[str]:
    """The names of the photos that a training run held out.

    Raises:
        InputError: it is no folder of a run, or the run was checked on other photos.
    """
    try:
        names = json.loads((run / "config.json").read_text()).get("held_out")
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{run} is not the folder of a run of knuckle train: {error}") from error
    if not names:
        raise InputError(f"the run {run} held no photos out; leave out --run and label photos that it has not seen")
    return frozenset(names)
