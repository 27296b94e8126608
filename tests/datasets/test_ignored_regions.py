"""Regions to ignore: neither hands nor background, wherever labels are read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from knuckle.datasets import read_dataset
from knuckle.datasets.hand_json import hand_from_json, hand_to_json
from knuckle.datasets.labels import LabelledHand, without_ignored
from knuckle.errors import InputError
from knuckle.evaluate.results import ImagePrediction, Predictions
from knuckle.evaluate.score import score


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Three photos: a hand and a region, only a region, no hand."""
    hand, region = {"box": [10.0, 10, 40, 40]}, {"box": [50.0, 50, 90, 90], "ignore": True}
    rows = []
    for number, hands in enumerate(([hand, region], [region], [])):
        pillow.fromarray(np.full((100, 100, 3), 90, np.uint8)).save(tmp_path / f"{number}.png")
        rows.append({"image": f"{number}.png", "width": 100, "height": 100, "hands": hands, "complete": True})
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_they_are_written_and_read_back() -> None:
    region = LabelledHand(box=np.array([1.0, 2, 3, 4], np.float32), ignore=True)
    assert hand_from_json(hand_to_json(region)).ignore
    assert "ignore" not in hand_to_json(LabelledHand(box=region.box))


def test_evaluation_counts_nothing_in_them(labels: Path) -> None:
    dataset = read_dataset(labels)
    judged = without_ignored(dataset)
    assert [len(shot.hands or ()) for shot in judged.shots] == [1, 0, 0]
    assert [shot.complete for shot in judged.shots] == [False, False, True]
    nothing = {(shot.source, 0): ImagePrediction(shot.source, 0, 0.0, (100, 100)) for shot in dataset.shots}
    rows = {row.metric: row for row in score(dataset, [Predictions("none", nothing)]).tables[0].rows}
    recall = next(row for name, row in rows.items() if "recall" in name or "found" in name)
    assert recall.figures["none"].value == 0 and recall.figures["none"].count == 1


def test_they_are_no_hands_to_train_presence_on(labels: Path) -> None:
    pytest.importorskip("torch")
    from knuckle.train.hand.candidates import read_source
    from knuckle.train.sources import hand_free

    source = read_source(str(labels))
    assert [Path(shot.source).name for shot in source.shots] == ["0.png", "2.png"]
    assert [Path(shot.source).name for shot in hand_free([source])] == ["2.png"]
    only_regions = labels.with_name("regions.jsonl")
    only_regions.write_text(labels.read_text().splitlines()[1] + "\n")
    with pytest.raises(InputError, match="no image with boxes"):
        read_source(str(only_regions))
