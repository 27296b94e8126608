"""The worker: one table per item, complete or not there at all, and a result that says what happened."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from commands import run
from conftest import two_hands, write_clip
from pyarrow import parquet

import knuckle
from knuckle.batch import Item, ItemResult, TrackVideo
from knuckle.batch.manifest import Manifest, read_results


def table(out: Path, result: ItemResult) -> list[dict[str, object]]:
    (part,) = result.parts
    rows: list[dict[str, object]] = parquet.read_table(out / part).to_pylist()
    return rows


def test_a_worker_that_was_pickled_writes_what_the_tracker_finds(clip: Path, tmp_path: Path) -> None:
    work = pickle.loads(pickle.dumps(TrackVideo(str(tmp_path))))
    result = work(Item(str(clip), str(clip)))
    assert (result.status, result.error, result.frames, result.hands) == ("done", "", 30, 60)
    assert result.versions["knuckle"] == knuckle.__version__ and result.engine.startswith("litert cpu ")
    expected = [
        (frame.index, hand.track_id, hand.landmarks[8, 0])
        for frame, hands in knuckle.HandTracker(threads=1).track(str(clip))
        for hand in hands
    ]
    rows = table(tmp_path, result)
    assert [(row["frame"], row["track_id"], row["index_tip_x_px"]) for row in rows] == expected
    again = work(Item(str(clip), str(clip)))
    assert again.parts == result.parts
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / result.parts[0]]


def test_videos_side_by_side_get_the_tables_that_they_get_alone(tmp_path: Path) -> None:
    items = []
    for number, (first, count) in enumerate(((0, 12), (10, 5), (4, 9))):
        path = tmp_path / f"{number}.mp4"
        write_clip(path, [two_hands((first + k) / 29, 320, 240) for k in range(count)], 15)
        items.append(Item(str(path), str(path)))
    items.insert(1, Item("gone", str(tmp_path / "gone.mp4")))
    alone, work = TrackVideo(str(tmp_path / "alone")), TrackVideo(str(tmp_path / "out"))
    results = {result.key: result for result in work.side_by_side(items, 3)}
    assert results.pop("gone").status == "failed"
    for item in (items[0], *items[2:]):
        assert table(tmp_path / "out", results[item.key]) == table(tmp_path / "alone", alone(item))


def test_a_stride_gives_every_frame_its_rows(clip: Path, tmp_path: Path) -> None:
    item = Item(str(clip), str(clip))
    every = table(tmp_path / "1", TrackVideo(str(tmp_path / "1"))(item))
    strided = table(tmp_path / "4", TrackVideo(str(tmp_path / "4"), stride=4)(item))
    assert [(row["frame"], row["track_id"]) for row in strided] == [(row["frame"], row["track_id"]) for row in every]
    assert strided != every  # some were filled in
    for row, plain in zip(strided, every, strict=True):
        assert abs(float(str(row["index_tip_x_px"])) - float(str(plain["index_tip_x_px"]))) < 6


def test_metres_and_offline_smoothing_give_the_columns_that_track_gives(clip: Path, tmp_path: Path) -> None:
    work = TrackVideo(str(tmp_path), camera="fov:60", hand_length_m=0.19, offline=True)
    result = work(Item(str(clip), str(clip)))
    saved = tmp_path / "track.parquet"
    flags = ("--camera", "fov:60", "--hand-length", "0.19", "--smooth", "offline", "--threads", "1")
    assert run("track", str(clip), "--save", str(saved), *flags).returncode == 0
    assert table(tmp_path, result) == parquet.read_table(saved).to_pylist()
    names = set(table(tmp_path, result)[0])
    assert {"wrist_camera_z_m", "wrist_raw_x_px", "wrist_world_raw_x_m"} <= names


def test_bad_sources_become_results_and_no_table(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    work = TrackVideo(str(tmp_path / "out"))
    for item in (Item("a", str(broken)), Item("b", str(tmp_path / "gone.mp4")), Item("c", "c", "bad", problem="why")):
        result = work(item)
        assert result.status == "failed" and result.error and not result.parts
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_palms_alone(clip: Path, tmp_path: Path) -> None:
    result = TrackVideo(str(tmp_path), detect_only=True)(Item(str(clip), str(clip)))
    assert (result.status, result.frames) == ("done", 30)
    assert "score" in table(tmp_path, result)[0] and len(table(tmp_path, result)) == result.hands


def test_a_table_that_cannot_be_written_ends_the_run(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "unfinished").write_text("a file is in the way")
    with pytest.raises(knuckle.SinkError):
        TrackVideo(str(tmp_path))(Item(str(clip), str(clip)))


def test_the_latest_line_of_all_runs_counts_and_a_torn_one_does_not(tmp_path: Path) -> None:
    with Manifest(tmp_path, {}) as one, Manifest(tmp_path, {}) as two:
        one.add(ItemResult("a\udce9", "a", "failed", "why"))
        two.add(ItemResult("a\udce9", "a", "done", frames=3, parts=("p",), files=("x",)))
        one.add(ItemResult("b", "b", "done"))
    whole = one.path.read_bytes()
    one.path.write_bytes(whole[:-20])
    results = read_results(tmp_path)
    assert set(results) == {"a\udce9"}
    assert results["a\udce9"] == ItemResult("a\udce9", "a", "done", frames=3, parts=("p",), files=("x",))
