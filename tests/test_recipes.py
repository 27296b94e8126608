"""People and hands put into other pictures (recipes/other_rooms.py, pasted_hands.py), and hands of clips
(clip_hands.py): what is cut out, labels move, what both directions say."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as pillow

from knuckle.datasets import read_dataset
from knuckle.datasets.labels import Shot
from knuckle.results import HAND_CONNECTIONS, Hand, Roi

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("recipes", "benchmarks")]

import accuracy
import clip_hands
import other_rooms
import pasted_hands

SKIN, SHIRT = (224, 172, 150), (25, 25, 28)
MARKS = [(100 + 4 * k, 118 + 2 * (k % 5)) for k in range(21)]  # a hand's landmarks, all on the left sleeve


@pytest.fixture
def photo() -> tuple[np.ndarray, np.ndarray]:
    """A person of a head, a shirt and a hand before a wall that darkens to one side; and where that is."""
    y, x = np.mgrid[0:200, 0:320]
    image = np.stack([215 - 0.12 * x, 210 - 0.1 * x, 205 - 0.1 * y], axis=-1).astype(np.uint8)
    head = (x - 160) ** 2 + (y - 60) ** 2 < 25**2
    shirt = (abs(x - 160) < 60) & (y > 80) & (y < 186)
    hand = (x >= 96) & (x < 186) & (y >= 112) & (y < 134)
    image[head | hand], image[shirt & ~hand] = SKIN, SHIRT
    return image, head | ((shirt | hand) & (y < 186))


def test_who_stands_before_a_wall_is_cut_out(photo: tuple[np.ndarray, np.ndarray]) -> None:
    image, true = photo
    found = other_rooms.person_in(image) > 0
    assert (found & true).sum() / (found | true).sum() > 0.97


def test_who_stands_before_a_known_place_is_cut_out(photo: tuple[np.ndarray, np.ndarray]) -> None:
    image, true = photo
    true[186:, 100:220] = True  # down to the lower edge, as people before cameras are
    image[186:, 100:220] = SHIRT
    place = image.copy()
    place[true] = (200, 200, 195)
    board = (slice(20, 120), slice(236, 316))  # the same colour as the shirt, and beside whoever stands there
    image[board] = place[board] = (25, 25, 28)
    found = other_rooms.person_before(place, image) > 0
    assert (found & true).sum() / (found | true).sum() > 0.93


def test_clothes_change_and_the_wall_does_not(photo: tuple[np.ndarray, np.ndarray]) -> None:
    image, true = photo
    mask = np.where(true, 255, 0).astype(np.uint8)
    looks = [other_rooms.dressed(image, mask, np.random.default_rng(seed)) for seed in range(8)]
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
def hand() -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """A raised hand before a wall that darkens to one side, where it is, and its label."""
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
    label = {"landmarks": [[*point, 1.0] for point in points.tolist()], "handedness": "Left"}
    return image, mask > 0, label


def test_a_hand_is_cut_out_with_its_arm(hand: tuple[np.ndarray, np.ndarray, dict[str, Any]]) -> None:
    image, true, label = hand
    cut = pasted_hands.cut_out(image, label)
    assert cut is not None
    found = cut.mask > 0
    assert (found & true).sum() / (found | true).sum() > 0.9


def test_a_hand_that_leaves_the_photo_is_not_cut_out(hand: tuple[np.ndarray, np.ndarray, dict[str, Any]]) -> None:
    image, _, label = hand
    away = [[x, y - 60, z] for x, y, z in label["landmarks"]]
    assert pasted_hands.cut_out(image, label | {"landmarks": away}) is None


def placed_hand(x: float, y: float, handedness: str = "Left") -> Hand:
    """A hand whose palm is about 40 pixels wide."""
    landmarks = np.zeros((21, 3), np.float32)
    landmarks[:, :2] = np.array(MARKS) * (0.5, 4) + (x, y)
    return Hand(landmarks, landmarks / 1000, handedness, 1.0, 1.0, Roi(x, y, 100), landmarks_raw=landmarks)


def test_hands_that_both_directions_see_are_labelled_and_others_are_boxes() -> None:
    steady, before, after = placed_hand(0, 0), placed_hand(200, 0), placed_hand(260, 0)
    close = placed_hand(2, 2)
    known, *boxes = clip_hands.agreed([steady, before], [after, close])
    assert np.allclose(known["landmarks"], (steady.landmarks + close.landmarks) / 2, atol=0.01)
    assert known["handedness"] == "Left" and "handedness" not in boxes[0]
    assert [box["box"] for box in boxes] == [np.round(hand.box.astype(float), 1).tolist() for hand in (before, after)]
    other_side = placed_hand(2, 2, "Right")
    assert "handedness" not in clip_hands.agreed([steady], [other_side])[0]
    assert len(clip_hands.agreed([before], [])) == 1 and clip_hands.agreed([], []) == []


def test_held_out_clips_are_those_that_networks_are_judged_on() -> None:
    assert clip_hands.HELD_OUT == accuracy.UNSEEN_CLIPS


def test_held_out_clips_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = [str(tmp_path), "asl_bird.mkv", "--source", "x", "--licence", "MIT"]
    monkeypatch.setattr(sys, "argv", ["clip_hands.py", *arguments])
    with pytest.raises(SystemExit, match="asl_bird"):
        clip_hands.main()
    assert not list(tmp_path.iterdir())


def test_a_mirrored_label_changes_hands_and_turns_back() -> None:
    label = {"landmarks": [[3.0, 4.0, 2.0]], "box": [1.0, 2.0, 5.0, 6.0], "handedness": "Left"}
    mirror = np.array([[-2.0, 0, 50], [0, 2.0, 10]])
    there = other_rooms.moved(label, mirror)
    assert there == {"landmarks": [[44.0, 18.0, 4.0]], "box": [40.0, 14.0, 48.0, 22.0], "handedness": "Right"}
    assert other_rooms.moved(there, cv2.invertAffineTransform(mirror)) == label


def test_pasted_hands_against_the_light_are_dark_before_a_bright_room(
    hand: tuple[np.ndarray, np.ndarray, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = pasted_hands.cut_out(hand[0], hand[2])
    assert cut is not None
    room, affine = np.full((320, 320, 3), 120, np.uint8), np.array([[1.0, 0, 80], [0, 1.0, 80]])
    shown = {}
    for share in (0.0, 1.0):
        monkeypatch.setattr(pasted_hands, "BACKLIT", share)
        shown[share] = np.mean(
            [pasted_hands.blended(room, cut, affine, np.random.default_rng(k)) for k in range(20)], 0
        )
    there = np.zeros((320, 320), bool)
    there[80:240, 80:240] = cv2.erode(cut.mask, np.ones((9, 9))) > 0
    assert shown[1.0][there].mean() < 0.8 * shown[0.0][there].mean()
    assert shown[1.0][~cv2.dilate(there.astype(np.uint8), np.ones((25, 25))).astype(bool)].mean() > 125


def test_pasted_hands_keep_their_labels_and_their_distance(
    hand: tuple[np.ndarray, np.ndarray, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, _, label = hand
    pillow.fromarray(image).save(tmp_path / "hand.png")
    pillow.fromarray(np.full((240, 320, 3), (120, 126, 128), np.uint8)).save(tmp_path / "room.png")
    row = {"source": "x", "licence": "MIT", "complete": True}
    cut_from = row | {"source": "y", "licence": "CC0", "image": "hand.png", "hands": [label]}
    (tmp_path / "hands.jsonl").write_text(json.dumps(cut_from) + "\n")
    there = [{"box": [100, 80, 180, 160]}]
    (tmp_path / "rooms.jsonl").write_text(json.dumps(row | {"image": "room.png", "hands": there}) + "\n")
    arguments = [str(tmp_path / "hands.jsonl"), str(tmp_path / "out"), "--rooms", str(tmp_path / "rooms.jsonl")]
    monkeypatch.setattr(sys, "argv", ["pasted_hands.py", *arguments, "--count", "8"])
    monkeypatch.setattr(pasted_hands, "BACKLIT", 0.0)
    pasted_hands.main()
    rows = other_rooms.rows_of(tmp_path / "out" / "train.jsonl")
    for hands in (row["hands"] for row in rows):
        assert hands[0]["box"] == [175.38, 140.38, 315.38, 280.38]  # the room's own, in a picture of 560 px
        apart = [pasted_hands.overlap(one, other) for n, one in enumerate(hands) for other in hands[:n]]
        assert not any(apart)
    assert {hand["handedness"] for row in rows for hand in row["hands"][1:]} == {"Left", "Right"}
    assert {(row["source"], row["licence"]) for row in rows} == {("x + y", "CC0 + MIT")}
    assert skin_under_landmarks(tmp_path / "out" / "train.jsonl", 8) > 100


def test_recipes_train_on_photos_that_recipes_make() -> None:
    recipes = Path(other_rooms.__file__).parent
    made = re.findall(
        r"^(?:label|paste) (\w+)|\$work/(\w+)/done", (recipes / "palm_photos.sh").read_text(), re.MULTILINE
    )
    for name in ("landmarks_cpu.sh", "landmarks_gpu.sh", "palm_cpu.sh", "palm_gpu.sh"):
        wanted = set(re.findall(r"(?:palms|photos)/(\w+)/train.jsonl", (recipes / name).read_text()))
        assert wanted and wanted <= {one or other for one, other in made}, name
