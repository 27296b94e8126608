"""`knuckle convert`: what both formats hold arrives; what is missing is refused in one line, what is lost is named."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from commands import one_line, run
from conftest import make_hand
from PIL import Image as pillow
from test_round_trips import held, kind_of, near, suitable

from knuckle.errors import InputError
from knuckle.exports.convert import Given, convert
from knuckle.exports.formats import FORMATS
from knuckle.media.data_format import DataFormat, Tracked
from knuckle.media.reader import STILL
from knuckle.results import Frame

SIZE = (320, 240)
READABLE = [one for one in FORMATS if one.read]


def frames_of(folder: Path, kind: str) -> list[Tracked]:
    """Frames of photos that are there as files, or of a clip."""
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    hands = [[make_hand(100, 120), make_hand(200, 120, side="Right")], [make_hand(150, 130)], []]
    frames: list[Tracked] = []
    for number, found in enumerate(hands):
        if kind == "photos":
            photo = folder / f"photo{number}.png"
            pillow.fromarray(image).save(photo)
            frames.append((Frame(image, number, STILL, str(photo)), found))
        else:
            numbered = [replace(hand, track_id=k + 1) for k, hand in enumerate(found)]
            frames.append((Frame(image, number, number / 25, "clip.mp4"), numbered))
    return frames


def save(path: Path, about: DataFormat, frames: list[Tracked]) -> Path:
    with about.open(path) as sink:
        for frame, hands in frames:
            sink.write(frame, hands)
    return path


CASES = [
    (a, b, kind) for a, b, kind in product(READABLE, FORMATS, ("photos", "clips")) if a is not b and kind in a.holds
]


@pytest.mark.parametrize(("a", "b", "kind"), CASES, ids=lambda one: getattr(one, "name", one))
def test_each_format_becomes_each_other_or_says_why_not(
    a: DataFormat, b: DataFormat, kind: str, tmp_path: Path
) -> None:
    frames = frames_of(tmp_path, kind)
    source = save(tmp_path / f"a{a.suffix}", a, suitable(frames, a))
    target = tmp_path / f"b{b.suffix}"
    needed = (b.needs - a.holds) | ({kind} - b.holds - {"clips"})
    if needed or (b.name == "yolo" and kind == "clips"):
        with pytest.raises(InputError) as caught:
            convert(source, target)
        assert "\n" not in str(caught.value) and not target.exists()
        return
    done = convert(source, target)
    assert done.hands == 3 and target.exists()
    if b.read:
        both = DataFormat("", "", "", b.sink, a.holds & b.holds)
        got = [one for one in b.read(target) if one[1]]  # frames without hands may be lost in between
        expected = [one for one in suitable(frames, b) if one[1]]
        assert {kind_of(frame) for frame, _ in got} == {kind}
        near(held(got, both), held(expected, both))


def test_what_is_lost_is_named(tmp_path: Path) -> None:
    source = save(tmp_path / "a.jsonl", FORMATS[2], frames_of(tmp_path, "clips"))
    assert convert(source, tmp_path / "b.csv").lost == ["frames without hands"]
    assert convert(source, tmp_path / "b.coco.json").lost == ["depth (z)", "world landmarks", "scores"]
    assert convert(tmp_path / "b.coco.json", tmp_path / "c.cvat.xml").lost == []


def test_the_command_says_what_it_did_and_keeps_what_exists(tmp_path: Path) -> None:
    source = save(tmp_path / "a.jsonl", FORMATS[2], frames_of(tmp_path, "clips"))
    done = run("convert", source, tmp_path / "b.coco.json")
    assert done.returncode == 0 and "hands    3" in done.stdout
    assert done.stderr.strip() == "COCO cannot hold depth (z), world landmarks, scores; these are left out"
    before = (tmp_path / "b.coco.json").read_bytes()
    assert "--overwrite" in one_line(run("convert", source, tmp_path / "b.coco.json"))
    assert (tmp_path / "b.coco.json").read_bytes() == before
    assert run("convert", source, tmp_path / "b.coco.json", "--overwrite").returncode == 0
    assert "is the source itself" in one_line(run("convert", source, source, "--overwrite"))
    assert "no file or folder" in one_line(run("convert", tmp_path / "none.csv", tmp_path / "x.csv"))
    assert "data is saved as" in one_line(run("convert", source, tmp_path / "x.xlsx"))


def test_other_programs_openpose_files_need_times_and_sizes(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    flat = np.column_stack([make_hand(100, 120).landmarks[:, :2], np.full(21, 0.8)]).ravel().tolist()
    people = [{"hand_left_keypoints_2d": flat, "hand_right_keypoints_2d": [0.0] * 63}]
    for index in range(3):
        text = json.dumps({"version": 1.3, "people": people})
        (folder / f"clip_{index:012d}_keypoints.json").write_text(text)
    with pytest.raises(InputError, match="give their rate with --fps"):
        convert(folder, tmp_path / "a.csv", source_format="openpose")
    with pytest.raises(InputError, match="give --size WIDTHxHEIGHT"):
        convert(folder, tmp_path / "a.coco.json", source_format="openpose", given=Given(25.0))
    done = convert(folder, tmp_path / "a.coco.json", source_format="openpose", given=Given(25.0, SIZE))
    assert (done.frames, done.hands) == (3, 3)
    images = json.loads((tmp_path / "a.coco.json").read_text())["images"]
    assert [one["time_s"] for one in images] == [0, 0.04, 0.08]
