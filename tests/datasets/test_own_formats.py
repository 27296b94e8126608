"""Our own formats: JSON lines, clips, shards of the renderer, and the sets of the developers."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_clip
from label_files import (
    BOX,
    HIDDEN,
    OUTSIDE,
    VISIBLE,
    add,
    picture,
    shard_hand,
    write,
    write_shard,
)

from knuckle.datasets import file_of, open_image, read_dataset, sample_datasets
from knuckle.errors import InputError, SourceError


def test_synthetic_clips_carry_tracks_and_empty_frames(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", [np.zeros((240, 320, 3), np.uint8)] * 2, 10)
    rows = [
        {"frame": 0, "time_s": 0.0, "camera": {}, "hands": [shard_hand() | {"track_id": 4}]},
        {"frame": 1, "time_s": 0.1, "hands": []},
    ]
    write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    dataset = read_dataset(tmp_path)
    (clip,) = dataset.clips
    assert dataset.labelled_by == "renderer" and clip.source == str(tmp_path / "a.mp4")
    labelled, empty = clip.shots
    write(tmp_path / "a.jsonl", json.dumps({"frame": 0, "time_s": 0, "hands": []}))
    assert read_dataset(tmp_path).labelled_by == "people"
    write(tmp_path / "a.jsonl", json.dumps({"frame": 0, "time_s": 0, "hands": [{"presence": 0.9}]}))
    with pytest.raises(InputError, match=r"row 1: this is a prediction"):
        read_dataset(tmp_path)
    assert labelled.hands is not None and labelled.hands[0].track_id == 4 and empty.hands == ()


def test_shards_are_read_where_they_lie(tmp_path: Path) -> None:
    hidden, outside, some = [1] * 21, [3] * 21, [0, 1, 2, 3] + [0] * 17
    hands = [[shard_hand(some)], [], [shard_hand(hidden)], [shard_hand(outside)]]
    shard = write_shard(tmp_path / "s.tar", [{"hands": found, "camera": {}} for found in hands])
    dataset = read_dataset(shard)
    first, empty, unseen, gone = dataset.shots
    assert first.hands is not None and first.hands[0].visibility is not None and first.hands[0].palm is not None
    assert first.hands[0].visibility[:4].tolist() == [
        VISIBLE,
        HIDDEN,
        HIDDEN,
        OUTSIDE,
    ]
    assert (empty.hands, empty.complete) == ((), True)
    assert (unseen.hands, unseen.complete) == ((), False)  # somewhere in there, so finding it is no false alarm
    assert (gone.hands, gone.complete) == ((), True)
    assert file_of(first.source) == str(shard) and file_of("photo.jpg") == "photo.jpg"
    for key, shot in enumerate(dataset.shots):
        image = open_image(shot.source)
        assert image.shape == (240, 320, 3) and image[0, 0].tolist() == [10 * key, 200, 0]
    assert list(tmp_path.iterdir()) == [shard]
    whole = shard.read_bytes()
    shard.write_bytes(whole[: whole.index(b"00001.json") + 520])
    with pytest.raises(SourceError, match=r"s\.tar is"):
        read_dataset(shard)


def test_renders_are_in_slices_by_what_their_json_tells(tmp_path: Path) -> None:
    def hand(size: float = 1, hidden: int = 0, **about: object) -> dict[str, Any]:
        found = shard_hand([2] * hidden + [0] * (21 - hidden))
        found["landmarks"] = (np.array(found["landmarks"]) * size).tolist()
        return found | {"about": {"glove": None, **about}}

    camera = {"width": 320, "height": 240}
    sharp, blurred = {"light": "room", "film": {"motion_px": 1.0}}, {"light": "dark", "film": {"motion_px": 30.0}}
    rows: list[dict[str, Any]] = [
        {"hands": [hand(tone=3), hand(0.1, tone=9)], "scene": sharp},
        {"hands": [hand(tone=5, glove="none", hidden=8, holds="cup")], "scene": blurred},
        {"hands": [hand(tone=7)], "scene": {**sharp, "crop": {"kind": "palm"}}},
        {"hands": [hand(tone=1, hidden=21)], "scene": {}},
        {"hands": [shard_hand()]},
    ]
    path = write_shard(tmp_path / "hands.tar", [{**row, "camera": camera} for row in rows])
    assert [set(shot.slices) for shot in read_dataset(path).shots] == [
        {"tone 1-3", "tone 8-10", "bare", "small hand", "large hand", "light: room"},
        {"glove", "holds something", "hidden in part", "large hand", "motion blur", "light: dark"},
        {"tone 4-7", "bare", "light: room"},
        set(),
        {"large hand"},
    ]


def test_a_shard_without_a_picture_or_with_a_bad_row_names_both(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        add(tar, "00000.json", b'{"hands": []}')
    with pytest.raises(InputError, match=r"s\.tar, row 00000\.json: there is no image"):
        read_dataset(tmp_path)
    write_shard(tmp_path / "s.tar", [{"camera": {}}])
    with pytest.raises(InputError, match=r"s\.tar, row 00000\.json: there is no 'hands'"):
        read_dataset(tmp_path)
    with pytest.raises(SourceError, match=r"has no member x\.jpg"):
        open_image(f"{tmp_path / 's.tar'}#x.jpg")


def test_jsonl_tells_looked_and_none_from_nobody_looked(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"image": "a.jpg", "source": "one", "licence": "MIT", "hand_boxes": []},
        {"image": "a.jpg", "source": "two", "licence": "CC0"},
        {"image": "a.jpg", "source": "two", "both_hands_box": [[1, 2, 30, 40]]},
        {"image": "a.jpg", "hand_boxes": [BOX], "tips": {"thumb_tip": [1, 2], "index_tip": [3, 4]}, "group": "g"},
    ]
    picture(tmp_path / "a.jpg")
    write(tmp_path / "index.jsonl", "\n".join(map(json.dumps, rows)) + "\n\n")
    dataset = read_dataset(tmp_path)
    empty, unknown, together, tipped = dataset.shots
    assert empty.hands == () and unknown.hands is None and together.hands is None
    assert together.both_hands_box is not None and tipped.group == "g" and dataset.licence == "MIT, CC0"
    assert tipped.hands is not None and tipped.hands[0].landmarks is not None
    assert tipped.hands[0].landmarks[8].tolist() == [3, 4]
    assert len(read_dataset(tmp_path, split="two").shots) == 2
    assert read_dataset(tmp_path / "index.jsonl", split="ONE").name == "one"


def test_the_sample_sets_are_whole(shared: Path) -> None:
    sets = {dataset.name: dataset for dataset in sample_datasets(shared / "data")}
    assert len(sets["subhih"].shots) == 640 and len({shot.group for shot in sets["subhih"].shots}) > 20
    assert all(shot.hands == () for name in ("indoor_no_hands", "office_no_hands") for shot in sets[name].shots)
    assert [len(clip.shots) for clip in sets["ti1k_clips"].clips] == [50, 50, 50]
    assert len(sets["asl_clips"].clips) == 10 and sets["asl_clips"].labelled_by == "nobody"
    (car,) = sets["car_clip"].clips
    assert len(car.shots) > 300 and all(shot.hands == () for shot in car.shots)
    for dataset in sets.values():
        for shot in dataset.shots[::20]:
            assert shot.size == open_image(shot.source).shape[1::-1]
