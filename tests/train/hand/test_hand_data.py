"""Samples of the landmark network: image and points move together, labels invert the decoder, unknown values have no
weight."""

from __future__ import annotations

import io
import json
import math
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import drawn_hand, write_yolo
from PIL import Image as pillow

pytest.importorskip("torch")

from knuckle.datasets.labels import LabelledHand, Visibility
from knuckle.errors import InputError, SourceError
from knuckle.geometry import apply, crop
from knuckle.pipeline.hand import MCP_JOINTS, PIP_JOINTS, HandLandmarker, HandModel, roi_from_landmarks
from knuckle.results import Roi
from knuckle.testing import FakeNetwork
from knuckle.train import augment
from knuckle.train.augment import PhotometricAugment, RegionNoise, crop_from_image, warp
from knuckle.train.hand.data import HandCrops, read_source
from knuckle.train.hand.labels import labels_in_crop, region_of
from knuckle.train.pictures import PictureCache, available_memory

SIDE = 160
STILL = RegionNoise(0, 0, 0, 0, 0)


def dotted(x: float, y: float, sigma: float) -> np.ndarray:
    """A dark picture with a soft white dot."""
    columns, rows = np.meshgrid(np.arange(640), np.arange(480))
    dot = 235 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return np.repeat((20 + dot).astype(np.uint8)[..., None], 3, axis=2)


def found_dot(picture: np.ndarray) -> np.ndarray:
    weights = np.clip(picture[..., 0].astype(float) - 40, 0, None)
    columns, rows = np.meshgrid(np.arange(picture.shape[1]), np.arange(picture.shape[0]))
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("mirrored", [False, True])
def test_image_and_point_move_to_the_same_place(seed: int, mirrored: bool) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(250, 390), rng.uniform(190, 290)
    size = float(np.exp(rng.uniform(math.log(60), math.log(900))))  # from enlarged to halved twice
    roi = Roi(x + rng.uniform(-0.25, 0.25) * size, y + rng.uniform(-0.25, 0.25) * size, size, rng.uniform(-3.1, 3.1))
    affine = crop_from_image(roi, SIDE, mirrored, stretched=augment.random_stretch(rng))
    picture = warp(dotted(x, y, max(3.0, 0.03 * size)), affine, SIDE, SIDE / size)
    np.testing.assert_allclose(found_dot(picture), apply(affine, np.array([x, y])), atol=0.15)


def test_a_sample_is_cropped_as_the_tracker_crops() -> None:
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    image = np.asarray(pillow.fromarray(image).resize((640, 480), pillow.Resampling.BICUBIC))
    roi = Roi(300, 200, 250, 0.4)
    ours = warp(image, crop_from_image(roi, SIDE, False), SIDE, SIDE / roi.size).astype(int)
    assert np.abs(ours - crop(image, roi, SIDE)).mean() < 1.0


def test_a_mirrored_sample_is_the_other_hand_mirrored() -> None:
    _, hand = drawn_hand(np.random.default_rng(1))
    roi = Roi(150, 110, 260, 0.3)
    plain, mirror = (labels_in_crop(hand, roi, crop_from_image(roi, SIDE, m), SIDE, m) for m in (False, True))
    np.testing.assert_allclose(mirror["landmarks"][:, 0], SIDE - plain["landmarks"][:, 0], atol=1e-3)
    np.testing.assert_allclose(mirror["landmarks"][:, 1:], plain["landmarks"][:, 1:], atol=1e-3)
    np.testing.assert_allclose(mirror["world"], plain["world"] * [-1, 1, 1], atol=1e-6)
    assert mirror["handedness"][0] == 1 - plain["handedness"][0]
    for name in ("visibility", "visibility_weight", "palm_size", "landmark_weight", "presence"):
        np.testing.assert_allclose(mirror[name], plain[name], rtol=1e-5)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_decoded_labels_equal_the_ground_truth(seed: int, mirrored: bool) -> None:
    """`labels_in_crop` is the inverse of `HandLandmarker.decode`, in a mirror image too."""
    rng = np.random.default_rng(seed)
    image, hand = drawn_hand(rng)
    assert hand.landmarks is not None and hand.world is not None
    roi = RegionNoise().apply(region_of(hand, (6, 10, 14)), rng)
    labels = labels_in_crop(hand, roi, crop_from_image(roi, SIDE, mirrored), SIDE, mirrored)
    names = ("landmarks", "presence", "handedness", "world", "visibility")
    said = FakeNetwork(SIDE, {name: [labels[name].reshape(-1)] for name in names})
    model = HandModel(**{name: name for name in names})
    seen_roi = replace(roi, x=image.shape[1] - roi.x, angle_rad=-roi.angle_rad) if mirrored else roi
    (seen,) = HandLandmarker(said, model, -1.0, mirrored).read(image, [seen_roi])
    landmarks, world = seen.landmarks.copy(), seen.world.copy()
    if mirrored:
        landmarks[:, 0] = image.shape[1] - landmarks[:, 0]
        world[:, 0] *= -1
    np.testing.assert_allclose(landmarks, hand.landmarks, atol=0.01)
    np.testing.assert_allclose(world, hand.world - hand.world.mean(0), atol=1e-6)
    assert seen.handedness == hand.handedness


