"""Write scripts/answers.json: what the scripts in tests/mediapipe/scripts print with MediaPipe, for test_scripts.py.

    python -m venv old && old/bin/pip install mediapipe==0.10.21       (Python 3.9 to 3.12)
    python -m venv new && new/bin/pip install mediapipe==1.2.3
    python tests/mediapipe/make_scripts.py old/bin/python new/bin/python

The scripts do what public tutorials and packages do with hands, in our own words. They read the photos of parity/ and
examples/hands.mp4, and print one JSON value a line. tasks_video.py runs on 1.2.3, all others on 0.10.21.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "scripts"
PHOTOS = FOLDER.parent / "parity"
CLIP = FOLDER.parents[2] / "examples" / "hands.mp4"
NEWER = ("tasks_video",)


def main() -> None:
    old, new = (Path(python).absolute() for python in sys.argv[1:])
    (modules,) = old.parents[1].glob("lib/*/site-packages/mediapipe/modules")
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(Path(folder) / "hand_landmarker.task", "w") as task:
            task.write(modules / "palm_detection/palm_detection_full.tflite", "hand_detector.tflite")
            task.write(modules / "hand_landmark/hand_landmark_full.tflite", "hand_landmarks_detector.tflite")
        answers = {}
        for script in sorted(FOLDER.glob("*.py")):
            python = new if script.stem in NEWER else old
            command = [str(python), str(script), str(PHOTOS), str(CLIP)]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{script.name} failed:\n{done.stderr[-3000:]}")
            answers[script.stem] = [json.loads(line) for line in done.stdout.splitlines()]
    rounded = json.loads(json.dumps(answers), parse_float=lambda text: round(float(text), 6))
    lines = [f"{json.dumps(name)}: {json.dumps(answer)}" for name, answer in rounded.items()]
    (FOLDER / "answers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
