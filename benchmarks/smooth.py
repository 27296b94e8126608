"""Jitter, lag and error of the tracker's One-Euro filter and of `--smooth offline`, on rendered clips with labels.

    knuckle synth clips out/clips --count 3 --seconds 4
    python benchmarks/smooth.py out/clips

Writes benchmarks/results/smooth.json; `python docs/make_tables.py` puts it into docs/space.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle import HandTracker
from knuckle.metrics.video import jitter, lag_ms
from knuckle.pipeline.smooth import two_sided
from knuckle.results import Frame, Hand

RESULTS = Path(__file__).resolve().parent / "results" / "smooth.json"
WAYS = ("not smoothed", "online (One-Euro)", "offline (two-sided)")
NEAR = 0.5  # a hand belongs to the label whose landmarks are within this many palms on average


def labels_of(clip: Path) -> tuple[list[float], dict[int, npt.NDArray[Any]]]:
    """The times of a clip's frames, and (t, 21, 2) pixels of each labelled hand; NaN where it is not in view."""
    rows = [json.loads(line) for line in clip.with_suffix(".jsonl").read_text().splitlines()]
    rows = [row for row in rows if "hands" in row]
    ids = sorted({hand["track"] for row in rows for hand in row["hands"]})
    points = {number: np.full((len(rows), 21, 2), np.nan) for number in ids}
    for k, row in enumerate(rows):
        for hand in row["hands"]:
            points[hand["track"]][k] = np.array(hand["landmarks"])[:, :2]
    return [row["time_s"] for row in rows], points


def followed(frames: list[tuple[Frame, list[Hand]]], true: npt.NDArray[Any], raw: bool) -> npt.NDArray[Any]:
    """(t, 21, 2) pixels of the predicted hand nearest to the labelled one; NaN where none is near."""
    found = np.full_like(true, np.nan)
    for k, (_, hands) in enumerate(frames):
        size = np.linalg.norm(true[k, 0] - true[k, 9])
        for hand in hands:
            off = np.linalg.norm(hand.landmarks_raw[:, :2] - true[k], axis=1).mean() / size
            if off < NEAR:
                found[k] = (hand.landmarks_raw if raw else hand.landmarks)[:, :2]
    return found


def measured(clip: Path) -> list[dict[str, Any]]:
    """For each labelled hand of a clip the figures of each way."""
    times, labels = labels_of(clip)
    online = list(HandTracker().track(str(clip)))
    frames = {WAYS[0]: online, WAYS[1]: online, WAYS[2]: list(two_sided(online))}
    rows = []
    for true in labels.values():
        size = np.linalg.norm(true[:, 0] - true[:, 9], axis=1)
        moved = jitter(true, size)
        figures = {}
        for way, found in frames.items():
            points = followed(found, true, way == WAYS[0])
            if np.isfinite(points[:, 0, 0]).sum() < 30:
                break
            slow = np.nanmean(np.linalg.norm(np.diff(true, axis=0), axis=-1), axis=1)[1:] < 0.03 * np.nanmedian(size)
            figures[way] = {
                "jitter": float(np.nanmedian(jitter(points, size))),
                "jitter_slow": float(np.nanmedian(jitter(points, size)[slow])) if slow.any() else float("nan"),
                "lag_ms": lag_ms(times, true[:, [0, 4, 8, 12, 20]], points[:, [0, 4, 8, 12, 20]]),
                "error": float(np.nanmean(100 * np.linalg.norm(points - true, axis=-1) / size[:, None])),
            }
        else:
            rows.append(figures | {"true": {"jitter": float(np.nanmedian(moved))}})
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    clips = sorted(options.parse_args().folder.glob("*.mp4"))
    rows = [row for clip in clips for row in measured(clip)]
    names = ("jitter", "jitter_slow", "lag_ms", "error")
    table = {way: {name: float(np.nanmean([row[way][name] for row in rows])) for name in names} for way in WAYS}
    found = {"clips": len(clips), "hands": len(rows), "ways": table}
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
