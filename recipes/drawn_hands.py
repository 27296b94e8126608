"""Write pictures of drawn hands with their labels, so that a network keeps telling left from right in drawings.

    python recipes/drawn_hands.py OUT [--count 900]

Writes OUT/train.jsonl and, for a fifth of the drawings, OUT/held_out.jsonl. The labels are the joints of the drawing.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rich.progress import track

from knuckle.datasets.labels import LabelledHand
from knuckle.train.label_file import open_label_file

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from scene import JOINTS, blank, draw_hand, placed

SIDE_PX, HELD_OUT_EVERY = 384, 5  # of a drawing, pixels; every fifth drawing is held out


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out", type=Path)
    options.add_argument("--count", type=int, default=900)
    chosen = options.parse_args()
    rng = np.random.default_rng(0)
    with ExitStack() as stack:
        train, held_out = (stack.enter_context(open_label_file(chosen.out, name)) for name in ("train", "held_out"))
        for number in track(range(chosen.count), "drawings"):
            wall = np.clip(blank(SIDE_PX, SIDE_PX) * rng.uniform(0.2, 1.3, 3), 0, 255).astype(np.uint8)
            x, y = SIDE_PX / 2 + rng.normal(0, 20, 2)
            size, angle_rad, right = rng.uniform(150, 240), rng.uniform(-np.pi, np.pi), bool(rng.random() < 0.5)
            picture = draw_hand(wall, x, y, size, angle_rad, right)
            joints = placed(JOINTS, x, y, size, angle_rad, right).astype(np.float32)
            label = LabelledHand(landmarks=joints, handedness="Right" if right else "Left")
            file = train if number % HELD_OUT_EVERY else held_out
            file.write(f"{number:05d}", picture, [label], labelled_by="renderer")


if __name__ == "__main__":
    main()
