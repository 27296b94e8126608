from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from conftest import two_hands
from PIL import Image as pillow

from knuckle import InputError
from knuckle.cli.app import cli
from knuckle.media.columns import CAMERA_COLUMNS, HAND_COLUMNS, RAW_COLUMNS, hand_schema
from knuckle.media.read_tables import read_csv, read_jsonl, read_parquet


def track(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["track", *map(str, arguments)])


def test_tables_have_metres_where_a_camera_is_given_and_no_others(clip: Path, tmp_path: Path) -> None:
    plain, metres = tmp_path / "plain.parquet", tmp_path / "metres.parquet"
    assert track(clip, "--save", plain).exit_code == 0
    done = track(clip, "--save", metres, "--camera", "fov:60", "--hand-length", 0.19)
    assert done.exit_code == 0 and "field of view of 60°" in done.output
    assert pq.read_schema(plain).names == list(HAND_COLUMNS)
    assert pq.read_schema(metres).names == list(HAND_COLUMNS | CAMERA_COLUMNS)
    rows = pq.read_table(metres).to_pylist()
    assert rows and all(0.1 < row["wrist_camera_z_m"] < 3 and row["wrist_camera_std_z_m"] > 0 for row in rows)


def test_every_table_reads_back_what_was_saved(clip: Path, tmp_path: Path) -> None:
    found = []
    for suffix, read in {"csv": read_csv, "jsonl": read_jsonl, "parquet": read_parquet}.items():
        path = tmp_path / f"a.{suffix}"
        assert track(clip, "--save", path, "--camera", "fov", "--smooth", "offline").exit_code == 0
        found.append([hand for _, hands in read(path) for hand in hands])
    for hands in zip(*found, strict=True):
        for name in ("landmarks", "landmarks_raw", "world_raw", "camera", "camera_std"):
            values = [getattr(hand, name) for hand in hands]
            assert all(np.allclose(value, values[0], atol=1e-3) for value in values), name
    assert any(not np.allclose(hand.landmarks, hand.landmarks_raw, atol=0.01) for hand in found[0])


def test_twice_the_length_is_twice_as_far(clip: Path, tmp_path: Path) -> None:
    depths = []
    for length in (0.1, 0.2):
        path = tmp_path / f"{length}.csv"
        assert track(clip, "--save", path, "--camera", "fov:70", "--hand-length", length).exit_code == 0
        with path.open() as lines:
            depths.append([float(row["wrist_camera_z_m"]) for row in csv.DictReader(lines)])
    assert np.allclose(np.array(depths[1]) / depths[0], 2, atol=0.05)


def test_offline_smoothing_keeps_every_frame_and_the_raw_landmarks(clip: Path, tmp_path: Path) -> None:
    online, offline = tmp_path / "on.jsonl", tmp_path / "off.jsonl"
    assert track(clip, "--save", online, "--out", tmp_path / "on.mp4").exit_code == 0
    assert track(clip, "--save", offline, "--smooth", "offline", "--out", tmp_path / "off.mp4").exit_code == 0
    one, other = ([json.loads(line) for line in path.read_text().splitlines()] for path in (online, offline))
    assert [row["time_s"] for row in one] == [row["time_s"] for row in other] and len(other) == 30
    assert all("landmarks_raw" in hand and "world_raw" in hand for row in other for hand in row["hands"])
    assert all("landmarks_raw" not in hand for row in one for hand in row["hands"])


def test_a_table_without_hands_has_the_columns_that_were_asked_for(tmp_path: Path) -> None:
    pillow.new("RGB", (64, 64)).save(tmp_path / "blank.png")
    path = tmp_path / "a.parquet"
    assert track(tmp_path / "blank.png", "--save", path, "--camera", "fov").exit_code == 0
    assert pq.read_schema(path).names == hand_schema(CAMERA_COLUMNS).names and RAW_COLUMNS


def test_a_photo_without_a_focal_length_is_named_and_the_others_are_placed(tmp_path: Path) -> None:
    image = pillow.fromarray(two_hands(0.5))
    image.save(tmp_path / "a.jpg", quality=95)
    exif = image.getexif()
    exif.get_ifd(0x8769)[0xA405] = 28
    image.save(tmp_path / "b.jpg", exif=exif, quality=95)
    done = track(tmp_path / "a.jpg", tmp_path / "b.jpg", "--save", tmp_path / "o.csv", "--camera", "exif")
    assert done.exit_code == 1 and "a.jpg states no focal length" in done.output
    with (tmp_path / "o.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    placed = {Path(row["source"]).name: bool(row["wrist_camera_z_m"]) for row in rows}
    assert placed == {"a.jpg": False, "b.jpg": True}


@pytest.mark.parametrize(
    "flags",
    [
        ["--hand-length", "0.19"],
        ["--camera", "fov:60", "--hand-length", "19"],
        ["--camera", "fov:60", "--detect-only"],
        ["--smooth", "offline", "--no-smooth"],
        ["--camera", "fov:abc"],
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags: list[str], clip: Path) -> None:
    assert isinstance(track(clip, *flags).exception, InputError)
