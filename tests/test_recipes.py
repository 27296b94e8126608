"""Composed pictures and pseudo-labels, and the recipes that write them: cut-outs, moved labels, agreement."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as pillow

pytest.importorskip("torch")

import torch

import knuckle
from knuckle import TrackerOptions
from knuckle.datasets import read_dataset
from knuckle.datasets.hand_json import hand_to_json
from knuckle.datasets.labels import LabelledHand, Shot
from knuckle.errors import InputError
from knuckle.pipeline.tracker import Networks
from knuckle.results import HAND_CONNECTIONS, Hand, Roi
from knuckle.train.autolabel.agreement import LANDMARKS_AGREE, label_of, merge_directions, read_with_agreement
from knuckle.train.autolabel.palms import PalmLabeller
from knuckle.train.calibrate import calibrate_presence, presence_zero
from knuckle.train.checkpoint import average_checkpoints, read_checkpoint
from knuckle.train.compose import hands as pasting
from knuckle.train.compose import people
from knuckle.train.compose.cutout import moved
from knuckle.train.label_file import read_label_file
from knuckle.train.splits import read_splits

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("recipes", "benchmarks")]

import accuracy
import clip_hands
import other_rooms
import pasted_hands

SKIN, SHIRT = (224, 172, 150), (25, 25, 28)
MARKS = [(100 + 4 * k, 118 + 2 * (k % 5)) for k in range(21)]  # a hand's landmarks, all on the left sleeve


@pytest.fixture
def photo() -> tuple[np.ndarray, np.ndarray]:
    """A person of a head, a shirt and a hand in front of a wall that darkens to one side; and where that is."""
    y, x = np.mgrid[0:200, 0:320]
    image = np.stack([215 - 0.12 * x, 210 - 0.1 * x, 205 - 0.1 * y], axis=-1).astype(np.uint8)
    head = (x - 160) ** 2 + (y - 60) ** 2 < 25**2
    shirt = (abs(x - 160) < 60) & (y > 80) & (y < 186)
    hand = (x >= 96) & (x < 186) & (y >= 112) & (y < 134)
    image[head | hand], image[shirt & ~hand] = SKIN, SHIRT
    return image, head | ((shirt | hand) & (y < 186))


def test_a_person_in_front_of_a_wall_is_cut_out(photo: tuple[np.ndarray, np.ndarray]) -> None:
    image, true = photo
    found = people.person_in_front_of_wall(image) > 0
    assert (found & true).sum() / (found | true).sum() > 0.97


def test_a_person_in_front_of_a_known_place_is_cut_out(photo: tuple[np.ndarray, np.ndarray]) -> None:
    image, true = photo
    true[186:, 100:220] = True  # down to the lower edge, as with people in front of a camera
    image[186:, 100:220] = SHIRT
    place = image.copy()
    place[true] = (200, 200, 195)
    board = (slice(20, 120), slice(236, 316))  # the same colour as the shirt, and beside whoever stands there
    image[board] = place[board] = (25, 25, 28)
    found = people.person_in_front_of_place(place, image) > 0
    assert (found & true).sum() / (found | true).sum() > 0.93


def test_clothes_change_and_the_wall_does_not(photo: tuple[np.ndarray, np.ndarray]) -> None:
    image, true = photo
    mask = np.where(true, 255, 0).astype(np.uint8)
    looks = [people.with_other_clothes(image, mask, np.random.default_rng(seed)) for seed in range(8)]
    for look in looks:
        assert np.abs(look[~true].astype(int) - image[~true]).max() <= 1
    shirts = np.array([look[150:180, 130:190].mean(axis=(0, 1)) for look in looks])
    assert shirts.std(axis=0).max() > 25
    for look in looks:
        red, _, blue = look[114:132, 100:180].astype(float).mean(axis=(0, 1))
        assert red > blue  # skin stays skin


def test_labels_move_with_the_person(
    photo: tuple[np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, _ = photo
    for folder, picture in (("people", image), ("rooms", np.full((240, 320, 3), (30, 60, 200), np.uint8))):
        (tmp_path / folder).mkdir()
        pillow.fromarray(picture).save(tmp_path / folder / "a.png")
    hands = [{"landmarks": [[x, y, 0.0] for x, y in MARKS], "handedness": "Left"}, {"box": [96, 112, 186, 134]}]
    rows = {
        "people": {"image": "a.png", "source": "walls", "licence": "MIT", "labelled_by": "people", "hands": hands},
        "rooms": {"image": "a.png", "source": "rooms", "hands": []},
    }
    for folder, row in rows.items():
        (tmp_path / folder / "labels.jsonl").write_text(json.dumps(row | {"complete": True}) + "\n")
    out = tmp_path / "out"
    arguments = [*(str(tmp_path / folder / "labels.jsonl") for folder in rows), str(out), "--source", "walls"]
    monkeypatch.setattr(sys, "argv", ["other_rooms.py", *arguments, "--count", "6"])
    other_rooms.main()
    assert skin_under_landmarks(out / "train.jsonl", 6) > 60


def skin_under_landmarks(labels: Path, count: int) -> int:
    """How many landmarks lie in a picture; all of them on skin, which is redder than it is blue."""
    shots = read_dataset(str(labels)).shots
    assert len(shots) == count and all(shot.complete for shot in shots)
    return sum(on_skin(shot) for shot in shots)


def on_skin(shot: Shot) -> int:
    picture, seen = np.asarray(pillow.open(shot.source)).astype(int), 0
    for hand in shot.hands or ():
        if hand.landmarks is None:
            continue
        x, y = np.rint(hand.landmarks[:, :2]).astype(int).T
        inside = (x >= 0) & (x < picture.shape[1]) & (y >= 0) & (y < picture.shape[0])
        seen += int(inside.sum())
        assert (picture[y[inside], x[inside], 0] > picture[y[inside], x[inside], 2]).all()
    return seen


@pytest.fixture
def hand() -> tuple[np.ndarray, np.ndarray, LabelledHand]:
    """A raised hand in front of a wall that darkens to one side, where it is, and its label."""
    y, x = np.mgrid[0:160, 0:160]
    image = np.stack([170 - 0.2 * x, 185 - 0.2 * x, 205 - 0.1 * y], axis=-1).astype(np.uint8)
    fingers = [np.linspace((60 + 12 * k, 95), (40 + 22 * k, 35 + 8 * abs(k - 2)), 4) for k in range(5)]
    points = np.concatenate([[[80, 130]], *fingers]).astype(np.float32)
    mask = np.zeros((160, 160), np.uint8)
    cv2.fillConvexPoly(mask, np.rint(points[[0, 1, 5, 9, 13, 17]]).astype(int), 255)
    for a, b in (*HAND_CONNECTIONS, (0, 0)):
        cv2.line(mask, *(np.rint(points[[a, b]]).astype(int).tolist()), 255, 9)
    cv2.line(mask, (80, 130), (80, 159), 255, 26)
    noise = np.random.default_rng(0).normal(0, 3, image.shape)
    image[mask > 0] = SKIN
    image = np.clip(image + noise, 0, 255).astype(np.uint8)
    label = LabelledHand(landmarks=np.column_stack([points, np.ones(21)]), handedness="Left")
    return image, mask > 0, label


def test_a_hand_is_cut_out_with_its_arm(hand: tuple[np.ndarray, np.ndarray, LabelledHand]) -> None:
    image, true, label = hand
    cut = pasting.cut_out_hand(image, label)
    assert cut is not None
    found = cut.mask > 0
    assert (found & true).sum() / (found | true).sum() > 0.9


def test_a_hand_that_leaves_the_photo_is_not_cut_out(hand: tuple[np.ndarray, np.ndarray, LabelledHand]) -> None:
    image, _, label = hand
    assert label.landmarks is not None
    away = replace(label, landmarks=label.landmarks - np.array([0, 60, 0]))
    assert pasting.cut_out_hand(image, away) is None


def placed_hand(x: float, y: float, handedness: str = "Left") -> Hand:
    """A hand whose palm is about 40 pixels wide."""
    landmarks = np.zeros((21, 3), np.float32)
    landmarks[:, :2] = np.array(MARKS) * (0.5, 4) + (x, y)
    return Hand(landmarks, landmarks / 1000, handedness, 1.0, 1.0, Roi(x, y, 100), landmarks_raw=landmarks)


def test_hands_on_which_both_directions_agree_are_labelled_and_others_are_boxes() -> None:
    steady, before, after = placed_hand(0, 0), placed_hand(200, 0), placed_hand(260, 0)
    close = placed_hand(2, 2)
    known, *boxes = merge_directions([steady, before], [after, close])
    assert known.landmarks is not None
    np.testing.assert_allclose(known.landmarks, (steady.landmarks + close.landmarks) / 2, atol=0.01)
    assert known.handedness == "Left" and all(hand.landmarks is None for hand in boxes)
    np.testing.assert_allclose([hand.box for hand in boxes], [before.box, after.box], atol=0.05)
    other_side = placed_hand(2, 2, "Right")
    assert merge_directions([steady], [other_side])[0].handedness is None
    assert len(merge_directions([before], [])) == 1 and merge_directions([], []) == []


def test_a_hand_is_labelled_if_its_views_agree(clip_frames: list[np.ndarray], networks: Networks) -> None:
    """The views agree on the landmarks of a drawn hand, but not on its side."""
    image, landmarker = clip_frames[0], networks.hand_landmarker(TrackerOptions())
    hand = max(knuckle.detect(image, models=networks), key=lambda each: each.roi.x)
    assert read_with_agreement(image, hand.roi, landmarker, LANDMARKS_AGREE) is None
    either_side = replace(LANDMARKS_AGREE, one_handedness=False)
    label = read_with_agreement(image, hand.roi, landmarker, either_side)
    assert label is not None and label.handedness == "" and label_of(label).handedness is None
    away = np.linalg.norm(label.landmarks[:, :2] - hand.landmarks[:, :2], axis=1)
    assert np.median(away) < 0.1 * np.hypot(*(hand.landmarks[9] - hand.landmarks[0])[:2])
    assert read_with_agreement(image, hand.roi, landmarker, replace(either_side, typical=0.0)) is None
    assert read_with_agreement(np.zeros_like(image), hand.roi, landmarker, either_side) is None


def test_palms_are_labelled_and_boxes_without_a_palm_stay_boxes(
    clip_frames: list[np.ndarray], networks: Networks
) -> None:
    labeller = PalmLabeller(networks)
    assert labeller.label(clip_frames[0], []) == []  # people looked, and found no hand
    wall = np.array([290, 10, 340, 60], np.float32)
    labels = labeller.label(clip_frames[0], [wall])
    known = [hand for hand in labels if hand.landmarks is not None]
    assert len(known) == 2
    assert [hand.box.tolist() for hand in labels if hand.box is not None] == [wall.tolist()]


def test_held_out_clips_are_those_that_networks_are_evaluated_on() -> None:
    clips = read_splits(clip_hands.SPLITS).clips
    assert {name for name in clips if name.startswith("asl") and clips[name] == "decide"} == set(accuracy.UNSEEN_CLIPS)


def test_held_out_clips_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = [str(tmp_path), "asl_bird.mkv", "--source", "x", "--licence", "MIT"]
    monkeypatch.setattr(sys, "argv", ["clip_hands.py", *arguments])
    with pytest.raises(SystemExit, match="asl_bird"):
        clip_hands.main()
    assert not list(tmp_path.iterdir())


def test_a_mirrored_label_changes_its_side_and_can_be_mirrored_back() -> None:
    label = LabelledHand(np.array([1.0, 2.0, 5.0, 6.0]), np.array([[3.0, 4.0, 2.0]]), handedness="Left")
    mirror = np.array([[-2.0, 0, 50], [0, 2.0, 10]])
    there = moved(label, mirror)
    assert there.handedness == "Right"
    np.testing.assert_allclose(there.landmarks, [[44.0, 18.0, 4.0]])
    np.testing.assert_allclose(there.box, [40.0, 14.0, 48.0, 22.0])
    back = moved(there, cv2.invertAffineTransform(mirror))
    assert back.handedness == "Left"
    np.testing.assert_allclose(back.landmarks, label.landmarks)
    np.testing.assert_allclose(back.box, label.box)


def test_backlit_hands_are_dark_before_a_bright_room(
    hand: tuple[np.ndarray, np.ndarray, LabelledHand],
) -> None:
    cut = pasting.cut_out_hand(hand[0], hand[2])
    assert cut is not None
    room, affine = np.full((320, 320, 3), 120, np.uint8), np.array([[1.0, 0, 80], [0, 1.0, 80]])
    plain, backlit = (
        np.mean([pasting.blend(room, cut, affine, np.random.default_rng(k), share) for k in range(20)], axis=0)
        for share in (0.0, 1.0)
    )
    there = np.zeros((320, 320), bool)
    there[80:240, 80:240] = cv2.erode(cut.mask, np.ones((9, 9))) > 0
    assert backlit[there].mean() < 0.8 * plain[there].mean()
    assert backlit[~cv2.dilate(there.astype(np.uint8), np.ones((25, 25))).astype(bool)].mean() > 125


def test_pasted_hands_keep_their_labels_and_their_distance(
    hand: tuple[np.ndarray, np.ndarray, LabelledHand], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, _, label = hand
    pillow.fromarray(image).save(tmp_path / "hand.png")
    pillow.fromarray(np.full((240, 320, 3), (120, 126, 128), np.uint8)).save(tmp_path / "room.png")
    row = {"source": "x", "licence": "MIT", "complete": True}
    cut_from = row | {"source": "y", "licence": "CC0", "image": "hand.png", "hands": [hand_to_json(label)]}
    (tmp_path / "hands.jsonl").write_text(json.dumps(cut_from) + "\n")
    there = [{"box": [100, 80, 180, 160]}]
    (tmp_path / "rooms.jsonl").write_text(json.dumps(row | {"image": "room.png", "hands": there}) + "\n")
    arguments = [str(tmp_path / "hands.jsonl"), str(tmp_path / "out"), "--rooms", str(tmp_path / "rooms.jsonl")]
    monkeypatch.setattr(sys, "argv", ["pasted_hands.py", *arguments, "--count", "8", "--backlit", "0"])
    pasted_hands.main()
    photos = read_label_file(tmp_path / "out" / "train.jsonl")
    for hands in (photo.hands for photo in photos):
        # the room's own, in a picture of 560 px
        np.testing.assert_allclose(hands[0].box, [175.38, 140.38, 315.38, 280.38], atol=0.01)
        touching = [pasting.touches(one, other) for n, one in enumerate(hands) for other in hands[:n]]
        assert not any(touching)
    assert {hand.handedness for photo in photos for hand in photo.hands[1:]} == {"Left", "Right"}
    assert {(photo.about["source"], photo.about["licence"]) for photo in photos} == {("x + y", "CC0 + MIT")}
    assert skin_under_landmarks(tmp_path / "out" / "train.jsonl", 8) > 100


def test_the_mean_of_checkpoints_and_shifted_biases(tmp_path: Path) -> None:
    """Averaging and calibration change the averaged weights, and refuse other networks."""
    for name, value in (("a", 1.0), ("b", 3.0)):
        average = {"presence.bias": torch.tensor([value]), "count": torch.tensor(7)}
        rest = {"network": {}, "optimiser": {}, "step": 0, "seconds": 0.0, "config": name}
        torch.save({"average": average, **rest}, tmp_path / f"{name}.pt")
    average_checkpoints([tmp_path / "a.pt", tmp_path / "b.pt"], tmp_path / "mean.pt")
    mean = read_checkpoint(tmp_path / "mean.pt")
    assert mean["config"] == "b" and mean["average"] == {"presence.bias": torch.tensor([2.0]), "count": torch.tensor(7)}
    zero = presence_zero(np.linspace(4, 9, 1001), np.linspace(-9, 1, 1001))
    assert zero.free < zero.zero < zero.hands and zero.hands - zero.zero < zero.zero - zero.free
    calibrate_presence(tmp_path / "a.pt", zero.zero, tmp_path / "shifted.pt")
    shifted = read_checkpoint(tmp_path / "shifted.pt")["average"]["presence.bias"].item()
    assert shifted == pytest.approx(1 - zero.zero)
    torch.save({"average": {"scores.0.bias": torch.zeros(1)}, **rest}, tmp_path / "palm.pt")
    with pytest.raises(InputError, match="another network"):
        calibrate_presence(tmp_path / "palm.pt", zero.zero, tmp_path / "x.pt")
    with pytest.raises(InputError, match="different networks"):
        average_checkpoints([tmp_path / "a.pt", tmp_path / "palm.pt"], tmp_path / "x.pt")


def test_recipes_train_on_photos_that_recipes_make() -> None:
    recipes = Path(other_rooms.__file__).parent
    made = re.findall(
        r"^(?:label|paste) (\w+)|\$work/(\w+)/done", (recipes / "palm_photos.sh").read_text(), re.MULTILINE
    )
    for name in ("landmarks_cpu.sh", "landmarks_gpu.sh", "palm_cpu.sh", "palm_gpu.sh", "palm_boxes.sh"):
        wanted = set(re.findall(r"(?:palms|photos)/(\w+)/train.jsonl", (recipes / name).read_text()))
        assert wanted and wanted <= {one or other for one, other in made}, name


def test_recipes_use_options_that_exist() -> None:
    """Those of the commands, and those that the scripts of recipes/ read."""
    recipes = Path(other_rooms.__file__).parent
    shown = (recipes.parent / "docs" / "cli.md").read_text()  # what `--help` shows; a test compares them
    known = {"--standalone", "--nproc-per-node", *re.findall(r"--[a-z-]+", shown)}  # the first two are torchrun's
    for script in recipes.glob("*.py"):
        known |= set(re.findall(r'"(--[a-z-]+)"', script.read_text()))
    for recipe in recipes.glob("*.sh"):
        code = "\n".join(line for line in recipe.read_text().splitlines() if not line.startswith("#"))
        used = set(re.findall(r"(?<=\s)--[a-z-]+", code))
        assert used <= known, f"{recipe.name}: {sorted(used - known)}"


def test_rows_that_may_train_are_picked_by_the_splits(tmp_path: Path) -> None:
    """Of `hands_dguzk`, which decides, nothing may train. Sources whose boxes are not complete say so."""
    rows = [
        {"image": f"photos/{source}/a.jpg", "source": source, "licence": "MIT", "hand_boxes": []}
        for source in ("subhih", "hands_dguzk", "bare_and_gloved")
    ]
    (tmp_path / "index.jsonl").write_text("\n".join(map(json.dumps, rows)))
    wanted = ["--sources", "subhih", "hands_dguzk", "--incomplete", "bare_and_gloved"]
    command = [sys.executable, str(Path(other_rooms.__file__).parent / "train_part.py")]
    subprocess.run([*command, str(tmp_path / "index.jsonl"), str(tmp_path / "out.jsonl"), *wanted], check=True)
    kept = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(row["source"], row["complete"]) for row in kept] == [("subhih", True), ("bare_and_gloved", False)]
    assert kept[0]["image"] == str(tmp_path.resolve() / "photos/subhih/a.jpg")
