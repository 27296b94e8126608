"""Ctrl-C and a lack of memory at the lines that write files: a file is whole or absent, and an older one is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from faults import FAULTS, FRAMES, HANDS, IMAGE, LineFault, frames_in, places, what_is_wrong, write

from knuckle.media.sinks import InBackground, data_sink
from knuckle.media.write_images import save_image

# A file that was just opened is closed when its object goes.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
TRIED = 24  # lines per file and fault; `python benchmarks/faults.py` tries all of them
SUFFIXES = [".jsonl", ".csv", ".parquet", ".coco.json", ".yolo", ".cvat.xml", ".openpose", ".labelstudio.json"]


def check(folder: Path, path: Path, fault: LineFault, had_file: bool) -> None:
    """What is left after a fault."""
    assert fault.raised
    problem = what_is_wrong(folder, path, had_file)
    assert not problem, f"{problem} after a fault at {fault.reached[-1]}"


@pytest.mark.parametrize("error", FAULTS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_fault_leaves_a_readable_file_or_none(suffix: str, error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    write(path)
    lines = [number for number, place in places(lambda: write(path)).items() if ".remove:" not in place]
    assert len(lines) > 40
    for number in lines[:: max(1, len(lines) // TRIED)]:
        fault = LineFault(number, error)
        fault.run(lambda: write(path))
        check(tmp_path, path, fault, had_file=True)


def test_ctrl_c_while_a_file_is_finished_waits_until_it_is(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    closing = {number: place for number, place in places(lambda: write(path)).items() if ".keep:" in place}
    assert closing
    for number in closing:
        path.unlink()
        fault = LineFault(number)
        fault.run(lambda: write(path))
        assert fault.raised
        assert frames_in(path) == len(FRAMES)


@pytest.mark.parametrize("error", FAULTS)
@pytest.mark.parametrize("name", ["out.mp4", "out.jpg"])
def test_pictures_are_whole_or_absent(name: str, error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / name
    work: Callable[[], None] = (lambda: write(path)) if name == "out.mp4" else (lambda: save_image(IMAGE, path))
    lines = list(places(work))
    for number in lines[:: max(1, len(lines) // 8)]:
        path.unlink(missing_ok=True)
        fault = LineFault(number, error)
        fault.run(work)
        check(tmp_path, path, fault, had_file=False)


def test_ctrl_c_while_frames_wait_to_be_written_keeps_those_that_were(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"

    def work() -> None:
        with InBackground(data_sink(path)) as sink:
            for frame in FRAMES:
                sink.write(frame, HANDS)

    joining = [number for number, place in places(work).items() if "._end_thread:" in place]
    assert joining
    for number in joining:
        fault = LineFault(number)
        fault.run(work)
        if fault.raised:  # the thread may have been faster this time
            assert frames_in(path) <= len(FRAMES)
            assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
