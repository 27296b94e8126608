"""Write the rows of an index of photos that are of part `train` (`splits.json`), for `knuckle train --candidate-data`.

    python recipes/train_part.py PHOTOS/index.jsonl OUT.jsonl --sources subhih animals_no_hands … --incomplete gloves …

The photos stay where they are; the rows name them by their whole path. In photos of `--incomplete` sources some hands
have no box.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from knuckle.train.splits import capture_of, read_splits

SPLITS = read_splits(Path(__file__).with_name("splits.json"))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("index", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--sources", nargs="+", required=True)
    options.add_argument("--incomplete", nargs="+", default=[])
    chosen = options.parse_args()
    rows = [json.loads(line) for line in chosen.index.read_text().splitlines()]
    wanted, kept = {*chosen.sources, *chosen.incomplete}, []
    for row in rows:
        if row["source"] in wanted and SPLITS.part_of(row["source"], capture_of(row)) == "train":
            image, complete = (chosen.index.parent / row["image"]).resolve(), row["source"] in chosen.sources
            kept.append(row | {"image": str(image), "group": capture_of(row), "complete": complete})
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text("".join(json.dumps(row) + "\n" for row in kept))
    print(f"{chosen.out}: {len(kept)} photos")


if __name__ == "__main__":
    main()
