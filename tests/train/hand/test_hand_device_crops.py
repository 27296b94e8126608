"""Samples made in batches on the device equal those made one by one: the same crops and labels for the same choices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import drawn_hand, write_yolo
from PIL import Image as pillow
from scene import blank

torch = pytest.importorskip("torch")

from knuckle.datasets.labels import LabelledHand, Shot  # noqa: E402
from knuckle.errors import InputError  # noqa: E402
from knuckle.results import Roi  # noqa: E402
from knuckle.train import augment_torch as changes  # noqa: E402
from knuckle.train.augment import RegionNoise, crop_from_image, warp  # noqa: E402
from knuckle.train.augment_torch import BatchRandom  # noqa: E402
from knuckle.train.compose.cutout import moved  # noqa: E402
from knuckle.train.hand.candidates import CandidateOptions  # noqa: E402
from knuckle.train.hand.device_crops import STORED_PX, DeviceCrops, Stored, labels_in_crops, store  # noqa: E402
from knuckle.train.hand.labels import labels_in_crop, labels_without_hand  # noqa: E402
from knuckle.train.hand.task import HandTask  # noqa: E402
from knuckle.train.loop import LoopOptions, train  # noqa: E402
from knuckle.train.nets.hand_net import HandNetShape  # noqa: E402
from knuckle.train.sources import Source  # noqa: E402

SIDE, CPU = 64, torch.device("cpu")
HANDS = 6


def seeded(seed: int = 0) -> BatchRandom:
    return BatchRandom(torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stored, list[LabelledHand]]:
    """Some photos of one hand, one of them half labelled, and a bare wall; and the hands in pixels of what is kept."""
    folder, shots, hands = tmp_path_factory.mktemp("photos"), [], []
    for number in range(HANDS):
        image, hand = drawn_hand(np.random.default_rng(number))
        if number == HANDS - 1:
            points = hand.landmarks[:, :2].copy()
            points[3:6] = np.nan
            hand = LabelledHand(landmarks=points)
        pillow.fromarray(image).save(folder / f"{number}.png")
        shots.append(Shot(str(folder / f"{number}.png"), hands=(hand,)))
    pillow.fromarray(blank(320, 240)).save(folder / "wall.png")
    shots.append(Shot(str(folder / "wall.png"), hands=()))
    stored = store([Source("photos", shots)], CPU)
    for number, shot in enumerate(shots[:HANDS]):
        by_mcp = stored.regions[number, 1].tolist()
        scale = STORED_PX / 1.9 / by_mcp[2]
        assert scale == pytest.approx(1, abs=1e-4)
        assert by_mcp[:2] == pytest.approx([STORED_PX / 2] * 2, abs=1e-2)
        original = shot.hands[0]
        linear = np.array([original.landmarks[k, :2] for k in (0, 9)]), stored.landmarks[number, [0, 9], :2].numpy()
        zoom = np.linalg.norm(np.diff(linear[1], axis=0)) / np.linalg.norm(np.diff(linear[0], axis=0))
        shift = linear[1][0] - zoom * linear[0][0]
        hands.append(moved(original, np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])))
    return stored, hands


@pytest.mark.parametrize("seed", range(4))
def test_labels_equal_those_of_single_samples(kept: tuple[Stored, list[LabelledHand]], seed: int) -> None:
    stored, hands = kept
    random, index = seeded(seed), torch.arange(HANDS)
    linear, mirrored, _ = changes.random_linear(HANDS, random)
    noise = RegionNoise(lost=0.4)
    roi = changes.noisy_regions(stored.regions[index, 1], noise, random)
    batch = labels_in_crops(stored, index, roi, linear, SIDE)
    for number, hand in enumerate(hands):
        region, flip = Roi(*roi[number].tolist()), bool(mirrored[number])
        stretched = np.diag([-1.0 if flip else 1.0, 1.0]) @ linear[number].double().numpy()
        affine = crop_from_image(region, SIDE, flip, stretched)
        expected = labels_in_crop(hand, region, affine, SIDE, flip)
        for name, value in expected.items():
            ours = batch[name][number].numpy()
            if name == "landmarks":  # where nothing is known any number will do
                ours, value = ours[expected["landmark_weight"] > 0], value[expected["landmark_weight"] > 0]
            if name == "handedness" and not expected["handedness_weight"][0]:
                continue
            np.testing.assert_allclose(
                ours, value, atol=2e-2 if name in ("landmarks", "palm_size") else 1e-4, err_msg=name
            )


def test_pictures_equal_those_of_single_samples(kept: tuple[Stored, list[LabelledHand]]) -> None:
    stored, _ = kept
    index = torch.arange(HANDS)
    linear, mirrored, _ = changes.random_linear(HANDS, seeded(2))
    roi = changes.noisy_regions(stored.regions[index, 1], RegionNoise(), seeded(3))
    crops = changes.warp(stored.picture[index], roi, linear, SIDE)
    for number in range(HANDS):
        flip = bool(mirrored[number])
        stretched = np.diag([-1.0 if flip else 1.0, 1.0]) @ linear[number].double().numpy()
        affine = crop_from_image(Roi(*roi[number].tolist()), SIDE, flip, stretched)
        image = np.ascontiguousarray(stored.picture[number].numpy().transpose(1, 2, 0))
        expected = warp(image, affine, SIDE, 1.0).transpose(2, 0, 1).astype(float)
        assert np.abs(crops[number].numpy() - expected).mean() < 1.5


def test_a_crop_without_a_hand_has_no_labels_but_its_absence(kept: tuple[Stored, list[LabelledHand]]) -> None:
    stored, _ = kept
    roi, linear = torch.tensor([[144.0, 144.0, 100.0, 0.3]]), torch.eye(2)[None]
    batch = labels_in_crops(stored, torch.tensor([HANDS]), roi, linear, SIDE)
    for name, value in labels_without_hand().items():
        np.testing.assert_array_equal(batch[name][0].numpy(), value, err_msg=name)


def test_a_batch_depends_only_on_its_number_and_the_seed(kept: tuple[Stored, list[LabelledHand]]) -> None:
    stored, _ = kept
    crops = DeviceCrops(stored, SIDE)
    first, again, other = crops(0, 24), crops(0, 24), crops(24, 24)
    assert set(first) == {"picture", *labels_without_hand()}
    assert first["picture"].dtype == torch.uint8 and first["picture"].shape == (24, 3, SIDE, SIDE)
    for name in first:
        torch.testing.assert_close(first[name], again[name])
    assert not torch.equal(first["picture"], other["picture"])
    assert not torch.equal(first["picture"], DeviceCrops(stored, SIDE, seed=1)(0, 24)["picture"])
    present = torch.cat([crops(n, 64)["presence"] for n in (0, 64, 128, 192)])
    assert 0.6 < present.mean() < 0.95
    assert all(torch.isfinite(value.float()).all() for value in first.values())


def test_no_strength_leaves_the_look(kept: tuple[Stored, list[LabelledHand]]) -> None:
    """Blur is of the camera's motion and stays; colours do not change."""
    stored, _ = kept
    plain, changed = (DeviceCrops(stored, SIDE, strength=strength)(0, 32)["picture"].float() for strength in (0, 1))
    colours = stored.picture.float().flatten(2)
    assert (plain.flatten(2).amax(dim=(0, 2)) <= colours.amax(dim=(0, 2)) + 1).all()
    assert (changed - plain).abs().mean() > 5


