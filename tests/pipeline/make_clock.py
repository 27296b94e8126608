"""Write clock.json: patterns of time stamps and the times that the Python and the TypeScript clock give for them.

Run it as `python tests/pipeline/make_clock.py` after a change of the rule, and look at what changed.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from knuckle.pipeline.clock import Clock, tick

FILE = Path(__file__).with_name("clock.json")
FRAMES = 60
ROOT_ENCODER_MS = [42.078, 25.678, 34.922, 43.911, 40.522, 37.656, 6.477, 35.912, 32.811, 37.333]


def patterns() -> dict[str, list[float]]:
    """Time stamps of a 30 fps camera as files, drivers and networks deliver them."""
    k = np.arange(FRAMES)
    even, noise = k / 30, np.random.default_rng(0).normal(0, 0.01, FRAMES)
    made = {
        "even": even,
        "even at 60": k / 60,
        "even at 240": k / 240,
        "frames left out": np.cumsum(np.resize([1, 1, 2, 1, 3], FRAMES)) / 30,
        "a pause of 5 s": even + 5 * (k > 30),
        "equal pairs": k // 2 / 15,
        "pairs 1 ms apart": k // 2 / 15 + k % 2 * 0.001,
        "bursts of five": k // 5 / 6 + k % 5 * 0.0002,
        "steps of 15.6 ms at 120": np.floor(k / 120 / 0.015625) * 0.015625,
        "whole seconds": np.floor(even),
        "jitter of 10 ms": np.round(even + noise, 3),
        "one step of 6 ms": np.cumsum(np.resize(ROOT_ENCODER_MS, FRAMES)) / 1000,
        "single steps back": (k + (k % 4 == 1) - (k % 4 == 2)) / 30,
        "back for good": even - 100 * (k > 30),
        "backwards": -even,
        "standing still": 0 * even,
    }
    return {name: np.round(stamps, 6).tolist() for name, stamps in made.items()}


def times(stamps: list[float]) -> list[float]:
    """The tracker's times for these stamps."""
    clock, found = Clock(), []
    for stamp_s in stamps:
        clock = tick(clock, stamp_s)
        found.append(clock.time_s)
    return found


if __name__ == "__main__":
    rows = [
        {"name": name, "stamps": stamps, "times": np.round(times(stamps), 6).tolist()}
        for name, stamps in patterns().items()
    ]
    FILE.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
