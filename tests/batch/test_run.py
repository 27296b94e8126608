"""`knuckle batch` from sources to tables, manifest, report and exit status."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from commands import one_line, run
from conftest import two_hands, write_clip
from PIL import Image as pillow
from pyarrow import parquet

import knuckle
from knuckle import batch
from knuckle.batch import Item, TrackVideo
from knuckle.batch.find import find_items
from knuckle.batch.lock import only_run
from knuckle.batch.manifest import read_runs


def in_this_process(work: TrackVideo, items: Any) -> Any:
    return (work(item) for item in items)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips, a broken one, three photos and a broken one."""
    path = tmp_path_factory.mktemp("batch") / "media"
    (path / "photos").mkdir(parents=True)
    for number in range(3):
        write_clip(path / f"clip{number}.mp4", [two_hands(k / 29) for k in range(4 + number)], 15)
        pillow.fromarray(two_hands(number / 3)).save(path / "photos" / f"{number}.jpg")
    (path / "bad.mp4").write_bytes(b"no video")
    (path / "photos" / "bad.jpg").write_bytes(b"\xff\xd8\xff no photo")
    return path


def rows_of(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(out / "manifest.parquet").to_pylist()
    return rows


def test_a_folder_becomes_tables_a_manifest_and_a_report(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("batch", folder, "--recursive", "--out", out, "--workers", 2, "--report")
    assert done.returncode == 1
    assert done.stdout.startswith(f"report   {out / 'report.html'}\nitems    4 of 5 done\nframes   18 in ")
    assert "bad.mp4 cannot be opened" in done.stderr and "bad.jpg is not an image" in done.stderr
    rows = {Path(row["source"]).name: row for row in rows_of(out)}
    assert {name: (row["status"], row["frames"], row["hands"]) for name, row in rows.items()} == {
        "clip0.mp4": ("done", 4, 8),
        "clip1.mp4": ("done", 5, 10),
        "clip2.mp4": ("done", 6, 12),
        "bad.mp4": ("failed", 0, 0),
        "media": ("done", 3, 6),
    }
    assert rows["bad.mp4"]["error"] and not rows["bad.mp4"]["parts"]
    assert [Path(file).name for file in rows["media"]["files"]] == ["0.jpg", "1.jpg", "2.jpg", "bad.jpg"]
    assert len(rows["media"]["problems"]) == 1 and rows["media"]["engine"].startswith("litert cpu")
    tables = parquet.read_table(out / "parts")  # the folder reads as one table: nothing unfinished lies in it
    assert tables.num_rows == 36 and len(set(tables["source"].to_pylist())) == 6
    page = (out / "report.html").read_text()
    assert "4 of 5 items done" in page and "bad.mp4 cannot be opened" in page
    assert not (out / "unfinished").exists() and not list(out.rglob("*.part"))


def test_what_is_done_is_skipped_and_what_failed_is_tried_again(folder: Path, tmp_path: Path) -> None:
    media, out = tmp_path / "media", tmp_path / "out"
    media.mkdir()
    for name in ("clip0.mp4", "clip1.mp4", "bad.mp4"):
        (media / name).write_bytes((folder / name).read_bytes())
    (media / "1.jpg").write_bytes((folder / "photos" / "1.jpg").read_bytes())
    items = list[str]()

    def noted(work: TrackVideo, given: Any) -> Any:
        for item in given:
            items.append(item.source)
            yield work(item)

    first = batch.run(media, out, runner=noted)
    assert (first.total, first.done, first.failed, first.skipped, first.exit_status) == (4, 3, 1, 0, 1)
    items.clear()
    (media / "bad.mp4").write_bytes((folder / "clip2.mp4").read_bytes())
    (media / "2.jpg").write_bytes((folder / "photos" / "2.jpg").read_bytes())
    (part,) = next(row["parts"] for row in rows_of(out) if row["source"].endswith("clip1.mp4"))
    (out / part).unlink()
    second = batch.run(media, out, runner=noted)
    assert [Path(item).name for item in items] == ["media", "bad.mp4", "clip1.mp4"]
    assert (second.total, second.done, second.skipped, second.exit_status) == (5, 3, 2, 0)
    tables = parquet.read_table(out / "parts")
    assert tables.num_rows == 8 + 10 + 12 + 4, "no photo is there twice"


def test_other_options_for_the_same_folder_are_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    batch.run(folder / "clip0.mp4", tmp_path / "out", runner=in_this_process)
    line = one_line(run("batch", folder / "clip1.mp4", "--out", tmp_path / "out", "--max-hands", 4))
    assert "max_hands=2, and now it is max_hands=4" in line
    line = one_line(run("batch", "--resume", "--out", tmp_path / "out", "--no-smooth"))
    assert "smooth=True, and now it is smooth=False" in line
    assert len(read_runs(tmp_path / "out")) == 1


def test_resume_needs_no_sources_and_no_options(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    batch.run([folder / "photos", folder / "clip0.mp4"], out, runner=in_this_process, max_hands=1)
    (part,) = next(row["parts"] for row in rows_of(out) if row["source"].endswith("clip0.mp4"))
    (out / part).unlink()
    done = run("batch", "--resume", "--out", out, cwd=tmp_path)
    assert done.stdout.startswith("items    2 of 2 done, 1 done before") and (out / part).exists()
    assert "there is none" in one_line(run("batch", "--resume", "--out", tmp_path / "none"))
    assert "--resume goes on" in one_line(run("batch", "--out", out))


def test_shards_are_disjoint_complete_and_may_run_together(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    counts = []
    with only_run(out, (3, 3)):
        for shard in ("1/3", "2/3"):
            run("batch", folder, "--recursive", "--out", out, "--shard", shard)
            counts.append(len(rows_of(out)))
    run("batch", folder, "--recursive", "--out", out, "--shard", "3/3")
    assert counts == sorted(counts) and len(rows_of(out)) == 5
    assert len({row["key"] for row in rows_of(out)}) == 5
    for wrong in ("0/3", "4/3", "3", "1/x"):
        assert "I/N" in one_line(run("batch", folder, "--out", out, "--shard", wrong))


def test_a_second_run_on_the_same_items_is_refused(folder: Path, tmp_path: Path) -> None:
    with only_run(tmp_path / "out"):
        line = one_line(run("batch", folder, "--out", tmp_path / "out"))
        assert "another run is writing to" in line and "--shard" in line
        assert "another run" in one_line(run("batch", folder, "--out", tmp_path / "out", "--shard", "1/2"))
    assert run("batch", folder / "clip0.mp4", "--out", tmp_path / "out").returncode == 0


def test_lists_tables_and_globs_name_sources(folder: Path, tmp_path: Path) -> None:
    (folder.parent / "list.txt").write_text("media/clip0.mp4\nmedia/photos\n")
    names = ["media/clip0.mp4", str(folder / "clip1.mp4"), "media/gone.mp4", ""]
    parquet.write_table(pyarrow.table({"id": [1, 2, 3, 4], "video": names}), folder.parent / "table.parquet")
    with (folder.parent / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["video"], *([name] for name in names)])
    assert [item.kind for item in find_items([str(folder.parent / "list.txt")]).items] == ["clip", "photos"]
    for table in ("table.parquet", "table.csv"):
        items = find_items([str(folder.parent / table)], column="video").items
        assert [(Path(item.source).name, item.kind) for item in items] == [
            ("clip0.mp4", "clip"),
            ("clip1.mp4", "clip"),
            ("gone.mp4", "bad"),
        ]
        with pytest.raises(knuckle.InputError, match=r"no column 'path'; it has .*video"):
            find_items([str(folder.parent / table)], column="path")
    assert len(find_items([str(folder / "clip*.mp4"), str(folder / "clip{1..2}.mp4")]).items) == 3


def test_a_tar_of_photos_clips_and_labels_is_one_item(folder: Path, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    for number in range(2):
        with tarfile.open(shards / f"shard-{number:04}.tar", "w") as tar:
            for photo in ("0.jpg", "1.jpg"):
                tar.add(folder / "photos" / photo, f"a/{photo}")
                tar.addfile(tarfile.TarInfo(f"a/{photo}.json"), io.BytesIO())
            tar.add(folder / "bad.mp4", "a/bad.mp4")
            tar.add(folder / "clip0.mp4", "b.mp4")
            data = io.BytesIO()
            pillow.fromarray(two_hands(0.5)).save(data, "PNG")
            info = tarfile.TarInfo("c.png")
            info.size = len(data.getvalue())
            tar.addfile(info, io.BytesIO(data.getvalue()))
    whole = (shards / "shard-0001.tar").read_bytes()
    (shards / "shard-0001.tar").write_bytes(whole[: len(whole) // 3])
    for given in (shards, shards / "shard-{0000..0001}.tar"):
        assert [item.kind for item in find_items([str(given)]).items] == ["tar", "tar"]
    progress = batch.run(shards, tmp_path / "out", runner=in_this_process)
    assert (progress.done, progress.failed) == (1, 1)
    good, broken = sorted(rows_of(tmp_path / "out"), key=lambda row: str(row["source"]))
    assert (good["frames"], good["hands"]) == (7, 14)
    assert len(good["problems"]) == 1 and "a/bad.mp4 cannot be opened" in good["problems"][0]
    sources = set(parquet.read_table(tmp_path / "out" / good["parts"][0])["source"].to_pylist())
    assert sources == {f"{shards}/shard-0000.tar/{name}" for name in ("a/0.jpg", "a/1.jpg", "b.mp4", "c.png")}
    assert "shard-0001.tar" in broken["error"]


def test_options_in_python(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(knuckle.InputError, match="no option called max_hand; options are: tracker"):
        batch.run(folder, tmp_path, max_hand=3)
    with pytest.raises(knuckle.InputError, match="shard must be I/N"):
        batch.run(folder, tmp_path, shard=(3, 2))
    with pytest.raises(knuckle.InputError, match="sources are files"):
        batch.run([], tmp_path)
    progress = batch.run(folder / "clip0.mp4", tmp_path, batch.BatchOptions(detect_only=True), runner=in_this_process)
    assert progress.exit_status == 0 and progress.frames == 4
    files = batch.BatchOptions(models=Path("bundle"), tracker=knuckle.TrackerOptions(gestures=Path("set.json")))
    assert json.loads(json.dumps(files.of_results())) == files.of_results()
    first = json.loads(next((tmp_path / "manifest").glob("*.jsonl")).read_text().splitlines()[0])
    assert first["options"]["detect_only"] is True and first["sources"] == [str(folder / "clip0.mp4")]
    assert Item("k", "s").part == Item("k", "s").part != Item("k2", "s").part
