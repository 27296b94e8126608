"""Splits: every source trains, chooses or decides, and training refuses what does not train."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from drawn import drawn_hand
from PIL import Image as pillow

pytest.importorskip("torch")

from knuckle.datasets.hand_json import hand_to_json
from knuckle.errors import InputError, SourceError
from knuckle.train.hand.task import HandTask
from knuckle.train.loop import LoopOptions
from knuckle.train.nets.hand_net import HandNetShape
from knuckle.train.palm.task import PalmTask
from knuckle.train.splits import capture_of, read_splits

RECIPES = Path(__file__).resolve().parents[2] / "recipes" / "splits.json"
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "index.jsonl"
SMALL = HandNetShape(side=64, stem=8, widths=(8, 8, 16, 16), depths=(1, 0, 0, 1), token=16, bin_px=4)
RULES = {
    "sources": {"mine": "train", "many": "train", "tuning": "choose", "rps_homes": "decide"},
    "clips": {},
    "captures_that_choose": {"mine": ["5"]},
    "every_third_capture_chooses": ["many"],
}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "splits.json"
    path.write_text(json.dumps(RULES))
    return path


def label_file(folder: Path, *sources: tuple[str, str]) -> str:
    """A photo of a drawn hand for each (source, group)."""
    folder.mkdir()
    rows = []
    for number, (source, group) in enumerate(sources):
        image, hand = drawn_hand(np.random.default_rng(number))
        pillow.fromarray(image).save(folder / f"{number}.png")
        row = {"image": f"{number}.png", "hands": [hand_to_json(hand)], "source": source, "group": group}
        rows.append(json.dumps({key: value for key, value in row.items() if value != ""}))
    (folder / "index.jsonl").write_text("\n".join(rows))
    return str(folder / "index.jsonl")


def test_a_third_of_the_sources_decides_and_every_source_has_a_part() -> None:
    splits = read_splits(RECIPES)
    deciding = {name for name, part in splits.sources.items() if part == "decide"}
    assert 3 * len(deciding) >= len(splits.sources)
    named = {"rps_homes", "gloves_whole_people", "hands_dguzk", "ti1k", "count_to_ten", "office_no_hands"}
    assert named <= deciding
    if not DATA.is_file():
        pytest.skip("the photos are not here")
    assert {json.loads(line)["source"] for line in DATA.read_text().splitlines()} <= set(splits.sources)


@pytest.mark.parametrize(
    ("origin", "group", "part"),
    [
        ("mine", "mine 4", "train"),
        ("mine", "mine 5", "choose"),
        ("mine", "5", "train"),
        ("many", "many c", "train"),
        ("many", "many a", "choose"),
        ("many", "images/a.jpg", "train"),
        ("tuning", "", "choose"),
        ("rps_homes", "", "decide"),
        ("mine + rps_homes", "", "decide"),
        ("tuning + mine", "", "choose"),
    ],
)
def test_the_part_of_a_photo(rules: Path, origin: str, group: str, part: str) -> None:
    assert read_splits(rules).part_of(origin, group) == part


@pytest.mark.parametrize("kind", [HandTask, PalmTask])
def test_training_refuses_sources_that_decide(kind: type, rules: Path, tmp_path: Path) -> None:
    def job(data: str, check: str | None = None, splits: str | None = str(rules)) -> None:
        shape = {"shape": SMALL} if kind is HandTask else {}
        kind(init="new", data=(data,), check=check, splits=splits, loop=LoopOptions(steps=1), **shape).job()

    mine = label_file(tmp_path / "mine", ("mine", "mine 4"), ("", ""))
    deciding = label_file(tmp_path / "deciding", ("mine", ""), ("rps_homes", ""))
    tuning, held_out = (
        label_file(tmp_path / name, pair) for name, pair in (("t", ("tuning", "")), ("h", ("mine", "mine 5")))
    )
    unknown = label_file(tmp_path / "unknown", ("elsewhere", ""))
    job(mine, check=tuning)
    job(deciding, splits=None)
    for data in (deciding, tuning, held_out):
        with pytest.raises(InputError, match="training is not allowed"):
            job(data)
    with pytest.raises(InputError, match="rps_homes: choosing is not allowed"):
        job(mine, check=deciding)
    with pytest.raises(InputError, match="does not say whether 'elsewhere'"):
        job(unknown)
    with pytest.raises(SourceError, match="no file"):
        job(mine, splits=str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"sources": {"a": "test"}},
        {"sources": ["a"]},
        {"captures_that_choose": {"tuning": ["1"]}},
        {"every_third_capture_chooses": ["elsewhere"]},
    ],
)
def test_damaged_files_of_splits_are_refused(wrong: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    path.write_text(json.dumps(RULES | wrong))
    with pytest.raises(InputError, match=r"splits\.json"):
        read_splits(path)


def test_captures_are_named_by_what_photos_share() -> None:
    row = {"image": "photos/subhih/5_pic12.jpg", "source": "subhih"}
    assert capture_of(row) == "subhih 5"
    sized = {"image": "a.jpg", "source": "asl_letters", "width": 382, "height": 380}
    assert capture_of(sized) == "asl_letters 382x380" and capture_of(sized | {"source": "x"}) == "x a"
