"""`PointSet`: the points that a landmark network gives, by name. The usual set is the 21 of `HandLandmark`.

A set may leave some of the 21 out (a hand without a finger) and may have further ones (nails). The same description
tells the renderer what to label, a training what to learn, a bundle what its network gives, and drawings which bones
there are. docs/points.md explains it with an example.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import DAMAGE, InputError, reason_of
from knuckle.results.skeleton import FINGERS, FINGERTIPS, HAND_CONNECTIONS, HandLandmark

NAMES = tuple(point.name.lower() for point in HandLandmark)
WRIST, MIDDLE_MCP = NAMES[HandLandmark.WRIST], NAMES[HandLandmark.MIDDLE_MCP]
MOST_EXTRA = 256
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
TAKEN = ("_raw", "_world", "_camera", "_std")  # ends of names: columns of tables are called so
SKINS = ("nail", "tip", "knuckle")  # regions of a finger's skin that the renderer knows


@dataclass(frozen=True)
class ExtraPoint:
    """One point beyond the 21.

    Attributes:
        name: small letters, digits and underscores. Drawings colour it as the finger that its name begins with.
        parent: another point of the set. A bone is drawn from it, and training starts from what the network knows of
            it.
        body: where the point is on the renderer's body. {"skin": "nail", "finger": "thumb"} is the middle of a region
            of skin ("nail", "tip" or "knuckle"); {"joints": {"index_dip": 0.5, "index_tip": 0.5}} is a weighted mean of
            landmarks and of `knuckle.synth.body.anatomy.PIVOTS`. None: renders do not have it.
    """

    name: str
    parent: str
    body: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name) or self.name.endswith(TAKEN):
            ends = ", ".join(TAKEN)
            raise InputError(f"a point needs a name of a-z, 0-9 and _ that does not end in {ends}; got {self.name!r}")
        body = self.body
        if body is None:
            return
        on_skin = isinstance(body, Mapping) and set(body) == {"skin", "finger"}
        if on_skin and body["skin"] in SKINS and body["finger"] in FINGERS:
            return
        if isinstance(body, Mapping) and set(body) == {"joints"} and isinstance(body["joints"], Mapping):
            weights = list(body["joints"].values())
            if weights and all(isinstance(w, (int, float)) for w in weights) and abs(sum(weights) - 1) < 1e-6:
                return
        raise InputError(
            f'{self.name} must follow from the body as {{"skin": one of {", ".join(SKINS)}, "finger": NAME}} or as '
            f'{{"joints": {{NAME: weight, …}}}} with weights that add up to 1, got {body!r:.100}'
        )


@dataclass(frozen=True)
class PointSet:
    """The points that a landmark network gives: those of the 21 that are not in `without`, then the `extra` ones.

    Left and right hands have the same points, and names are anatomical, so nothing changes places in a mirror image.

    Attributes:
        name: of the set.
        without: points of the 21 that these hands do not have.
        extra: points beyond the 21.
        stand_in: for a point of `without`, the point of this set that takes its place where the tracker draws the
            region of the next frame and matches hands. By default the next point towards the palm, and for a knuckle
            its neighbour towards the middle finger.

    Raises:
        InputError: a name is unknown or used twice, or the tracker would have no wrist or no middle of the palm.
    """

    name: str = "hand"
    without: tuple[str, ...] = ()
    extra: tuple[ExtraPoint, ...] = ()
    stand_in: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := [name for name in (*self.without, *self.stand_in) if name not in NAMES]:
            raise InputError(
                f"the set {self.name!r} names the unknown point {unknown[0]!r}; the points are {', '.join(NAMES)}"
            )
        names = self.names
        if len(set(names)) < len(names) or any(one.name in NAMES for one in self.extra):
            raise InputError(f"the set {self.name!r} names a point twice: {', '.join(names)}")
        if len(self.extra) > MOST_EXTRA:
            raise InputError(f"a set has at most {MOST_EXTRA} extra points, got {len(self.extra)}")
        for place, one in enumerate(self.extra):
            if one.parent not in names[: len(names) - len(self.extra) + place]:
                raise InputError(f"the parent of {one.name} must be a point before it, got {one.parent!r}")
        for absent, other in self.stand_in.items():
            if absent not in self.without or other not in names:
                raise InputError(f"stand_in must name a point without and one of this set, got {absent}: {other}")
        for needed in (WRIST, MIDDLE_MCP):
            if needed in self.without and needed not in self.stand_in:
                raise InputError(
                    f"the tracker follows the palm, and the set {self.name!r} is without {needed}; say which of its "
                    "points takes its place, under stand_in"
                )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All points in the order of the network's outputs."""
        return (*(name for name in NAMES if name not in self.without), *(one.name for one in self.extra))

    @property
    def extra_names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.extra)

    @property
    def parents(self) -> tuple[str, ...]:
        """The parent of each extra point."""
        return tuple(one.parent for one in self.extra)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def is_usual(self) -> bool:
        """Whether these are the 21 points and no others."""
        return not self.without and not self.extra

    @cached_property
    def standard(self) -> npt.NDArray[np.intp]:
        """(n,) numbers of those of the 21 that the set has."""
        return np.array([k for k, name in enumerate(NAMES) if name not in self.without], np.intp)

    @cached_property
    def absent(self) -> npt.NDArray[np.intp]:
        """Numbers of those of the 21 that the set does not have."""
        return np.array([k for k, name in enumerate(NAMES) if name in self.without], np.intp)

    @cached_property
    def rows(self) -> npt.NDArray[np.intp]:
        """(21,) the row of the network's outputs for each of the 21; that of the stand-in for those without."""
        return np.array([self.names.index(self.standing_for(name)) for name in NAMES], np.intp)

    @cached_property
    def tips(self) -> tuple[int, ...]:
        """Rows of the fingertips."""
        return tuple(self.names.index(NAMES[tip]) for tip in FINGERTIPS if NAMES[tip] in self.names)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Pairs of rows that a bone or the palm's outline joins."""
        pairs = [(NAMES[a], NAMES[b]) for a, b in HAND_CONNECTIONS] + [(one.parent, one.name) for one in self.extra]
        there = [(a, b) for a, b in pairs if a in self.names and b in self.names]
        return tuple((self.names.index(a), self.names.index(b)) for a, b in there)

    def standing_for(self, name: str) -> str:
        """The point of this set that stands for one of the 21: itself, or its stand-in."""
        while name in self.without:
            name = self.stand_in.get(name) or DEFAULT_STAND_IN[name]
        return name

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; what is empty is left out."""
        row: dict[str, Any] = {"name": self.name}
        if self.without:
            row["without"] = list(self.without)
        if self.extra:
            row["extra"] = [
                {"name": one.name, "parent": one.parent} | ({} if one.body is None else {"body": dict(one.body)})
                for one in self.extra
            ]
        return row | ({"stand_in": dict(self.stand_in)} if self.stand_in else {})

    @classmethod
    def from_dict(cls, row: Any) -> PointSet:
        """The inverse of `to_dict`.

        Raises:
            InputError: this describes no set of points.
        """
        try:
            if unknown := set(row) - {"name", "without", "extra", "stand_in"}:
                raise ValueError(f"there is no {sorted(unknown)[0]!r} in a set of points")
            extra = tuple(ExtraPoint(one["name"], one["parent"], one.get("body")) for one in row.get("extra", ()))
            without, stand_in = tuple(map(str, row.get("without", ()))), row.get("stand_in", {})
            return cls(str(row["name"]), without, extra, {str(a): str(b) for a, b in stand_in.items()})
        except InputError:
            raise
        except DAMAGE as error:
            raise InputError(f"this describes no set of points: {reason_of(error)}, in {row!r:.100}") from error


# Towards the palm along each finger; a knuckle's is its neighbour towards the middle finger.
DEFAULT_STAND_IN = {NAMES[b]: NAMES[a] for chain in FINGERS.values() for a, b in pairwise(chain)}
DEFAULT_STAND_IN |= {"thumb_cmc": "wrist", "index_mcp": "middle_mcp", "ring_mcp": "middle_mcp", "pinky_mcp": "ring_mcp"}


NAILS = tuple(ExtraPoint(f"{one}_nail", f"{one}_tip", {"skin": "nail", "finger": one}) for one in FINGERS)
BASES = tuple(
    ExtraPoint(f"{one}_base", f"{one}_mcp", {"joints": {f"{one}_base": 1.0}}) for one in FINGERS if one != "thumb"
)
HAND_POINTS = PointSet()
NAMED: Mapping[str, PointSet] = {
    "hand": HAND_POINTS,
    "nails": PointSet("nails", extra=NAILS),
    "carpals": PointSet("carpals", extra=BASES),
} | {
    f"without_{finger}": PointSet(f"without_{finger}", without=tuple(NAMES[point] for point in points[1:]))
    for finger, points in FINGERS.items()
}


def point_set_of(text: str) -> PointSet:
    """The set of a name ("hand", "nails", "carpals", "without_ring", …), or the one that a .json file describes.

    Raises:
        InputError: there is no such set, or the file describes none.
    """
    if text in NAMED:
        return NAMED[text]
    path = Path(text)
    if path.suffix != ".json":
        raise InputError(f"there is no set of points {text!r}; there are {', '.join(NAMED)}, or give a .json file")
    try:
        return PointSet.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (*DAMAGE, OSError) as error:
        raise InputError(f"{path} cannot be read: {reason_of(error)}") from error
