"""`knuckle track` on many sources: folders of everything, globs, lists, names of any kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from commands import Done, one_line, run
from conftest import two_hands, write_clip
from PIL import Image as pillow
from pyarrow import csv, parquet

from knuckle.media.sources import read

PHOTO = two_hands(0.0, 320, 240)
FRAMES = [two_hands(k / 4, 320, 240) for k in range(4)]


def track(*arguments: object, **how: object) -> Done:
    return run("track", *arguments, "--models", "knuckle", **how)  # type: ignore[arg-type]


def rows_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def save_photo(path: Path, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pillow.fromarray(PHOTO).save(path, **options)


def save_animation(path: Path) -> None:
    pictures = [pillow.fromarray(frame) for frame in FRAMES]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40)


def save_clip(path: Path, codec: str = "libx264") -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for image in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with more than 20 kinds of files, good and bad."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    folder = tmp_path_factory.mktemp("everything")
    for suffix in ("jpg", "png", "webp", "tif", "bmp", "jp2", "avif", "heic", "gif", "ppm", "tga"):
        save_photo(folder / f"photo {suffix}.{suffix}")
    pillow.fromarray(PHOTO).convert("CMYK").save(folder / "print.jpeg")
    pillow.fromarray(PHOTO).save(
        folder / "scan.tiff", save_all=True, append_images=[pillow.fromarray(frame) for frame in FRAMES[:1]]
    )
    for suffix in ("gif", "webp", "png"):
        save_animation(folder / f"moving {suffix}.{suffix}")
    for suffix, codec in {
        "mp4": "libx264",
        "mov": "libx264",
        "mkv": "libx264",
        "avi": "mjpeg",
        "webm": "libvpx",
    }.items():
        save_clip(folder / f"clip {suffix}.{suffix}", codec)
    save_clip(folder / "clip mpg.mpg", "mpeg2video")
    # Bad ones
    (folder / "empty.jpg").touch()
    (folder / "cut.png").write_bytes((folder / "photo png.png").read_bytes()[:9000])
    (folder / "text.mp4").write_text("I am no video")
    (folder / "raw.nef").write_bytes((folder / "photo tif.tif").read_bytes())
    (folder / "broken link.jpg").symlink_to(folder / "gone.jpg")
    with av.open(str(folder / "sound.mp4"), "w") as container:
        sound = container.add_stream("aac", rate=16000)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.int16), format="s16", layout="mono")
        samples.sample_rate = 16000
        container.mux(sound.encode(samples))
        container.mux(sound.encode(None))
    # Neither photo nor clip, and hidden
    (folder / "notes.txt").write_text("a.jpg")
    (folder / "._photo jpg.jpg").write_bytes(b"\0\5\x16\7" + bytes(80))
    (folder / ".DS_Store").touch()
    save_photo(folder / "inside" / "deep.jpg")
    yield folder


BAD = ("empty.jpg", "cut.png", "text.mp4", "raw.nef", "broken link.jpg", "sound.mp4")
PHOTOS = {f"photo {s}.{s}" for s in ("jpg", "png", "webp", "tif", "bmp", "jp2", "avif", "heic", "gif", "ppm", "tga")}
PHOTOS |= {"print.jpeg", "scan.tiff"}
CLIPS = {f"moving {s}.{s}" for s in ("gif", "webp", "png")}
CLIPS |= {f"clip {s}.{s}" for s in ("mp4", "mov", "mkv", "avi", "webm", "mpg")}


def test_a_folder_of_everything_is_done_and_each_bad_file_is_named(everything: Path, tmp_path: Path) -> None:
    done = track(everything, "--out", tmp_path / "out", "--save", tmp_path / "all.jsonl", "--recursive")
    assert done.returncode == 1 and "Traceback" not in done.stderr and "Warning" not in done.stderr
    rows = rows_of(tmp_path / "all.jsonl")
    counts: dict[str, int] = {}
    for row in rows:
        name = Path(str(row["source"])).name
        counts[name] = counts.get(name, 0) + 1
        assert (row["width"], row["height"]) == (320, 240)
    assert counts == dict.fromkeys(PHOTOS | {"deep.jpg"}, 1) | dict.fromkeys(CLIPS, 4) | {"scan.tiff": 2}
    lines = done.stderr.strip().splitlines()
    for name in BAD:
        assert sum(name in line for line in lines) == 1, name
    assert any("notes.txt" in line for line in lines) and "._photo" not in done.stderr and "DS_Store" not in done.stderr
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert len(written) == len(PHOTOS) + 1 + 1 + len(CLIPS)  # the second page of the scan, and the file inside
    assert "inside/deep_hands.jpg" in written and "clip mp4_hands.mp4" in written
    for name in CLIPS:
        assert len(list(read(tmp_path / "out" / f"{Path(name).stem}_hands.mp4"))) == 4, name
    assert "9 of 12 complete" in done.stdout  # the photos are one source, and it is not complete


def test_without_recursive_folders_inside_are_said(everything: Path, tmp_path: Path) -> None:
    done = track(everything, "--save", tmp_path / "tables/")
    assert "inside" in done.stderr and "--recursive" in done.stderr
    tables = {path.name for path in (tmp_path / "tables").iterdir()}
    assert len(tables) == 1 + len(CLIPS) and "clip mov_hands.parquet" in tables
    assert sum(parquet.read_table(tmp_path / "tables" / name).num_rows > 0 for name in tables) > len(tables) / 2


def test_clips_by_glob_share_a_table_and_ids_begin_anew(tmp_path: Path) -> None:
    for name in ("clip 10.mp4", "clip 2.mp4", "other.mov"):
        write_clip(tmp_path / name, FRAMES, 15)
    done = track(str(tmp_path / "*.mp4"), "--save", tmp_path / "all.parquet")
    assert done.returncode == 0, done.stderr
    rows = parquet.read_table(tmp_path / "all.parquet").to_pylist()
    assert list(dict.fromkeys(Path(row["source"]).name for row in rows)) == ["clip 2.mp4", "clip 10.mp4"]
    assert {(Path(row["source"]).name, row["track_id"]) for row in rows} == {
        (f"clip {number}.mp4", track_id) for number in (2, 10) for track_id in (1, 2)
    }
    assert "2 of 2 complete" in done.stdout and "clip 10.mp4" in done.stdout


def test_numbered_photos_are_frames_in_their_order(tmp_path: Path) -> None:
    for number in range(1, 13):
        save_photo(tmp_path / "seq" / f"{number}.jpg")
    assert track(tmp_path / "seq", "--save", tmp_path / "o.jsonl").returncode == 0
    rows = rows_of(tmp_path / "o.jsonl")
    assert [(row["frame"], Path(str(row["source"])).stem) for row in rows] == [(k, str(k + 1)) for k in range(12)]


def test_sources_of_one_name_get_files_of_their_own(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        save_photo(tmp_path / folder / "x.jpg")
        save_photo(tmp_path / folder / "x.png")
        write_clip(tmp_path / folder / "x.mp4", FRAMES, 15)
    done = track(tmp_path / "a", tmp_path / "b", "--out", f"{tmp_path}/out/", "--save", f"{tmp_path}/out/")
    assert done.returncode == 0, done.stderr
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(path.suffix for path in files) == [".jpg"] * 4 + [".mp4"] * 2 + [".parquet"] * 4


def test_exit_status_and_lines_for_bad_sources(tmp_path: Path) -> None:
    save_photo(tmp_path / "good.jpg")
    done = track("nowhere.mp4", tmp_path / "good.jpg", "none*.png", "--save", tmp_path / "o.csv", cwd=tmp_path)
    assert done.returncode == 1 and "1 of 3 complete" in done.stdout
    assert [line.split()[-1] for line in done.stderr.strip().splitlines()] == ["nowhere.mp4", "none*.png"]
    assert csv.read_csv(tmp_path / "o.csv").num_rows == 2
    done = track("nowhere.mp4", "none*.png", "--save", tmp_path / "p.csv", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.strip().splitlines()) == 2
    assert not (tmp_path / "p.csv").exists()
    (tmp_path / "list.txt").write_text("good.jpg\nnowhere.mp4\n")
    done = track(tmp_path / "list.txt")
    assert done.returncode == 1 and "nowhere.mp4" in done.stderr and "list.txt" in done.stderr
    assert "Exit status: 0" in track("--help").stdout


def test_a_wrong_output_is_said_once_and_before_any_work(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in ("a.mp4", "b.mp4"):
        write_clip(clips / name, FRAMES, 15)
    assert "must be a folder" in one_line(track(clips, "--out", tmp_path / "o.mp4"))
    assert ".parquet" in one_line(track(clips, "--save", tmp_path / "o.xlsx"))
    assert "is inside the source" in one_line(track(clips, "--out", clips / "out/"))
    (tmp_path / "o.csv").write_text("precious")
    assert "o.csv" in one_line(track(clips, "--save", tmp_path / "o.csv"))
    assert (tmp_path / "o.csv").read_text() == "precious"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names that are no UTF-8 exist on Linux only")
def test_names_that_are_no_utf_8_in_any_locale(tmp_path: Path) -> None:
    for name in (b"caf\xe9.jpg", "手.jpg".encode()):
        path = os.fsdecode(os.fsencode(tmp_path) + b"/photos/" + name)
        save_photo(Path(path))
    write_clip(tmp_path / "a.mp4", FRAMES, 15)
    (tmp_path / "a.mp4").rename(os.fsdecode(os.fsencode(tmp_path) + b"/photos/clip\xff.mp4"))
    plain = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""}
    for environment in ({"LC_ALL": "C.UTF-8"}, plain):
        saved: list[object] = []
        for suffix in ("jsonl", "csv", "parquet"):
            command = [sys.executable, "-m", "knuckle.cli", "track", str(tmp_path / "photos"), "--models", "knuckle"]
            command += ["--save", str(tmp_path / f"o.{suffix}"), "--out", str(tmp_path / "out"), "--overwrite"]
            done = subprocess.run(command, capture_output=True, env={**os.environ, **environment}, timeout=300)
            assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
        names = {os.fsencode(str(row["source"])).split(b"/")[-1] for row in rows_of(tmp_path / "o.jsonl")}
        assert names == {b"caf\xe9.jpg", "手.jpg".encode(), b"clip\xff.mp4"}
        for table in (csv.read_csv(tmp_path / "o.csv"), parquet.read_table(tmp_path / "o.parquet")):
            saved.append({Path(source).name for source in table["source"].to_pylist()})
        assert saved == [{"caf\\xe9.jpg", "手.jpg", "clip\\xff.mp4"}] * 2
    outputs = {path.split(b"/")[-1] for path in os.listdir(os.fsencode(tmp_path / "out"))}
    assert outputs == {b"caf\xe9_hands.jpg", "手_hands.jpg".encode(), b"clip\xff_hands.mp4"}
