"""The effect of each choice of the tracker: joints, motion, filter, second look, faint palms, sampling.

    python benchmarks/variants.py tracking [--models NAME]    # made clips, clips of signing people, ti1k
    python benchmarks/variants.py looks [--models NAME]       # photos
    python benchmarks/variants.py faint [--models NAME]       # photos, clips of signing people
    python benchmarks/variants.py sampling [--models NAME]    # photos in mosaics, so that hands are small

Reads the same photos and clips as `benchmarks/accuracy.py` and prints Markdown tables.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import accuracy
import cv2
import numpy as np

import knuckle
from knuckle.datasets import open_image, sample_datasets
from knuckle.datasets.labels import Dataset, Shot
from knuckle.evaluate.matching import FOUND_IOU
from knuckle.evaluate.predict import predict
from knuckle.evaluate.report_tables import cells, metric_name
from knuckle.evaluate.score import score
from knuckle.evaluate.trackers import TrackerUnderTest, own_tracker
from knuckle.geometry import letterbox
from knuckle.images import Image
from knuckle.metrics import bootstrap_ratio, bootstrap_ratio_difference, iou_matrix, match
from knuckle.models.session import Pictures
from knuckle.pipeline.hand import PIP_JOINTS
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.palm import PalmDetector
from knuckle.pipeline.smooth import BETA_HZ_PER_SPEED
from knuckle.pipeline.tracker import Networks
from knuckle.pipeline.tracks import tracked_candidates, update_tracks

CLIPS = ("still_hand", "moving_hand", "ti1k_clips", "asl_clips")
PHOTOS = ("ti1k", "subhih", "lebanese_gestures", "asl_letters", "office_no_hands")
SHOWN = (
    "hands found",
    "false positives per 1000 images with hands",
    "mean error, found hands",
    "mean error before smoothing, found hands",
    "palm detector calls per frame",
    "IDF1",
    "ids per hand",
    "jitter of a still hand",
    "jitter of a still hand, raw",
    "jitter of slow hands",
    "jitter of slow hands, raw",
    "lag",
    "smoothed from raw, hands above 4 palms a second",
    "time lost after a hand comes back",
    "false positives per 1000 hand-free images",
    "mean error of fingertips, found hands",
    "median error, missed = infinite",
    "overlap with the hand's box, missed = 0",
)


@dataclass(frozen=True)
class Variant:
    """A tracker: its name, its options, and other functions for nodes of the tracking graph."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)


def candidates_with(**parameters: Any) -> Mapping[str, Callable[..., Any]]:
    """Another prediction of the regions of tracked hands."""
    return {"tracked_candidates": partial(tracked_candidates, predict_motion=True, **parameters)}


ALIKE = partial(update_tracks, remember_s=TrackerOptions().remember_s, centre_beta=BETA_HZ_PER_SPEED)
TRACKING = (
    Variant("default"),
    Variant("PIP joints", functions=candidates_with(joints=PIP_JOINTS)),
    Variant("no motion", {"predict_motion": False}),
    Variant("all motion", functions=candidates_with(noise_speed_per_s=0.0)),
    Variant("motion above 3", functions=candidates_with(noise_speed_per_s=3.0)),
    Variant("no filter", {"smooth": False}),
    Variant("centre filtered like points", functions={"next_memory": ALIKE}),
    Variant("every frame searched", {"search_every": 1}),
)
LOOKS = (Variant("one look", {"second_look": False}), Variant("two looks", {"second_look": True}))
FAINT = (Variant("none fainter", {"faint_palms": 1.0}), *(Variant(f"{k}", {"faint_palms": k}) for k in (0.8, 0.6, 0.4)))


@dataclass(frozen=True)
class AreaSampled(Networks):
    """Networks whose palm search takes the mean of the area around each sample."""

    def palm_detector(self, options: TrackerOptions, min_score: float | None = None) -> PalmDetector:
        detector = super().palm_detector(options, min_score)
        return AreaPalmDetector(detector.network, detector.model, detector.min_score)


class AreaPalmDetector(PalmDetector):
    """A palm detector behind a box filter."""

    def prepare(self, image: Image) -> Pictures:
        return area_letterbox(image, self.network.side)[None]


def tracking(models: str, data: Path) -> list[str]:
    return compared(TRACKING, CLIPS, models, data)


def looks(models: str, data: Path) -> list[str]:
    return compared(LOOKS, PHOTOS, models, data)


def faint(models: str, data: Path) -> list[str]:
    return compared(FAINT, (*PHOTOS, "asl_clips"), models, data)


