"""People put into other rooms (recipes/other_rooms.py): who is cut out, and that labels move with them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image as pillow

from knuckle.evaluate.labels import read_dataset

SKIN, SHIRT = (224, 172, 150), (25, 25, 28)
MARKS = [(100 + 4 * k, 118 + 2 * (k % 5)) for k in range(21)]  # a hand's landmarks, all on the left sleeve


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    path = Path(__file__).parents[1] / "recipes" / "other_rooms.py"
    spec = importlib.util.spec_from_file_location("other_rooms", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["other_rooms"] = module
    spec.loader.exec_module(module)
    return module


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


def test_who_stands_before_a_wall_is_cut_out(recipe: ModuleType, photo: tuple[np.ndarray, np.ndarray]) -> None:
    image, true = photo
    found = recipe.person_in(image) > 0
    assert (found & true).sum() / (found | true).sum() > 0.97


def test_clothes_change_and_the_wall_does_not(recipe: ModuleType, photo: tuple[np.ndarray, np.ndarray]) -> None:
    image, true = photo
    mask = np.where(true, 255, 0).astype(np.uint8)
    looks = [recipe.dressed(image, mask, np.random.default_rng(seed)) for seed in range(8)]
    for look in looks:
        assert np.abs(look[~true].astype(int) - image[~true]).max() <= 1
    shirts = np.array([look[150:180, 130:190].mean(axis=(0, 1)) for look in looks])
    assert shirts.std(axis=0).max() > 25
    for look in looks:
        red, _, blue = look[114:132, 100:180].astype(float).mean(axis=(0, 1))
        assert red > blue  # skin stays skin


def test_labels_move_with_the_person(
    recipe: ModuleType, photo: tuple[np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    recipe.main()
    shots = read_dataset(str(out / "train.jsonl")).shots
    assert len(shots) == 6 and all(shot.complete for shot in shots)
    seen = 0
    for shot in shots:
        picture = np.asarray(pillow.open(shot.source)).astype(int)
        for hand in shot.hands:
            if hand.landmarks is None:
                continue
            x, y = np.rint(hand.landmarks[:, :2]).astype(int).T
            inside = (x >= 0) & (x < picture.shape[1]) & (y >= 0) & (y < picture.shape[0])
            seen += int(inside.sum())
            assert (picture[y[inside], x[inside], 0] > picture[y[inside], x[inside], 2]).all()  # skin: redder than blue
    assert seen > 60
