"""`ExtraPoints`: the points of a hand beyond the 21, such as nails, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.results.regions import FloatArray, rounded, same_values

DIGITS = {"landmarks": 3, "world": 6, "visibility": 4, "landmark_std": 3}  # of the numbers in JSON
UNKNOWN_PARENT = ""


@dataclass(frozen=True, eq=False)
class ExtraPoints:
    """Points of one hand beyond the 21 of `HandLandmark`, in one order. `points["thumb_nail"]` is x, y, z in the image.

    Attributes:
        names: of the k points.
        landmarks: (k, 3) as `Hand.landmarks`; labels may have x and y alone. NaN where a point is not labelled.
        world: (k, 3) as `Hand.world`: metres, with the same origin.
        visibility: (k,) as in the object that holds them: probabilities in a `Hand`, `Visibility` in a label.
        landmark_std: (k,) as `Hand.landmark_std`.
        landmarks_raw, world_raw: before smoothing; the same arrays if nothing was smoothed.
        parents: for each point the point from which a bone is drawn to it; "" draws none.
    """

    names: tuple[str, ...]
    landmarks: FloatArray
    world: FloatArray
    visibility: npt.NDArray[Any] | None = None
    landmark_std: FloatArray | None = None
    landmarks_raw: FloatArray = None  # type: ignore[assignment]  # __post_init__ makes it an array
    world_raw: FloatArray = None  # type: ignore[assignment]  # as above
    parents: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, raw in (("landmarks", "landmarks_raw"), ("world", "world_raw")):
            if getattr(self, raw) is None:
                object.__setattr__(self, raw, getattr(self, name))
        if not self.parents:
            object.__setattr__(self, "parents", (UNKNOWN_PARENT,) * len(self.names))
        for one in fields(self):
            values = getattr(self, one.name)
            if isinstance(values, np.ndarray) and values.flags.writeable:
                values = np.array(values)  # a copy, so that changes of the caller's array do not arrive here
                values.setflags(write=False)
                object.__setattr__(self, one.name, values)

    def __eq__(self, other: object) -> bool:
        return same_values(self, other) if isinstance(other, ExtraPoints) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: str) -> FloatArray:
        point: FloatArray = self.landmarks[self.index(name)]
        return point

    def index(self, name: str) -> int:
        """The row of a point.

        Raises:
            InputError: there is no such point.
        """
        if name not in self.names:
            raise InputError(f"this hand has no extra point {name!r}; it has {', '.join(self.names) or 'none'}")
        return self.names.index(name)

    def chosen(self, names: Sequence[str]) -> ExtraPoints:
        """The points of these names in this order; NaN for those that are not here."""
        rows = [self.names.index(name) if name in self.names else -1 for name in names]
        changes: dict[str, Any] = {}
        for one in fields(self):
            values = getattr(self, one.name)
            if isinstance(values, np.ndarray):
                blank = np.full((1, *values.shape[1:]), np.nan if values.dtype.kind == "f" else 0, values.dtype)
                changes[one.name] = np.concatenate([values, blank])[rows]
        parents = tuple((*self.parents, UNKNOWN_PARENT)[row] for row in rows)
        return replace(self, names=tuple(names), parents=parents, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, ready for JSON; unknown arrays are left out."""
        row: dict[str, Any] = {"names": list(self.names)}
        for name, digits in DIGITS.items():
            values = getattr(self, name)
            if values is not None and not (values.dtype.kind == "f" and np.isnan(values).all()):
                row[name] = rounded(values, digits)
        if any(self.parents):
            row["parents"] = list(self.parents)
        return row

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> ExtraPoints:
        """The inverse of `to_dict`; null is NaN.

        Raises:
            InputError: a value is missing, or has another type or shape.
        """
        names = row.get("names") if isinstance(row, Mapping) else None
        if not isinstance(names, Sequence) or isinstance(names, str) or not all(isinstance(one, str) for one in names):
            raise InputError(f"extra points need a list of names, got {row!r:.80}")
        parents = row.get("parents") or ()
        if len(set(names)) < len(names) or (parents and len(parents) != len(names)):
            raise InputError(f"extra points need one name and one parent each, got {row!r:.80}")
        points, found = (len(names), 3), dict[str, Any]()
        shapes = {"landmarks": points, "world": points, "landmarks_raw": points, "world_raw": points}
        for name, shape in {**shapes, "visibility": points[:1], "landmark_std": points[:1]}.items():
            if row.get(name) is not None:
                found[name] = array_of(f"{name} of extra points", row[name], shape)
        if "landmarks" not in found:
            raise InputError(f"extra points need landmarks, got {', '.join(map(str, row))}")
        found.setdefault("world", np.full(points, np.nan, np.float32))
        return cls(names=tuple(names), parents=tuple(map(str, parents)), **found)


def array_of(name: str, values: Any, shape: tuple[int, ...]) -> FloatArray:
    """An array of a row of JSON; null becomes NaN, which means unknown.

    Raises:
        InputError: these are not finite numbers or nulls of this shape.
    """
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(values, np.float32)
    except (ArithmeticError, RecursionError, TypeError, ValueError) as error:
        raise InputError(f"{name} must be {shape} numbers, got {values!r:.60}") from error
    if array.shape != shape or np.isinf(array).any():
        raise InputError(f"{name} must be {shape} finite numbers, got {array.shape}: {values!r:.60}")
    return array