def compared(variants: Sequence[Variant], names: Sequence[str], models: str, data: Path) -> list[str]:
    networks = knuckle.load(models)
    candidates = [own_tracker(each.name, networks, TrackerOptions(**each.options), each.functions) for each in variants]
    name = Path(models).name
    found = accuracy.datasets(data, names)
    if networks.bundle.name.startswith("knuckle"):
        found = [accuracy.unseen(one) if one.name == "asl_clips" else one for one in found]
    return [line for dataset in found for line in table(dataset, candidates, name)]


def table(dataset: Dataset, candidates: list[TrackerUnderTest], models: str) -> list[str]:
    """The rows of one dataset for all variants, as Markdown."""
    folder = accuracy.SCRATCH / "variants"
    made = [predict(one, dataset, folder / f"{dataset.name}.{models}.{one.name}.parquet") for one in candidates]
    names = [one.name for one in candidates]
    rows = [row for table in score(dataset, made).tables for row in table.rows if row.metric in SHOWN]
    head = [f"### {dataset.name}, {models}", "", f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    body = [f"| {metric_name(row)} | {' | '.join(text(cell) for cell in cells(row, names))} |" for row in rows]
    return [*head, *body, ""]


def text(cell: Any) -> str:
    return f"{cell.value} ({cell.interval}) {cell.verdict}".strip()


def sampling(models: str, data: Path) -> list[str]:
    """Recall for photos in mosaics of k by k with hand-free photos, so that hands are k times as small.

    The palm search samples the mosaic at single pixels, or takes the mean of the area around each.
    """
    networks = knuckle.load(models)
    every = {one.name: one for one in sample_datasets(data)}
    rooms = [shot.source for shot in every["indoor_no_hands"].shots]
    shots = [
        shot for name in ("subhih", "lebanese_gestures") for shot in every[name].shots[:: len(every[name].shots) // 80]
    ]
    head = f"| mosaic of {len(shots)} photos | pixels a sample | single samples | areas | areas − single |"
    lines = [head, "|---|---|---|---|---|"]
    for k in (1, 2, 3, 4, 6):
        counts = np.array([found_in_mosaic(networks, shot, rooms[n:] + rooms[:n], k) for n, shot in enumerate(shots)])
        hands, single, area, samples = counts.T
        groups = [shot.group or shot.source for shot in shots]
        rates = [bootstrap_ratio(found, hands, groups) for found in (single, area)]
        gain = bootstrap_ratio_difference((area, hands), (single, hands), groups)
        cells_ = [f"{100 * one.value:.1f} ({100 * one.low:.1f} to {100 * one.high:.1f}) %" for one in (*rates, gain)]
        lines.append(f"| {k} by {k} | {samples.mean():.1f} | {' | '.join(cells_)} |")
    return lines


def found_in_mosaic(networks: Networks, shot: Shot, rooms: list[str], k: int) -> tuple[int, int, int, float]:
    """Number of hands, those found with single samples, those found with areas; and image pixels per sample."""
    photo = open_image(shot.source)
    height, width = photo.shape[:2]
    tiles = [cv2.resize(open_image(room), (width, height), interpolation=cv2.INTER_AREA) for room in rooms[: k * k]]
    middle = k // 2
    tiles[middle * k + middle] = photo
    mosaic = np.concatenate([np.concatenate(tiles[row * k : (row + 1) * k], axis=1) for row in range(k)])
    corner = np.tile([middle * width, middle * height], 2)
    truths = np.array([hand.box for hand in shot.hands or () if hand.box is not None]) + corner
    found = []
    for sampled in (networks, AreaSampled(networks.palm, networks.hand, networks.bundle)):
        hands = knuckle.detect(mosaic, sampled, max_hands=2)
        overlap = iou_matrix([hand.box for hand in hands], truths)
        found.append(len(match(overlap, FOUND_IOU)))
    return len(truths), found[0], found[1], max(mosaic.shape[:2]) / networks.bundle.palm_side


def area_letterbox(image: Image, side: int) -> Image:
    """`letterbox` after a box filter as wide as one sample, rounded to an odd number of pixels."""
    width = 2 * round((max(image.shape[:2]) / side - 1) / 2) + 1
    return letterbox(np.asarray(cv2.blur(image, (width, width)), np.uint8) if width > 1 else image, side)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=["tracking", "looks", "faint", "sampling"])
    options.add_argument("--models", default="mediapipe")
    options.add_argument("--data", type=Path, default=accuracy.DATA)
    chosen = options.parse_args()
    if not chosen.data.is_dir():
        sys.exit(f"no photos and clips at {chosen.data}; name their folder with --data")
    kinds = {"tracking": tracking, "looks": looks, "faint": faint, "sampling": sampling}
    lines = kinds[chosen.what](chosen.models, chosen.data)
    text_ = "\n".join(lines) + "\n"
    name = f"variants_{chosen.what}.{Path(chosen.models).name}.md"
    (accuracy.RESULTS.parent / name).write_text(text_)
    print(text_)


if __name__ == "__main__":
    main()
