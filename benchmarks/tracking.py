"""The effect of tracker options on clips of signing people: number of hands, ids and palm searches.

    python benchmarks/tracking.py CLIP [CLIP ...] [--reference PYTHON]

PYTHON is the Python of an environment with mediapipe 0.10.21; its hands are counted on the same frames.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

import knuckle
from knuckle import HandTracker
from knuckle.graph import Step

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "search_every=1": {"search_every": 1},
    "search_every=6": {"search_every": 6},
    "search_every=1, predict_motion=False": {"search_every": 1, "predict_motion": False},
}
REFERENCE = """
import sys, numpy as np
from mediapipe.python.solutions.hands import Hands
hands = Hands(max_num_hands=2)
print(sum(len(hands.process(image).multi_hand_landmarks or []) for image in np.load(sys.argv[1])))
"""


def count(clips: list[str], options: dict[str, Any]) -> tuple[int, int, int]:
    """Number of hands in all frames, of ids, and of frames in which the palm detector ran."""
    hands = ids = 0
    searches: list[bool] = []

    def note(step: Step) -> None:
        if step.path == ("hand_tracking", "palms"):
            searches.append(not step.skipped)

    for clip in clips:
        tracker = HandTracker(**options)
        tracker.observe = note
        found = [hand for frame in knuckle.read(clip) for hand in tracker(frame.image, frame.time_s)]
        hands += len(found)
        ids += len({hand.track_id for hand in found})
    return hands, ids, sum(searches)


def reference(clips: list[str], python: str) -> int:
    """Number of hands that the real package finds in all frames."""
    total = 0
    folder = Path(__file__).resolve().parent / "scratch"
    folder.mkdir(exist_ok=True)
    for clip in clips:
        np.save(folder / "clip.npy", np.stack([frame.image for frame in knuckle.read(clip)]))
        run = [python, "-c", REFERENCE, str(folder / "clip.npy")]
        total += int(subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()[-1])
    return total


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("clips", nargs="+")
    options.add_argument("--reference")
    chosen = options.parse_args()
    for name, changes in VARIANTS.items():
        hands, ids, searches = count(chosen.clips, changes)
        print(f"{name:38} {hands:5} hands {ids:3} ids {searches:4} searches", flush=True)
    if chosen.reference:
        print(f"{'reference':38} {reference(chosen.clips, chosen.reference):5} hands")


if __name__ == "__main__":
    main()
