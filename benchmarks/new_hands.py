"""Hands found and false positives at several thresholds of new hands: `python benchmarks/new_hands.py`.

    python benchmarks/new_hands.py --models knuckle --data PHOTOS
    python benchmarks/new_hands.py --models mine/ --thresholds 0.97 0.9925 0.99 0.997 0.995 0.9986

Thresholds come in pairs: `min_new_confidence` and `min_faint_confidence`. Photos are read once, as `knuckle.detect`
reads them with at most four hands, and each pair then decides which hands stay. A hand counts as found where its box
overlaps a person's box by an IoU of 0.3. Use it when a network has been trained: its presence means something else
than before.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from accuracy import DATA
from rich.console import Console
from rich.progress import track
from rich.table import Table

import knuckle
from knuckle.datasets import open_image, sample_datasets
from knuckle.datasets.labels import Shot
from knuckle.metrics.detection import iou_matrix, match
from knuckle.pipeline.options import CompleteOptions
from knuckle.pipeline.tracker import TrackerOptions, accept, new_candidates, palms_to_try, second_look, unique
from knuckle.results import Hand

MAX_HANDS, MIN_IOU = 4, 0.3
PAIRS = (0.97, 0.9925, 0.99, 0.997, 0.995, 0.9986, 0.9975, 0.9994)


@dataclass(frozen=True)
class Looks:
    """Both looks at the candidates of a photo."""

    shot: Shot
    found: Sequence[Hand]
    read_again: Sequence[Hand]


def looks_at(networks: knuckle.Networks, options: CompleteOptions, shots: Sequence[Shot], name: str) -> Iterator[Looks]:
    """Read each photo as the graph of `detect` does, down to hands of any presence."""
    palms, hands = palms_to_try(networks, options), networks.hand_landmarker(options, min_presence=-1.0).graph()
    for shot in track(shots, name):
        image = open_image(shot.source)
        candidates = new_candidates(palms(image), (), options)
        found = hands(image, candidates) if candidates else []
        again = second_look(found, enabled=options.second_look)
        yield Looks(shot, found, hands(image, again) if again else [])


def kept(looks: Looks, options: CompleteOptions) -> list[Hand]:
    """The hands of a photo that these thresholds let stand."""
    found = [hand for hand in looks.found if hand.presence > options.min_presence]
    regions = {one.roi for one in second_look(found, enabled=True)}
    read_again = [hand for hand in looks.read_again if hand.roi in regions]
    return unique(accept(found, read_again, options), options=options)


def counts(looks: Sequence[Looks], options: CompleteOptions) -> tuple[int, int, int, int]:
    """Labelled hands and how many were found, false positives, and photos without hands that have one."""
    labelled = found = wrong = 0
    free_with_hand = 0
    for one in looks:
        hands = kept(one, options)
        boxes = [hand.extent for hand in one.shot.hands or () if hand.extent is not None]
        if not boxes:
            free_with_hand += bool(hands)
            continue
        similarity = iou_matrix([hand.box for hand in hands], boxes) if hands else np.zeros((0, len(boxes)))
        pairs = len(match(similarity, MIN_IOU)) if hands else 0
        labelled, found, wrong = labelled + len(boxes), found + pairs, wrong + len(hands) - pairs
    return labelled, found, wrong, free_with_hand


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with index.jsonl and photos/")
    parser.add_argument("--models", default="knuckle")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--thresholds", type=float, nargs="+", default=PAIRS, metavar="NEW FAINT")
    parser.add_argument("--only", nargs="+", help="names of datasets")
    chosen = parser.parse_args()
    networks = knuckle.load(chosen.models, precision=chosen.precision)
    options = networks.completed(TrackerOptions(max_hands=MAX_HANDS))
    pairs = list(zip(chosen.thresholds[::2], chosen.thresholds[1::2], strict=True))
    table = Table("photos", *(f"{new:g}, {faint:g}" for new, faint in pairs), box=None)
    for dataset in sample_datasets(chosen.data):
        shots = [shot for shot in dataset.shots if shot.hands is not None]
        if not shots or dataset.clips or (chosen.only and dataset.name not in chosen.only):
            continue
        looks = list(looks_at(networks, options, shots, dataset.name))
        cells = []
        for new, faint in pairs:
            labelled, found, wrong, free = counts(
                looks, replace(options, min_new_confidence=new, min_faint_confidence=faint)
            )
            share = 100 * found / labelled if labelled else math.nan
            cells.append(f"{share:.1f} % · {1000 * wrong / len(shots):.0f}" if labelled else f"{free} photos")
        table.add_row(f"{dataset.name} ({len(shots)})", *cells)
    Console().print(table, "Hands found · false positives per 1000 photos; or hand-free photos with a hand.")


if __name__ == "__main__":
    main()