def test_the_region_of_a_sample_equals_the_trackers() -> None:
    _, hand = drawn_hand(np.random.default_rng(2))
    assert hand.landmarks is not None
    for joints in (PIP_JOINTS, MCP_JOINTS):
        assert region_of(hand, joints) == roi_from_landmarks(hand.landmarks.astype(np.float32), joints)


def test_unlabelled_values_have_no_weight() -> None:
    _, hand = drawn_hand(np.random.default_rng(3))
    assert hand.landmarks is not None
    landmarks = hand.landmarks[:, :2].copy()
    landmarks[8] = np.nan
    bare = LabelledHand(landmarks=landmarks)
    labels = labels_in_crop(bare, region_of(bare, (6, 10, 14)), np.eye(2, 3), 320, False)
    assert np.flatnonzero(labels["landmark_weight"] == 0).tolist() == [8]
    for name in ("z_weight", "world_weight", "handedness_weight", "visibility_weight"):
        assert not labels[name].any(), name
    assert all(np.isfinite(values).all() for values in labels.values())


def test_points_outside_the_image_and_hidden_points_are_not_visible() -> None:
    _, hand = drawn_hand(np.random.default_rng(3))
    codes = np.full(21, float(Visibility.VISIBLE))
    codes[[4, 8, 12]] = Visibility.HIDDEN, Visibility.OUTSIDE, 0
    labels = labels_in_crop(replace(hand, visibility=codes), Roi(160, 120, 400), np.eye(2, 3), 320, False)
    assert labels["visibility"][[3, 4, 8]].tolist() == [1, 0, 0]
    assert labels["visibility_weight"][[3, 4, 8, 12]].tolist() == [1, 1, 1, 0]
    assert 0 < labels["landmark_weight"][4] < labels["landmark_weight"][8]  # what is hidden can only be guessed


def test_a_covered_hand_is_absent_and_has_no_landmarks() -> None:
    _, hand = drawn_hand(np.random.default_rng(3))

    def labels_with(visible: int, code: float = Visibility.HIDDEN) -> dict[str, np.ndarray]:
        codes = np.where(np.arange(21) < visible, Visibility.VISIBLE, code).astype(float)
        return labels_in_crop(replace(hand, visibility=codes), Roi(160, 120, 400), np.eye(2, 3), 320, False)

    gone, hardly, partly, unknown = labels_with(0), labels_with(2), labels_with(6), labels_with(0, 0)
    assert gone["presence"] == 0 and gone["presence_weight"] == 1 and not gone["landmark_weight"].any()
    assert hardly["presence_weight"] == 0 and not hardly["world_weight"].any()
    for labels in (partly, unknown):
        assert labels["presence"] == 1 and labels["presence_weight"] == 1 and labels["landmark_weight"].all()


def shard(folder: Path, hands: list[LabelledHand], image: np.ndarray, mask: np.ndarray | None = None) -> Path:
    """A tar shard with one sample, and one grey sample without a hand."""
    truth = {
        "hands": [
            {"landmarks": h.landmarks.tolist(), "world": h.world.tolist(), "handedness": h.handedness}  # type: ignore[union-attr]
            for h in hands
        ]
    }
    green = np.full((240, 320, 3), (0, 200, 0), np.uint8)
    files = {"a.json": json.dumps(truth).encode(), "b.json": b'{"hands": []}'}
    pictures = {"a.png": image, "b.png": green}
    if mask is not None:
        pictures["a.mask.png"] = mask
    for name, picture in pictures.items():
        buffer = io.BytesIO()
        pillow.fromarray(picture).save(buffer, "png")
        files[name] = buffer.getvalue()
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / "hands-000000.tar", "w") as tar:
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size = len(files[name])
            tar.addfile(info, io.BytesIO(files[name]))
    return folder


