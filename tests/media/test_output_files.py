"""Output files: complete or absent, never over something else, never two sources in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_hand
from PIL import Image as pillow
from pyarrow import parquet

from knuckle import InputError, SinkError
from knuckle.media.fit import fit
from knuckle.media.output_names import OutputNames, is_folder
from knuckle.media.outputs import Outputs
from knuckle.media.reader import Reader
from knuckle.media.sinks import ImageSink, JsonlSink, OutputOptions, VideoSink, data_sink
from knuckle.media.sources import read
from knuckle.results import Frame

IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
FRAMES = [Frame(IMAGE, k, k / 30, "clip.mp4") for k in range(5)]
ALL_SUFFIXES = ["mp4", "mkv", "webm", "gif", "parquet", "csv", "jsonl"]


def open_sink(path: Path) -> Any:
    return data_sink(path) if path.suffix in (".parquet", ".csv", ".jsonl") else VideoSink(path)


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("suffix", ALL_SUFFIXES)
def test_a_file_appears_when_it_is_complete(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out.{suffix}"
    path.write_text("the old one")
    with open_sink(path) as sink:
        for frame in FRAMES:
            sink.write(frame, [make_hand()])
            assert path.read_text() == "the old one"
    assert sink.written and names_in(tmp_path) == [path.name]
    assert path.read_bytes()[:11] != b"the old one"


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "parquet"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"out.{suffix}"
    path.write_text("the old one")
    sink = open_sink(path)
    sink.write(FRAMES[0], [make_hand()])

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    target = "finish" if suffix == "parquet" else "write_frame"
    monkeypatch.setattr(sink, target, no_space)
    with pytest.raises(SinkError, match="No space left"), sink:
        sink.write(FRAMES[1], [])
    assert not sink.written and names_in(tmp_path) == [path.name] and path.read_text() == "the old one"


def test_json_lines_survive_a_full_disk(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "hands.jsonl")
    sink.write(FRAMES[0], [])
    sink.lines.write('{"frame": 1, "ha')
    sink._failed = True
    sink.close()
    assert sink.written
    assert [json.loads(line)["frame"] for line in (tmp_path / "hands.jsonl").read_text().splitlines()] == [0]


def test_a_video_without_frames_is_no_file(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "none.mp4") as sink:
        pass
    assert not sink.written and names_in(tmp_path) == []


def test_a_link_stays_a_link_and_a_device_stays_a_device(tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").write_text("old")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    data_sink(tmp_path / "link.jsonl").close()
    assert (tmp_path / "link.jsonl").is_symlink() and (tmp_path / "real.jsonl").read_text() == ""
    with JsonlSink(Path("/dev/null")) as sink:
        sink.write(FRAMES[0], [])
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("out", True), ("out.v1/", True), ("made.v2", True), ("out.mp4", False), ("new/x.jpg", False), ("new.d/", True)],
)
def test_what_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: bool) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made.v2").mkdir()
    assert is_folder(text) is expected


def photos(name: str, *sources: str, root: Path | None = None) -> Reader:
    frames = [Frame(IMAGE, k, 0.0, source) for k, source in enumerate(sources)]
    return Reader(name, "image", lambda _: iter(frames), len(frames))


def write_all(outputs: Outputs, *readers: Reader) -> list[str]:
    """Run readers through outputs; the problems, as text."""
    problems = []
    with outputs:
        for reader in readers:
            for sink in outputs.open(reader):
                with sink:
                    for frame in reader:
                        sink.write(frame, [make_hand()])
                problems += [str(problem) for problem in sink.problems]
    return problems


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    out = f"{tmp_path}/out.v1/"
    assert write_all(Outputs(out, None), photos("photos", "a.jpg", "b.jpg")) == []
    made = tmp_path / "out.v1" / "a_hands.jpg"
    made.write_bytes(b"precious")
    (problem, other) = write_all(Outputs(out, None), photos("photos", "a.jpg", "b.jpg", "c.jpg"))
    assert "a_hands.jpg exists" in problem and "--overwrite" in problem and "b_hands.jpg exists" in other
    assert made.read_bytes() == b"precious" and "out.v1/c_hands.jpg" in names_in(tmp_path)
    assert write_all(Outputs(out, None, OutputOptions(overwrite=True)), photos("photos", "a.jpg")) == []
    assert made.read_bytes() != b"precious"


def test_a_clip_or_table_that_exists_is_refused_before_any_work(tmp_path: Path, clip: Path) -> None:
    for name in ("o.mp4", "o.csv"):
        (tmp_path / name).write_text("precious")
    before = names_in(tmp_path)
    with pytest.raises(InputError, match=r"o\.mp4 exists"):
        Outputs(f"{tmp_path}/o.mp4", f"{tmp_path}/new.csv").open(read(clip))
    with pytest.raises(InputError, match=r"o\.csv exists"):
        Outputs(f"{tmp_path}/new.mp4", f"{tmp_path}/o.csv").open(read(clip))
    assert names_in(tmp_path) == before


def test_outputs_of_many_sources_never_collide(tmp_path: Path) -> None:
    sources = ["in/a.jpg", "in/a.png", "in/A.jpg", "other/a.jpg", "in/a", "in/a.jpg"]
    assert write_all(Outputs(f"{tmp_path}/", None, many=True), *(photos(name, name) for name in sources)) == []
    assert len(names_in(tmp_path)) == len({name.casefold() for name in names_in(tmp_path)}) == len(sources)
    assert {"a_hands.jpg", "a_png_hands.jpg"} <= set(names_in(tmp_path))


def test_numbers_in_names_are_those_of_the_pages(tmp_path: Path) -> None:
    names = OutputNames()
    pages = [names.in_folder(tmp_path, "scan.tiff", "_hands.jpg").name for _ in range(3)]
    other = [names.in_folder(tmp_path, "scan.tif", "_hands.jpg").name for _ in range(3)]
    third = [names.in_folder(tmp_path, "further/scan.tif", "_hands.jpg").name for _ in range(2)]
    assert pages == ["scan_hands.jpg", "scan_2_hands.jpg", "scan_3_hands.jpg"]
    assert other == ["scan_tif_hands.jpg", "scan_tif_2_hands.jpg", "scan_tif_3_hands.jpg"]
    assert len({*pages, *other, *third}) == 8


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("http://host/clips/a%20b.mp4?token=x/secret.mp4#t", "a_b"),
        ("https://host/dir/?sig=1", "dir"),
        ("rtsp://user:secret@camera.local:554/", "camera.local"),
        ("http://host/..%2F..%2Fetc%2Fx.jpg", "x"),
    ],
)
def test_an_output_is_named_by_the_path_of_its_address(tmp_path: Path, address: str, name: str) -> None:
    assert OutputNames().in_folder(tmp_path, address, "_hands.mp4").name == f"{name}_hands.mp4"


def test_subfolders_are_kept(tmp_path: Path) -> None:
    names = OutputNames()
    for source in ("in/1/a.mp4", "in/2/a.mp4", "in/a.mp4", "elsewhere/a.mp4"):
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / source).touch()
    made = [
        names.in_folder(Path("out"), str(tmp_path / source), "_hands.mp4", tmp_path / "in")
        for source in ("in/1/a.mp4", "in/2/a.mp4", "in/a.mp4", "elsewhere/a.mp4")
    ]
    assert [str(path) for path in made] == [
        "out/1/a_hands.mp4", "out/2/a_hands.mp4", "out/a_hands.mp4", "out/a_mp4_hands.mp4",
    ]  # fmt: skip


def test_many_sources_share_a_data_file_but_no_picture(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        Outputs(f"{tmp_path}/one.mp4", None, many=True)
    readers = [photos("a.jpg", "a.jpg"), photos("b.jpg", "b.jpg")]
    assert write_all(Outputs(None, f"{tmp_path}/all.parquet", many=True), *readers) == []
    assert parquet.read_table(tmp_path / "all.parquet")["source"].to_pylist() == ["a.jpg", "b.jpg"]


def test_stills_keep_their_colours(tmp_path: Path) -> None:
    smooth = np.kron(np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
    for name, most in (("a.jpg", 1.5), ("a.png", 0), ("a.webp", 6)):
        with ImageSink(tmp_path / name) as sink:
            sink.write(Frame(smooth), [])
        with pillow.open(tmp_path / name) as opened:
            assert np.abs(np.asarray(opened.convert("RGB")).astype(int) - smooth).mean() <= most
    with ImageSink(tmp_path, OutputNames(), options=OutputOptions(stills="png", size=32)) as sink:
        sink.write(Frame(IMAGE, source="b.jpg"), [])
    with pillow.open(tmp_path / "b_hands.png") as opened:
        assert opened.size == (32, 24)


def test_a_picture_that_a_format_cannot_hold_is_an_error_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"wide\.jpg"):
        ImageSink(tmp_path / "wide.jpg").write(Frame(np.zeros((1, 70000, 3), np.uint8)), [])
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("size", "shape", "bars"), [(None, (48, 64), 0), (128, (96, 128), 0), ((64, 64), (64, 64), 16), (6, (4, 6), 0)]
)
def test_pictures_are_fitted_and_keep_their_aspect(size: Any, shape: tuple[int, int], bars: int) -> None:
    fitted = fit(np.full((48, 64, 3), 200, np.uint8), size)
    assert fitted.shape == (*shape, 3)
    assert np.count_nonzero(fitted[:, 0, 0] < 100) == bars


@pytest.mark.parametrize("bad", [{"size": 1}, {"size": (0, 9)}, {"fps": 0}, {"fps": -2.0}, {"crf": 52}])
def test_options_are_checked(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        OutputOptions(**bad)
