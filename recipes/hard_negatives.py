"""Collect crops without a hand in which a landmark network sees one, to train on as hand-free pictures.

    python recipes/hard_negatives.py CHECKPOINT.pt OUT --data real/train.jsonl --data photos/train.jsonl

Random regions beside the hands of photos with all their hands labelled are tried. Writes OUT/hard.jsonl, for
`knuckle train hand --data`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import track

from knuckle.train.hand.data import read_source
from knuckle.train.hand.mining import hard_negatives
from knuckle.train.hand.network import load_hand_network
from knuckle.train.label_file import open_label_file


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkpoint", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--data", required=True, action="append", help="labels, PATH[@SPLIT]")
    options.add_argument("--min-presence", type=float, default=0.2, help="of the crops that are kept")
    options.add_argument("--per-picture", type=int, default=24, help="regions that are tried")
    chosen = options.parse_args()
    network, _ = load_hand_network(chosen.checkpoint)
    shots = [shot for text in chosen.data for shot in read_source(text).shots if shot.complete]
    kept = 0
    with open_label_file(chosen.out, "hard") as file:
        for number, shot in enumerate(track(shots, "pictures")):
            found = hard_negatives(network, shot, number, chosen.per_picture, chosen.min_presence)
            for place, picture in found:
                about = {"source": shot.origin} if shot.origin else {}
                file.write(f"{number:05d}_{place}", picture, [], **about, group=shot.group)
                kept += 1
    print(f"{kept} crops of {len(shots)} pictures, {chosen.per_picture} regions each, look like a hand")


if __name__ == "__main__":
    main()
