"""`knuckle evaluate` from the shell's side: labels and trackers in, one table and a report out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import two_hands
from PIL import Image as pillow
from scene import blank

import knuckle
from knuckle.cli.evaluate import evaluate
from knuckle.datasets.labels import Dataset, LabelledHand, Shot
from knuckle.evaluate.predict import most_hands

TWO_FOUND = (0, 2, 4, 8, 10, 14)  # moments of the drawn clip where both hands are found
HALF = """
import knuckle
def first_only(video, max_hands):
    return lambda image, time_s: knuckle.detect(image)[:1]
"""


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos with two hands, labelled with what the default bundle finds, and four without any."""
    folder = tmp_path_factory.mktemp("drawn")
    rows = []
    for k in range(10):
        image = two_hands(TWO_FOUND[k] / 29) if k < 6 else blank(320, 240 + k)
        pillow.fromarray(image).save(folder / f"{k}.png")
        boxes = [hand.box.tolist() for hand in knuckle.detect(image)]
        size = {"width": image.shape[1], "height": image.shape[0]}
        rows.append({"image": f"{k}.png", "hand_boxes": boxes, "labelled_by": "mediapipe", **size})
    assert all(len(row["hand_boxes"]) == 2 * (k < 6) for k, row in enumerate(rows))
    (folder / "index.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def run(*arguments: object) -> Result:
    """Click keeps the help option of a command's first run, so this run has the options that `knuckle` gives it."""
    texts = [str(argument) for argument in arguments]
    return CliRunner().invoke(evaluate, texts, help_option_names=["-h", "--help"])


def test_one_table_shows_all_trackers_and_the_report_the_worst_cases(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half.py").write_text(HALF)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    chosen = [labelled, "--models", "mediapipe", "--models", "half:first_only", "--out", tmp_path / "report"]
    done = run(*chosen)
    assert done.exit_code == 0, done.output
    assert "half:first_only" in done.output and "agreement" in done.output
    found = next(line for line in done.output.splitlines() if "hands found" in line)
    assert "100" in found and "50" in found and "▼" in found
    page = (tmp_path / "report" / "report.html").read_text()
    assert "1 missed" in page and "<img" in page and "agreement, not accuracy" in page
    assert "| " in (tmp_path / "report" / "report.md").read_text()
    files = sorted((tmp_path / "report" / "predictions").iterdir())
    stamps = [file.stat().st_mtime_ns for file in files]
    assert len(files) == 2 and run(*chosen).exit_code == 0
    assert [file.stat().st_mtime_ns for file in files] == stamps, "a second run only scores"


def test_the_default_is_one_model_and_a_folder_of_its_own(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(labelled)
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "out" / "evaluate").glob("*/report.html"))) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--models", "no_such_bundle"], "no_such_bundle"),
        (["--models", "no.such:thing"], "no.such:thing"),
        (["--max-hands", "0"], "--max-hands"),
        (["--split", "night"], "night"),
    ],
)
def test_errors_are_one_line(labelled: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    done = run(labelled, "--out", tmp_path, *arguments)
    assert isinstance(done.exception, knuckle.Error) and words in str(done.exception)


def test_the_limit_on_hands_is_that_of_the_fullest_image() -> None:
    assert most_hands(Dataset("empty")) == 2
    assert most_hands(Dataset("full", (Shot("a.jpg", hands=(LabelledHand(),) * 5), Shot("b.jpg")))) == 5
