"""Shift the presence of a landmark network so that 0.5 is a good threshold, and write RUN/calibrated.pt.

    python recipes/calibrate_presence.py RUN/checkpoint.pt --hands REAL/train.jsonl --free REAL/train.jsonl

Training sees far more doubtful crops (lost, cut off, covered hands) than tracking does, so the presence of a trained
network is too high. `knuckle.train.calibrate.presence_zero` says how the threshold is chosen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import track

from knuckle.train.calibrate import (
    calibrate_presence,
    crops_with_hands,
    crops_without_hands,
    presence_logits,
    presence_zero,
)
from knuckle.train.hand.data import read_source
from knuckle.train.hand.network import load_hand_network
from knuckle.train.teacher import input_side


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkpoint", type=Path)
    options.add_argument("--hands", required=True, help="labelled hands")
    options.add_argument("--free", required=True, help="labels; their hand-free photos are used")
    chosen = options.parse_args()
    network, _ = load_hand_network(chosen.checkpoint)
    side = input_side(network)
    hands = presence_logits(network, crops_with_hands(track(read_source(chosen.hands).shots, "hands"), side))
    free = presence_logits(network, crops_without_hands(track(read_source(chosen.free).shots, "no hands"), side))
    zero = presence_zero(hands, free)
    print(f"{len(hands)} hands from {zero.hands:.2f}, {len(free)} other crops up to {zero.free:.2f}")
    print(f"new zero {zero.zero:.2f}: {100 * zero.hands_lost:.2f} % of the hands are below it, ", end="")
    print(f"{100 * zero.free_kept:.2f} % of the other crops above it")
    calibrate_presence(chosen.checkpoint, zero.zero, chosen.checkpoint.with_name("calibrated.pt"))


if __name__ == "__main__":
    main()
