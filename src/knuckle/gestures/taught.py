"""Gestures that users teach: a few examples of each become a file of a few kB that Python and the browser read.

Each gesture is the mean of its examples in the whitened space of the network of hand shapes, where hands of one shape
scatter by 1 in every direction; so few numbers are learned, and five examples are enough. A hand far from all means is
none of the gestures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import DAMAGE, InputError, reason_of
from knuckle.gestures.directions import CONDITIONS, conditions_of
from knuckle.gestures.features import Flags, features_of
from knuckle.gestures.network import ShapeNetwork, shape_network
from knuckle.results import FloatArray

LARGEST = 1e9  # of radius and temperature, which are below 100 in files that Knuckle wrote
FORMAT = "knuckle-taught-gestures-1"
DIRECTION_SCALE = 4.0  # how far apart, in the whitened space, a hand that points up is from one that does not
COPIES = 6  # changed copies of each example
SMALLEST_RADIUS = 3.0
NONE = "None"
"""The name of what is no gesture, and of examples that show none."""


@dataclass(frozen=True, eq=False)
class TaughtGestures:
    """Gestures from examples.

    Attributes:
        version: of the network that the means belong to.
        names: the gestures.
        means: (len(names), d) mean of each gesture's examples.
        radius: a hand at this distance from a mean is as likely that gesture as none.
        temperature: squared distances are divided by it.
        directed: whether the means hold where the hand points, so that a thumb up differs from a thumb down.
    """

    version: str
    names: tuple[str, ...]
    means: FloatArray
    radius: float
    temperature: float
    directed: bool

    def probabilities(self, embedding: FloatArray, shapes: FloatArray, conditions: FloatArray) -> FloatArray:
        """(n, len(names) + 1) probabilities; the last is that of none of the gestures. `shapes` are not used."""
        points = placed(shape_network(), embedding, conditions, self.directed)
        squares = ((points[:, None] - self.means) ** 2).sum(axis=2)
        nothing = np.full((len(points), 1), self.radius**2)
        logits = np.concatenate([squares, nothing], axis=1) / (-2 * self.temperature)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as the file has them."""
        return {
            "format": FORMAT,
            "network": self.version,
            "names": list(self.names),
            "means": [[round(value, 3) for value in row] for row in self.means.tolist()],
            "radius": round(self.radius, 3),
            "temperature": round(self.temperature, 3),
            "directed": self.directed,
        }


def read_taught(path: Path) -> TaughtGestures:
    """Read a file that `knuckle gestures train` wrote.

    Raises:
        InputError: the file does not exist, is another kind of file, or was taught to another network.
    """
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise InputError(f"there is no set of gestures and no file {str(path)!r}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} cannot be read as JSON ({reason_of(error)}); `knuckle gestures train` writes such files"
        ) from error
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise InputError(f"{path} holds no taught gestures ({FORMAT}); `knuckle gestures train` writes such files")
    if data.get("network") != (version := shape_network().version):
        raise InputError(
            f"{path} was taught to network {data.get('network')}, this version has {version}; "
            "run `knuckle gestures train` again"
        )
    try:
        with np.errstate(over="ignore"):
            means = np.array(data["means"], np.float32)
        names, directed = tuple(map(str, data["names"])), bool(data["directed"])
        numbers = (float(data["radius"]), float(data["temperature"]))
        width = shape_network().whiten.shape[1] + len(CONDITIONS) * directed
        if means.shape != (len(names), width) or not np.isfinite(means).all():
            raise ValueError(f"expected {len(names)} × {width} finite means, got {means.shape}")
        if not all(0 < number < LARGEST for number in numbers):
            raise ValueError(f"radius and temperature must be above 0 and below {LARGEST:g}, got {numbers}")
    except DAMAGE as error:
        raise InputError(f"{path} is damaged ({reason_of(error)}); run `knuckle gestures train` again") from error
    return TaughtGestures(version, names, means, *numbers, directed)


def placed(network: ShapeNetwork, embedding: FloatArray, conditions: FloatArray, directed: bool) -> FloatArray:
    """(n, d) hands in the space of the means."""
    points = network.whitened(embedding)
    return np.concatenate([points, DIRECTION_SCALE * conditions], axis=1) if directed else points


@dataclass(frozen=True, eq=False)
class ExampleHands:
    """Hands that show gestures.

    Attributes:
        names: (n,) the gesture of each.
        groups: (n,) the person or the take that each comes from. Hands of one group are never both learned and asked.
        landmarks: (n, 21, 3) image pixels.
        world: (n, 21, 3) metres.
        left: (n,) whether each is a left hand.
    """

    names: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    landmarks: FloatArray
    world: FloatArray
    left: Flags

    def chosen(self, rows: npt.NDArray[Any]) -> ExampleHands:
        """Some of the hands."""
        return ExampleHands(*(values[rows] for values in vars(self).values()))

    def placed(self, directed: bool) -> FloatArray:
        """(n, d) the hands in the space of the means."""
        network = shape_network()
        embedding, _ = network(features_of(self.landmarks, self.world, self.left))
        return placed(network, embedding, conditions_of(self.world, self.left), directed)