@pytest.mark.parametrize("quality", [15.0, 80.0])
def test_jpeg_artefacts_are_those_of_pillow(quality: float, tmp_path: Path) -> None:
    """Without subsampled colours, and on average."""
    image, _ = drawn_hand(np.random.default_rng(0), 160, 160)
    pillow.fromarray(image).save(tmp_path / "a.jpg", quality=int(quality), subsampling=0)
    theirs = np.asarray(pillow.open(tmp_path / "a.jpg")).astype(float)
    x = torch.from_numpy(image.transpose(2, 0, 1)).float()[None]
    ours = changes.compressed(x, torch.tensor([quality]))[0].numpy().transpose(1, 2, 0)
    lost = np.abs(theirs - image).mean()
    assert np.abs(ours - image).mean() == pytest.approx(lost, rel=0.5)
    assert np.abs(ours - theirs).mean() < lost


def test_training_with_batches_of_the_device_resumes_exactly(tmp_path: Path) -> None:
    shape = HandNetShape(side=64, stem=8, widths=(8, 8, 16, 16), depths=(1, 0, 0, 1), token=16, bin_px=4)
    labels = f"{write_yolo(tmp_path / 'labels', 3)}@train"
    options = LoopOptions(steps=4, batch=4, precision="float32", device="cpu", save_every=2)
    task = HandTask(init="new", data=(labels,), shape=shape, augment="device", loop=options)
    torch.manual_seed(0)
    whole = torch.load(train(task.job(), options, tmp_path / "whole", lambda *_: None), weights_only=True)
    torch.manual_seed(0)
    stops = iter([False, True])
    train(task.job(), options, tmp_path / "parts", lambda *_: None, lambda: next(stops))
    parts = torch.load(train(task.job(), options, tmp_path / "parts", lambda *_: None), weights_only=True)
    assert parts["step"] == whole["step"] == 4
    for name, value in whole["network"].items():
        torch.testing.assert_close(parts["network"][name], value, rtol=0, atol=0)


def test_what_cannot_be_made_on_the_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="candidates are made by workers"):
        HandTask(data=("x",), augment="device", candidates=CandidateOptions(data=("y",)))
    wall = tmp_path / "wall.png"
    pillow.fromarray(blank(64, 64)).save(wall)
    with pytest.raises(InputError, match="at least one picture with a hand"):
        DeviceCrops(store([Source("walls", [Shot(str(wall), hands=())])], CPU), SIDE)


def test_samples_in_pairs_show_one_hand_moved_a_little(kept: tuple[Stored, list[LabelledHand]]) -> None:
    batch = DeviceCrops(kept[0], SIDE, pairs=1.0, empty=0.0)(0, 40)
    repeats = batch["repeats"][:, 0] > 0
    assert repeats.tolist() == [False, True] * 20
    there = (batch["landmark_weight"][::2] > 0) & (batch["landmark_weight"][1::2] > 0)
    gap = torch.linalg.vector_norm(batch["landmarks"][1::2, :, :2] - batch["landmarks"][::2, :, :2], dim=-1)
    relative = (gap / batch["palm_size"][::2])[there]
    assert 0 < relative.median() < 0.1 and relative.max() < 0.4
    assert torch.equal(batch["handedness"][::2], batch["handedness"][1::2])  # mirrored alike
    assert "repeats" not in DeviceCrops(kept[0], SIDE)(0, 4)
