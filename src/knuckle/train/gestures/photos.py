"""Hands of photos with the shapes that people gave them: `recipes/gesture_labels.csv` matched to what is detected."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.gestures.features import Flags, features_of
from knuckle.gestures.taught import ExampleHands, augmented
from knuckle.results import FloatArray, Hand
from knuckle.train.gestures.fit import Examples

COLUMNS = ["source", "image", "x", "y", "shapes"]


@dataclass(frozen=True, eq=False)
class PhotoHands:
    """Labelled hands of photos, one row each.

    Attributes:
        sources: the source of each photo.
        landmarks: (n, 21, 3) image pixels.
        world: (n, 21, 3) metres.
        left: (n,) whether each is a left hand.
        labels: shapes that each may have, joined by "|".
    """

    sources: npt.NDArray[np.str_]
    landmarks: FloatArray
    world: FloatArray
    left: Flags
    labels: npt.NDArray[np.str_]

    def of_sources(self, sources: Sequence[str]) -> PhotoHands:
        """The rows of some sources."""
        kept = np.isin(self.sources, list(sources))
        arrays = (self.sources, self.landmarks, self.world, self.left, self.labels)
        return PhotoHands(*(array[kept] for array in arrays))  # type: ignore[arg-type]

    def examples(self) -> Examples:
        """The rows as a network takes them."""
        return Examples.of(features_of(self.landmarks, self.world, self.left), self.labels.tolist())

    def with_copies(self, rng: np.random.Generator) -> PhotoHands:
        """The hands, and copies of each: seen from slightly other sides, with errors as the network makes them."""
        copies = augmented(ExampleHands(self.labels, self.sources, self.landmarks, self.world, self.left), rng)
        added = (copies.groups, copies.landmarks, copies.world, copies.left, copies.names)
        arrays = (self.sources, self.landmarks, self.world, self.left, self.labels)
        return PhotoHands(*(np.concatenate(pair) for pair in zip(arrays, added, strict=True)))

    def save(self, path: Path) -> None:
        """Write an .npz file."""
        np.savez_compressed(path, **vars(self))

    @classmethod
    def load(cls, path: Path) -> PhotoHands:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(**arrays)


def read_labels(path: Path) -> dict[tuple[str, str], list[tuple[float, float, str]]]:
    """Labels by (source, image): centre of the hand's landmarks in image pixels, and its shapes.

    Raises:
        InputError: the file has other columns.
    """
    found: dict[tuple[str, str], list[tuple[float, float, str]]] = {}
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames != COLUMNS:
            raise InputError(f"{path} needs the columns {', '.join(COLUMNS)}; it has {rows.fieldnames}")
        for row in rows:
            place = (float(row["x"]), float(row["y"]), row["shapes"])
            found.setdefault((row["source"], row["image"]), []).append(place)
    return found


def hands_of_photos(
    labels: Mapping[tuple[str, str], Sequence[tuple[float, float, str]]],
    photos: Path,
    detect: Callable[[Path], Sequence[Hand]],
) -> PhotoHands:
    """Detect the hands of labelled photos; a label goes to the nearest hand whose box holds its place.

    Args:
        labels: from `read_labels`.
        photos: folder with a folder per source.
        detect: finds the hands of a photo.
    """
    rows: list[tuple[str, Hand, str]] = []
    for (source, image), places in labels.items():
        hands = detect(photos / source / image)
        for x, y, shapes in places:
            near = [hand for hand in hands if (hand.box[:2] <= [x, y]).all() and (hand.box[2:] >= [x, y]).all()]
            if near:
                middle = [np.hypot(*((hand.box[:2] + hand.box[2:]) / 2 - [x, y])) for hand in near]
                rows.append((source, near[int(np.argmin(middle))], shapes))
    return PhotoHands(
        np.array([source for source, _, _ in rows]),
        np.array([hand.landmarks for _, hand, _ in rows]),
        np.array([hand.world for _, hand, _ in rows]),
        np.array([hand.handedness == "Left" for _, hand, _ in rows]),
        np.array([shapes for _, _, shapes in rows]),
    )
