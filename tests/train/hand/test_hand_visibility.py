"""The visibility head: inside the network's file it gives the same output, and changes no other one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from knuckle.errors import BundleError  # noqa: E402
from knuckle.models import catalogue  # noqa: E402
from knuckle.models import visibility_head as shipped_heads  # noqa: E402
from knuckle.models.session import Session  # noqa: E402
from knuckle.models.visibility_head import Head, with_features, with_visibility  # noqa: E402
from knuckle.train.export import sample_pictures  # noqa: E402
from knuckle.train.hand.head import HeadOptions  # noqa: E402
from knuckle.train.hand.visibility import Features, folded, judge, predict, train_head  # noqa: E402
from knuckle.train.nets.reference_hand import load_reference_hand, perceptron  # noqa: E402


def published(name: str) -> bytes:
    """A known bundle's landmark network as its publisher made it."""
    return (catalogue.find(name).folder / catalogue.BUNDLES[name].hand.file).read_bytes()


def random_head(features: int, hidden: int = 12) -> Head:
    rng = np.random.default_rng(0)
    shapes = ((hidden, features), (hidden,), (21, hidden), (21,))
    return Head(*(rng.normal(0, 0.2, shape).astype(np.float32) for shape in shapes))


@pytest.mark.parametrize(("name", "wide"), [("mediapipe", 1152), ("mediapipe-lite", 672)])
def test_a_head_in_the_file_equals_the_head_on_the_features(name: str, wide: int, tmp_path: Path) -> None:
    network, head = published(name), random_head(wide)
    paths = {"bare": network, "seen": with_visibility(network, head), "features": with_features(network)}
    pictures, said = sample_pictures(224)[:2], {}
    for part, data in paths.items():
        path = tmp_path / f"{part}.tflite"
        path.write_bytes(data)
        said[part] = Session(path, 1)(pictures)
    for output in said["bare"]:
        np.testing.assert_array_equal(said["seen"][output], said["bare"][output])
    expected = predict(head, said["features"]["features"])
    assert said["features"]["features"].shape == (2, wide) and expected.std() > 0.01
    np.testing.assert_allclose(said["seen"]["visibility"], expected, atol=1e-5)
    again = load_reference_hand(tmp_path / "seen.tflite")  # fine-tuning takes the head along
    with torch.no_grad():
        torch_says = again(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
    np.testing.assert_allclose(torch_says["visibility"].numpy(), expected, atol=1e-4)


def test_other_files_are_refused() -> None:
    palm, hand = catalogue.find("mediapipe").palm_path.read_bytes(), published("mediapipe")
    with pytest.raises(BundleError, match="not a tflite file"):
        with_visibility(b"something else", random_head(1152))
    with pytest.raises(BundleError, match="not MediaPipe's landmark network"):
        with_visibility(palm, random_head(1152))
    with pytest.raises(BundleError, match="reads 672 features, the network has 1152"):
        with_visibility(hand, random_head(672))
    for five in (with_features(hand), with_visibility(hand)):
        with pytest.raises(BundleError, match="already has a fifth output"):
            with_visibility(five, random_head(1152))


def test_features_are_read_from_networks_with_a_head_too(tmp_path: Path) -> None:
    pictures, said = sample_pictures(224)[:1], []
    for part, network in {"bare": published("mediapipe"), "seen": with_visibility(published("mediapipe"))}.items():
        path = tmp_path / f"{part}.tflite"
        path.write_bytes(with_features(network))
        said.append(Session(path, 1)(pictures)["features"])
    np.testing.assert_array_equal(said[0], said[1])


def test_scaling_is_folded_into_the_head() -> None:
    torch.manual_seed(0)
    head, rng = perceptron(30, 8, 21), np.random.default_rng(0)
    x = rng.normal(3, 2, (5, 30)).astype(np.float32)
    mean, spread = rng.normal(3, 1, 30).astype(np.float32), rng.uniform(1, 3, 30).astype(np.float32)
    with torch.no_grad():
        expected = torch.sigmoid(head(torch.from_numpy((x - mean) / spread))).numpy()
    np.testing.assert_allclose(predict(folded(head, mean, spread), x), expected, atol=5e-3)


def test_a_head_learns_a_known_relation() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(1, 2, (3000, 20)).astype(np.float32)
    chance = 1 / (1 + np.exp(-4 * (np.abs(features[:, :1] - 1) - 1.3)))  # not linear
    visible = (rng.random((3000, 21)) < chance).astype(np.float32)
    weight = np.ones((3000, 21), np.float32)
    weight[:, 20] = 0
    visible[:, 20] = rng.random(3000)  # never looked at
    parts = [Features(features[rows], visible[rows], weight[rows]) for rows in (slice(0, 2500), slice(2500, None))]
    head = train_head(parts[0], HeadOptions(hidden=16, epochs=40, rate=1e-2, noise=0.1))
    figures, untrained = judge(head, parts[1]), judge(random_head(20, 16), parts[1])
    ideal = judge_of_truth(chance[2500:], visible[2500:, :20])
    assert untrained["auroc"] < 0.65 and figures["auroc"] > ideal - 0.04
    assert figures["calibration_error"] < 0.08 and figures["count"] == 500 * 20


def judge_of_truth(chance: np.ndarray, visible: np.ndarray) -> float:
    from knuckle.metrics import auroc

    return auroc(np.broadcast_to(chance, visible.shape).ravel(), visible.ravel() > 0.5)


def test_a_head_is_stored_and_read_and_the_shipped_ones_are_small() -> None:
    head = random_head(672)
    again = Head.from_bytes(head.to_bytes())
    np.testing.assert_allclose(again.first, head.first, rtol=1e-3)
    shipped = [shipped_heads.shipped_head(wide) for wide in shipped_heads.HEADS]
    assert [head.first.shape[1] for head in shipped] == list(shipped_heads.HEADS)
    assert sum(len(head.to_bytes()) for head in shipped) < 200_000
    with pytest.raises(BundleError, match="no visibility head"):
        shipped_heads.shipped_head(7)
