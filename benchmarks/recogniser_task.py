"""MediaPipe's own GestureRecognizer and ours with the same `.task` file, on the same photos.

    python benchmarks/recogniser_task.py --photos shared/data/photos/gestures40 \\
        --python OLD/bin/python --python NEW/bin/python

`--python` is an interpreter that has mediapipe. The file holds the hand networks of mobile/models/knuckle.task, our
seven gestures as canned ones and the set `--gestures` as custom ones, as `knuckle gestures export` writes it. It writes
benchmarks/results/recogniser_task.json; `python docs/make_tables.py` puts it into docs/migrate.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.gestures.recogniser import load_gestures
from knuckle.media.sources import load_image
from knuckle.mediapipe.tasks.gesture_model import GestureModel
from knuckle.results import Hand, Roi
from knuckle.tasks import (
    BaseOptions,
    ClassifierOptions,
    GestureRecognizer,
    GestureRecognizerOptions,
    Image,
    ImageFormat,
)
from knuckle.train.gestures.task_file import write_gesture_task

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "recogniser_task.json"
CLOSE = 0.03  # palm lengths: landmarks that differ by more on average are of another reading of the hand
RECOGNIZE = """
import json, sys
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision
from mediapipe.tasks.python.components.processors import ClassifierOptions

task, *photos = sys.argv[1:]
hidden = ClassifierOptions(category_allowlist=["None"])  # only the custom gestures are compared
base = BaseOptions(model_asset_path=task)
try:
    options = vision.GestureRecognizerOptions(base, canned_gesture_classifier_options=hidden)
except TypeError:
    options = vision.GestureRecognizerOptions(base, canned_gestures_classifier_options=hidden)
found = []
with vision.GestureRecognizer.create_from_options(options) as recognizer:
    for photo in photos:
        result = recognizer.recognize(mp.Image.create_from_file(photo))
        found.append([
            {
                "name": gesture[0].category_name,
                "score": gesture[0].score,
                "side": side[0].category_name,
                "side_score": side[0].score,
                "points": [[p.x, p.y, p.z] for p in points],
                "world": [[p.x, p.y, p.z] for p in world],
            }
            for gesture, side, points, world in zip(
                result.gestures, result.handedness, result.hand_landmarks, result.hand_world_landmarks
            )
            if gesture
        ])
print(json.dumps({"version": mp.__version__, "found": found}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, action="append", required=True)
    parser.add_argument("--python", action="append", required=True)
    parser.add_argument("--gestures", default="canned")
    args = parser.parse_args()
    photos = [file for folder in args.photos for file in sorted(folder.glob("*.jp*g"))]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder) / "gesture_recognizer.task"
        write_gesture_task(task, load_gestures(args.gestures), (ROOT / "mobile/models/knuckle.task").read_bytes())
        size = task.stat().st_size
        for python in args.python:
            command = [python, "-c", RECOGNIZE, str(task), *map(str, photos)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            theirs = json.loads(done.stdout)
            rows.append({"with": f"mediapipe {theirs['version']}", "kind": "custom"})
            rows[-1] |= compared(theirs["found"], photos, task)
            print(rows[-1], flush=True)
    found = {"photos": len(photos), "gestures": args.gestures, "bytes": size, "rows": rows}
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")


def compared(theirs: list[list[dict[str, Any]]], photos: list[Path], task: Path) -> dict[str, Any]:
    """How the package's answers differ from ours: from its own landmarks, and from photo to gesture."""
    only = {"canned_gestures_classifier_options": ClassifierOptions(category_allowlist=["None"])}
    model, same_input, gaps, names = GestureModel(task.read_bytes()), list[float](), list[float](), list[bool]()
    options = GestureRecognizerOptions(BaseOptions(model_asset_path=str(task)), **only)
    with GestureRecognizer.create_from_options(options) as recognizer:
        for photo, hands in zip(photos, theirs, strict=True):
            image = load_image(photo)
            ours = recognizer.recognize(Image(ImageFormat.SRGB, image))
            height, width = image.shape[:2]
            for hand in hands:
                custom, _ = model.scores(hand_of(hand, width, height), (width, height), 0.0)
                same_input.append(abs(dict(custom)[hand["name"]] - hand["score"]))
            for hand, points, gestures in zip(hands, ours.hand_landmarks, ours.gestures, strict=False):
                own = np.array([[p.x * width, p.y * height] for p in points])
                other = np.array(hand["points"])[:, :2] * [width, height]
                palm = float(np.linalg.norm(own[9] - own[0]))
                if np.hypot(*(own - other).T).mean() < CLOSE * palm:
                    names.append(gestures[0].category_name == hand["name"])
                    gaps.append(abs(float(gestures[0].score or 0) - hand["score"]) if names[-1] else 1.0)
    return {
        "hands": len(same_input),
        "largest difference from its landmarks": round(max(same_input), 5),
        "hands that both read alike": len(names),
        "same name": sum(names),
        "median difference": round(float(np.median(gaps)), 4),
    }


def hand_of(found: dict[str, Any], width: int, height: int) -> Hand:
    """A hand of the package's result."""
    points = np.array(found["points"], np.float32) * np.array([width, height, width], np.float32)
    side, score = ("Right" if found["side"] == "Right" else "Left"), float(found["side_score"])
    return Hand(points, np.array(found["world"], np.float32), side, score, 1.0, Roi(0, 0, 1))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
