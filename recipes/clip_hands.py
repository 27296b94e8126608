"""Label the hands of clips, blurred ones too, with a tracker that runs forwards and backwards.

    python recipes/clip_hands.py OUT CLIP.mkv ... --source asl_clips --licence CC-BY-4.0 [--hands 2] [--every 1]

A detector misses fast hands in single frames, but a tracker that comes from either side knows where they are
(`knuckle.train.autolabel.agreement.merge_directions`). Writes OUT/train.jsonl, OUT/images/, and OUT/place.png: the
median of all frames, for `other_rooms.py`. Clips that are not for training are refused
(`splits.json`).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image as pillow
from rich.progress import track

import knuckle
from knuckle.images import Image
from knuckle.train.autolabel.agreement import merge_directions, track_both_ways, whole_photo
from knuckle.train.label_file import open_label_file
from knuckle.train.splits import read_splits

SPLITS = Path(__file__).with_name("splits.json")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out", type=Path)
    options.add_argument("clips", type=Path, nargs="+")
    options.add_argument("--source", required=True)
    options.add_argument("--licence", required=True)
    options.add_argument("--hands", type=int, default=2, help="number of hands in each frame, at least")
    options.add_argument("--every", type=int, default=1, help="write every n-th frame only")
    options.add_argument("--models", default="mediapipe")
    chosen = options.parse_args()
    parts = read_splits(SPLITS).clips
    if held_out := [clip.name for clip in chosen.clips if parts.get(clip.stem, "train") != "train"]:
        sys.exit(f"{', '.join(held_out)}: these clips are held out of training, see recipes/splits.json")
    about = {"source": chosen.source, "licence": chosen.licence, "labelled_by": "mediapipe"}
    counts: Counter[str] = Counter()
    seen: list[Image] = []
    with open_label_file(chosen.out) as file:
        for clip in track(chosen.clips, "clips"):
            frames = list(knuckle.read(str(clip)))
            seen += [frame.image for frame in frames[:: len(frames) // 4 or 1]]
            both = track_both_ways(frames, chosen.models, chosen.hands)
            for frame, (forwards, backwards) in list(zip(frames, both, strict=True))[:: chosen.every]:
                hands = merge_directions(forwards, backwards)
                known = sum(hand.landmarks is not None for hand in hands)
                counts.update(frames=1, palms=known, unknown=len(hands) - known)
                if known < chosen.hands:
                    hands.append(whole_photo(frame.image))
                file.write(f"{clip.stem}_{frame.index:04d}", frame.image, hands, "png", group=clip.stem, **about)
    pillow.fromarray(np.median(seen, axis=0).astype(np.uint8)).save(chosen.out / "place.png")
    print(f"{chosen.source}:", *(f"{count} {what}" for what, count in counts.items()))


if __name__ == "__main__":
    main()
