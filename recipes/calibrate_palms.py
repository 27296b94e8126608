"""Moves the bias of a palm network's scores so that 0.5 is where it tells palms from the rest best.

    python recipes/calibrate_palms.py RUN/checkpoint.pt --data PHOTOS/train.jsonl --data FREE.jsonl

Focal loss leaves scores low: background anchors outnumber palms by hundreds. The new zero of the logit is the one at
which F2 is highest (precision and recall, the latter counting twice: the landmark network refuses what is no hand), or
the lowest that is hardly worse (`LEVEL`); on whole photos as the run time sees them, all of whose palms are known.
Writes RUN/calibrated.pt.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch

from knuckle.evaluate.metrics import precision_recall
from knuckle.train.checkpoint import read_checkpoint
from knuckle.train.palm import PalmJudge, grid_of, load_palm_network
from knuckle.train.palm_data import PalmSource, is_labelled

LEVEL = 0.005  # of F2: its standard error over a thousand hands, as in the one-standard-error rule


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkpoint", type=Path)
    options.add_argument("--data", required=True, action="append", help="photos with all their hands labelled, or none")
    chosen = options.parse_args()
    network, _ = load_palm_network(chosen.checkpoint)
    read = [shot for text in chosen.data for shot in PalmSource.read(text).shots]
    shots = [shot for shot in read if all(map(is_labelled, shot.hands or ()))]
    ranked = PalmJudge(shots, grid_of(network), count=len(shots)).ranked(network)
    recall, precision, scores = precision_recall(ranked.scores, ranked.hits, len(ranked.truths))
    f2 = 5 * recall * precision / np.maximum(recall + 4 * precision, 1e-9)
    best = int(np.flatnonzero(f2 > f2.max() - LEVEL)[-1])
    zero = math.log(scores[best] / (1 - scores[best]))
    print(f"{len(ranked.truths)} hands of {len(shots)} photos: best at {scores[best]:.2f}, ", end="")
    print(f"recall {100 * recall[best]:.1f} %, precision {100 * precision[best]:.1f} %; the new zero is {zero:.2f}")
    saved = read_checkpoint(chosen.checkpoint)
    for name in [name for name in saved["average"] if name.startswith("scores.") and name.endswith(".bias")]:
        saved["average"][name] -= zero
    torch.save(saved, chosen.checkpoint.with_name("calibrated.pt"))


if __name__ == "__main__":
    main()
