"""Close hands before plain walls, cut out, made small and put into rooms and before people.

    python recipes/pasted_hands.py digits/train.jsonl OUT --rooms hands/train.jsonl --rooms rooms/train.jsonl

Many people show one hand to a camera close by; few are filmed whole, far away. Here the hands of many come as small as
those of the few. Landmarks tell where the hand and its arm are, GrabCut (Rother et al. 2004) finds their edge, and
pictures where that edge does not hold the hand are left out. Each background keeps its own hands and gets one to five
more that do not touch them. Writes OUT/train.jsonl, for `knuckle train palm --data`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from other_rooms import LONGEST, Floats, Random, joined, largest, moved, read, rows_of, warped, write
from rich.progress import track

from knuckle.images import Image
from knuckle.results import HAND_CONNECTIONS
from knuckle.train.augment import backlit

Mask = npt.NDArray[np.bool_]
CUT_SIDE = 160  # the longer side of a hand's photo while it is cut out, pixels
SHARES = [0.4, 0.3, 0.2, 0.1]  # of pictures with one, two, three and five more hands
BACKLIT = 0.2  # share of hands that the light stands behind
SMALLEST, LARGEST = 0.05, 0.45  # a hand's longer side, as a part of the picture's


@dataclass(frozen=True)
class Cut:
    """A hand without its wall: photo and mask (height, width), and its label in their pixels."""

    photo: Image
    mask: Image
    hand: dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("hands", type=Path, help="labels of photos that show one hand before a plain wall")
    options.add_argument("out", type=Path)
    options.add_argument("--rooms", type=Path, action="append", required=True, help="labels of backgrounds")
    options.add_argument("--source", action="append", help="of backgrounds, only photos of this source")
    options.add_argument("--count", type=int, default=3000)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    photos = [row for row in rows_of(chosen.hands) if [bool(hand.get("landmarks")) for hand in row["hands"]] == [True]]
    cuts = [
        (cut, row)
        for row in track(photos, "hands")
        if (cut := cut_out(read(chosen.hands.parent / row["image"]), *row["hands"]))
    ]
    rooms = [
        (path.parent, row)
        for path in chosen.rooms
        for row in rows_of(path)
        if row.get("complete") and (not chosen.source or row.get("source") in chosen.source)
    ]
    if not cuts or not rooms:
        sys.exit(f"{len(cuts)} of {len(photos)} hands and {len(rooms)} backgrounds are of use: one of each is needed")

    def draw(rng: Random) -> tuple[Image, list[dict[str, Any]], dict[str, str]]:
        folder, row = rooms[int(rng.integers(len(rooms)))]
        picture, hands = background(read(folder / row["image"]), row["hands"])
        chosen_cuts = [cuts[int(rng.integers(len(cuts)))] for _ in range(int(rng.choice([1, 2, 3, 5], p=SHARES)))]
        for cut, _ in chosen_cuts:
            picture, hands = pasted(picture, hands, cut, rng)
        return picture, hands, joined(*(of for _, of in chosen_cuts), row)

    write(chosen.out, chosen.count, chosen.seed, draw)
    print(f"{chosen.count} pictures with {len(cuts)} of {len(photos)} hands on {len(rooms)} backgrounds")


def background(photo: Image, hands: list[dict[str, Any]]) -> tuple[Image, list[dict[str, Any]]]:
    """The photo with its longer side LONGEST pixels, and its hands there."""
    size = LONGEST / max(photo.shape[:2])
    picture = cv2.resize(photo, None, fx=size, fy=size, interpolation=cv2.INTER_AREA if size < 1 else cv2.INTER_LINEAR)
    return np.asarray(picture, np.uint8), [moved(hand, resized(size)) for hand in hands]


def resized(size: float) -> Floats:
    """The (2, 3) affine of cv2.resize: pixel centres lie at whole numbers."""
    return np.array([[size, 0, (size - 1) / 2], [0, size, (size - 1) / 2]])


def cut_out(photo: Image, hand: dict[str, Any]) -> Cut | None:
    """The hand and its arm; None where the photo cuts it off, the edge misses a bone or takes in its surroundings."""
    size = CUT_SIDE / max(photo.shape[:2])
    photo = np.asarray(cv2.resize(photo, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC), np.uint8)
    hand = moved(hand, resized(size))
    points = np.array(hand["landmarks"])[:, :2]
    if (points < 0).any() or (points >= photo.shape[1::-1]).any():
        return None
    surely, near = bones_of(points, photo.shape[:2])
    guess = np.where(surely, cv2.GC_FGD, np.where(near, cv2.GC_PR_FGD, cv2.GC_BGD)).astype(np.uint8)
    if near.all():
        return None
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(photo, guess, (0, 0, 0, 0), *models, iterCount=4, mode=cv2.GC_INIT_WITH_MASK)
    found = largest(np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8))
    # Where GrabCut fails, its edge is that of what it was told, not one of the photo.
    told = near & (cv2.erode(near.astype(np.uint8), np.ones((3, 3)), borderValue=1) == 0)
    if found[surely].mean() < 0.99 or found[told].mean() > 0.12:
        return None
    return Cut(photo, np.where(found, 255, 0).astype(np.uint8), hand)


def bones_of(points: Floats, size: tuple[int, ...]) -> tuple[Mask, Mask]:
    """(height, width) where the hand surely is, and where it and its arm may be."""
    surely, near = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    palm = float(np.linalg.norm(points[9] - points[0]))

    def line(into: Image, start: Floats, stop: Floats, width: float) -> None:
        cv2.line(into, *np.rint([start, stop]).astype(int).tolist(), 1, max(1, round(width * palm)))

    for a, b in HAND_CONNECTIONS:
        line(surely, points[a], points[b], 0.08)
        line(near, points[a], points[b], 0.5)
    line(near, points[0], points[0] + 3 * (points[0] - points[[5, 9, 13, 17]].mean(axis=0)), 0.9)
    return surely > 0, near > 0


def pasted(picture: Image, hands: list[dict[str, Any]], cut: Cut, rng: Random) -> tuple[Image, list[dict[str, Any]]]:
    """The picture with one hand more; the picture as it was where ten places are all taken."""
    points = np.array(cut.hand["landmarks"])[:, :2]
    long = float(np.ptp(points, axis=0).max())
    height, width = picture.shape[:2]
    share = float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST))))
    scale, mirrored = share * max(height, width) / long, bool(rng.random() < 0.5)
    angle = float(rng.normal(0, 0.5)) if rng.random() < 0.7 else float(rng.uniform(-np.pi, np.pi))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirrored:
        turn = turn @ np.diag([-1.0, 1.0])
    for _ in range(10):
        centre = rng.uniform(0.04, 0.96, 2) * (width, height)
        affine = np.column_stack([turn, centre - turn @ points.mean(axis=0)])
        hand = moved(cut.hand, affine)
        if not any(overlap(hand, other) for other in hands):
            return blended(picture, cut, affine, rng), [*hands, hand]
    return picture, hands


def blended(picture: Image, cut: Cut, affine: Floats, rng: Random) -> Image:
    """The cut-out laid over the picture in the light of the place, lighter or darker, warmer or colder; or backlit."""
    hand, cover = warped(cut.photo, cut.mask, affine, picture.shape[1::-1])
    there = cover[..., 0] > 0.5
    if not there.any():
        return picture
    if rng.random() < BACKLIT:
        hand, picture = backlit(np.asarray(hand, np.uint8), there.astype(np.uint8) * 255, picture, rng)
        return np.asarray(np.rint(hand * cover + picture * (1 - cover)), np.uint8)
    place = cv2.blur(picture, (81, 81))[there].mean(axis=0)
    light = (place.mean() / max(float(hand[there].mean()), 1.0)) ** rng.uniform(0, 0.5)
    light = float(np.clip(light * np.exp(rng.normal(-0.15, 0.3)), 0.2, 1.6))
    tint = np.exp(rng.normal(0, 0.05, 3))
    shown = np.clip(hand * (light * tint), 0, 255)
    return np.asarray(np.rint(shown * cover + picture * (1 - cover)), np.uint8)


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two hands' boxes, wider by a quarter, touch."""
    (a0, a1), (b0, b1) = extent(one), extent(other)
    return bool(((a0 < b1) & (b0 < a1)).all())


def extent(hand: dict[str, Any]) -> tuple[Floats, Floats]:
    points = np.array(hand["landmarks"])[:, :2] if hand.get("landmarks") else np.reshape(hand["box"], (2, 2))
    low, high = points.min(axis=0), points.max(axis=0)
    return low - (high - low) / 8, high + (high - low) / 8


if __name__ == "__main__":
    main()
