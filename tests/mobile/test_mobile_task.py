"""mobile/models/knuckle.task, the sample apps, and MediaPipe's own HandLandmarker with our networks."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from replaying import MOBILE
from scene import blank, draw_hand

import knuckle
from knuckle.pipeline.options import TrackerOptions

TASK = MOBILE / "models" / "knuckle.task"
ENVIRONMENTS = Path(os.environ.get("KNUCKLE_TEST_ENVIRONMENTS", Path.home() / "envs"))
DETECT = """
import json, sys
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision
options = vision.HandLandmarkerOptions(
    base_options=BaseOptions(model_asset_path=sys.argv[1]), num_hands=2, min_hand_detection_confidence=0.2
)
image = mp.Image.create_from_file(sys.argv[2])
with vision.HandLandmarker.create_from_options(options) as landmarker:
    found = landmarker.detect(image)
rows = [[[p.x * image.width, p.y * image.height] for p in points] for points in found.hand_landmarks]
print(json.dumps([rows, [side[0].category_name for side in found.handedness]]))
"""


def test_the_task_file_holds_the_networks_of_the_bundle() -> None:
    task, bundle = knuckle.load(TASK, precision="float"), knuckle.load("knuckle", precision="float")
    pictures = np.random.default_rng(3).integers(0, 256, (2, 224, 224, 3)).astype(np.uint8)
    ours, theirs = bundle.hand(pictures), task.hand(pictures)
    for role in ("landmarks", "presence", "handedness", "world"):
        one, other = ours[bundle.bundle.hand_outputs[role]], theirs[task.bundle.hand_outputs[role]]
        np.testing.assert_allclose(one, other, atol=0.02 * float(np.ptp(one)) + 1e-4, err_msg=role)
    image = draw_hand(blank(), 300, 240, 220)
    palms = [one.palm_detector(TrackerOptions(), 0.02).graph()(image)[:3] for one in (bundle, task)]
    assert len(palms[0]) == len(palms[1]) == 3
    for left, right in zip(*palms, strict=True):
        np.testing.assert_allclose(left.keypoints, right.keypoints, atol=0.5)
        assert left.score == pytest.approx(right.score, abs=0.01)


@pytest.mark.parametrize("environment", ["mediapipe", "mediapipe-tasks"])
def test_mediapipe_finds_our_hands_with_the_task_file(environment: str, shared: Path) -> None:
    python = ENVIRONMENTS / environment / "bin" / "python"
    if not python.exists():
        pytest.skip(f"there is no virtual environment {environment} in {ENVIRONMENTS} with mediapipe")
    photos = sorted((shared / "data/photos/gestures40").glob("*.jpg"))
    # Our own pipeline with MediaPipe's rules, including the rotation that its Tasks API has by mistake.
    rules = {"upright_rad": 90.0, "second_look": False, "faint_palms": 1.0, "min_palm_score": 0.2, "min_presence": 0.5}
    photo, ours = next((one, found[0]) for one in photos if (found := knuckle.detect(str(one), TASK, **rules)))
    command = [str(python), "-c", DETECT, str(TASK), str(photo)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    points, sides = json.loads(done.stdout)
    gaps = [float(np.hypot(*(np.array(one) - ours.landmarks[:, :2]).T).mean()) / ours.palm_size for one in points]
    assert min(gaps) < 0.02 and sides[int(np.argmin(gaps))] == ours.handedness


@pytest.mark.parametrize(
    "file", sorted(MOBILE.rglob("*.kt*")) + sorted(MOBILE.rglob("*.swift")), ids=lambda file: file.name
)
def test_the_sources_have_no_errors_of_syntax(file: Path) -> None:
    tree_sitter = pytest.importorskip("tree_sitter")
    language = pytest.importorskip("tree_sitter_swift" if file.suffix == ".swift" else "tree_sitter_kotlin")
    parser = tree_sitter.Parser(tree_sitter.Language(language.language()))
    assert parser.parse(b"fun func { (").root_node.has_error
    assert not parser.parse(file.read_bytes()).root_node.has_error


@pytest.mark.parametrize("language", ["kotlin", "swift"])
def test_the_snippets_of_the_guide_have_no_errors_of_syntax(language: str) -> None:
    tree_sitter, grammar = pytest.importorskip("tree_sitter"), pytest.importorskip(f"tree_sitter_{language}")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    guide = (MOBILE.parent / "docs" / "mobile.md").read_text()
    snippets = re.findall(rf"^```{language}\n(.*?)^```$", guide, re.M | re.S)
    assert len(snippets) >= 2
    for snippet in snippets:
        assert not parser.parse(snippet.encode()).root_node.has_error, snippet


@pytest.mark.parametrize("app", ["hands", "palms"])
def test_the_android_samples_name_folders_that_are_there(app: str) -> None:
    folder = MOBILE / "android" / app
    for place in re.findall(r'srcDir\("(.*?)"\)', (folder / "build.gradle.kts").read_text()):
        assert list((folder / place).iterdir()), place
    manifest = (folder / "src/main/AndroidManifest.xml").read_text()
    assert "android.permission.CAMERA" in manifest
    assert list(folder.glob(f"src/main/kotlin/app/knuckle/{app}/MainActivity.kt"))
