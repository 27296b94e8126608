"""Label all palms of whole photos with a bundle, for `knuckle train palm`.

    python recipes/pseudo_palms.py INDEX.jsonl OUT [--sources subhih asl_letters ...] [--models mediapipe]

`knuckle.train.autolabel.palms` says how palms are found. Writes OUT/train.jsonl and OUT/held_out.jsonl with copies of
the photos in OUT/images, and OUT/held_out_boxes.jsonl with the boxes that people drew in the latter. Held out are the
photos of part `choose` (`splits.json`); sources of part `decide` are refused.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rich.progress import track

import knuckle
from knuckle.media.photo_files import load_image
from knuckle.train.autolabel.agreement import whole_photo
from knuckle.train.autolabel.palms import PalmLabeller
from knuckle.train.label_file import open_label_file
from knuckle.train.splits import capture_of, read_splits

SPLITS = Path(__file__).with_name("splits.json")
FILES = {"train": "train", "choose": "held_out"}

# The number of hands in each photo of sources without boxes, at least. If fewer are labelled, the whole photo is
# ignored besides them, or the others would be trained as background. Photos without any labelled hand are left out.
HANDS_SHOWN = {"sign_digits": 1, "lab_gestures": 2, "rf100_signers": 2, "letters_two_hands": 2, "signing_woman": 2}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("index", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--sources", nargs="+", help="of the index; by default all that may be trained on")
    options.add_argument("--models", default="mediapipe")
    options.add_argument("--every", type=int, default=1, help="use every n-th photo only")
    chosen = options.parse_args()
    rows = [json.loads(line) for line in chosen.index.read_text().splitlines()]
    splits = read_splits(SPLITS)
    sources = chosen.sources or [source for source, part in splits.sources.items() if part != "decide"]
    splits.refuse(((source, "") for source in sources), ("train", "choose"), "labelling for training")
    rows = [row for row in rows if row["source"] in sources]
    labeller = PalmLabeller(knuckle.load(chosen.models))
    counts: Counter[tuple[str, str]] = Counter()
    with ExitStack() as stack:
        names = ("train", "held_out", "held_out_boxes")
        files = {name: stack.enter_context(open_label_file(chosen.out, name)) for name in names}
        for row in track(rows[:: chosen.every], "photos"):
            source, boxes = row["source"], row.get("hand_boxes")
            image = load_image(chosen.index.parent / row["image"])
            drawn = None if boxes is None else [np.array(box, np.float32) for box in boxes]
            hands = labeller.label(image, drawn)
            known = sum(hand.landmarks is not None for hand in hands)
            if boxes is None and not known:
                counts[source, "left out"] += 1
                continue
            if not row.get("complete", True) or (boxes is None and known < HANDS_SHOWN.get(source, 1)):
                hands.append(whole_photo(image))
            name, split = f"images/{source}_{Path(row['image']).name}", FILES[splits.part_of(source, capture_of(row))]
            shutil.copyfile(chosen.index.parent / row["image"], chosen.out / name)
            size = image.shape[1], image.shape[0]
            about = {"source": source, "licence": row["licence"], "split": split}
            about |= {"group": capture_of(row), "slices": [source]}
            files[split].write_row(name, size, hands, **about, labelled_by="mediapipe", complete=True)
            if split == "held_out":
                files["held_out_boxes"].write_row(name, size, None, **about, labelled_by="people", hand_boxes=boxes)
            found = {"photos": 1, "palms": known, "unknown": len(hands) - known, "held out": int(split == "held_out")}
            counts.update({(source, what): count for what, count in found.items()})
    for source in dict.fromkeys(source for source, _ in counts):
        words = (f"{counts[source, what]:5} {what}" for what in ("photos", "palms", "unknown", "held out", "left out"))
        print(f"{source:20}", *words)


if __name__ == "__main__":
    main()
