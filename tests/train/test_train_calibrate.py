"""Calibration, hard negatives and label files: what the recipes rely on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

pytest.importorskip("torch")

import torch

from knuckle.datasets.labels import LabelledHand, Shot
from knuckle.geometry import letterbox
from knuckle.models import catalogue
from knuckle.results import Palm
from knuckle.train.calibrate import (
    calibrate_palms,
    calibrate_presence,
    crops_without_hands,
    hand_free_views,
    palm_zero,
    presence_logits,
)
from knuckle.train.checkpoint import write_weights
from knuckle.train.hand.mining import hard_negatives
from knuckle.train.hand.network import load_hand_network
from knuckle.train.label_file import open_label_file, read_label_file
from knuckle.train.nets.palm_net import PalmNet, PalmNetShape
from knuckle.train.palm.evaluator import detect_palms
from knuckle.train.palm.network import grid_of, load_palm_network
from knuckle.train.teacher import input_side

TINY = PalmNetShape(side=64, stem=8, widths=(8, 16, 24, 32), depths=(0, 1, 1, 0))
BOX = np.array([0.0, 0.0, 9.0, 9.0], np.float32)


class Brightness(torch.nn.Module):
    """Sees a hand in bright crops."""

    side = 32

    def forward(self, picture: torch.Tensor, train_outputs: bool = False) -> dict[str, torch.Tensor]:
        mean = picture.mean(dim=(1, 2, 3))[:, None]
        return {"presence": mean, "presence_logit": mean}


def photo(path: Path, value: int) -> str:
    pillow.fromarray(np.full((60, 80, 3), value, np.uint8)).save(path)
    return str(path)


@pytest.mark.parametrize("name", ["knuckle", "knuckle-fast"])
def test_presence_of_the_packaged_networks_can_be_calibrated(name: str, tmp_path: Path) -> None:
    stored = catalogue.find(name).hand_path.with_suffix(".pt")
    calibrate_presence(stored, 1.5, tmp_path / "calibrated.pt")
    before, after = (load_hand_network(path)[0] for path in (stored, tmp_path / "calibrated.pt"))
    picture = np.random.default_rng(0).integers(0, 255, (input_side(before), input_side(before), 3)).astype(np.uint8)
    (old,), (new,) = presence_logits(before, [picture]), presence_logits(after, [picture])
    assert new == pytest.approx(old - 1.5, abs=1e-3)


def test_a_calibrated_palm_network_has_as_few_false_positives_as_allowed(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = PalmNet(TINY).eval()
    for scores, boxes in zip(network.scores, network.boxes, strict=True):
        torch.nn.init.normal_(scores.weight, std=0.5)
        torch.nn.init.constant_(scores.bias, 0.5)
        torch.nn.init.constant_(boxes.bias, 1.0)  # widths and heights above 0
    config = {"task": "palm", "network": "knuckle", "shape": vars(TINY)}
    write_weights(network, config, tmp_path / "run.pt")
    network, _ = load_palm_network(tmp_path / "run.pt")
    rng = np.random.default_rng(0)
    views = [rng.integers(0, 255, (50, 70, 3)).astype(np.uint8) for _ in range(6)]
    zero = palm_zero(network, views, lambda view: [Palm(BOX, np.zeros((7, 2), np.float32), 0.9)] * 10)
    assert (zero.reference, zero.allowed) == (60, 9)
    calibrate_palms(tmp_path / "run.pt", zero, tmp_path / "calibrated.pt")
    calibrated, _ = load_palm_network(tmp_path / "calibrated.pt")

    def count(net: torch.nn.Module, score: float) -> int:
        pictures = [(letterbox(view, 64), (70, 50)) for view in views]
        return sum(map(len, detect_palms(net, pictures, grid_of(net), score)))

    assert count(network, 0.5) > 9 == count(calibrated, 0.50001)
    assert count(calibrated, 0.49999) == 10


def test_hand_free_photos_are_seen_whole_and_in_quarters(tmp_path: Path) -> None:
    views = list(hand_free_views([Shot(photo(tmp_path / "a.png", 10))]))
    assert [view.shape[:2] for view in views] == [(60, 80)] + [(30, 40)] * 4


def test_hard_negatives_are_crops_that_look_like_a_hand_and_hold_none(tmp_path: Path) -> None:
    bright, dark = photo(tmp_path / "a.png", 255), photo(tmp_path / "b.png", 0)
    found = list(hard_negatives(Brightness(), Shot(bright, hands=()), 0, attempts=6))
    assert len(found) == 6 and found[0][1].shape == (224, 224, 3)
    assert not list(hard_negatives(Brightness(), Shot(dark, hands=()), 0, attempts=6))
    everywhere = LabelledHand(box=np.array([-500.0, -500, 500, 500]))
    assert not list(hard_negatives(Brightness(), Shot(bright, hands=(everywhere,)), 0, attempts=6))


def test_hand_free_crops_come_from_photos_without_hands_only(tmp_path: Path) -> None:
    bright, dark = photo(tmp_path / "a.png", 255), photo(tmp_path / "b.png", 0)
    shots = [Shot(bright, hands=(LabelledHand(box=BOX),)), Shot(dark, hands=()), Shot(bright, hands=(), complete=False)]
    logits = presence_logits(Brightness(), crops_without_hands(shots, 32))
    assert len(logits) == 8 and not logits.any()


def test_a_label_file_gives_back_what_was_written(tmp_path: Path) -> None:
    hand = LabelledHand(landmarks=np.arange(42.0).reshape(21, 2), handedness="Left")
    picture = np.full((30, 40, 3), 77, np.uint8)
    with open_label_file(tmp_path / "out") as file:
        file.write("a", picture, [hand], "png", source="drawn")
        file.write("b", picture, [], complete=False)
    first, second = read_label_file(tmp_path / "out" / "train.jsonl")
    np.testing.assert_array_equal(first.open(), picture)
    np.testing.assert_allclose(first.hands[0].landmarks, hand.landmarks)
    assert first.complete and first.hands[0].handedness == "Left" and first.about["source"] == "drawn"
    assert not second.complete and second.hands == () and second.path.name == "b.jpg"