def test_a_masked_hand_gets_another_background(tmp_path: Path) -> None:
    _, hand = drawn_hand(np.random.default_rng(4))
    assert hand.landmarks is not None
    mask = np.zeros((240, 320), np.uint8)
    x, y = hand.landmarks[:, :2].mean(0).astype(int)
    mask[y - 20 : y + 20, x - 20 : x + 20] = 7
    image = np.where(mask[..., None] > 0, np.uint8([250, 0, 0]), np.uint8([0, 0, 250]))
    source = read_source(str(shard(tmp_path / "shards", [hand], image, mask)))
    assert len(source.masked) == 1
    crops = HandCrops([source], SIDE, 0, STILL, PhotometricAugment(0), empty=0, other_background=1.0)
    with_hand = [s for s in map(crops, range(12)) if s["presence"][0] == 1]
    assert with_hand
    for sample in with_hand:
        red, green, blue = sample["picture"].astype(int)
        assert blue.max() < 20 and (green > 150).sum() > 1000
        assert (red > 200).sum() == pytest.approx(1600 * (SIDE / region_of(hand, (6, 10, 14)).size) ** 2, rel=0.25)


def test_stretched_samples_keep_their_area_and_have_no_3d_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    image, hand = drawn_hand(np.random.default_rng(4))
    crops, roi, rng = HandCrops([], SIDE), region_of(hand, MCP_JOINTS), np.random.default_rng(0)
    for share in (0.0, 1.0):
        monkeypatch.setattr(augment, "STRETCHED", share)
        assert crops.sample(image, roi, hand, rng)["world_weight"][0] == 1 - share
        assert all(np.linalg.det(augment.random_stretch(rng)) == pytest.approx(1) for _ in range(20))


def test_only_hand_free_crops_become_harder_negatives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, hand = drawn_hand(np.random.default_rng(4))
    room = np.random.default_rng(0).integers(0, 255, image.shape).astype(np.uint8)
    shards = shard(tmp_path / "a", [hand], image), shard(tmp_path / "b", [], room)
    sources = [read_source(str(path)) for path in shards]
    looks = {}
    for share in (0.0, 1.0):
        monkeypatch.setattr(augment, "HARDER_NEGATIVES", share)
        crops = HandCrops(sources, SIDE, 0, STILL, PhotometricAugment(1), empty=0)
        looks[share] = [crops.sample(image, region_of(hand, MCP_JOINTS), hand, np.random.default_rng(1))]
        looks[share] += [crops.sample(room, Roi(120, 120, 150), None, np.random.default_rng(1))]
    same = [np.array_equal(plain["picture"], other["picture"]) for plain, other in zip(*looks.values(), strict=True)]
    assert same == [True, False]


@pytest.mark.parametrize("seed", range(12))
def test_harder_negatives_keep_their_edges(seed: int) -> None:
    """Colours change, shapes do not: where a picture is even, it stays so."""
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, 30:] = (200, 120, 60)
    changed = augment.harder_negative(picture, picture, np.random.default_rng(seed))
    assert changed.shape == picture.shape and changed.dtype == np.uint8
    assert np.ptp(changed[:, :30], axis=(0, 1)).max() <= 1 and np.ptp(changed[:, 30:], axis=(0, 1)).max() <= 1
    assert np.abs(changed[0, 0].astype(int) - changed[0, 59]).max() > 20


