"""Which sources files, folders, globs, lists and addresses stand for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from knuckle import SourceError
from knuckle.media.find import Source, find_sources
from knuckle.media.sources import read

CLIP = b"\0\0\0\x18ftypmp42"  # what an MP4 begins with
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names that are no UTF-8 exist on Linux only")


def photo(path: Path, value: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pillow.fromarray(np.full((8, 8, 3), value, np.uint8)).save(path, "JPEG")
    return path


def clip(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CLIP)
    return path


def animation(path: Path) -> Path:
    pictures = [pillow.fromarray(np.full((8, 8, 3), 90 * k, np.uint8)) for k in range(3)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    return path


def listed(sources: list[Source], root: Path) -> list[tuple[str, list[str]]]:
    """Kind and relative files of each source."""
    return [(source.kind, [os.path.relpath(file, root) for file in source.files]) for source in sources]


def test_photos_of_a_folder_are_one_source_and_each_clip_is_one_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.jpg", "2.jpg", "1.jpg", "IMG_9.JPG", "img_10.jpg"):
        photo(tmp_path / name)
    for name in ("b 12.mp4", "b 3.mov"):
        clip(tmp_path / name)
    animation(tmp_path / "moving.gif")
    pillow.new("RGB", (8, 8)).save(tmp_path / "one picture.gif")
    assert listed(find_sources(tmp_path), tmp_path) == [
        ("photos", ["1.jpg", "2.jpg", "10.jpg", "IMG_9.JPG", "img_10.jpg", "one picture.gif"]),
        ("clip", ["b 3.mov"]),
        ("clip", ["b 12.mp4"]),
        ("animation", ["moving.gif"]),
    ]


def test_loose_photos_are_one_source_at_the_place_of_the_first(tmp_path: Path) -> None:
    a, b, c = photo(tmp_path / "x" / "a.jpg"), clip(tmp_path / "b.mp4"), photo(tmp_path / "y" / "c.jpg")
    sources = find_sources([b, a, c, a])
    assert listed(sources, tmp_path) == [("clip", ["b.mp4"]), ("photos", ["x/a.jpg", "y/c.jpg"])]
    assert [source.root for source in sources] == [tmp_path, tmp_path]
    assert sources[1].name == f"{a} and 1 more"
    (alone,) = find_sources(a)
    assert (alone.name, alone.kind) == (str(a), "photos")
    (pattern,) = find_sources(str(tmp_path / "*" / "*.jpg"))
    assert pattern.name == str(tmp_path / "*" / "*.jpg") and len(pattern.files) == 2


def test_globs_take_clips_photos_and_folders(tmp_path: Path) -> None:
    clip(tmp_path / "day 10" / "a.mp4"), clip(tmp_path / "day 2" / "a.mp4"), photo(tmp_path / "day 2" / "a.jpg")
    assert listed(find_sources(str(tmp_path / "day*" / "*.mp4")), tmp_path) == [
        ("clip", ["day 2/a.mp4"]),
        ("clip", ["day 10/a.mp4"]),
    ]
    assert len(find_sources(str(tmp_path / "day*"))) == 3
    assert len(find_sources(str(tmp_path / "**"))) == 3
    photo(tmp_path / "[1].jpg")  # a name that looks like a pattern
    assert find_sources(str(tmp_path / "[1].jpg"))[0].files == (tmp_path / "[1].jpg",)


def test_folders_inside_are_read_on_request_and_said_otherwise(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg"), photo(tmp_path / "deep" / "er" / "b.jpg"), photo(tmp_path / ".hidden" / "c.jpg")
    (tmp_path / "deep" / "again").symlink_to(tmp_path)  # a circle
    (source,) = find_sources(tmp_path)
    assert [file.name for file in source.files] == ["a.jpg"]
    assert "deep" in source.notes[0] and "--recursive" in source.notes[0]
    (source,) = find_sources(tmp_path, recursive=True)
    assert [file.name for file in source.files] == ["a.jpg", "b.jpg"] and not source.notes
    assert source.root == tmp_path
    with pytest.raises(SourceError, match="holds no photos or clips; passed over 2 folders"):
        read(tmp_path / "deep")


def test_hidden_files_are_passed_over_and_others_are_named(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg"), photo(tmp_path / ".b.jpg")
    for name in ("._a.jpg", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"\0\x05\x16\x07" + bytes(40))
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "song.mp3").write_bytes(b"ID3")
    (source,) = find_sources(tmp_path)
    assert [file.name for file in source.files] == ["a.jpg"]
    assert source.notes == ("passed over 2 files that are neither photo nor clip: notes.txt, song.mp3",)
    (source,) = find_sources([tmp_path / "a.jpg", tmp_path / "._a.jpg"])
    assert "._a.jpg" in source.notes[0]
    with pytest.raises(SourceError, match=r"\._a\.jpg"):
        read(tmp_path / "._a.jpg")


def test_content_goes_before_the_suffix(tmp_path: Path) -> None:
    photo(tmp_path / "a.mp4"), photo(tmp_path / "no suffix"), clip(tmp_path / "b.jpg"), clip(tmp_path / "c.dat")
    assert [kind for kind, _ in listed(find_sources(tmp_path), tmp_path)] == ["photos", "clip", "clip"]
    assert len(find_sources(tmp_path)[0].files) == 2


def test_a_list_names_files_folders_globs_and_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo(tmp_path / "data" / "a.jpg"), clip(tmp_path / "data" / "b.mp4"), clip(tmp_path / "here.mp4")
    monkeypatch.chdir(tmp_path)
    lines = ["# what to track", "", "b.mp4", "*.jpg", "here.mp4", "rtsp://camera/1", "0", "gone.mp4", "other.txt"]
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        Path("data", "list.txt").write_text("\r\n".join(lines), encoding)
        found = find_sources("data/list.txt")
        assert [(source.kind, source.name) for source in found] == [
            ("clip", "data/b.mp4"),
            ("photos", "data/a.jpg"),
            ("clip", "here.mp4"),
            ("address", "rtsp://camera/1"),
            ("camera", "0"),
            ("bad", "gone.mp4"),
            ("bad", "other.txt"),
        ]
    Path("empty.txt").write_text("\n# nothing\n")
    with pytest.raises(SourceError, match=r"empty\.txt is no list of sources"):
        read("empty.txt")


def test_bad_items_do_not_stop_the_others(tmp_path: Path) -> None:
    a = photo(tmp_path / "a.jpg")
    (tmp_path / "broken link.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "empty").mkdir()
    found = find_sources(["nowhere.mp4", tmp_path / "empty", "no*.jpg", a])
    assert [source.kind for source in found] == ["bad", "bad", "bad", "photos"]
    for source, words in zip(found, ("there is no file", "holds no photos", "no file matches"), strict=False):
        with pytest.raises(SourceError, match=words):
            source.open()
    assert [frame.source for frame in found[3].open()] == [str(a)]
    reader = read(tmp_path)
    assert len(list(reader)) == 1 and "broken link.jpg" in str(reader.problems[0])


def test_home_addresses_and_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    photo(tmp_path / "a b.jpg")
    assert find_sources("~/a b.jpg")[0].files == (tmp_path / "a b.jpg",)
    assert find_sources(f"file://{tmp_path}/a%20b.jpg")[0].files == (tmp_path / "a b.jpg",)
    assert [(s.kind, s.name) for s in find_sources([2, "3", "/dev/video4"])] == [("camera", n) for n in "234"]
    for wrong in (None, 2.5, "", True):
        with pytest.raises(SourceError, match="a source is"):
            find_sources([wrong])


def test_read_takes_one_source_and_says_how_to_read_several(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg"), photo(tmp_path / "b.jpg"), clip(tmp_path / "c.mp4"), clip(tmp_path / "d.mp4")
    with pytest.raises(SourceError, match=r"holds 2 clips and 2 photos.*find_sources"):
        read(tmp_path)
    assert len(list(read(find_sources(tmp_path)[0]))) == 2


@LINUX
def test_names_that_are_no_utf_8_are_read(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    photo(tmp_path / "a.jpg").rename(os.fsdecode(name))
    for given in (name, os.fsdecode(name), tmp_path, str(tmp_path / "c*.jpg")):
        (frame,) = read(find_sources(given)[0])
        assert os.fsencode(frame.source) == name
    (tmp_path / "list.txt").write_bytes(b"caf\xe9.jpg\n")
    assert [os.fsencode(frame.source) for frame in read(tmp_path / "list.txt")] == [name]
