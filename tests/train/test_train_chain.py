"""The whole chain in small: label photos, train a few steps, quantise, export, evaluate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from drawn import drawn_hand

torch = pytest.importorskip("torch")
pytest.importorskip("litert_torch")

import knuckle  # noqa: E402
from knuckle.cli.app import cli  # noqa: E402
from knuckle.datasets import read_dataset  # noqa: E402
from knuckle.models import catalogue  # noqa: E402
from knuckle.train.autolabel.agreement import Agreement  # noqa: E402
from knuckle.train.autolabel.crops import label_crops  # noqa: E402
from knuckle.train.label_file import open_label_file  # noqa: E402

DRAWN = Agreement(views=9, typical=0.2, worst=0.8, one_handedness=False)  # the views of a drawing differ more


def test_label_train_quantise_export_evaluate(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    networks = knuckle.load("mediapipe-lite")
    with open_label_file(tmp_path / "photos") as file:
        for number in range(4):
            image, _ = drawn_hand(np.random.default_rng(number), 480, 360)
            for picture, hands in label_crops(image, None, networks, DRAWN):
                file.write(str(number), picture, hands, source="drawn", labelled_by="mediapipe")
    labels = tmp_path / "photos" / "train.jsonl"
    assert sum(len(shot.hands or ()) for shot in read_dataset(labels).shots) >= 3

    run, mine = tmp_path / "run", tmp_path / "mine"
    brief = ["--steps", "3", "--batch", "2", "--warmup", "1", "--precision", "float32", "--device", "cpu"]
    start = ["--init", "mediapipe-lite", "--side", "192", "--distill", "mediapipe-lite"]
    train = ["train", "hand", *start, *brief, "--data", str(labels), "--check", str(labels), "--out", str(run)]
    trained = CliRunner().invoke(cli, train, catch_exceptions=False)
    assert trained.exit_code == 0 and "steps    3 of 3" in trained.output

    export = ["export", str(run / "checkpoint.pt"), "--format", "int8", "--palm", "mediapipe-lite", "--out", str(mine)]
    assert CliRunner().invoke(cli, export, catch_exceptions=False).exit_code == 0
    bundle = catalogue.open_folder(mine)
    assert bundle.hand_side == 192 and bundle.palm == catalogue.find("mediapipe-lite").palm

    evaluate = ["evaluate", str(labels), "--models", str(mine), "--out", str(tmp_path / "report")]
    evaluated = CliRunner().invoke(cli, evaluate, catch_exceptions=False)
    assert evaluated.exit_code == 0 and "mine" in evaluated.output
    image, label = drawn_hand(np.random.default_rng(0), 480, 360)
    (hand,) = knuckle.detect(image, models=mine)
    away = np.linalg.norm(hand.landmarks[:, :2] - label.landmarks[:, :2], axis=1)
    assert np.median(away) < 0.5 * label.palm_size
