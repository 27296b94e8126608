"""How far two people who labelled the same photos agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from knuckle.datasets.hand_json import hand_from_json
from knuckle.datasets.labels import LabelledHand
from knuckle.metrics import palm_size
from knuckle.results import FloatArray

SAME_HAND = 1.0  # palm sizes: hands of two people that are farther apart are different hands


@dataclass(frozen=True)
class Agreement:
    """How far two people agree about a photo.

    Attributes:
        people: their names.
        apart: (n, 21) distances of the points of the hands that both labelled, in palm sizes; NaN where one did not.
        same_side: of how many of these hands both say the same side.
        alone: hands that only one of them labelled.
    """

    people: tuple[str, str]
    apart: FloatArray
    same_side: int
    alone: int


def agree(people: tuple[str, str], one: Sequence[Any], other: Sequence[Any]) -> Agreement:
    """Compare the hands of a photo, as in our JSON lines, by two people."""
    ours, theirs = ([hand for hand in map(hand_from_json, hands) if has_palm(hand)] for hands in (one, other))
    if not ours or not theirs:
        return Agreement(people, np.zeros((0, 21)), 0, len(ours) + len(theirs))
    away = np.stack([[distances(first, second) for second in theirs] for first in ours])
    means = np.nan_to_num(np.nanmean(away, axis=2), nan=2 * SAME_HAND)
    pairs = [(i, j) for i, j in zip(*linear_sum_assignment(means), strict=True) if means[i, j] < SAME_HAND]
    apart = np.stack([away[i, j] for i, j in pairs]) if pairs else np.zeros((0, 21))
    same = sum(ours[i].handedness == theirs[j].handedness for i, j in pairs)
    return Agreement(people, apart, same, len(ours) + len(theirs) - 2 * len(pairs))


def has_palm(hand: LabelledHand) -> bool:
    """Whether the size of the palm is labelled, which is the unit."""
    return bool(hand.palm_size > 0)


def distances(one: LabelledHand, other: LabelledHand) -> FloatArray:
    """(21,) distances in palm sizes, the mean of both."""
    assert one.landmarks is not None and other.landmarks is not None
    unit = (float(palm_size(one.landmarks)) + float(palm_size(other.landmarks))) / 2
    return np.asarray(np.linalg.norm(one.landmarks[:, :2] - other.landmarks[:, :2], axis=1) / unit)


def agreements(accepted: Iterable[Mapping[str, Mapping[str, Any]]]) -> list[Agreement]:
    """For each photo that two people accepted, how far the last two of them agree.

    Args:
        accepted: for each photo the last accepted entry of each person.
    """
    found = []
    for entries in accepted:
        last = sorted(entries, key=lambda name: entries[name]["time"])[-2:]
        if len(last) == 2:
            hands = [entries[name]["row"].get("hands") or [] for name in last]
            found.append(agree((last[0], last[1]), hands[0], hands[1]))
    return found


def summary(found: Sequence[Agreement]) -> dict[str, Any] | None:
    """Figures over all photos that two people accepted; None without any.

    Returns:
        photos, hands (labelled by both), alone (by one), median and worst tenth of the distances of points (% of the
        palm size), same_side (share of the hands).
    """
    if not found:
        return None
    apart = np.concatenate([one.apart for one in found]).ravel()
    apart = 100 * apart[np.isfinite(apart)]
    hands = sum(len(one.apart) for one in found)
    figures: dict[str, Any] = {"photos": len(found), "hands": hands, "alone": sum(one.alone for one in found)}
    if len(apart):
        figures |= {"median": round(float(np.median(apart)), 2), "tenth": round(float(np.percentile(apart, 90)), 2)}
        figures["same_side"] = round(sum(one.same_side for one in found) / hands, 4)
    return figures
