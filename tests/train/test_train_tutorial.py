"""The commands of docs/training.md on a few drawn hands: train, export, evaluate, track."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from drawn import drawn_hand, write_yolo

torch = pytest.importorskip("torch")
pytest.importorskip("litert_torch")

from knuckle.cli import app as cli  # noqa: E402
from knuckle.errors import Error  # noqa: E402

DOCS = Path(__file__).resolve().parents[2] / "docs"
BRIEF = ["--part=all", "--steps=20", "--batch=4", "--rate=0.00004", "--warmup=4", "--precision=float32"]


def test_the_four_commands_fine_tune_on_photos(tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The four commands of the page, with fewer steps."""
    block = re.search(r"Four commands.*?```\n(.*?)```", (DOCS / "training.md").read_text(), re.S)
    assert block
    train, export, evaluate, track = (shlex.split(line)[1:] for line in block.group(1).splitlines())
    write_yolo(tmp_path / "photos", 6)
    shutil.copy(clip, tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    run, mine = tmp_path / "runs" / "mine", tmp_path / "mine"
    torch.set_num_threads(1)
    runner = CliRunner()
    trained = runner.invoke(cli.cli, [*train, *BRIEF, "--log-every", "5"], catch_exceptions=False)
    assert trained.exit_code == 0
    assert "steps    20 of 20" in trained.output and "runs/mine/checkpoint.pt" in trained.output
    with (run / "evaluate.csv").open() as file:
        errors = [float(row["error"]) for row in csv.DictReader(file)]
    assert errors[-1] < 0.9 * errors[0]  # on hands that it did not see
    assert json.loads((run / "config.json").read_text())["init"] == "knuckle"

    exported = runner.invoke(cli.cli, export, catch_exceptions=False)
    assert exported.exit_code == 0 and (mine / "bundle.json").is_file()

    evaluated = runner.invoke(cli.cli, evaluate, catch_exceptions=False)
    assert evaluated.exit_code == 0 and "mine" in evaluated.output
    assert runner.invoke(cli.cli, track, catch_exceptions=False).exit_code == 0
    assert (tmp_path / "hands.mp4").stat().st_size > 1000

    photos = tmp_path / "photos" / "images" / "val"
    tracking = ["track", str(photos), "--models", str(mine), "--save", str(tmp_path / "hands.jsonl")]
    tracked = runner.invoke(cli.cli, tracking, catch_exceptions=False)
    assert tracked.exit_code == 0
    rows = [json.loads(line) for line in (tmp_path / "hands.jsonl").read_text().splitlines()]
    found = {Path(row["source"]).name: row["hands"] for row in rows if row["hands"]}
    assert "wall0.jpg" not in found and len(found) >= 5
    rng = np.random.default_rng(3)
    truths = [drawn_hand(rng)[1] for _ in range(12)][6:]
    for number, truth in enumerate(truths):
        assert truth.landmarks is not None
        if f"{number:03d}.jpg" in found:
            seen = np.array(found[f"{number:03d}.jpg"][0]["landmarks"])[:, :2]
            palm = np.hypot(*(truth.landmarks[9] - truth.landmarks[0])[:2])
            assert np.median(np.hypot(*(seen - truth.landmarks[:, :2]).T)) < 0.1 * palm


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["--data", "nowhere"], "there is no file or folder nowhere"),
        (["--data", "{labels}@test"], "no split 'test'"),
        (["--data", "{labels}@train", "--init", "nobody"], "no bundle, folder or .task file called 'nobody'"),
        (["--data", "{labels}@train", "--look", "3"], "look must be"),
        (["--data", "{labels}@train", "--steps", "0"], "steps must be at least 1"),
    ],
)
def test_errors_are_one_line(command: list[str], words: str, tmp_path: Path) -> None:
    labels = write_yolo(tmp_path / "labels", 1)
    filled = [part.replace("{labels}", str(labels)) for part in command]
    result = CliRunner().invoke(cli.cli, ["train", "hand", *filled, "--out", str(tmp_path / "run")])
    assert isinstance(result.exception, Error) and words in str(result.exception)
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize("page", ["training.md", "training_palm.md"])
def test_every_flag_that_the_pages_name_exists(page: str) -> None:
    text = (DOCS / page).read_text()
    of_others = {"--nproc-per-node", "--free", "--place"}  # of torchrun and of the recipes
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", text)) - of_others
    commands = (["train", "hand"], ["train", "palm"], ["export"], ["synth", "hands"], ["track"], ["evaluate"])
    shown = "".join(CliRunner().invoke(cli.cli, [*command, "--help"]).output for command in commands)
    assert named and named <= set(re.findall(r"--[a-z][a-z-]*[a-z]", shown)), named
