"""The real networks of the package, with outputs rearranged to another set of points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import knuckle
from knuckle.pipeline.networks import Networks
from knuckle.results import PointSet
from knuckle.testing import FakeNetwork
from knuckle.train.nets.widen import sources_of

USUAL = PointSet()


def networks_for(points: PointSet, models: str = "knuckle") -> Networks:
    """Every point beyond the 21 is where its parent is, as in a network that has not been trained on it yet."""
    networks = knuckle.load(models, threads=1, precision="float")
    names, sources = networks.bundle.hand_outputs, sources_of(USUAL, points)

    def answers(pictures: np.ndarray) -> dict[str, np.ndarray]:
        out = dict(networks.hand(pictures))
        for role in ("landmarks", "world", "visibility"):
            by_point = out[names[role]].reshape(len(pictures), 21, -1)
            out[names[role]] = by_point[:, sources].reshape(len(pictures), -1)
        return out

    hand = FakeNetwork(networks.hand.side, answers)
    return replace(networks, hand=hand, bundle=replace(networks.bundle, points=points))
