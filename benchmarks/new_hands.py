"""Hands found and false positives at several thresholds of new hands: `python benchmarks/new_hands.py`.

    python benchmarks/new_hands.py --models knuckle --data PHOTOS
    python benchmarks/new_hands.py --models mine/ --thresholds 0.97 0.9925 0.99 0.997 0.995 0.9986
    python benchmarks/new_hands.py --causes --only rps_homes    # why hands are missed, with the first thresholds

Thresholds come in pairs: `min_new_confidence` and `min_faint_confidence`. Photos are read once, as `knuckle.detect`
reads them with at most four hands, and each pair then decides which hands stay. A hand counts as found where its box
overlaps a person's box by an IoU of 0.3. Use it when a network has been trained: its presence means something else
than before.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from accuracy import DATA
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

import knuckle
from knuckle.datasets import open_image, sample_datasets
from knuckle.datasets.labels import Shot
from knuckle.metrics.detection import iou_matrix, match
from knuckle.pipeline.options import CompleteOptions
from knuckle.pipeline.tracker import TrackerOptions, accept, new_candidates, palms_to_try, second_look, unique
from knuckle.results import FloatArray, Hand

MAX_HANDS, MIN_IOU = 4, 0.3
# Why a labelled hand is missed: no palm was proposed in it, a presence is too low, both are not enough together, or the
# hand is found, but its landmarks span another box than the person's.
CAUSES = ("no candidate", "first presence", "second presence", "confidence", "its box differs")
PAIRS = (0.833, 0.943, 0.909, 0.971, 0.952, 0.985, 0.976, 0.992)


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
        pairs = len(matched(hands, boxes))
        labelled, found, wrong = labelled + len(boxes), found + pairs, wrong + len(hands) - pairs
    return labelled, found, wrong, free_with_hand


def matched(hands: Sequence[Hand], boxes: Sequence[FloatArray]) -> set[int]:
    """The boxes that a hand overlaps enough."""
    return set(match(iou_matrix([hand.box for hand in hands], boxes), MIN_IOU)[:, 1].tolist()) if hands else set()


def causes(looks: Sequence[Looks], options: CompleteOptions) -> Counter[str]:
    """How many labelled hands are missed for each of `CAUSES`."""
    counted = Counter[str]()
    for one in looks:
        hands, boxes = kept(one, options), [h.extent for h in one.shot.hands or () if h.extent is not None]
        found = matched(hands, boxes)
        counted.update(cause(one, hands, box, options) for place, box in enumerate(boxes) if place not in found)
    return counted


def cause(looks: Looks, hands: Sequence[Hand], box: FloatArray, options: CompleteOptions) -> str:
    """Why no hand matches a box. A candidate belongs to the box if the centre of its region lies in it."""

    def inside(some: Sequence[Hand]) -> list[Hand]:
        return [hand for hand in some if box[0] <= hand.roi.x <= box[2] and box[1] <= hand.roi.y <= box[3]]

    if inside(hands):
        return "its box differs"
    if not inside(looks.found):
        return "no candidate"
    for name, some in (("first presence", looks.found), ("second presence", looks.read_again)):
        if max((hand.presence for hand in inside(some)), default=0.0) <= options.min_presence:
            return name
    return "confidence"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with index.jsonl and photos/")
    parser.add_argument("--models", default="knuckle")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--thresholds", type=float, nargs="+", default=PAIRS, metavar="NEW FAINT")
    parser.add_argument("--causes", action="store_true", help="count why hands are missed")
    parser.add_argument("--only", nargs="+", help="names of datasets")
    chosen = parser.parse_args()
    networks = knuckle.load(chosen.models, precision=chosen.precision)
    options = networks.completed(TrackerOptions(max_hands=MAX_HANDS))
    pairs = list(zip(chosen.thresholds[::2], chosen.thresholds[1::2], strict=True))
    headings = ("missed", *CAUSES) if chosen.causes else (f"{new:g}, {faint:g}" for new, faint in pairs)
    table = Table(Column("photos", no_wrap=True), *headings, box=None)
    for dataset in sample_datasets(chosen.data):
        shots = [shot for shot in dataset.shots if shot.hands is not None]
        if not shots or dataset.clips or (chosen.only and dataset.name not in chosen.only):
            continue
        looks = list(looks_at(networks, options, shots, dataset.name))
        if chosen.causes:
            new, faint = pairs[0]
            missed = causes(looks, replace(options, min_new_confidence=new, min_faint_confidence=faint))
            table.add_row(dataset.name, *map(str, (missed.total(), *(missed[name] for name in CAUSES))))
            continue
        cells = []
        for new, faint in pairs:
            labelled, found, wrong, free = counts(
                looks, replace(options, min_new_confidence=new, min_faint_confidence=faint)
            )
            share = 100 * found / labelled if labelled else math.nan
            cells.append(f"{share:.1f} % · {1000 * wrong / len(shots):.0f}" if labelled else f"{free} photos")
        table.add_row(f"{dataset.name} ({len(shots)})", *cells)
    Console().print(table)
    if not chosen.causes:
        Console().print("Hands found · false positives per 1000 photos; or hand-free photos with a hand.")


if __name__ == "__main__":
    main()
