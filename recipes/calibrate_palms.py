"""Moves the bias of a palm network's scores so that 0.5 is where it makes up few palms and finds the most.

    python recipes/calibrate_palms.py RUN/checkpoint.pt --free PHOTOS/train.jsonl [--data PHOTOS/train.jsonl]

Focal loss leaves scores low: background anchors outnumber palms by hundreds. The new zero of the logit is the lowest
one at which, in the pictures without hands and in their quarters, at most `SHARE` as many palms are seen as MediaPipe's
network sees there. It was trained on none of them, ours on all: in rooms that neither has seen ours makes up about
twice as many, so less than half of MediaPipe's. `--data` are photos with all their palms labelled, of which it
tells the share found. Writes RUN/calibrated.pt.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

import knuckle
from knuckle.datasets import open_image
from knuckle.geometry import letterbox
from knuckle.images import Image
from knuckle.pipeline.options import TrackerOptions
from knuckle.train.checkpoint import read_checkpoint
from knuckle.train.palm.data import PalmSource, is_labelled
from knuckle.train.palm.task import LEAST_SCORE, PalmJudge, grid_of, load_palm_network, palms_of

SHARE = 0.15


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkpoint", type=Path)
    options.add_argument("--free", required=True, help="labels; their pictures without hands are taken")
    options.add_argument("--data", help="photos with all their palms labelled")
    options.add_argument("--reference", default="mediapipe")
    chosen = options.parse_args()
    network, _ = load_palm_network(chosen.checkpoint)
    grid = grid_of(network)
    find = knuckle.load(chosen.reference).palm_detector(TrackerOptions()).graph()
    theirs, scores = 0, [0.0]
    for view in views(chosen.free):
        theirs += len(find(view))
        size = (view.shape[1], view.shape[0])
        scores += [palm.score for palm in palms_of(network, [(letterbox(view, grid.side), size)], grid, LEAST_SCORE)[0]]
    allowed = int(SHARE * theirs)
    best = max(float(np.sort(scores)[::-1][min(allowed, len(scores) - 1)]), LEAST_SCORE)
    zero = math.log(best / (1 - best))
    print(f"{theirs} palms by {chosen.reference}, {allowed} allowed: best above {best:.3f}; the new zero is {zero:.2f}")
    if chosen.data:
        shots = [
            shot for shot in PalmSource.read(chosen.data).shots if shot.hands and all(map(is_labelled, shot.hands))
        ]
        ranked = PalmJudge(shots, grid, count=len(shots)).ranked(network)
        print(f"{100 * np.mean(ranked.best > best):.1f} % of {len(ranked.best)} labelled palms are found there")
    saved = read_checkpoint(chosen.checkpoint)
    for name in [name for name in saved["average"] if name.startswith("scores.") and name.endswith(".bias")]:
        saved["average"][name] -= zero
    torch.save(saved, chosen.checkpoint.with_name("calibrated.pt"))


def views(labels: str) -> Iterator[Image]:
    """All pictures of a dataset that show no hand, whole and in quarters."""
    free = [shot for shot in PalmSource.read(labels).shots if not shot.hands]
    for shot in track(free, "pictures without hands"):
        image = open_image(shot.source)
        rows, columns = (np.array_split(np.arange(side), 2) for side in image.shape[:2])
        yield image
        yield from (image[row[0] : row[-1] + 1, column[0] : column[-1] + 1] for row in rows for column in columns)


if __name__ == "__main__":
    main()
