"""A long video is cut at key frames, and its stretches are joined: the same hands and the same ids as uncut."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow
import pytest
from pyarrow import parquet
from scene import blank, draw_hand

import knuckle
from knuckle import batch
from knuckle.batch import Item, ItemResult, TrackVideo
from knuckle.batch.cut import stretches_of
from knuckle.batch.manifest import read_results
from knuckle.images import Image

RATE, SECONDS = 8, 20


def picture(t: float) -> Image:
    """A left hand that is always there, and a right one that comes, goes for a long and for a short time."""
    image = blank(320, 240)
    draw_hand(image, 80 + 20 * np.sin(t), 110, 110, 0.1 * np.sin(t))
    if 2 < t < 7.2 or 9 < t < 12.4 or 12.9 < t < 19:
        draw_hand(image, 240 - 15 * np.sin(0.7 * t), 120, 110, -0.1, right=True)
    return image


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key frame each second and a quarter; the stamps begin at 3 s."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"g": "10", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for index in range(RATE * SECONDS):
            frame = av.VideoFrame.from_ndarray(picture(index / RATE), format="rgb24")
            frame.pts, frame.time_base = index + 3 * RATE, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def one_after_the_other(work: TrackVideo, items: object) -> object:
    return (work(item) for item in items)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def tables(long_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[float, pyarrow.Table]:
    """Rows of the uncut run, and of the one in stretches, by `stretch_s`."""
    found = {}
    for stretch_s in (600.0, 6.0):
        out = tmp_path_factory.mktemp("out")
        progress = batch.run(long_clip, out, runner=one_after_the_other, stretch_s=stretch_s)  # type: ignore[arg-type]
        (row,) = parquet.read_table(out / "manifest.parquet").to_pylist()
        assert (row["status"], row["frames"], progress.frames) == ("done", RATE * SECONDS, RATE * SECONDS)
        assert len(row["parts"]) == (1 if stretch_s == 600 else 3)
        assert {str(path.relative_to(out)) for path in out.rglob("*.parquet")} == {"manifest.parquet", *row["parts"]}
        found[stretch_s] = pyarrow.concat_tables([parquet.read_table(out / part) for part in row["parts"]])
        assert row["hands"] == progress.hands == found[stretch_s].num_rows
    return found


def test_the_same_hands_are_found_in_the_same_frames(tables: dict[float, pyarrow.Table]) -> None:
    uncut, joined = tables[600.0], tables[6.0]
    for column in ("frame", "hand", "time_s", "source", "handedness"):
        assert joined[column].to_pylist() == uncut[column].to_pylist(), column
    for axis in "xy":
        far = np.abs(joined[f"index_tip_{axis}_px"].to_numpy() - uncut[f"index_tip_{axis}_px"].to_numpy())
        assert far.max() < 1.5 and np.median(far) < 0.05


def test_ids_divide_the_hands_as_in_the_uncut_run(tables: dict[float, pyarrow.Table]) -> None:
    pairs = list(zip(*(tables[length]["track_id"].to_pylist() for length in (600.0, 6.0)), strict=True))
    assert len(set(pairs)) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) >= 3


def test_cuts_are_at_key_frames_and_leave_no_gap(long_clip: Path) -> None:
    stretches = stretches_of(str(long_clip), None, 6.0, 3.0)
    assert [stretch.from_s for stretch in stretches][1:] == [stretch.to_s for stretch in stretches][:-1]
    for stretch in stretches[1:]:
        assert stretch.read_from_s == pytest.approx(stretch.from_s - 3.0)
        assert stretch.read_from_s % 1.25 == pytest.approx(0, abs=1e-6) and stretch.start_s == pytest.approx(3)
    assert stretches_of(str(long_clip), None, 18.0, 3.0) == ()


def test_a_killed_run_does_only_the_stretches_that_are_missing(long_clip: Path, tmp_path: Path) -> None:
    done = list[str]()

    def two_stretches(work: TrackVideo, items: object) -> object:
        for item in items:  # type: ignore[attr-defined]
            if len(done) == 2:
                raise RuntimeError("killed")
            yield work(item)
            if item.stretch:
                done.append(item.key)

    def all_of_them(work: TrackVideo, items: object) -> object:
        for item in items:  # type: ignore[attr-defined]
            done.append(item.key)
            yield work(item)

    with pytest.raises(RuntimeError):
        batch.run(long_clip, tmp_path, runner=two_stretches, stretch_s=6.0)  # type: ignore[arg-type]
    before = set(done)
    assert set(read_results(tmp_path)) == before
    done.clear()
    progress = batch.run(long_clip, tmp_path, runner=all_of_them, stretch_s=6.0)  # type: ignore[arg-type]
    assert progress.exit_status == 0 and len(done) == 3 and not before & set(done)  # cut, stretch, join


def test_a_video_that_breaks_off_has_what_came_before(long_clip: Path, tmp_path: Path) -> None:
    cut_off = tmp_path / "cut off.mkv"
    with av.open(str(long_clip)) as source, av.open(str(cut_off), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    whole = cut_off.read_bytes()
    cut_off.write_bytes(whole[: len(whole) * 6 // 10])
    progress = batch.run(cut_off, tmp_path / "out", runner=one_after_the_other, stretch_s=6.0)  # type: ignore[arg-type]
    (result,) = progress.incomplete
    assert progress.exit_status == 2 and result.status == "failed" and "breaks off" in result.error
    rows = parquet.read_table(tmp_path / "out" / "parts").num_rows
    assert rows == result.hands > 0 and result.frames < RATE * SECONDS


def test_an_item_of_a_video_is_cut_by_the_worker(long_clip: Path, tmp_path: Path) -> None:
    result = TrackVideo(str(tmp_path), stretch_s=6.0)(Item("key", str(long_clip)))
    assert result.status == "cut" and len(result.stretches) == 3 and not list(tmp_path.rglob("*.parquet"))
    assert ItemResult.from_dict(result.to_dict()) == result
    assert knuckle.batch is batch
