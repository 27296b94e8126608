"""Make the photos in tests/mediapipe/parity and the reference's answers on them, for test_parity.py.

    python -m venv reference && reference/bin/pip install mediapipe==0.10.21       (Python 3.9 to 3.12)
    python tests/mediapipe/make_parity.py reference/bin/python

Some photos are drawn, the others rendered by `knuckle synth scenes`. The clip is a part of examples/hands.mp4. The
reference is `Hands` in both complexities, with `static_image_mode` for photos. Its answers are stored as it gives them:
x and y from 0 to 1, z in image widths.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pillow

FOLDER = Path(__file__).resolve().parent / "parity"
CLIP = FOLDER.parents[2] / "examples" / "hands.mp4"
FRAMES = range(60, 70)  # of the clip: two hands come into view
SCENES = 24  # rendered; the first ones with hands are kept
WITH_HANDS = 5
CLEAR = 0.6  # lowest handedness score of a photo that is kept


def main() -> None:
    if sys.argv[1:2] == ["--answer"]:  # in the reference's environment
        print(json.dumps(answers(Path(sys.argv[2]), video=len(sys.argv) > 3)))
        return
    import knuckle

    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    draw()
    render()
    found = ask(sys.argv[1], FOLDER)
    rendered = [path for path in sorted(FOLDER.glob("scene_*.jpg"))]
    with_hands = [path for path in rendered if all(is_clear(found[f"{level}|{path.name}"]) for level in (0, 1))]
    without = [path for path in rendered if not any(found[f"{level}|{path.name}"]["landmarks"] for level in (0, 1))]
    kept = {*with_hands[:WITH_HANDS], *without[:1]}
    for path in rendered:
        if path not in kept:
            path.unlink()
            del found[f"0|{path.name}"], found[f"1|{path.name}"]
    store("photos.json", found)
    with tempfile.TemporaryDirectory() as folder:
        for frame in list(knuckle.read(CLIP))[FRAMES.start : FRAMES.stop]:
            pillow.fromarray(frame.image).save(Path(folder) / f"{frame.index:03d}.png")
        store("clip.json", ask(sys.argv[1], Path(folder), "--video"))


def store(name: str, found: dict[str, dict[str, Any]]) -> None:
    lines = [f"{json.dumps(key)}: {json.dumps(answer)}" for key, answer in sorted(found.items())]
    (FOLDER / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")


def is_clear(answer: dict[str, Any]) -> bool:
    """Whether there are hands and rounding cannot turn a left hand into a right one."""
    scores = [score for ((_, score, _),) in answer["handedness"]]
    return bool(scores) and min(scores) > CLEAR


def draw() -> None:
    """Three drawn photos: one hand, two hands, one turned hand."""
    sys.path.insert(0, str(FOLDER.parents[1]))
    from scene import blank, draw_hand

    one = draw_hand(blank(), 300, 260, 260, 0.1)
    two = draw_hand(draw_hand(blank(), 180, 240, 220, -0.2), 470, 230, 200, 0.15, right=True)
    turned = draw_hand(blank(480, 640), 240, 300, 240, -0.5)
    for name, image in {"one": one, "two": two, "turned": turned}.items():
        pillow.fromarray(image).save(FOLDER / f"drawn_{name}.jpg", quality=90)


def render() -> None:
    """Rendered scenes of people with hands, or without."""
    with tempfile.TemporaryDirectory() as folder:
        scenes = ["-m", "knuckle", "synth", "scenes", folder, "--count", str(SCENES), "--side", "448", "--seed", "1901"]
        subprocess.run([sys.executable, *scenes], check=True)
        for shard in sorted(Path(folder).glob("*.tar")):
            with tarfile.open(shard) as archive:
                for name in sorted(name for name in archive.getnames() if name.endswith(".jpg")):
                    file = archive.extractfile(name)
                    assert file is not None
                    pillow.open(io.BytesIO(file.read())).save(FOLDER / f"scene_{Path(name).stem[-2:]}.jpg", quality=90)


def ask(python: str, folder: Path, *options: str) -> dict[str, dict[str, Any]]:
    """The reference's answers on all images of a folder, by "complexity|name"."""
    run = [python, __file__, "--answer", str(folder), *options]
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def answers(folder: Path, video: bool) -> dict[str, dict[str, Any]]:
    import mediapipe

    found: dict[str, dict[str, Any]] = {}
    for level in (0, 1):
        with mediapipe.solutions.hands.Hands(static_image_mode=not video, model_complexity=level) as hands:
            for path in sorted(folder.glob("*.png" if video else "*.jpg")):
                results = hands.process(np.asarray(pillow.open(path).convert("RGB")))
                found[f"{level}|{path.name}"] = {
                    "landmarks": [points(hand.landmark, 7) for hand in results.multi_hand_landmarks or []],
                    "world_landmarks": [points(hand.landmark, 5) for hand in results.multi_hand_world_landmarks or []],
                    "handedness": [
                        [(side.index, round(side.score, 5), side.label) for side in hand.classification]
                        for hand in results.multi_handedness or []
                    ],
                }
    return found


def points(landmarks: Any, digits: int) -> list[list[float]]:
    return [[round(value, digits) for value in (point.x, point.y, point.z)] for point in landmarks]


if __name__ == "__main__":
    main()
