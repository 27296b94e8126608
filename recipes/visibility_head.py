"""Train the visibility heads of MediaPipe's networks on renders (`knuckle.train.hand.visibility`).

    knuckle synth hands renders/train --count 16000 --side 256 --margin 1.4 --seed 11
    knuckle synth hands renders/check --count 2000 --side 256 --margin 1.4 --seed 999
    python recipes/visibility_head.py --data renders/train --check renders/check --out src/knuckle/models/networks

The features are kept in the folder `--features`, so that a head can be trained again in seconds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import Progress

from knuckle.models import catalogue
from knuckle.train.augment import PhotometricAugment, RegionNoise
from knuckle.train.hand.data import HandCrops, read_source
from knuckle.train.hand.head import HeadOptions
from knuckle.train.hand.visibility import Features, judge, read_features, train_head

SIDE = 224
NOISE = RegionNoise(any_angle=0, lost=0)  # as large as the errors of the tracker's regions
TRACKED = partial(HandCrops, seed=1, look=PhotometricAugment(0), region_noise=NOISE)
GROUPS = {"wrist and palm": (0, 1, 5, 9, 13, 17), "middle joints": (2, 3, 6, 7, 10, 11, 14, 15, 18, 19)}
GROUPS["finger tips"] = (4, 8, 12, 16, 20)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", nargs="+", required=True)
    options.add_argument("--check", required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--features", type=Path, default=Path("runs/visibility"))
    options.add_argument("--count", type=int, default=14_000, help="crops to train on; each picture gives several")
    options.add_argument("--networks", nargs="+", default=["mediapipe", "mediapipe-lite"])
    chosen = options.parse_args()
    for name in chosen.networks:
        train = features_of(name, chosen.data, chosen.count, chosen.features / f"{name}-train.npz", HandCrops)
        check = features_of(name, [chosen.check], 2000, chosen.features / f"{name}-check.npz", TRACKED)
        head = train_head(train, HeadOptions())
        path = chosen.out / f"visibility_{'lite' if 'lite' in name else 'full'}.npz"
        path.write_bytes(head.to_bytes())
        print(f"{name}: {path}, {path.stat().st_size} bytes")
        for part, joints in {"all": tuple(range(21)), **GROUPS}.items():
            print(f"  {part:15} {json.dumps({k: round(v, 4) for k, v in judge(head, check, joints).items()})}")


def features_of(name: str, data: list[str], count: int, kept: Path, make: Callable[..., HandCrops]) -> Features:
    """The features from the file `kept`, or computed and saved there."""
    if kept.is_file():
        with np.load(kept) as stored:
            return Features(*(stored[key].astype(np.float32) for key in ("features", "visible", "weight")))
    crops = make([read_source(text) for text in data], SIDE, empty=0)
    with Progress() as progress:
        bar = progress.add_task(kept.stem, total=count)
        found = read_features(
            catalogue.find(name).hand_path, crops, count, lambda done: progress.update(bar, completed=done)
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez(kept, features=found.features.astype(np.float16), visible=found.visible, weight=found.weight)
    return found


if __name__ == "__main__":
    main()
