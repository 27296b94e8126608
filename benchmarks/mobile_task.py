"""MediaPipe's own HandLandmarker with our `.task` file: the hands that it finds in photos, beside other networks.

    python benchmarks/mobile_task.py --photos shared/data/photos/gestures40 \\
        --empty shared/data/photos/office_no_hands --python OLD/bin/python --python NEW/bin/python

`--python` is an interpreter that has mediapipe; MediaPipe's own networks are taken from version 0.10.21 or older. It
writes benchmarks/results/mobile_task.json. `python docs/make_tables.py` puts it into docs/mobile.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

import knuckle
from knuckle.models.bundle import TASK_MEMBERS
from knuckle.models.catalogue import find

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "mobile_task.json"
CONFIDENCES = (0.5, 0.2)
MATCH = 0.5  # hands whose landmarks are on average within this many palm sizes are the same hand
DETECT = """
import json, sys
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision

task, confidence, *photos = sys.argv[1:]
options = vision.HandLandmarkerOptions(
    base_options=BaseOptions(model_asset_path=task), num_hands=2, min_hand_detection_confidence=float(confidence)
)
found = []
with vision.HandLandmarker.create_from_options(options) as landmarker:
    for photo in photos:
        image = mp.Image.create_from_file(photo)
        result = landmarker.detect(image)
        found.append([
            {"side": side[0].category_name, "points": [[p.x * image.width, p.y * image.height] for p in points]}
            for side, points in zip(result.handedness, result.hand_landmarks)
        ])
print(json.dumps({"version": mp.__version__, "found": found}))
"""


def detect(python: str, task: Path, confidence: float, photos: list[Path]) -> dict[str, Any]:
    """What HandLandmarker finds in each photo."""
    command = [python, "-c", DETECT, str(task), str(confidence), *map(str, photos)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def photos_in(folders: list[Path]) -> list[Path]:
    return [file for folder in folders for file in sorted(folder.glob("*.jp*g"))]


def compared(found: list[list[dict[str, Any]]], ours: list[list[knuckle.Hand]]) -> dict[str, Any]:
    """Counts, and how far the landmarks are from ours in palm sizes, over the hands that both have."""
    gaps, sides = [], []
    for hands, own in zip(found, ours, strict=True):
        for hand in hands:
            points = np.array(hand["points"])
            near = [(float(np.hypot(*(points - one.landmarks[:, :2]).T).mean()) / one.palm_size, one) for one in own]
            gap, best = min(near, key=lambda pair: pair[0], default=(np.inf, None))
            if best is not None and gap < MATCH:
                gaps.append(gap)
                sides.append(best.handedness == hand["side"])
    return {
        "photos": sum(map(bool, found)),
        "hands": sum(map(len, found)),
        "shared": len(gaps),
        "gap": round(float(np.median(gaps)), 4),
        "same_side": sum(sides),
    }


def mediapipe_task(folder: Path) -> Path:
    """MediaPipe's own two networks as a `.task` file."""
    bundle, path = find("mediapipe"), folder / "mediapipe.task"
    palm = bundle.palm_path
    hand = next(bundle.folder.glob("hand_landmark_full.tflite"), bundle.hand_path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(palm, TASK_MEMBERS["palm"])
        archive.write(hand, TASK_MEMBERS["hand"])
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, action="append", required=True)
    parser.add_argument("--empty", type=Path, action="append", default=[])
    parser.add_argument("--python", action="append", required=True)
    args = parser.parse_args()
    photos, empty = photos_in(args.photos), photos_in(args.empty)
    ours = [knuckle.detect(str(photo)) for photo in photos]
    rows = [{"file": "knuckle", "with": "Knuckle", "photos": sum(map(bool, ours)), "hands": sum(map(len, ours))}]
    rows[0]["false"] = sum(len(knuckle.detect(str(photo))) for photo in empty)
    with tempfile.TemporaryDirectory() as folder:
        mixed = Path(folder) / "mixed.task"
        command = ["knuckle", "export", "knuckle", "--palm", "mediapipe", "--format", "task", "--out", str(mixed)]
        subprocess.run(command, check=True, capture_output=True)
        files = {
            "mediapipe": mediapipe_task(Path(folder)),
            "knuckle": ROOT / "mobile" / "models" / "knuckle.task",
            "mixed": mixed,
        }
        for python in args.python:
            for name, task in files.items():
                for confidence in CONFIDENCES:
                    answer = detect(python, task, confidence, photos + empty)
                    found, alarms = answer["found"][: len(photos)], answer["found"][len(photos) :]
                    row = {"file": name, "with": f"mediapipe {answer['version']}", "confidence": confidence}
                    rows.append({**row, **compared(found, ours), "false": sum(map(len, alarms))})
                    print(rows[-1], flush=True)
    RESULTS.write_text(json.dumps({"photos": len(photos), "empty": len(empty), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
