"""Crops without a hand in which a landmark network sees one: what it should learn to refuse.

    python recipes/hard_negatives.py CHECKPOINT.pt OUT --data real/train.jsonl --data photos/train.jsonl

Regions are drawn anywhere beside the hands of pictures whose hands are all labelled. Those with a presence above
`--least` are written as pictures without a hand: OUT/hard.jsonl, for `knuckle train landmarks --data`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image as pillow
from rich.progress import track

from knuckle.datasets import open_image
from knuckle.geometry import crop
from knuckle.train.hand.data import Source, elsewhere
from knuckle.train.hand.task import load_network

SIDE = 224  # pixels of what is written


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkpoint", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--data", required=True, action="append", help="as knuckle train landmarks takes it")
    options.add_argument("--least", type=float, default=0.2, help="presence")
    options.add_argument("--per-picture", type=int, default=24, help="regions that are tried")
    chosen = options.parse_args()
    network, _ = load_network(chosen.checkpoint)
    side = int(network.side)  # type: ignore[arg-type]
    shots = [shot for text in chosen.data for shot in Source.read(text).shots if shot.complete]
    (chosen.out / "images").mkdir(parents=True, exist_ok=True)
    tried = kept = 0
    with (chosen.out / "hard.jsonl").open("w") as file:
        for number, shot in enumerate(track(shots, "pictures")):
            image, rng = open_image(shot.source), np.random.default_rng(number)
            tries = (elsewhere(image, shot.hands or (), rng) for _ in range(chosen.per_picture))
            rois = [roi for roi in tries if roi is not None]
            if not rois:
                continue
            pictures = np.stack([crop(image, roi, side) for roi in rois]).transpose(0, 3, 1, 2)
            with torch.no_grad():
                presence = network(torch.from_numpy(pictures).float() / 255)["presence"][:, 0].numpy()
            tried += len(rois)
            for place in np.flatnonzero(presence > chosen.least):
                name = f"images/{number:05d}_{place}.jpg"
                pillow.fromarray(crop(image, rois[place], SIDE)).save(chosen.out / name, quality=90)
                line = {"image": name, "width": SIDE, "height": SIDE, "hands": [], "complete": True}
                file.write(json.dumps(line) + "\n")
                kept += 1
    print(f"{tried} regions of {len(shots)} pictures, a hand seen in {kept}")


if __name__ == "__main__":
    main()
