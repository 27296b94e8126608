"""Run one old script on MediaPipe and on Knuckle: the printed lines must be the same and the numbers close.

    python benchmarks/side_by_side.py --python MEDIAPIPE_PYTHON --photos FOLDER

MEDIAPIPE_PYTHON is the Python of an environment with mediapipe 0.10.21.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

PRELUDES = {
    "mediapipe": "import mediapipe as mp",
    "knuckle": "import knuckle.compat; knuckle.compat.install(); import mediapipe as mp",
}
SCRIPT = """
import sys
import cv2
import numpy as np

mp_hands, mp_drawing, mp_styles = mp.solutions.hands, mp.solutions.drawing_utils, mp.solutions.drawing_styles
print(sorted(mp_hands.HAND_CONNECTIONS), [point.name for point in mp_hands.HandLandmark])
print(mp_drawing.DrawingSpec(), mp_drawing.RED_COLOR, mp_drawing.WHITE_COLOR)
for style in (mp_styles.get_default_hand_landmarks_style(), mp_styles.get_default_hand_connections_style()):
    print(sorted((key, spec.color, spec.thickness, spec.circle_radius) for key, spec in style.items()))
with mp_hands.Hands(static_image_mode=True, max_num_hands=2, min_detection_confidence=0.5) as hands:
    for path in sys.argv[1:]:
        image = cv2.flip(cv2.imread(path), 1)
        results = hands.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        print("Handedness:", results.multi_handedness)
        if not results.multi_hand_landmarks:
            continue
        height, width, _ = image.shape
        for hand_landmarks, side in zip(results.multi_hand_landmarks, results.multi_handedness):
            tip = hand_landmarks.landmark[mp_hands.HandLandmark.INDEX_FINGER_TIP]
            print(f"index finger tip: ({tip.x * width}, {tip.y * height})")
            print(hand_landmarks, len(hand_landmarks.landmark), tip.HasField("visibility"), tip.visibility)
            print(side.classification[0].label, side.classification[0].score, repr(side.classification[0].display_name))
            mp_drawing.draw_landmarks(image, hand_landmarks, mp_hands.HAND_CONNECTIONS,
                mp_styles.get_default_hand_landmarks_style(), mp_styles.get_default_hand_connections_style())
        for world in results.multi_hand_world_landmarks:
            print(world)
        print("drawn:", [float(column.mean()) for column in np.array_split(image, 8, axis=1)])
"""
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
ABSOLUTE, RELATIVE = 2e-3, 2e-3


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--python", required=True, help="a Python that has mediapipe 0.10.21")
    options.add_argument("--photos", type=Path, required=True, help="folder of photos")
    options.add_argument("--count", type=int, default=20)
    chosen = options.parse_args()
    photos = [str(path) for path in sorted(chosen.photos.glob("*.jpg"))[: chosen.count]]
    theirs = printed(chosen.python, PRELUDES["mediapipe"], photos)
    ours = printed(sys.executable, PRELUDES["knuckle"], photos)
    differences, largest = compare(theirs, ours)
    print(
        f"{len(photos)} photos, {len(theirs)} lines, {len(differences)} differ; numbers differ by at most {largest:.2g}"
    )
    for difference in differences[:10]:
        print(difference)
    sys.exit(bool(differences))


def printed(python: str, prelude: str, photos: list[str]) -> list[str]:
    """The lines that the script prints after this prelude."""
    run = subprocess.run([python, "-c", prelude + SCRIPT, *photos], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{python} failed:\n{run.stderr[-2000:]}")
    return run.stdout.splitlines()


def compare(theirs: list[str], ours: list[str]) -> tuple[list[str], float]:
    """The lines whose words or numbers differ, and the largest difference between two numbers."""
    differences, largest = [], 0.0
    for number, (their, our) in enumerate(zip_longest(theirs, ours, fillvalue="<no line>"), 1):
        pairs = list(zip(map(float, NUMBER.findall(their)), map(float, NUMBER.findall(our)), strict=False))
        largest = max([largest, *(abs(a - b) for a, b in pairs)])
        same_words = NUMBER.sub("#", their) == NUMBER.sub("#", our)
        if not same_words or any(abs(a - b) > ABSOLUTE + RELATIVE * abs(a) for a, b in pairs):
            differences.append(f"line {number}:\n  mediapipe: {their}\n  knuckle:   {our}")
    return differences, largest


if __name__ == "__main__":
    main()
