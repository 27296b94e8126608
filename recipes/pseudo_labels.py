"""Label the hands of photos with a bundle; keep a hand where twelve crops of it agree.

    python recipes/pseudo_labels.py INDEX.jsonl OUT --sources subhih asl_letters ... [--models mediapipe]

Writes crops around the hands and hand-free pictures (`knuckle.train.autolabel.crops`) as OUT/train.jsonl and, for
photos of part `choose` (`splits.json`), as OUT/held_out.jsonl. Sources of part `decide` are refused.
"""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rich.progress import track

import knuckle
from knuckle.media.photo_files import load_image
from knuckle.train.autolabel.agreement import Agreement
from knuckle.train.autolabel.crops import label_crops
from knuckle.train.label_file import open_label_file
from knuckle.train.splits import capture_of, read_splits

SPLITS = Path(__file__).with_name("splits.json")
FILES = {"train": "train", "choose": "held_out"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("index", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--sources", nargs="+", required=True)
    options.add_argument("--models", default="mediapipe")
    options.add_argument("--max-deviation", type=float, default=0.06, help="of the median landmark, in palm sizes")
    chosen = options.parse_args()
    rows = [json.loads(line) for line in chosen.index.read_text().splitlines()]
    rows = [row for row in rows if row["source"] in chosen.sources]
    splits = read_splits(SPLITS)
    splits.refuse(((source, "") for source in chosen.sources), ("train", "choose"), "labelling for training")
    networks = knuckle.load(chosen.models)
    rule = Agreement(typical=chosen.max_deviation, worst=4 * chosen.max_deviation)
    counts = {source: [0, 0] for source in dict.fromkeys(row["source"] for row in rows)}
    with ExitStack() as stack:
        files = {name: stack.enter_context(open_label_file(chosen.out, name)) for name in FILES.values()}
        for number, row in enumerate(track(rows, "photos")):
            boxes = row.get("hand_boxes")
            image = load_image(chosen.index.parent / row["image"])
            about = {"source": row["source"], "licence": row["licence"], "labelled_by": "mediapipe"}
            counts[row["source"]][0] += 1
            drawn = None if boxes is None else [np.asarray(box) for box in boxes]
            for place, (picture, hands) in enumerate(label_crops(image, drawn, networks, rule)):
                part = splits.part_of(row["source"], capture_of(row))
                file, name = files[FILES[part]], f"{number:05d}_{place}"
                file.write(name, picture, hands, complete=not hands, group=capture_of(row), **about)
                counts[row["source"]][1] += 1
    for source, (photos, kept) in counts.items():
        print(f"{source:20} {photos:5} photos {kept:5} kept")


if __name__ == "__main__":
    main()
