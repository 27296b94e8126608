"""Damage that shows when images are opened: other sizes, unreadable files, the same image twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from knuckle.datasets.damage.finding import Finding
from knuckle.datasets.labels import Shot
from knuckle.extras import cv2
from knuckle.images import Image

GRID = 16  # the fingerprint compares neighbours in a grid of so many cells
SAME, FLAT = 6, 24  # different bits of one image in two files; fewer set bits than that show nothing
BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)  # that are set in each byte
Fingerprint = npt.NDArray[np.uint8]


def size_finding(shot: Shot, image: Image) -> Finding | None:
    """The image has another size than its labels are for."""
    height, width = image.shape[:2]
    if shot.size is None or shot.size == (width, height):
        return None
    text = f"the labels are for {shot.size[0]} × {shot.size[1]} pixels, the image has {width} × {height}"
    return Finding("another image size", text, shot.source, shot)


def fingerprint(image: Image) -> Fingerprint:
    """Whether each cell of a coarse grid is brighter than its neighbours to the right and below.

    Files that were scaled or encoded again have nearly the same fingerprint (the difference hash of N. Krawetz, in both
    directions).
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (GRID + 1, GRID + 1), interpolation=cv2.INTER_AREA).astype(np.int16)
    right, below = small[:-1, :-1] - small[:-1, 1:], small[:-1, :-1] - small[1:, :-1]
    return np.packbits(np.concatenate([(right > 1).ravel(), (below > 1).ravel()]))


def duplicates(seen: Sequence[tuple[Shot, Fingerprint]]) -> Iterator[Finding]:
    """Images that are there twice: under one name in two rows, or under two names."""
    rows: dict[tuple[str, int], Shot] = {}
    for shot, _ in seen:
        if (shot.source, shot.frame) in rows:
            yield Finding("image twice", "it has two rows of labels", shot.source, shot)
        rows[shot.source, shot.frame] = shot
    prints = np.stack([print_ for _, print_ in seen]) if seen else np.zeros((0, 1), np.uint8)
    for number in range(1, len(prints)):
        shot, own = seen[number][0], prints[number]
        if BITS[own].sum() < FLAT:
            continue
        away = BITS[prints[:number] ^ own].sum(axis=1)
        other = seen[int(away.argmin())][0]
        if away.min() <= SAME and other.source != shot.source:
            yield Finding("image twice", f"it looks the same as {other.source}", shot.source, shot)
