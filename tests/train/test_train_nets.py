"""The reference networks in PyTorch equal their tflite files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from knuckle.errors import BundleError  # noqa: E402
from knuckle.models import catalogue  # noqa: E402
from knuckle.models.session import Session  # noqa: E402
from knuckle.train.nets.reference_hand import ReferenceHandNet, load_reference_hand  # noqa: E402
from knuckle.train.nets.reference_palm import load_reference_palm  # noqa: E402
from knuckle.train.nets.tflite_weights import load_tflite  # noqa: E402

HAND = {"landmarks": "Identity", "presence": "Identity_1", "handedness": "Identity_2", "world": "Identity_3"}
PALM = {"boxes": "Identity", "scores": "Identity_1"}


def pictures(side: int, count: int = 3) -> np.ndarray:
    """Smooth random pictures: every layer sees values as large as those of photos."""
    rng = np.random.default_rng(5)
    coarse = torch.from_numpy(rng.uniform(0, 255, (count, 3, 8, 8)))
    fine = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 255)
    return fine.permute(0, 2, 3, 1).numpy().astype(np.uint8)


def in_torch(network: torch.nn.Module, images: np.ndarray) -> dict[str, np.ndarray]:
    with torch.no_grad():
        out = network(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
    return {name: value.numpy() for name, value in out.items()}


@pytest.mark.parametrize("name", ["mediapipe", "mediapipe-lite"])
def test_reference_landmark_network_equals_its_tflite_file(name: str) -> None:
    bundle = catalogue.find(name)
    images = pictures(224)
    ours, theirs = in_torch(load_reference_hand(bundle.hand_path), images), Session(bundle.hand_path)(images)
    for role, output in HAND.items():
        scale = 224 if role == "landmarks" else 1
        np.testing.assert_allclose(ours[role] / scale, theirs[output] / scale, atol=1e-4)


@pytest.mark.parametrize("name", ["mediapipe", "mediapipe-lite"])
def test_reference_palm_network_equals_its_tflite_file(name: str) -> None:
    bundle = catalogue.find(name)
    images = pictures(192, 1)
    ours, theirs = in_torch(load_reference_palm(bundle.palm_path), images), Session(bundle.palm_path)(images)
    np.testing.assert_allclose(ours["boxes"] / 192, theirs[PALM["boxes"]] / 192, atol=1e-4)
    np.testing.assert_allclose(ours["scores"] / 10, theirs[PALM["scores"]] / 10, atol=1e-4)


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    bundle = catalogue.find("mediapipe")
    with pytest.raises(BundleError, match="layers with weights"):
        load_tflite(ReferenceHandNet(), bundle.palm_path)
    (tmp_path / "x.tflite").write_bytes(b"no network at all")
    with pytest.raises(BundleError, match="not a tflite file"):
        load_tflite(ReferenceHandNet(), tmp_path / "x.tflite")


def fingerprint(network: torch.nn.Module) -> str:
    """A hash of all weights but those of our own visibility head."""
    digest = hashlib.sha256()
    for name, parameter in network.named_parameters():
        if not name.startswith("visibility"):
            digest.update(parameter.detach().numpy().tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize(
    ("name", "hand", "palm"),
    [
        ("mediapipe", "f11415747f225612", "adcbb2597d7504a1"),
        ("mediapipe-lite", "abf17e7c18df9628", "1fc8a140104963ca"),
    ],
)
def test_weights_are_read_bit_by_bit(name: str, hand: str, palm: str) -> None:
    """The hashes were taken with another reader, the package `tflite`."""
    bundle = catalogue.find(name)
    assert fingerprint(load_reference_hand(bundle.hand_path)) == hand
    assert fingerprint(load_reference_palm(bundle.palm_path)) == palm