@pytest.mark.parametrize("seed", range(12))
def test_a_distant_crop_keeps_position_and_brightness_and_loses_detail(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = dotted(70.0, 90.0, 12)[:SIDE, :SIDE]
    noisy = np.clip(picture + rng.normal(0, 30, picture.shape), 0, 255).astype(np.uint8)
    far = augment.distant(picture, PhotometricAugment(0), np.random.default_rng(seed))
    assert far.shape == picture.shape and np.abs(found_dot(far) - [70, 90]).max() < 1
    assert far.mean() == pytest.approx(picture.mean(), abs=1)
    rough = augment.distant(noisy, PhotometricAugment(0), np.random.default_rng(seed))
    assert (
        np.abs(np.diff(rough.astype(float), axis=0)).mean() < 0.6 * np.abs(np.diff(noisy.astype(float), axis=0)).mean()
    )


@pytest.mark.parametrize("seed", range(12))
def test_backlight_darkens_the_hand_and_brightens_the_background(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture, room = (rng.integers(100, 200, (SIDE, SIDE, 3)).astype(np.uint8) for _ in range(2))
    hand = np.zeros((SIDE, SIDE), np.uint8)
    hand[60:100, 40:90] = 255
    dark, bright = augment.backlit(picture, hand, room, rng)
    assert dark[70:90, 55:75].mean() < picture[70:90, 55:75].mean() - 15
    assert (bright >= room.astype(int) - 1).all() and bright.dtype == dark.dtype == np.uint8
    near, far = (bright - room.astype(float))[hand > 0], (bright - room.astype(float))[:20, -20:]
    assert near.mean() >= far.mean()


def test_half_of_the_regions_have_the_errors_of_tracked_hands() -> None:
    rng, roi = np.random.default_rng(0), Roi(0, 0, 1)
    far, near = (RegionNoise(any_angle=0, lost=0, tracked=share) for share in (0.0, 1.0))
    spread = [np.std([r.x for r in (noise.apply(roi, rng) for _ in range(3000))]) for noise in (far, near)]
    assert spread[0] == pytest.approx(0.07, rel=0.1) and spread[1] == pytest.approx(0.55 * 0.07, rel=0.1)


def test_absence_has_no_weight_if_another_hand_may_be_in_the_crop(tmp_path: Path) -> None:
    _, hand = drawn_hand(np.random.default_rng(4))
    other = replace(hand, landmarks=hand.landmarks + np.array([60, 0, 0]))
    away = RegionNoise(2.0, 0, 0, 0, 0)
    image = np.zeros((240, 320, 3), np.uint8)
    for hands, taught in (([hand], True), ([hand, other], False)):
        source = read_source(str(shard(tmp_path / f"{len(hands)}", hands, image)))
        samples = map(HandCrops([source], SIDE, 0, away, PhotometricAugment(0), empty=0), range(60))
        absent = [s["presence_weight"][0] for s in samples if s["presence"][0] == 0 and not s["picture"][1].max()]
        assert absent and (max(absent) > 0) == taught


def test_a_sample_depends_only_on_its_number_and_the_seed(tmp_path: Path) -> None:
    source = read_source(f"{write_yolo(tmp_path / 'labels', 3)}@train")
    forth, back = ([HandCrops([source], 64, 5)(n) for n in order] for order in ((0, 1, 2, 3), (3, 2, 1, 0)))
    for a, b in zip(forth, back[::-1], strict=True):
        assert all(np.array_equal(a[name], b[name]) for name in a)
    other = HandCrops([source], 64, 6)(0)
    assert not np.array_equal(other["picture"], forth[0]["picture"])


def test_samples_show_hands_lost_hands_and_backgrounds(tmp_path: Path) -> None:
    source = read_source(f"{write_yolo(tmp_path / 'labels', 4)}@train")
    samples = [HandCrops([source], 64, 1)(number) for number in range(150)]
    presence = np.array([s["presence"][0] for s in samples if s["presence_weight"][0]])
    assert 0.1 < (presence == 0).mean() < 0.5
    assert any(s["presence"][0] == 0 and s["landmark_weight"].any() for s in samples)
    for sample in samples:
        assert sample["picture"].shape == (3, 64, 64) and sample["picture"].dtype == np.uint8
        assert all(np.isfinite(sample[name]).all() for name in sample)


def test_a_landmark_behind_a_patch_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is drawn in the way, the points there are taught as hidden, and only these."""
    image, hand = drawn_hand(np.random.default_rng(5))
    hand = replace(hand, visibility=np.full(21, float(Visibility.VISIBLE)))
    rows, columns = slice(20, 60), slice(30, 70)
    monkeypatch.setattr(augment, "occluder", lambda side, rng: (rows, columns))
    monkeypatch.setattr(augment.PhotometricAugment, "apply", lambda self, picture, rng: picture)
    crops = HandCrops([], SIDE, look=PhotometricAugment(1 / 0.15))  # always a patch
    sample = crops.sample(image, region_of(hand, (6, 10, 14)), hand, np.random.default_rng(0))
    x, y = sample["landmarks"][:, :2].T
    behind = (x >= 30) & (x < 70) & (y >= 20) & (y < 60)
    assert behind.any() and not behind.all()
    assert sample["visibility"].tolist() == (~behind).astype(float).tolist()


def test_weights_and_splits_of_a_source_are_read_from_its_name(tmp_path: Path) -> None:
    file = write_yolo(tmp_path / "labels", 2)
    assert read_source(f"{file}@val:2.5").weight == 2.5
    assert len(read_source(f"{file}@val").shots) == 3
    with pytest.raises(InputError, match=r"train, val; write .*@SPLIT"):
        read_source(str(file))
    with pytest.raises(InputError, match="no split 'nothing'"):
        read_source(f"{file}@nothing")
    with pytest.raises(SourceError, match="no file or folder"):
        read_source(str(tmp_path / "elsewhere:3"))


def test_a_dataset_without_usable_images_is_refused(tmp_path: Path) -> None:
    pillow.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "a.png")
    speck = np.full((21, 2), 12.0).tolist()
    for hands in ([{"box": [1, 1, 9, 9]}], [{"landmarks": speck}]):
        (tmp_path / "index.jsonl").write_text(json.dumps({"image": "a.png", "hands": hands}) + "\n")
        with pytest.raises(InputError, match="no image with the landmarks of a hand"):
            read_source(str(tmp_path))


def test_cached_pictures_equal_the_files_and_stay_within_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, cache = np.random.default_rng(0), PictureCache()
    pictures = {str(tmp_path / f"{k}.png"): rng.integers(0, 255, (40, 50, 3), np.uint8) for k in range(6)}
    for path, picture in pictures.items():
        pillow.fromarray(picture).save(path)
    monkeypatch.setitem(vars(cache), "limit", 3.5 * 40 * 50 * 3)
    for path in [*pictures, *reversed(pictures)]:
        np.testing.assert_array_equal(cache(path), pictures[path])
        assert cache.bytes == sum(image.nbytes for image in cache.kept.values()) <= cache.limit
    first = next(iter(pictures))
    Path(first).unlink()
    np.testing.assert_array_equal(cache(first), pictures[first])  # kept: the last that was asked for
    with pytest.raises(ValueError, match="read-only"):
        cache(first)[0] = 0


GIB = 1 << 30


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/", {"memory.max": f"{GIB}\n"}, GIB),  # version 2, seen from inside a container
        ("0::/pod/app", {"pod/memory.max": f"{GIB}", "pod/app/memory.max": "max"}, GIB),
        ("0::/pod/app", {"pod/memory.max": f"{2 * GIB}", "pod/app/memory.max": f"{GIB}"}, GIB),
        ("5:cpu,memory:/elsewhere\n0::/", {"memory/memory.limit_in_bytes": f"{GIB}"}, GIB),  # version 1
        (
            "4:memory:/app",
            {"memory/app/memory.limit_in_bytes": f"{GIB}", "memory/memory.limit_in_bytes": "9" * 19},
            GIB,
        ),
        ("0::/", {"memory.max": "max"}, None),
        ("4:memory:/", {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ("", {}, None),
    ],
)
def test_the_memory_limit_of_a_container_counts(
    groups: str, limits: dict[str, str], expected: int | None, tmp_path: Path
) -> None:
    files = {"proc/self/cgroup": groups, **{f"sys/fs/cgroup/{name}": text for name, text in limits.items()}}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert available_memory(tmp_path) == (machine if expected is None else expected)


def test_samples_in_pairs_show_one_hand_moved_a_little(tmp_path: Path) -> None:
    source = read_source(f"{write_yolo(tmp_path / 'labels', 3)}@train")
    alone, paired = HandCrops([source], 64), HandCrops([source], 64, pairs=1.0)
    assert "repeats" not in alone(0)
    moves = []
    for number in range(0, 40, 2):
        first, second = paired(number), paired(number + 1)
        assert np.array_equal(first["picture"], alone(number)["picture"])
        assert (float(first["repeats"][0]), float(second["repeats"][0])) == (0, 1)
        if first["presence"][0] and second["presence"][0]:
            gap = second["landmarks"][:, :2] - first["landmarks"][:, :2]
            moves.append(np.median(np.hypot(*gap.T)) / first["palm_size"][0])
    assert len(moves) > 5 and 0 < np.median(moves) < 0.1 and max(moves) < 0.3
    half = HandCrops([source], 64, pairs=0.5)
    assert 0.3 < np.mean([half(number)["repeats"][0] for number in range(1, 200, 2)]) < 0.7
