"""Training goes on from a network at another input side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from drawn import drawn_hand, write_yolo

torch = pytest.importorskip("torch")

import knuckle  # noqa: E402
from knuckle.cli.train import train as train_command  # noqa: E402
from knuckle.errors import InputError  # noqa: E402
from knuckle.geometry import crop  # noqa: E402
from knuckle.train.checkpoint import write_weights  # noqa: E402
from knuckle.train.hand.network import load_hand_network, start_hand_network  # noqa: E402
from knuckle.train.nets.hand_net import HandNet, HandNetShape  # noqa: E402
from knuckle.train.nets.reference_hand import ReferenceHandNet  # noqa: E402


def landmarks(network: torch.nn.Module, side: int) -> np.ndarray:
    """(21, 2) in shares of the crop, of a drawn hand in the tracker's region."""
    image, label = drawn_hand(np.random.default_rng(4), 640, 480)
    roi = knuckle.pipeline.hand.roi_from_landmarks(label.landmarks)
    picture = np.ascontiguousarray(crop(image, roi, side).transpose(2, 0, 1))
    with torch.no_grad():
        out = network.eval()(torch.from_numpy(picture)[None].float() / 255)
    return out["landmarks"].reshape(21, 3)[:, :2].numpy() / side


@pytest.mark.parametrize(("init", "side"), [("mediapipe-lite", 192), ("mediapipe-lite", 160), ("knuckle", 160)])
def test_a_network_at_another_side_sees_nearly_the_same_hand(init: str, side: int) -> None:
    """The reference's landmarks at 160 px are rough before training; a third of a palm, not another place."""
    before, _ = start_hand_network(init, HandNetShape())
    after, config = start_hand_network(init, HandNetShape(), side)
    assert after.side == side != before.side
    away = np.linalg.norm(landmarks(after, side) - landmarks(before, before.side), axis=1)
    palm = np.linalg.norm(np.subtract(*landmarks(before, before.side)[[0, 9]]))
    assert np.median(away) < (0.33 if side == 160 else 0.15) * palm
    assert config.get("side", config.get("shape", {}).get("side")) == side


@pytest.mark.parametrize("head", ["bins", "heatmap", "direct"])
def test_every_head_can_be_resized_and_back(head: str) -> None:
    shape = HandNetShape(side=64, stem=8, widths=(8, 8, 16, 16), depths=(1, 0, 0, 1), token=16, bin_px=4, head=head)
    network = HandNet(shape)
    larger = network.resized(96)
    assert larger.shape.side == 96 and larger(torch.rand(1, 3, 96, 96))["landmarks"].shape == (1, 63)
    assert larger.resized(64).shape == shape


def test_a_resized_network_is_restored_from_its_weights(tmp_path: Path) -> None:
    network, config = start_hand_network("mediapipe-lite", HandNetShape(), 192)
    write_weights(network, {"task": "hand", **config}, tmp_path / "hand.pt")
    again, _ = load_hand_network(tmp_path / "hand.pt")
    assert isinstance(again, ReferenceHandNet) and again.side == 192
    np.testing.assert_allclose(landmarks(again, 192), landmarks(network, 192), atol=2e-3)
    further, config = start_hand_network(str(tmp_path / "hand.pt"), HandNetShape())
    assert further.side == config["side"] == 192


def test_wrong_sides_are_refused() -> None:
    for init in ("mediapipe-lite", "knuckle"):
        with pytest.raises(InputError, match="multiple of 32"):
            start_hand_network(init, HandNetShape(), 200)


def test_the_command_resizes_and_distils(tmp_path: Path) -> None:
    """The chain of the issue in small: from lite at a smaller side, taught by lite's own answers."""
    labels = f"{write_yolo(tmp_path / 'labels', 2)}@train"
    flags = ["--init", "mediapipe-lite", "--side", "64", "--distill", "mediapipe-lite", "--steps", "1", "--batch", "2"]
    command = ["hand", *flags, "--data", labels, "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(train_command, command, catch_exceptions=False)
    assert result.exit_code == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["side"] == 64 and config["distill"] == "mediapipe-lite"
