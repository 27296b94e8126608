"""Landmarks for photos that nobody labelled: what a bundle says, kept only where it agrees with itself.

    python recipes/pseudo_labels.py INDEX.jsonl OUT --sources subhih asl_letters ... [--models mediapipe]

Every hand is read from twelve crops that are turned, scaled and shifted; a hand stays where all crops hold a hand and
the crops' landmarks agree, and its label is their median: better than any one crop. What is written is a crop of the
photo around each hand, OUT/train.jsonl and OUT/held_out.jsonl, which `knuckle train` and `knuckle evaluate` read. What
people looked through and found no hand in is written whole, and of photos whose hands people boxed the largest
square beside the boxes: faces, arms and clothes without a hand.
"""

from __future__ import annotations

import argparse
import json
import math
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pillow
from rich.progress import track

import knuckle
from knuckle.geometry import iou
from knuckle.images import Image
from knuckle.media.sources import load_image
from knuckle.pipeline.hand import HandLandmarker, roi_from_landmarks
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.palm import roi_from_palm
from knuckle.pipeline.tracker import Networks
from knuckle.results import FloatArray, Hand, Roi

VIEWS = [(angle, scale) for angle in (-25, 0, 25) for scale in (0.85, 1.0, 1.2, 1.4)]  # degrees, of the region's side
SHIFT = 0.06
# Held out of all training, so that the released networks can be judged on them: a third of these, by capture.
HELD_OUT = ("subhih", "asl_letters", "lebanese_gestures")
CAPTURES_HELD_OUT = ("1528664299.56", "5", "26", "96")  # of subhih, whose names tell the capture: 213 of its 640 photos
MARGIN, LONGEST_PX = 1.9, 384  # of what is written, around the hand's region


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("index", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--sources", nargs="+", required=True)
    options.add_argument("--models", default="mediapipe")
    options.add_argument("--max-deviation", type=float, default=0.06, help="of the palm, median landmark")
    chosen = options.parse_args()
    rows = [json.loads(line) for line in chosen.index.read_text().splitlines()]
    rows = [row for row in rows if row["source"] in chosen.sources]
    networks = knuckle.load(chosen.models)
    (chosen.out / "images").mkdir(parents=True, exist_ok=True)
    counts: dict[str, list[int]] = {}
    with ExitStack() as stack:
        files = {name: stack.enter_context((chosen.out / f"{name}.jsonl").open("w")) for name in ("train", "held_out")}
        for number, row in enumerate(track(rows, "photos")):
            image = load_image(chosen.index.parent / row["image"])
            written = list(label(image, row, networks, chosen.max_deviation))
            for place, (picture, hands) in enumerate(written):
                name = f"images/{number:05d}_{place}.jpg"
                pillow.fromarray(picture).save(chosen.out / name, quality=92)
                about = {"source": row["source"], "licence": row["licence"], "labelled_by": "mediapipe"}
                about |= {"group": capture_of(row)}
                size = {"width": picture.shape[1], "height": picture.shape[0]}
                line = {"image": name, **about, **size, "hands": hands, "complete": not hands}
                files[split_of(row)].write(json.dumps(line) + "\n")
            count = counts.setdefault(row["source"], [0, 0])
            count[0] += 1
            count[1] += len(written)
    for source, (photos, kept) in counts.items():
        print(f"{source:20} {photos:5} photos {kept:5} kept")


def capture_of(row: dict[str, Any]) -> str:
    """What photos that belong together share: the capture in the name (subhih), the size (asl_letters), or nothing."""
    name = Path(row["image"]).stem
    if row["source"] == "subhih":
        return f"subhih {name.rpartition('pic')[0].rstrip('_')}"
    size = f"{row.get('width')}x{row.get('height')}"
    return f"{row['source']} {size if row['source'] == 'asl_letters' else name}"


def split_of(row: dict[str, Any]) -> str:
    """A fixed third of captures is held out."""
    if row["source"] not in HELD_OUT:
        return "train"
    capture = capture_of(row)
    if row["source"] == "subhih":
        return "held_out" if capture.removeprefix("subhih ") in CAPTURES_HELD_OUT else "train"
    return "held_out" if zlib.crc32(capture.encode()) % 3 == 0 else "train"


def label(image: Image, row: dict[str, Any], networks: Networks, most: float) -> Iterator[tuple[Image, list[Any]]]:
    """What is kept of one photo: pictures, each with the `hands` of its row."""
    if row.get("hand_boxes") == []:
        yield shrunk(image)
        return
    options = TrackerOptions(min_palm_score=0.3, min_presence=0.5)
    landmarker = networks.hand_landmarker(options)
    seen: list[Hand] = []
    for palm in networks.palm_detector(options).graph()(image):
        hand = agreed(image, roi_from_palm(palm), landmarker, most)
        if hand is not None and (not seen or iou(hand.box, np.stack([h.box for h in seen])).max() < 0.5):
            seen.append(hand)
            yield written(image, hand)
    if row.get("hand_boxes"):
        beside = square_beside(image, [*map(np.asarray, row["hand_boxes"]), *(hand.box for hand in seen)])
        if beside is not None:
            yield shrunk(beside)


def square_beside(image: Image, boxes: list[FloatArray], tries: int = 60) -> Image | None:
    """The largest of some random squares of an image that touch no box (grown by a fifth), or None."""
    rng = np.random.default_rng(len(boxes))
    low, high = np.array([box[:2] for box in boxes]), np.array([box[2:] for box in boxes])
    low, high = low - 0.2 * (high - low), high + 0.2 * (high - low)
    best: Image | None = None
    for size in np.sort(rng.uniform(0.2, 0.8, tries) * min(image.shape[:2]))[::-1].astype(int):
        start = (rng.random(2) * (np.array(image.shape[1::-1]) - size)).astype(int)
        if best is None and not ((start < high) & (start + size > low)).all(axis=1).any():
            best = image[start[1] : start[1] + size, start[0] : start[0] + size]
    return best


def agreed(image: Image, roi: Roi, landmarker: HandLandmarker, most: float) -> Hand | None:
    """The median of what twelve views of a region say, or None where they do not agree."""

    def hands_in(rois: list[Roi]) -> list[Hand]:
        return landmarker.gate(landmarker.read(image, rois))

    first = hands_in([roi])
    if not first:
        return None
    settled = hands_in([roi_from_landmarks(first[0].landmarks)])
    if not settled:
        return None
    base = roi_from_landmarks(settled[0].landmarks)
    views = views_of(base)
    hands = hands_in(views)
    if len(hands) < len(views) or len({hand.handedness for hand in hands}) > 1:
        return None
    points = np.stack([hand.landmarks for hand in hands])
    middle = np.median(points, axis=0).astype(np.float32)
    palm = max(float(np.hypot(*(middle[9] - middle[0])[:2])), 0.12 * base.size)
    away = np.linalg.norm(points[..., :2] - middle[:, :2], axis=2)
    if np.median(away) > most * palm or np.median(away, axis=0).max() > 4 * most * palm:
        return None
    world = np.median(np.stack([hand.world for hand in hands]), axis=0).astype(np.float32)
    agreed_on: Hand = replace(settled[0], landmarks=middle, landmarks_raw=middle, world=world, roi=base)
    return agreed_on


def views_of(roi: Roi) -> list[Roi]:
    """Twelve turned, scaled and shifted regions, always the same around the same one."""
    rng, views = np.random.default_rng(0), []
    for angle, scale in VIEWS:
        dx, dy = rng.uniform(-SHIFT, SHIFT, 2) * roi.size
        turned = roi.angle_rad + math.radians(angle)
        views.append(replace(roi, x=roi.x + dx, y=roi.y + dy, size=roi.size * scale, angle_rad=turned))
    return views


def written(image: Image, hand: Hand) -> tuple[Image, list[Any]]:
    """The upright neighbourhood of a hand, at most LONGEST_PX a side, and its row's `hands`."""
    reach = MARGIN * hand.roi.size / 2
    x0, y0 = (max(0, math.floor(c - reach)) for c in (hand.roi.x, hand.roi.y))
    near = image[y0 : math.ceil(hand.roi.y + reach), x0 : math.ceil(hand.roi.x + reach)]
    picture, _ = shrunk(near)
    scale = picture.shape[1] / near.shape[1]
    landmarks = (hand.landmarks - [x0, y0, 0] + [0.5, 0.5, 0]) * scale - [0.5, 0.5, 0]  # centres at whole numbers
    truth = {"landmarks": np.round(landmarks, 2).tolist(), "world": np.round(hand.world, 5).tolist()}
    return picture, [{**truth, "handedness": hand.handedness}]


def shrunk(image: Image) -> tuple[Image, list[Any]]:
    """The picture with its longer side at most LONGEST_PX, and no hands."""
    scale = min(1.0, LONGEST_PX / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(pillow.fromarray(image).resize(size, pillow.Resampling.LANCZOS)), []


if __name__ == "__main__":
    main()
