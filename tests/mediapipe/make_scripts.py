"""Write scripts/answers.json and packages/answers.json: what the scripts there print with MediaPipe.

    python -m venv old && old/bin/pip install mediapipe==0.10.21       (Python 3.9 to 3.12)
    python -m venv new && new/bin/pip install mediapipe==1.2.3
    make old-packages
    python tests/mediapipe/make_scripts.py old/bin/python new/bin/python

The scripts do what public tutorials do with hands, and what packages are used for, in our own words. They read the
photos of parity/ and examples/hands.mp4, and print one JSON value a line. What `NEWER` names runs on 1.2.3, the rest on
0.10.21.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INPUTS = [str(HERE / "parity"), str(ROOT / "examples" / "hands.mp4")]
PACKAGES = {  # script -> the folders with the packages that it imports
    "cvzone_hands": ("build/old_packages/cvzone-1.6.1", "build/old_packages/cvzone-2.0.0"),
    "dex_detector": ("build/old_packages/dex-retargeting",),
    "oak_camera": ("tests/mediapipe/packages/stand_in",),
}
NEWER = ("tasks_video", "cvzone_hands build/old_packages/cvzone-2.0.0")


def main() -> None:
    old, new = (Path(python).absolute() for python in sys.argv[1:])
    (modules,) = old.parents[1].glob("lib/*/site-packages/mediapipe/modules")
    jobs = {"scripts": [(path.stem, "") for path in sorted((HERE / "scripts").glob("*.py"))]}
    jobs["packages"] = [(name, folder) for name, folders in PACKAGES.items() for folder in folders]
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(Path(folder) / "hand_landmarker.task", "w") as task:
            task.write(modules / "palm_detection/palm_detection_full.tflite", "hand_detector.tflite")
            task.write(modules / "hand_landmark/hand_landmark_full.tflite", "hand_landmarks_detector.tflite")
        for place, scripts in jobs.items():
            answers = {}
            for name, package in scripts:
                key = f"{name} {package}".strip()
                command = [str(new if key in NEWER else old), str(HERE / place / f"{name}.py"), *INPUTS]
                environment = os.environ | {"PYTHONPATH": str(ROOT / package) if package else ""}
                done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
                if done.returncode:
                    sys.exit(f"{key} failed:\n{done.stderr[-3000:]}")
                answers[key] = [json.loads(line) for line in done.stdout.splitlines()]
            store(HERE / place / "answers.json", answers)


def store(path: Path, answers: dict[str, Any]) -> None:
    rounded = json.loads(json.dumps(answers), parse_float=lambda text: round(float(text), 6))
    lines = [f"{json.dumps(name)}: {json.dumps(answer)}" for name, answer in rounded.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
