"""Datasets to train on, and how often each is drawn from."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from knuckle.datasets import read_dataset
from knuckle.datasets.image_source import moment_in
from knuckle.datasets.labels import Shot
from knuckle.errors import InputError


@dataclass(frozen=True, eq=False)
class Source:
    """A dataset to train on.

    Attributes:
        name: its path.
        shots: the images that a network can learn from.
        weight: how often it is drawn from, relative to the other sources.
        masked: `Shot.source` of the images that have a mask of their hands.
    """

    name: str
    shots: Sequence[Shot]
    weight: float = 1.0
    masked: frozenset[str] = frozenset()


def read_shots(text: str, is_usable: Callable[[Shot], bool], reason_if_empty: str) -> Source:
    """Read a dataset as a command line names it: PATH, PATH@SPLIT, PATH:WEIGHT or PATH@SPLIT:WEIGHT.

    The labelled frames of clips become images of their own.

    Args:
        is_usable: which images to keep.
        reason_if_empty: what to say of the dataset in the error message if it has no usable image.

    Raises:
        SourceError: the dataset does not exist, or images are missing.
        InputError: it cannot be read, its weight is not above 0, or no image is usable.
    """
    path, split, weight = parse_source(text)
    try:
        dataset = read_dataset(path, split=split)
    except InputError as error:
        hint = f"; write {path}@SPLIT" if "say which split" in str(error) else ""
        raise InputError(f"{error}{hint}") from error
    frames = [
        replace(shot, source=moment_in(clip.source, shot.time_s)) for clip in dataset.clips for shot in clip.shots
    ]
    shots = [*dataset.shots, *frames]
    usable = [shot for shot in shots if is_usable(shot)]
    if not usable:
        raise InputError(f"{path} {reason_if_empty} ({len(shots)} images)")
    return Source(path, usable, weight)


def parse_source(text: str) -> tuple[str, str | None, float]:
    """Path, split and weight of PATH[@SPLIT][:WEIGHT]. A path that exists as written has no split.

    Raises:
        InputError: the weight is not above 0.
    """
    path, _, last = text.rpartition(":")
    try:
        weight = float(last) if path else 1.0
    except ValueError:
        path, weight = text, 1.0
    path = path or text
    if not 0 < weight < math.inf:
        raise InputError(f"{text}: the weight must be above 0")
    folder, _, split = path.rpartition("@")
    return (path, None, weight) if not folder or Path(path).exists() else (folder, split, weight)


def draw(sources: Sequence[Source], rng: np.random.Generator) -> tuple[Source, Shot]:
    """A random source by weight, and a random image of it."""
    weights = np.array([source.weight for source in sources])
    source = sources[int(rng.choice(len(weights), p=weights / weights.sum()))]
    return source, source.shots[int(rng.integers(len(source.shots)))]


def held_out(sources: Sequence[Source], share: float) -> tuple[list[Source], Source | None]:
    """The sources without a share of their images, and these; None if too few images could be held out.

    Whole groups are held out, so that no person and no room is on both sides. Which groups depends only on the names of
    their images, and not on the folder.
    """
    if not share:
        return list(sources), None
    kept, taken = [], list[Shot]()
    for source in sources:
        names: dict[str, str] = {}  # group -> its first image
        for shot in source.shots:
            names[shot.group] = min(names.get(shot.group, "~"), Path(shot.source).name + f"#{shot.frame}")
        order = sorted(names, key=lambda group: (zlib.crc32(names[group].encode()), group))
        out = set(order[: round(share * len(order))])
        taken += [shot for shot in source.shots if shot.group in out]
        kept.append(replace(source, shots=[shot for shot in source.shots if shot.group not in out]))
    return kept, Source("held out", taken) if taken else None


def hand_free(sources: Sequence[Source]) -> list[Shot]:
    """The images of all sources that show no hand."""
    return [shot for source in sources for shot in source.shots if not shot.hands]


def spread(shots: Sequence[Shot], count: int) -> list[int]:
    """The indices of at most `count` images, spread evenly."""
    places = np.linspace(0, len(shots) - 1, min(count, len(shots))).astype(int)
    return sorted(set(places.tolist()))
