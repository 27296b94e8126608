"""Gestures as a `.task` file: its networks say what Python says, and the file is one that we read again."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("litert_torch")

from commands import run as knuckle_command  # noqa: E402
from posed import posed_hand  # noqa: E402

from knuckle.gestures.examples import examples_of  # noqa: E402
from knuckle.gestures.recogniser import GestureRecogniser, load_gestures  # noqa: E402
from knuckle.gestures.taught import fit_gestures  # noqa: E402
from knuckle.mediapipe.tasks.gesture_model import GestureModel  # noqa: E402
from knuckle.models.bundle import LANDMARKER  # noqa: E402
from knuckle.results import Hand  # noqa: E402
from knuckle.train.gestures.task_file import classifier_of, write_gesture_task  # noqa: E402
from knuckle.train.gestures.task_networks import TaskEmbedder  # noqa: E402

POSES = ("two", "fist", "ok")
SIZE = (640, 480)


@pytest.fixture(scope="module")
def hands() -> list[Hand]:
    turns = ((0, 0, 0), (20, 30, 40), (-30, 10, 170), (0, 180, -60))
    return [posed_hand(pose, side, turned) for pose in POSES for side in ("Left", "Right") for turned in turns]


def taught(directed: bool) -> GestureRecogniser:
    rows = [(name, f"take {k}", posed_hand(name, turned_deg=(4 * k, 5 * k, 9 * k))) for name in POSES for k in range(5)]
    return GestureRecogniser(load_gestures().network, fit_gestures(examples_of(rows), directed))


def given(hand: Hand) -> list[torch.Tensor]:
    """What MediaPipe gives an embedder."""
    right = np.array([[float(hand.handedness == "Right")]])
    parts = []
    for points in (hand.landmarks, hand.world):
        moved = points - points[0]
        parts.append(moved / np.ptp(moved[:, :2], axis=0).max())
    return [torch.tensor(part, dtype=torch.float32) for part in (parts[0][None], right, parts[1][None])]


def test_the_modules_say_what_python_says(hands: list[Hand]) -> None:
    embed = TaskEmbedder(load_gestures().network).eval()
    for recognise in (load_gestures("canned"), load_gestures("asl"), taught(True), taught(False)):
        classify = classifier_of(recognise).eval()
        for hand in hands:
            with torch.no_grad():
                found = classify(embed(*given(hand)))[0].numpy()
            wanted = recognise.probabilities([hand])[0]
            np.testing.assert_allclose(found, [wanted[-1], *wanted[:-1]], atol=1e-4)


def test_the_file_is_read_again_and_names_the_gestures(hands: list[Hand], tmp_path: Path) -> None:
    path, recognise, seven = tmp_path / "made" / "gestures.task", taught(True), load_gestures("mediapipe")
    write_gesture_task(path, recognise, b"a landmarker")
    with zipfile.ZipFile(path) as archive:
        assert archive.read(LANDMARKER) == b"a landmarker"
        assert all(one.compress_type == zipfile.ZIP_STORED for one in archive.infolist())
    model = GestureModel(path.read_bytes())
    for hand in hands[::5]:
        sure = hand.handedness_score
        custom, canned = model.scores(hand, SIZE, 0.0)
        assert sure > 0.5
        for scores, recogniser in ((custom, recognise), (canned, seven)):
            wanted = recogniser.probabilities([hand])[0]
            assert [name for name, _ in scores] == ["None", *recogniser.names]
            np.testing.assert_allclose([score for _, score in scores], [wanted[-1], *wanted[:-1]], atol=2e-3)


def test_the_command_writes_a_table_of_examples_and_refuses_other_files(tmp_path: Path) -> None:
    import csv
    import json

    folder = tmp_path / "examples"
    for name in POSES:
        (folder / name).mkdir(parents=True)
        lines = [json.dumps({"hands": [posed_hand(name, "Left").to_dict()]}) for _ in range(3)]
        (folder / name / "take-1.jsonl").write_text("\n".join(lines))
    done = knuckle_command("gestures", "export", str(folder), "--out", str(tmp_path / "examples.csv"))
    assert "9 hands of 3 gestures" in done.stdout
    rows = list(csv.DictReader(io.StringIO((tmp_path / "examples.csv").read_text())))
    assert len(rows) == 9 and {row["gesture"] for row in rows} == set(POSES) and rows[0]["handedness"] == "Left"
    wanted = posed_hand(rows[0]["gesture"], "Left")
    assert abs(float(rows[0]["x8"]) - wanted.landmarks[8, 0]) < 0.1
    assert abs(float(rows[0]["world_y20"]) - wanted.world[20, 1]) < 1e-4 and len(rows[0]) == 3 + 2 * 63
    refused = knuckle_command("gestures", "export", "asl", "--out", str(tmp_path / "letters.tflite"))
    assert refused.returncode and "must be a FILE.task or a FILE.csv" in refused.stderr
