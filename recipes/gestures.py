"""Train the network of hand shapes (`knuckle.gestures`) on posed hands and labelled photos, and judge it.

    python recipes/gestures.py --data DATA --work runs/gestures --out src/knuckle/gestures/network.json

DATA has a folder `photos/SOURCE` for the sources in `gesture_labels.csv`. Those of part "train" in `splits.json` train;
those of parts "choose" and "decide" judge. The temperature comes from networks that were trained without a fold of the
training sources and asked about it. Posed hands and detected landmarks are kept in `--work`, so that a network can be
trained again in two minutes of one core; the first time takes ten more.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np

import knuckle
from knuckle.gestures.features import features_of
from knuckle.gestures.network import ShapeNetwork, as_json, network_from
from knuckle.gestures.recogniser import GestureSet, load_gestures, set_names
from knuckle.train.gestures.fit import Examples, calibrated, fit
from knuckle.train.gestures.judge import judge
from knuckle.train.gestures.photos import PhotoHands, hands_of_photos, read_labels
from knuckle.train.gestures.poses import random_rows
from knuckle.train.gestures.shapes import SHAPES
from knuckle.train.splits import read_splits

HERE = Path(__file__).parent
FOLDS = 3


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--work", type=Path, default=Path("runs/gestures"))
    options.add_argument("--out", type=Path, help="the network; without it an existing one is only judged")
    options.add_argument("--without", nargs="+", default=[], help="sources that are left out of training and judged")
    options.add_argument("--models", default="knuckle", help="the bundle that reads the landmarks")
    options.add_argument("--poses", type=int, default=10_000)
    options.add_argument("--steps", type=int, default=6_000)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    photos, splits = photo_hands(chosen), read_splits(HERE / "splits.json")
    learned = [name for name, part in splits.sources.items() if part == "train"]
    if chosen.without:
        network = fitted(chosen, photos.of_sources([name for name in learned if name not in chosen.without]))
        return report(network, photos.of_sources(chosen.without))
    if chosen.out:
        network = train(chosen, photos.of_sources(learned))
        chosen.out.write_text(json.dumps(as_json(network)) + "\n")
        print(f"{chosen.out}: {chosen.out.stat().st_size} bytes, temperature {network.temperature}")
    else:
        network = load_gestures().network
    report(network, photos.of_sources([name for name in splits.sources if name not in learned]))


def photo_hands(chosen: argparse.Namespace) -> PhotoHands:
    """The labelled hands, from the work folder or detected and kept there."""
    kept = chosen.work / f"photos-{chosen.models}.npz"
    if not kept.is_file():
        detect = partial(knuckle.detect, models=chosen.models, max_hands=4)
        hands_of_photos(read_labels(HERE / "gesture_labels.csv"), chosen.data / "photos", detect).save(kept)
    return PhotoHands.load(kept)


def posed_hands(chosen: argparse.Namespace) -> Examples:
    """The posed hands, from the work folder or made and kept there."""
    kept = chosen.work / "posed.npz"
    if not kept.is_file():
        rows = random_rows(chosen.poses, 8, np.random.default_rng(chosen.seed))
        np.savez(kept, features=features_of(rows.landmarks, rows.world, rows.left), shapes=rows.shapes)
    with np.load(kept) as arrays:
        return Examples(arrays["features"], np.eye(len(SHAPES), dtype=np.float32)[arrays["shapes"]])


def train(chosen: argparse.Namespace, photos: PhotoHands) -> ShapeNetwork:
    """A network of all photos, with the temperature of networks that had not seen a fold of the sources."""
    names = sorted(set(photos.sources.tolist()))
    temperatures, hands = [], []
    for fold in range(FOLDS):
        held = names[fold::FOLDS]
        network = fitted(chosen, photos.of_sources([name for name in names if name not in held]), f"fold {fold}")
        unseen = photos.of_sources(held)
        temperatures.append(calibrated(network, unseen.examples()).temperature)
        hands.append(len(unseen.labels))
        print(f"fold {fold}: {', '.join(held)}: temperature {temperatures[-1]}")
    final = fitted(chosen, photos, "all")
    return network_from({**as_json(final), "temperature": round(float(np.average(temperatures, weights=hands)), 3)})


def fitted(chosen: argparse.Namespace, hands: PhotoHands, what: str = "part") -> ShapeNetwork:
    """A network of these photos; one of a part of them takes half the steps."""

    def after_step(step: int, loss: float) -> None:
        if step % 1000 == 0:
            print(f"{what}: step {step}, loss {loss:.3f}", flush=True)

    steps = chosen.steps if what == "all" else chosen.steps // 2
    learned = hands.with_copies(np.random.default_rng(chosen.seed)).examples()
    return fit(posed_hands(chosen), learned, steps, chosen.seed, after_step)


def report(network: ShapeNetwork, hands: PhotoHands) -> None:
    """Print what each set gets right on sources that never train."""
    for name in set_names():
        gestures = load_gestures(name).gestures
        assert isinstance(gestures, GestureSet)
        for sources in [None, *sorted(set(hands.sources.tolist()))]:
            judged = judge(network, gestures, hands.of_sources([sources]) if sources else hands)
            if judged.confusion.sum() < 5:
                continue
            print(
                f"{name}, {sources or 'all sources'}: {judged.confusion.sum():.0f} hands, macro accuracy "
                f"{judged.macro_accuracy():.3f}, calibration error {judged.calibration_error:.3f}"
            )
            if not sources:
                for k, row in enumerate(judged.confusion.astype(int).tolist()):
                    said = {judged.names[j]: count for j, count in enumerate(row) if count}
                    print(f"  {judged.names[k]:14} {sum(row):4} {said}")


if __name__ == "__main__":
    main()
