"""What goes wrong in long runs: nothing is lost, nothing is done twice, exit status and manifest say what happened.

Each test starts the real command in a process group of its own, as a terminal does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import two_hands, write_clip
from pyarrow import parquet

from knuckle import batch
from knuckle.batch import LocalPool, TrackVideo
from knuckle.batch.manifest import read_runs, rows

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
WAIT_S = 120.0
FRAMES = 120


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips that take a few seconds each."""
    folder = tmp_path_factory.mktemp("clips")
    frames = [two_hands(k / 29, 320, 240) for k in range(30)]
    for number in range(4):
        write_clip(folder / f"{number}.mp4", (frames + frames[::-1]) * (FRAMES // 60), 30)
    return folder


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """`knuckle batch ARGUMENTS` under way."""
    command = [sys.executable, "-m", "knuckle", "batch", *map(str, arguments)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def eventually(condition: Callable[[], Any]) -> Any:
    """The first true value of a condition."""
    end_s = time.monotonic() + WAIT_S
    while time.monotonic() < end_s:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Ids of the worker processes."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(one) for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


def is_alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def under_way(out: Path) -> bool:
    return bool(list((out / "unfinished").glob("*")))


def check_complete(out: Path, clips: Path) -> None:
    """Every clip has one row that says done, one table with all of its frames, and no other file is left."""
    found = parquet.read_table(out / "manifest.parquet").to_pylist()
    assert sorted(row["source"] for row in found) == sorted(str(path) for path in clips.iterdir())
    assert {(row["status"], row["frames"]) for row in found} == {("done", FRAMES)}
    table = parquet.read_table(out / "parts")
    keys = Counter(zip(*(table[name].to_pylist() for name in ("source", "frame", "hand")), strict=True))
    assert max(keys.values()) == 1 and table.num_rows == sum(row["hands"] for row in found)
    assert len({(source, frame) for source, frame, _ in keys}) == FRAMES * len(found)
    assert len(list((out / "parts").rglob("*.*"))) == len(found) and not (out / "unfinished").exists()


def test_a_worker_that_is_killed_in_the_middle_of_a_video(clips: Path, tmp_path: Path) -> None:
    with started(clips, "--out", tmp_path, "--workers", 2) as process:
        eventually(lambda: under_way(tmp_path))
        os.kill(workers_of(process)[0], signal.SIGKILL)
        out, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, errors
    assert "items    4 of 4 done" in out and "workers died and were replaced: 1" in errors and "SIGKILL" in errors
    check_complete(tmp_path, clips)
    assert sorted(row["tries"] for _, row in rows(tmp_path) if "key" in row) == [1, 1, 1, 2]


def test_a_run_that_is_killed_goes_on_and_leaves_no_worker_behind(clips: Path, tmp_path: Path) -> None:
    with started(clips, "--out", tmp_path, "--workers", 2) as process:
        eventually(lambda: any(row.get("status") == "done" for _, row in rows(tmp_path)) and under_way(tmp_path))
        workers = workers_of(process)
        process.kill()
        process.communicate()
    eventually(lambda: not any(is_alive(worker) for worker in workers))
    before = {row["key"] for _, row in rows(tmp_path) if row.get("status") == "done"}
    assert "end" not in [key for _, row in rows(tmp_path) for key in row]
    with started("--resume", "--out", tmp_path) as process:
        out, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0 and f"4 of 4 done, {len(before)} done before" in out, errors
    check_complete(tmp_path, clips)


def test_ctrl_c_lets_items_finish_and_a_second_one_does_not(clips: Path, tmp_path: Path) -> None:
    with started(clips, "--out", tmp_path, "--workers", 1) as process:
        eventually(lambda: under_way(tmp_path))
        os.killpg(process.pid, signal.SIGINT)
        out, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130 and "items    1 of 4 done" in out
    assert "Ctrl-C once more stops now" in errors and "3 items are left" in errors and "Traceback" not in errors
    with started(clips, "--out", tmp_path, "--workers", 1) as process:
        eventually(lambda: under_way(tmp_path))
        os.killpg(process.pid, signal.SIGINT)
        eventually(lambda: process.stderr and "once more" in process.stderr.readline())
        os.killpg(process.pid, signal.SIGINT)
        out, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130 and "items    1 of 4 done, 1 done before" in out and "Traceback" not in errors
    assert [row["end"] for _, row in rows(tmp_path) if "end" in row] == ["stopped", "stopped"]
    with started(clips, "--out", tmp_path) as process:
        eventually(lambda: under_way(tmp_path))
        os.kill(process.pid, signal.SIGTERM)
        out, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 143 and "Traceback" not in errors
    assert batch.run(clips, tmp_path, workers=2).exit_status == 0
    check_complete(tmp_path, clips)


def test_two_runs_on_one_output_at_once(clips: Path, tmp_path: Path) -> None:
    with started(clips, "--out", tmp_path) as one, started(clips, "--out", tmp_path) as two:
        ends = [process.communicate(timeout=WAIT_S) for process in (one, two)]
    assert sorted([one.returncode, two.returncode]) == [0, 2]
    refused = ends[0 if one.returncode else 1]
    assert refused[0] == "" and "another run is writing to" in refused[1] and refused[1].count("\n") == 1
    check_complete(tmp_path, clips)
    assert len(read_runs(tmp_path)) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for two of the four tables."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=800k", "tmpfs", disk]).returncode:
        pytest.skip("only root can mount a small disk")
    (disk / "ballast").write_bytes(bytes(200_000))
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_ends_the_run_and_what_was_done_is_kept(clips: Path, small_disk: Path) -> None:
    out = small_disk / "out"
    with started(clips, "--out", out, "--workers", 1) as process:
        _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 2 and "No space left on device" in errors and "Traceback" not in errors
    assert errors.strip().count("\n") == 0
    done = [row for _, row in rows(out) if row.get("status") == "done"]
    assert 0 < len(done) < 4 and not [row for _, row in rows(out) if row.get("status") == "failed"]
    for row in done:
        assert parquet.read_table(out / row["parts"][0]).num_rows == row["hands"]
    (small_disk / "ballast").unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    progress = batch.run(clips, out, workers=1)
    assert (progress.exit_status, progress.skipped) == (0, len(done))
    check_complete(out, clips)


def test_files_may_not_grow(clips: Path, tmp_path: Path) -> None:
    """The same by a limit on the size of files, which needs no root."""
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); " + (
        f"from knuckle.cli import main; main(['batch', {str(clips)!r}, '--out', {str(tmp_path)!r}, '--workers', '1'])"
    )
    script = tmp_path / "limited.py"
    script.write_text(f"if __name__ == '__main__':\n    {limited}\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 2 and "File too large" in done.stderr and "Traceback" not in done.stderr
    assert not list((tmp_path / "parts").rglob("*.parquet")) and not (tmp_path / "unfinished").exists()
    assert [row["end"] for _, row in rows(tmp_path) if "end" in row] == ["broken off"]


def test_a_broken_video_among_200(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", [two_hands(0, 160, 120)] * 2, 30)
    (tmp_path / "many").mkdir()
    for number in range(200):
        os.link(tmp_path / "clip.mp4", tmp_path / "many" / f"{number}.mp4")
    whole = (tmp_path / "clip.mp4").read_bytes()
    (tmp_path / "many" / "77.mp4").unlink()
    (tmp_path / "many" / "77.mp4").write_bytes(whole[: len(whole) // 2])
    progress = batch.run(tmp_path / "many", tmp_path / "out", runner=LocalPool(2))
    assert (progress.done, progress.failed, progress.exit_status) == (199, 1, 1)
    (broken,) = progress.incomplete
    assert broken.source.endswith("77.mp4") and "77.mp4" in broken.error
    assert parquet.read_table(tmp_path / "out" / "manifest.parquet").num_rows == 200
    assert len(list((tmp_path / "out" / "parts").rglob("*.parquet"))) == 199


def test_a_source_that_vanishes(clips: Path, tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    for path in clips.iterdir():
        os.link(path, media / path.name)

    def without_the_third(work: TrackVideo, items: Any) -> Any:
        for item in items:
            (media / "2.mp4").unlink(missing_ok=True)
            yield work(item)

    progress = batch.run(media, tmp_path / "out", runner=without_the_third, detect_only=True)
    (gone,) = progress.incomplete
    assert (progress.done, progress.exit_status) == (3, 1) and "2.mp4" in gone.error
    os.link(clips / "2.mp4", media / "2.mp4")
    assert batch.run(media, tmp_path / "out", workers=1, detect_only=True).exit_status == 0