def augmented(hands: ExampleHands, rng: np.random.Generator) -> ExampleHands:
    """`COPIES` changed copies of each hand: seen from slightly other sides, with errors as the network makes them."""
    rows = np.repeat(np.arange(len(hands.names)), COPIES)
    copies = hands.chosen(rows)
    turns = rng.normal(0, np.radians([10, 12, 6]), (len(rows), 3))
    return ExampleHands(
        copies.names,
        copies.groups,
        _changed(copies.landmarks, turns, rng),
        _changed(copies.world, turns, rng),
        copies.left,
    )


def _changed(points: FloatArray, turns: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(n, 21, 3) points turned about the wrist by small angles about x, y and z, with noise of 3 % of the palm."""
    x, y, z = turns.T
    one = np.ones_like(x)
    # To first order a small turn is the unit matrix and the cross product with its angles.
    matrices = np.stack([one, -z, y, z, one, -x, -y, x, one], axis=1).reshape(-1, 3, 3)
    wrist = points[:, :1]
    palm = np.linalg.norm(points[:, 9] - points[:, 0], axis=1)[:, None, None]
    moved = wrist + np.einsum("nij,nkj->nki", matrices, points - wrist)
    return np.asarray(moved + rng.normal(0, 0.03, points.shape) * palm, np.float32)


def fit_gestures(hands: ExampleHands, directed: bool, seed: int = 0) -> TaughtGestures:
    """Learn gestures from examples.

    Args:
        hands: the examples, of at least one gesture.
        directed: whether it matters where a hand points.
        seed: of the changed copies.

    Raises:
        InputError: there are no examples.
    """
    if not len(hands.names):
        raise InputError("there are no examples to learn from")
    names = tuple(sorted(set(hands.names.tolist())))
    copies = augmented(hands, np.random.default_rng(seed))
    points = copies.placed(directed)
    means = np.array([points[copies.names == name].mean(axis=0) for name in names], np.float32)
    own = np.linalg.norm(points - means[[names.index(name) for name in copies.names.tolist()]], axis=1)
    radius = max(SMALLEST_RADIUS, 1.25 * float(np.quantile(own, 0.95)))
    spread = max(1.0, float((own**2).mean()) / points.shape[1])
    return TaughtGestures(shape_network().version, names, means, radius, spread, directed)


def directed_or_not(hands: ExampleHands) -> bool:
    """Whether gestures differ by where the hand points: whether more held-out hands are right when that counts."""
    right = [held_out_accuracy(hands, directed) for directed in (False, True)]
    return right[1] > right[0] + 0.03


def held_out_accuracy(hands: ExampleHands, directed: bool) -> float:
    said = held_out(hands, directed)
    return float(np.mean([one == name for one, name in zip(said, hands.names.tolist(), strict=True)]))


def held_out(hands: ExampleHands, directed: bool) -> list[str | None]:
    """What is said of each hand by gestures that were learned without its group; None is no gesture.

    Gestures that only one group shows are learned without the single hand instead. Hands called `NONE` are asked and
    never learned.
    """
    said: list[str | None] = [None] * len(hands.names)
    points, gestures = hands.placed(directed), hands.names != NONE
    for group in sorted(set(hands.groups.tolist())):
        asked = np.flatnonzero(hands.groups == group)
        others = hands.groups != group
        missing = set(hands.names[asked].tolist()) - set(hands.names[others].tolist()) - {NONE}
        parts = [asked] if not missing else [np.array([row]) for row in asked]
        for rows in parts:
            learned = gestures & (others if not missing else ~np.isin(np.arange(len(others)), rows))
            if not learned.any():
                continue
            taught = fit_gestures(hands.chosen(learned), directed)
            squares = ((points[rows][:, None] - taught.means) ** 2).sum(axis=2)
            best = squares.argmin(axis=1)
            for row, k, square in zip(rows.tolist(), best.tolist(), squares.min(axis=1).tolist(), strict=True):
                said[row] = taught.names[k] if square < taught.radius**2 else None
    return said


def confusion(truth: Sequence[str], said: Sequence[str | None]) -> dict[str, dict[str, int]]:
    """Counts of what was said, by the true name; "None" counts hands that were taken for no gesture."""
    table: dict[str, dict[str, int]] = {}
    for name, one in zip(truth, said, strict=True):
        row = table.setdefault(name, {})
        row[one or "None"] = row.get(one or "None", 0) + 1
    return table
