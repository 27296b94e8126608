"""`.task` files: MediaPipe's layout of files, outputs and anchors, and the same hands."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scene import blank, draw_hand

torch = pytest.importorskip("torch")

import knuckle  # noqa: E402
from knuckle.cli import app as cli  # noqa: E402
from knuckle.errors import InputError  # noqa: E402
from knuckle.pipeline.palm import PalmModel, decode_palms  # noqa: E402
from knuckle.train.mediapipe_task import TaskPalm  # noqa: E402
from knuckle.train.nets.palm_net import PalmNet, PalmNetShape  # noqa: E402


def test_a_task_file_finds_the_same_hands_as_its_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference's networks through PyTorch into a .task file and back: the same hands."""
    pytest.importorskip("litert_torch")
    task = tmp_path / "again.task"
    command = ["export", "mediapipe", "--format", "task", "--out", str(task)]
    assert CliRunner().invoke(cli.cli, command, catch_exceptions=False).exit_code == 0
    with zipfile.ZipFile(task) as archive:
        assert [each.compress_type for each in archive.infolist()] == [zipfile.ZIP_STORED] * 2
        hand = archive.read("hand_landmarks_detector.tflite")
        with zipfile.ZipFile(io.BytesIO(hand)) as labels:
            assert labels.read("handedness.txt") == b"Left\nRight\n"
        assert b"M001" in hand and b"TFLITE_METADATA" in hand
    monkeypatch.setenv("KNUCKLE_CACHE", str(tmp_path / "cache"))
    image = draw_hand(blank(), 300, 240, 220)
    networks = knuckle.load(task)
    (ours,) = knuckle.detect(image, models=task)
    monkeypatch.undo()
    (theirs,) = knuckle.detect(image, "mediapipe")
    assert networks is not None and ours.handedness == theirs.handedness
    np.testing.assert_allclose(ours.landmarks, theirs.landmarks, atol=0.5)


@pytest.mark.parametrize("side", [192, 320])
def test_rows_for_fixed_anchors_decode_to_the_same_palms(side: int) -> None:
    """Our 720 or 2000 anchors as MediaPipe's 2016: its decoder finds what ours finds, in shares of the input."""
    torch.manual_seed(1)
    shape = PalmNetShape(side=side, stem=4, widths=(4, 8, 8, 8), depths=(0, 0, 0, 0))
    network = PalmNet(shape).eval()
    for head in network.scores:
        torch.nn.init.constant_(head.bias, 0.3)
        torch.nn.init.normal_(head.weight, std=0.3)
    with torch.no_grad():
        picture = torch.rand(1, 3, side, side)
        own, rows = ({k: v.numpy() for k, v in net(picture).items()} for net in (network, TaskPalm(network)))
    assert rows["boxes"].shape == (1, 2016, 18) and rows["scores"].shape == (1, 2016, 1)
    own["boxes"][..., 2:4] = np.abs(own["boxes"][..., 2:4]) + 5
    rows["boxes"][:, : own["boxes"].shape[1], 2:4] = own["boxes"][..., 2:4] * (192 / side)
    one = decode_palms(own, (640, 480), side, PalmModel(network.strides, "boxes", "scores"))
    other = decode_palms(rows, (640, 480), 192, PalmModel(boxes="boxes", scores="scores"))
    assert len(one) == len(other) > 20
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left.box, right.box, atol=1e-2)
        np.testing.assert_allclose(left.keypoints, right.keypoints, atol=1e-2)


def test_a_network_with_too_many_anchors_is_refused() -> None:
    with pytest.raises(InputError, match="room for 2016 anchors"):
        TaskPalm(PalmNet(PalmNetShape(side=352)))
