"""Spark and Daft: a row per video, the same results as the plain worker, and the manifest afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

from knuckle.batch import Item, TrackVideo
from knuckle.batch.manifest import read_results
from knuckle.batch.rows import COLUMNS, record, result_of, row_of, track_source

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "clusters.md"


def example(word: str) -> str:
    """The example of the page that has a word."""
    blocks = re.findall(r"^```python \{\.no-run\}\n(.*?)^```$", PAGE.read_text(), re.S | re.M)
    (found,) = [block for block in blocks if word in block]
    return found


@pytest.fixture(scope="module")
def videos(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A good clip, a second one, a broken one and a photo of a name that needs care."""
    folder = tmp_path_factory.mktemp("videos é")
    for name in ("a.mp4", "b c.mp4"):
        shutil.copy(clip, folder / name)
    (folder / "broken.mp4").write_bytes(b"no video")
    return [str(path) for path in sorted(folder.iterdir())]


def check(out: Path, videos: list[str], plain: Path) -> None:
    """Each video has one result in the manifest and the table that the plain worker writes."""
    results = {one.source: one for one in read_results(out).values()}
    assert {Path(source).name: one.status for source, one in results.items() if source} == {
        "a.mp4": "done",
        "b c.mp4": "done",
        "broken.mp4": "failed",
    }
    assert "names no source" in results[""].error and "opened" in results[videos[2]].error
    for source in videos[:2]:
        assert (results[source].frames, results[source].hands) == (30, 60)
        (part,) = results[source].parts
        expected = TrackVideo(str(plain))(Item(source, source)).parts[0]
        assert parquet.read_table(out / part).equals(parquet.read_table(plain / expected))
    assert len(list(out.glob("parts/*/*"))) == 2
    assert parquet.read_table(out / "manifest.parquet").num_rows == 4


@pytest.mark.parametrize("package", ["pyspark", "daft"])
def test_the_example_of_the_page_does_a_data_frame_of_videos(package: str, videos: list[str], tmp_path: Path) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed")
    if package == "pyspark" and shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    (tmp_path / "on_frames.py").write_text(example({"pyspark": "SparkSession", "daft": "import daft"}[package]))
    (tmp_path / "videos.csv").write_text("path,number\n" + "".join(f'"{one}",1\n' for one in [*videos, ""]))
    spark = "--master local[1] --driver-memory 512m --conf spark.ui.enabled=false --conf spark.driver.host=127.0.0.1"
    settings = {"PYSPARK_SUBMIT_ARGS": f"{spark} pyspark-shell", "PYSPARK_PYTHON": sys.executable}
    env = {**os.environ, **settings, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(tmp_path / "on_frames.py")]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "2 done, 2 failed"
    check(tmp_path / "out", videos, tmp_path / "plain")


def test_rows_of_all_kinds_of_sources(videos: list[str], tmp_path: Path) -> None:
    work = TrackVideo(str(tmp_path / "out"))
    row = track_source(work, videos[0])
    assert {name: type(value) for name, value in row.items()} == COLUMNS
    assert row["status"] == "done" and (tmp_path / "out" / row["part"]).exists()
    assert row_of(result_of(row)) == row
    bad = {
        "": "no source",
        None: "no source",
        str(tmp_path / "gone.mp4"): "gone.mp4",
        str(Path(videos[0]).parent): "holds 3",
    }
    for source, why in bad.items():
        row = track_source(work, source)
        assert row["status"] == "failed" and why in row["error"] and not row["part"]
    assert {name: type(value) for name, value in row.items()} == COLUMNS


def test_a_row_that_is_recorded_twice_is_one_item(videos: list[str], tmp_path: Path) -> None:
    work = TrackVideo(str(tmp_path / "out"))
    row = track_source(work, videos[0])
    assert record([row, row], work).exit_status == 0
    assert list(read_results(tmp_path / "out")) == [row["key"]]
