"""Train a presence head for MediaPipe's lite network on regions that our palm network proposes (recipes/log.md).

    python recipes/presence_head.py PHOTOS --source asl_letters --source indoor_no_hands … \\
        --unlabelled rf100_signers … --clip signing.mkv … --frames scratch/frames --out hand.pt
    knuckle export hand.pt --palm knuckle --out bundle/

Everything else of MediaPipe's lite network stays as it is; it has the visibility head that `recipes/visibility_head.py`
trained. `--source`: photos of PHOTOS/index.jsonl with people's boxes around hands, and photos without hands. In photos
of `--unlabelled` sources and in frames of clips MediaPipe's full network decides which regions hold a hand. Only photos
and clips of part `train` in `splits.json` are used.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image as pillow
from rich.progress import Progress
from torch import nn

import knuckle
from knuckle.datasets import read_dataset
from knuckle.datasets.labels import Shot
from knuckle.models import catalogue
from knuckle.train.augment import PhotometricAugment
from knuckle.train.checkpoint import write_weights
from knuckle.train.hand.candidates import CandidateOptions, find_candidates
from knuckle.train.hand.network import describe, start_hand_network
from knuckle.train.hand.presence import read_presence_data, train_presence_head
from knuckle.train.nets.hand_net import HandNetShape
from knuckle.train.nets.reference_hand import ReferenceHandNet
from knuckle.train.splits import capture_of, read_splits

SPLITS = read_splits(Path(__file__).with_name("splits.json"))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("photos", type=Path, help="folder with index.jsonl")
    options.add_argument("--source", action="append", default=[])
    options.add_argument("--unlabelled", action="append", default=[], help="a source without labels")
    options.add_argument("--clip", action="append", type=Path, default=[])
    options.add_argument("--frames", type=Path, default=Path("runs/presence/frames"), help="where frames are written")
    options.add_argument("--most", type=int, default=160, help="unlabelled photos of each source")
    options.add_argument("--init", default="mediapipe-lite")
    options.add_argument("--count", type=int, default=24_000, help="crops to train on; each region gives several")
    options.add_argument("--out", type=Path, required=True)
    chosen = options.parse_args()
    network, _ = start_hand_network(chosen.init, HandNetShape())
    if not isinstance(network, ReferenceHandNet) or not isinstance(network.presence, nn.Linear):
        raise SystemExit(f"--init {chosen.init}: this recipe starts from a published network of MediaPipe")
    kept = {source: names_for_training(chosen.photos, source) for source in (*chosen.source, *chosen.unlabelled)}
    labelled = [
        shot
        for name in chosen.source
        for shot in read_dataset(chosen.photos, split=name).shots
        if shot.source in kept[name]
    ]
    rng, unlabelled = np.random.default_rng(0), frames_of(chosen.clip, chosen.frames)
    for source in chosen.unlabelled:
        unlabelled += [Shot(str(name)) for name in rng.permutation(sorted(kept[source]))[: chosen.most]]
    crops = find_candidates(labelled, unlabelled, network.side, CandidateOptions(), PhotometricAugment(0))
    print(f"{len(crops.hands)} regions with a hand, {len(crops.others)} without")
    with Progress() as progress:
        bar = progress.add_task("features", total=chosen.count)
        data = read_presence_data(
            catalogue.find(chosen.init).hand_path,
            crops,
            chosen.count,
            lambda done: progress.update(bar, completed=done),
        )
    network.presence = train_presence_head(network.presence, data)
    write_weights(network, {"task": "hand", **describe(network)}, chosen.out)


def names_for_training(photos: Path, source: str) -> set[str]:
    """The photos of a source that may be trained on."""
    rows = [json.loads(line) for line in (photos / "index.jsonl").read_text().splitlines()]
    kept = [row for row in rows if row["source"] == source and SPLITS.part_of(source, capture_of(row)) == "train"]
    if not kept:
        sys.exit(f"{source} is held out of training, see recipes/splits.json")
    return {str(photos / row["image"]) for row in kept}


def frames_of(clips: Sequence[Path], folder: Path) -> list[Shot]:
    """The frames of clips as unlabelled photos, written to a folder."""
    if held_out := [clip.name for clip in clips if SPLITS.clips.get(clip.stem) != "train"]:
        sys.exit(f"{', '.join(held_out)}: these clips are held out of training, see recipes/splits.json")
    folder.mkdir(parents=True, exist_ok=True)
    return [shot for clip in clips for shot in written(clip, folder)]


def written(clip: Path, folder: Path) -> Iterable[Shot]:
    for frame in knuckle.read(str(clip)):
        path = folder / f"{clip.stem}_{frame.index:04d}.png"
        pillow.fromarray(frame.image).save(path, compress_level=1)
        yield Shot(str(path))


if __name__ == "__main__":
    main()
