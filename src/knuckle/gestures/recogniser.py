"""`GestureRecogniser`: hands in, the gesture of each out. Read top to bottom: features, shapes, the names of a set."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.gestures.directions import CONDITIONS, conditions_of
from knuckle.gestures.features import features_of
from knuckle.gestures.network import ShapeNetwork, shape_network
from knuckle.gestures.taught import TaughtGestures, read_taught
from knuckle.results import FloatArray, Gesture, Hand

SETS_PATH = Path(__file__).with_name("sets.json")


@dataclass(frozen=True, eq=False)
class GestureSet:
    """Names of gestures, and the hand shapes and directions that each stands for.

    Each term of a gesture is a shape with conditions that must hold or must not.

    Attributes:
        names: the gestures.
        shapes: (terms,) index of the shape of each term.
        factors: (terms, most conditions) what the probability of the shape is multiplied by: 0 is 1, then come the
            conditions, then their opposites.
        owners: (terms, len(names) + 1) 1 for the gesture that a term belongs to; the last column is empty.
    """

    names: tuple[str, ...]
    shapes: npt.NDArray[np.intp]
    factors: npt.NDArray[np.intp]
    owners: FloatArray

    def probabilities(self, embedding: FloatArray, shapes: FloatArray, conditions: FloatArray) -> FloatArray:
        """(n, len(names) + 1) probabilities; the last is that of no gesture.

        Args:
            embedding: not used; gestures that are taught are found by it.
            shapes: (n, shapes) probabilities.
            conditions: (n, len(CONDITIONS)) see `conditions_of`.
        """
        factors = np.concatenate([np.ones_like(conditions[:, :1]), conditions, 1 - conditions], axis=1)
        terms = shapes[:, self.shapes] * factors[:, self.factors].prod(axis=2)
        found = np.asarray(terms @ self.owners, np.float32)
        found[:, -1] = np.maximum(1 - found.sum(axis=1), 0)
        return found


class GestureRecogniser:
    """Recognises the gestures of one set; get it from `load_gestures`.

    Args:
        network: tells hand shapes apart.
        gestures: what the shapes are called, or gestures that a user taught.
    """

    def __init__(self, network: ShapeNetwork, gestures: GestureSet | TaughtGestures) -> None:
        self.network, self.gestures = network, gestures

    @property
    def names(self) -> tuple[str, ...]:
        """The gestures of the set, without "None"."""
        return self.gestures.names

    def probabilities(self, hands: Sequence[Hand]) -> FloatArray:
        """(n, len(names) + 1) calibrated probabilities of each gesture of the set; the last is that of none."""
        landmarks = np.array([hand.landmarks for hand in hands], np.float32).reshape(-1, 21, 3)
        world = np.array([hand.world for hand in hands], np.float32).reshape(-1, 21, 3)
        left = np.array([hand.handedness == "Left" for hand in hands], np.bool_)
        embedding, shapes = self.network(features_of(landmarks, world, left))
        return self.gestures.probabilities(embedding, shapes, conditions_of(world, left))

    def __call__(self, hands: Sequence[Hand]) -> list[Hand]:
        """The hands with their `gesture`; None where the most probable is none of the set."""
        if not hands:
            return []
        named = []
        for hand, row in zip(hands, self.probabilities(hands).tolist(), strict=True):
            best = max(range(len(row)), key=row.__getitem__)
            gesture = Gesture(self.names[best], row[best]) if best < len(self.names) else None
            named.append(replace(hand, gesture=gesture))
        return named


def set_names() -> tuple[str, ...]:
    """The sets of gestures that come with the package."""
    return tuple(_sets())


@lru_cache(maxsize=1)
def _sets() -> dict[str, dict[str, list[str]]]:
    return cast("dict[str, dict[str, list[str]]]", json.loads(SETS_PATH.read_text()))


def load_gestures(which: str | os.PathLike[str] = "canned") -> GestureRecogniser:
    """The recogniser of a set by name (one of `set_names()`, such as "canned" or "asl"), or of a taught file.

    Raises:
        InputError: there is no such set and no such file, or the file is damaged.
    """
    name, network = os.fspath(which), shape_network()
    if name in set_names():
        return GestureRecogniser(network, gesture_set(_sets()[name], network.shapes))
    if Path(name).suffix != ".json":
        raise InputError(f"there is no set of gestures {name!r}; sets are: {', '.join(set_names())}, or a FILE.json")
    return GestureRecogniser(network, read_taught(Path(name)))


def gesture_set(table: Mapping[str, Sequence[str]], shapes: Sequence[str]) -> GestureSet:
    """A set from its table: each gesture's terms, such as "two" or "flat if fingers_up and not palm_shown".

    Raises:
        InputError: a term names a shape or a condition that does not exist.
    """
    chosen, factors, owners = list[int](), list[list[int]](), list[int]()
    for number, wanted in enumerate(table.values()):
        for term in wanted:
            shape, _, condition = term.partition(" if ")
            words = condition.split(" and ") if condition else []
            if shape not in shapes:
                raise InputError(f"there is no hand shape {shape!r} in {term!r}; shapes are: {', '.join(shapes)}")
            if unknown := [word for word in words if word.removeprefix("not ") not in CONDITIONS]:
                raise InputError(f"there is no condition {unknown[0]!r} in {term!r}; conditions are: {CONDITIONS}")
            chosen.append(shapes.index(shape))
            opposite = len(CONDITIONS) * np.array([word.startswith("not ") for word in words], int)
            plain = [1 + CONDITIONS.index(word.removeprefix("not ")) for word in words]
            factors.append((np.array(plain, int) + opposite).tolist())
            owners.append(number)
    most = max(map(len, factors))
    padded = np.array([row + [0] * (most - len(row)) for row in factors], np.intp).reshape(len(factors), most)
    owned = np.eye(len(table) + 1, dtype=np.float32)[owners]
    return GestureSet(tuple(table), np.array(chosen, np.intp), padded, owned)
