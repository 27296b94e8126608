"""Which hands of several views are the same hand.

Every two hands of different views are triangulated; the cost of the pair is how far their points are reprojected beside
what was seen. Within two views the cheapest assignment is found (scipy), and the pairs of all views are then joined,
cheapest first, as long as the joined hands still agree. The order of cameras and of hands does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from knuckle.extras import required
from knuckle.space.camera import Camera, Floats
from knuckle.space.views import Sightings, linear, standard_errors, triangulate_points

MAX_COST = 3.0  # mean reprojection error of two hands that may be the same, standard deviations
OTHER_HANDEDNESS = 1.5  # factor on the cost of two hands of different handedness
KNOWN = 0.7  # factor on the cost of two hands that were the same hand before
MIN_SHARE = 0.5  # of its points that every hand of a group must have in common with the others


@dataclass(frozen=True, eq=False)
class Seen:
    """One hand in one view.

    Attributes:
        view: number of the camera.
        pixels: (21, 2) image pixels.
        std_px: (21,) standard deviations of x and of y, pixels.
        left: probability that this is a left hand.
        track_id: its number within its view; None if it has none.
    """

    view: int
    pixels: Floats
    std_px: Floats
    left: float
    track_id: int | None


@dataclass(frozen=True, eq=False)
class Group:
    """Hands of different views that are the same hand, by view, and their points as `triangulate_points` takes them."""

    hands: Sequence[Seen]
    sightings: Sightings


def group_hands(
    cameras: Sequence[Camera], seen: Sequence[Seen], known: set[frozenset[tuple[int, int]]] | None = None
) -> list[Group]:
    """The hands of all views, grouped by the hand that they show; groups of at least two views.

    Args:
        cameras: one for each view.
        seen: the hands of all views at one time.
        known: pairs of (view, track id) that were the same hand before.
    """
    optimize = required("scipy.optimize", "space", "hands in several views")
    ready = [Sightings.of([cameras[hand.view]], hand.pixels[None], hand.std_px[None]) for hand in seen]
    edges: list[tuple[float, int, int]] = []
    for a, b in combinations(sorted({hand.view for hand in seen}), 2):
        first = [k for k, hand in enumerate(seen) if hand.view == a]
        second = [k for k, hand in enumerate(seen) if hand.view == b]
        costs = np.array([[_cost(seen[i], seen[j], ready[i], ready[j], known or set()) for j in second] for i in first])
        # A pair that is too expensive costs the same as none, so that it displaces no other.
        for i, j in zip(*optimize.linear_sum_assignment(np.minimum(costs, MAX_COST)), strict=True):
            if costs[i, j] < MAX_COST:
                edges.append((float(costs[i, j]), first[i], second[j]))
    groups = [{k} for k in range(len(seen))]
    for _, i, j in sorted(edges):
        one, other = (next(group for group in groups if k in group) for k in (i, j))
        joined = one | other
        if one is other or len({seen[k].view for k in joined}) < len(joined):
            continue
        if len(joined) == 2 or agree(Sightings.joined([ready[k] for k in joined])):
            groups = [group for group in groups if group is not one and group is not other] + [joined]
    ordered = [sorted(group, key=lambda k: seen[k].view) for group in groups if len(group) > 1]
    return [Group([seen[k] for k in group], Sightings.joined([ready[k] for k in group])) for group in ordered]


def agree(sightings: Sightings) -> bool:
    """Whether each of these views shows at least `MIN_SHARE` of the points that they have together."""
    found = triangulate_points(sightings)
    return bool((found.used.mean(axis=1) >= MIN_SHARE).all())


def _cost(one: Seen, other: Seen, first: Sightings, second: Sightings, known: set[frozenset[tuple[int, int]]]) -> float:
    """Cost of the pair of two hands of different views; infinite if they share too few points."""
    sightings = Sightings.joined([first, second])
    both = np.asarray(sightings.seen.all(axis=0))
    if both.sum() < 4:
        return float("inf")
    errors = standard_errors(sightings, linear(sightings, both[None, None]))[0]
    cost = float(np.minimum(errors[:, both], 4 * MAX_COST).mean()) * OTHER_HANDEDNESS ** abs(one.left - other.left)
    pair = {(hand.view, hand.track_id) for hand in (one, other) if hand.track_id is not None}
    return float(cost * (KNOWN if pair in known else 1))
