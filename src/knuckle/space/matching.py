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


def group_hands(
    cameras: Sequence[Camera], seen: Sequence[Seen], known: set[frozenset[tuple[int, int]]] | None = None
) -> list[list[Seen]]:
    """The hands of all views, grouped by the hand that they show; groups of at least two views.

    Args:
        cameras: one for each view.
        seen: the hands of all views at one time.
        known: pairs of (view, track id) that were the same hand before.
    """
    optimize = required("scipy.optimize", "space", "hands in several views")
    edges: list[tuple[float, int, int]] = []
    views = sorted({hand.view for hand in seen})
    for a, b in combinations(views, 2):
        first = [k for k, hand in enumerate(seen) if hand.view == a]
        second = [k for k, hand in enumerate(seen) if hand.view == b]
        costs = _costs(cameras, [seen[k] for k in first], [seen[k] for k in second], known or set())
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
        if len(joined) == 2 or agree(cameras, [seen[k] for k in joined]):
            groups = [group for group in groups if group is not one and group is not other] + [joined]
    return [sorted((seen[k] for k in group), key=lambda hand: hand.view) for group in groups if len(group) > 1]


def agree(cameras: Sequence[Camera], hands: Sequence[Seen]) -> bool:
    """Whether each of these hands shows at least `MIN_SHARE` of the points that they have together."""
    found = triangulate_points(sightings_of(cameras, hands))
    return bool((found.used.mean(axis=1) >= MIN_SHARE).all())


def sightings_of(cameras: Sequence[Camera], hands: Sequence[Seen]) -> Sightings:
    """The hands of different views as `triangulate_points` takes them."""
    pixels, std_px = np.stack([hand.pixels for hand in hands]), np.stack([hand.std_px for hand in hands])
    return Sightings.of([cameras[hand.view] for hand in hands], pixels, std_px)


def _costs(
    cameras: Sequence[Camera], one: Sequence[Seen], other: Sequence[Seen], known: set[frozenset[tuple[int, int]]]
) -> Floats:
    """(n, m) costs of the pairs of the hands of two views."""
    costs = np.full((len(one), len(other)), np.inf)
    for i, first in enumerate(one):
        for j, second in enumerate(other):
            sightings = sightings_of(cameras, [first, second])
            both = np.asarray(sightings.seen.all(axis=0))
            points = linear(sightings, both[None, None])
            errors = standard_errors(sightings, points)[0]
            if both.sum() < 4:
                continue
            costs[i, j] = float(np.minimum(errors[:, both], 4 * MAX_COST).mean())
            costs[i, j] *= OTHER_HANDEDNESS ** abs(first.left - second.left)
            if first.track_id is not None and second.track_id is not None:
                pair = frozenset({(first.view, first.track_id), (second.view, second.track_id)})
                costs[i, j] *= KNOWN if pair in known else 1
    return costs
