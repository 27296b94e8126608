"""Shift the scores of a palm network so that 0.5 is a good threshold, and write RUN/calibrated.pt.

    python recipes/calibrate_palms.py RUN/checkpoint.pt --free PHOTOS/train.jsonl [--data PHOTOS/train.jsonl]

`knuckle.train.calibrate.palm_zero` says how the threshold is chosen. `--free` are labels of which the hand-free photos
are used. `--data` are photos with all their palms labelled; their recall at the new threshold is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.progress import track

import knuckle
from knuckle.pipeline.options import TrackerOptions
from knuckle.train.calibrate import calibrate_palms, hand_free_views, palm_zero
from knuckle.train.palm.data import has_palm, read_source
from knuckle.train.palm.evaluator import PalmEvaluator
from knuckle.train.palm.network import grid_of, load_palm_network
from knuckle.train.sources import hand_free


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkpoint", type=Path)
    options.add_argument("--free", required=True, help="labels; their hand-free photos are used")
    options.add_argument("--data", help="photos with all their palms labelled")
    options.add_argument("--reference", default="mediapipe", help="bundle whose false positives are compared")
    chosen = options.parse_args()
    network, _ = load_palm_network(chosen.checkpoint)
    reference = knuckle.load(chosen.reference).palm_detector(TrackerOptions()).graph()
    shots = hand_free([read_source(chosen.free)])
    zero = palm_zero(network, hand_free_views(track(shots, "hand-free photos")), reference)
    print(
        f"{zero.reference} palms by {chosen.reference}, {zero.allowed} allowed: "
        f"threshold {zero.score:.3f}, new zero {zero.zero:.2f}"
    )
    if chosen.data:
        labelled = [shot for shot in read_source(chosen.data).shots if shot.hands and all(map(has_palm, shot.hands))]
        best = PalmEvaluator(labelled, grid_of(network), count=len(labelled)).matches(network).best
        print(f"recall at this threshold {100 * np.mean(best > zero.score):.1f} % of {len(best)} labelled palms")
    calibrate_palms(chosen.checkpoint, zero, chosen.checkpoint.with_name("calibrated.pt"))


if __name__ == "__main__":
    main()
