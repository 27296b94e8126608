"""Paste hands that were shown close to a camera, small, into rooms and in front of people.

    python recipes/pasted_hands.py digits/train.jsonl OUT --rooms hands/train.jsonl --rooms rooms/train.jsonl

Many people show one hand to a camera; few are filmed whole, from afar. Here the hands of many appear as small as those
of the few (`knuckle.train.compose.hands`). Each background keeps its own hands, and gets one to five more that do not
touch them. Writes OUT/train.jsonl, for `knuckle train palm --data`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from rich.progress import track

from knuckle.train.compose.cutout import joined_origin
from knuckle.train.compose.hands import BACKLIT, CutHand, cut_out_hand, paste_hand, resized
from knuckle.train.label_file import LabelledPhoto, open_label_file, read_label_file

NUMBERS, SHARES = [1, 2, 3, 5], [0.4, 0.3, 0.2, 0.1]  # numbers of hands that a picture gets, and how often


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("hands", type=Path, help="labels of photos that show one hand in front of a plain wall")
    options.add_argument("out", type=Path)
    options.add_argument("--rooms", type=Path, action="append", required=True, help="labels of backgrounds")
    options.add_argument("--source", action="append", help="use only backgrounds of this source")
    options.add_argument("--backlit", type=float, default=BACKLIT, help="share of hands with the light behind them")
    options.add_argument("--count", type=int, default=3000)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    photos = [photo for photo in read_label_file(chosen.hands) if shows_one_hand(photo)]
    cuts: list[tuple[CutHand, LabelledPhoto]] = []
    for photo in track(photos, "hands"):
        cut = cut_out_hand(photo.open(), photo.hands[0])
        if cut is not None:
            cuts.append((cut, photo))
    rooms = [photo for path in chosen.rooms for photo in read_label_file(path) if photo.complete]
    rooms = [photo for photo in rooms if not chosen.source or photo.about.get("source") in chosen.source]
    if not cuts or not rooms:
        sys.exit(f"{len(cuts)} of {len(photos)} hands and {len(rooms)} backgrounds can be used; one of each is needed")
    with open_label_file(chosen.out) as file:
        for number in track(range(chosen.count), "pictures"):
            rng = np.random.default_rng((chosen.seed, number))
            room = rooms[int(rng.integers(len(rooms)))]
            picture, hands = resized(room.open(), room.hands)
            more = [cuts[int(rng.integers(len(cuts)))] for _ in range(int(rng.choice(NUMBERS, p=SHARES)))]
            for cut, _ in more:
                picture, hands = paste_hand(picture, hands, cut, rng, chosen.backlit)
            file.write(f"{number:05d}", picture, hands, **joined_origin([*(photo for _, photo in more), room]))
    print(f"{chosen.count} pictures with {len(cuts)} of {len(photos)} hands on {len(rooms)} backgrounds")


def shows_one_hand(photo: LabelledPhoto) -> bool:
    return len(photo.hands) == 1 and photo.hands[0].landmarks is not None


if __name__ == "__main__":
    main()
