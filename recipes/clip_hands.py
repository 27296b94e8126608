"""Frames of clips with their hands labelled, blurred ones too: what a tracker says that runs forwards and backwards.

    python recipes/clip_hands.py OUT CLIP.mkv ... --source asl_clips --licence CC-BY-4.0 [--hands 2] [--every 1]

A detector misses fast hands in single frames; a tracker that comes from either side knows where they are. Where both
directions agree on the palm its mean is the label. What only one of them sees, or both see differently, becomes a hand
with a box alone; a frame with fewer hands than `--hands` becomes one as a whole (see `pseudo_palms.py`, whose format
this is). Writes OUT/train.jsonl, OUT/images/ and OUT/place.png, the median of all frames, for `other_rooms.py`.

Clips of `HELD_OUT` are refused: the two people who sign in them are nowhere in training, so that networks can be judged
on them (benchmarks/accuracy.py, benchmarks/palms.py).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pillow
from pseudo_palms import PALM, SAME_HAND
from rich.progress import track

import knuckle
from knuckle.geometry import iou
from knuckle.images import Image
from knuckle.results import Frame, Hand

HELD_OUT = ("asl_bird", "asl_night", "asl_please", "asl_sister")
APART = 0.15  # of the palm's side: how far the two directions' palms may lie apart, on average over its points


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out", type=Path)
    options.add_argument("clips", type=Path, nargs="+")
    options.add_argument("--source", required=True)
    options.add_argument("--licence", required=True)
    options.add_argument("--hands", type=int, default=2, help="that each frame shows at least")
    options.add_argument("--every", type=int, default=1, help="write every n-th frame only")
    options.add_argument("--models", default="mediapipe")
    chosen = options.parse_args()
    if held_out := [clip.name for clip in chosen.clips if clip.stem in HELD_OUT]:
        sys.exit(f"{', '.join(held_out)}: held out of training, see HELD_OUT in recipes/clip_hands.py")
    (chosen.out / "images").mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    seen: list[Image] = []
    with (chosen.out / "train.jsonl").open("w") as file:
        for clip in track(chosen.clips, "clips"):
            frames = list(knuckle.read(str(clip)))
            seen += [frame.image for frame in frames[:: len(frames) // 4 or 1]]
            ways = both_ways(frames, chosen.models, chosen.hands)
            for frame, forwards, backwards in list(zip(frames, *ways, strict=True))[:: chosen.every]:
                height, width = frame.image.shape[:2]
                hands = agreed(forwards, backwards)
                known = sum("landmarks" in hand for hand in hands)
                counts.update(frames=1, palms=known, unknown=len(hands) - known)
                if known < chosen.hands:
                    hands.append({"box": [0.0, 0.0, float(width), float(height)]})
                name = f"images/{clip.stem}_{frame.index:04d}.png"
                pillow.fromarray(frame.image).save(chosen.out / name, compress_level=1)
                row = {"image": name, "source": chosen.source, "licence": chosen.licence, "labelled_by": "mediapipe"}
                row |= {"group": clip.stem, "width": width, "height": height, "hands": hands, "complete": True}
                file.write(json.dumps(row) + "\n")
    pillow.fromarray(np.median(seen, axis=0).astype(np.uint8)).save(chosen.out / "place.png")
    print(f"{chosen.source}:", *(f"{count} {what}" for what, count in counts.items()))


def both_ways(frames: Sequence[Frame], models: str, hands: int) -> tuple[list[list[Hand]], list[list[Hand]]]:
    """The hands of each frame by a tracker that comes from before, and by one that comes from after."""
    forwards, backwards = (
        knuckle.HandTracker(models=models, max_hands=hands, min_palm_score=0.4, search_every=1) for _ in range(2)
    )
    before = [forwards(frame.image, frame.time_s) for frame in frames]
    after = [backwards(frame.image, frames[-1].time_s - frame.time_s) for frame in reversed(frames)]
    return before, after[::-1]


def agreed(forwards: Sequence[Hand], backwards: Sequence[Hand]) -> list[dict[str, Any]]:
    """The `hands` of a frame's row: means of pairs that agree, boxes of all other hands."""
    known: list[dict[str, Any]] = []
    left = list(backwards)
    alone: list[Hand] = []
    for hand in forwards:
        near = min(left, key=lambda other: apart(hand, other), default=None)
        if near is None or apart(hand, near) > APART:
            alone.append(hand)
            continue
        left.remove(near)
        row = {
            "landmarks": ((hand.landmarks_raw + near.landmarks_raw) / 2).astype(float).round(2).tolist(),
            "world": ((hand.world + near.world) / 2).astype(float).round(5).tolist(),
        }
        known.append(row | ({"handedness": hand.handedness} if hand.handedness == near.handedness else {}))
    boxes: list[Any] = []
    for hand in (*alone, *left):
        if not boxes or iou(hand.box, np.stack(boxes)).max() < SAME_HAND:
            boxes.append(hand.box)
    return known + [{"box": box.astype(float).round(1).tolist()} for box in boxes]


def apart(hand: Hand, other: Hand) -> float:
    """How far the palms of two hands lie apart: the mean over their points, in sides of the palm."""
    palm, others = hand.landmarks_raw[PALM, :2], other.landmarks_raw[PALM, :2]
    side = max(float(np.ptp(palm, axis=0).max()), 1.0)
    return float(np.linalg.norm(palm - others, axis=1).mean()) / side


if __name__ == "__main__":
    main()
