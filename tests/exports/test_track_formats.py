"""`knuckle track --save` in other programs' formats, from real files to files that can be trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import one_line, run

from knuckle.datasets import read_dataset
from knuckle.exports.formats import FORMATS
from knuckle.media.data_format import DataFormat


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, photo: bytes) -> Path:
    folder = tmp_path_factory.mktemp("data") / "photos"
    (folder / "more").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(photo)
    (folder / "more" / "a.jpg").write_bytes(photo)
    return folder


def track(*arguments: object) -> None:
    done = run("track", *arguments, "--models", "mediapipe")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("about", FORMATS, ids=lambda one: one.name)
def test_a_clip_is_saved_in_each_format(about: DataFormat, clip: Path, tmp_path: Path) -> None:
    target = tmp_path / f"hands{about.suffix}"
    track(clip, "--save", target)
    assert [path.name for path in tmp_path.iterdir()] == [target.name] and target.is_dir() == about.is_folder
    assert "--overwrite" in one_line_of_error(clip, target)
    track(clip, "--save", target, "--overwrite")
    if about.read:
        frames = list(about.read(target))
        assert len(frames) > 10 and all(len(hands) == 2 for _, hands in frames[5:])


def one_line_of_error(source: Path, target: Path) -> str:
    done = run("track", source, "--save", target)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("name", ["coco", "coco-wholebody", "yolo", "cvat", "label-studio"])
def test_pre_labels_of_a_folder_of_photos_are_a_dataset(name: str, photos: Path) -> None:
    about = next(one for one in FORMATS if one.name == name)
    target = photos.parent / f"labels{about.suffix}"
    track(photos, "--recursive", "--save", target)
    dataset = read_dataset(target, split="train" if name == "yolo" else None)
    assert len(dataset.shots) == 2 and len({shot.source for shot in dataset.shots}) == 2
    for shot in dataset.shots:
        assert shot.size == (640, 480) and Path(shot.source).is_file()
        assert sorted(str(hand.handedness) for hand in shot.hands or ()) == ["Left", "Right"]
        assert all(np.isfinite(hand.landmarks).all() for hand in shot.hands or () if hand.landmarks is not None)


def test_coco_names_photos_relative_to_its_file(photos: Path) -> None:
    track(photos, "--recursive", "--save", photos.parent / "names.coco.json")
    images = json.loads((photos.parent / "names.coco.json").read_text())["images"]
    assert [one["file_name"] for one in images] == ["photos/a.jpg", "photos/more/a.jpg"]


def test_a_folder_gets_a_file_for_each_clip_in_the_format_that_is_named(clip: Path, tmp_path: Path) -> None:
    track(clip, clip, "--save", f"{tmp_path}/out/", "--format", "mcap")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [
        f"{clip.stem}_hands.mcap"
    ]  # one source, named twice


def test_a_name_without_the_suffix_takes_the_format_that_is_named(clip: Path, tmp_path: Path) -> None:
    track(clip, "--save", tmp_path / "labels.json", "--format", "coco")
    assert json.loads((tmp_path / "labels.json").read_text())["annotations"]
    track(clip, "--save", f"{tmp_path}/dataset/", "--format", "yolo")
    assert (tmp_path / "dataset/data.yaml").is_file()


def test_what_cannot_be_is_refused_before_anything_is_tracked(clip: Path, photos: Path, tmp_path: Path) -> None:
    pair = [photos / "a.jpg", clip]
    assert "--format pose" in one_line(run("track", *pair, clip, "--save", tmp_path / "a.pose"))
    assert "cannot hold palms" in one_line(run("track", clip, "--detect-only", "--save", tmp_path / "a.coco.json"))
    assert "is a photo" in one_line(run("track", photos / "a.jpg", "--save", tmp_path / "a.pose"))
    assert "data is saved as" in one_line(run("track", clip, "--save", tmp_path / "a.xyz"))
    assert not list(tmp_path.iterdir())
