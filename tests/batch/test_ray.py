"""Runs on a real Ray cluster: whatever of it dies, each video has one result and one table, the same as without Ray."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pyarrow import parquet

pytest.importorskip("ray.data", reason="Ray is not installed")
if not Path("/proc/self/cmdline").exists():
    pytest.skip("the cluster of the tests needs /proc", allow_module_level=True)

from conftest import two_hands, write_clip
from ray_clusters import Cluster, environment, running

from knuckle.batch import Item, TrackVideo
from knuckle.batch.manifest import read_results, rows

VIDEOS, FRAMES = 5, 40
PATIENCE_S = 120.0  # a busy machine is no wrong answer


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of videos that take about a second each, and a broken one."""
    folder = tmp_path_factory.mktemp("videos")
    write_clip(folder / "0.mp4", [two_hands(k / FRAMES, 320, 240) for k in range(FRAMES)], 30)
    for k in range(1, VIDEOS):
        shutil.copy(folder / "0.mp4", folder / f"{k}.mp4")
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of one node that the tests share."""
    with running() as cluster:
        yield cluster


@contextmanager
def batch(videos: Path, out: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`knuckle batch` in a process of its own."""
    command = [sys.executable, "-m", "knuckle", "batch", str(videos), "--out", str(out), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment(), **pipes) as run:  # type: ignore[call-overload]
        try:
            yield run
        finally:
            run.kill()


def wait_until(true: Callable[[], bool], run: subprocess.Popen[str]) -> None:
    """Wait until something is the case, while a run goes on."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        if run.poll() is not None or time.monotonic() > end:
            run.kill()
            raise AssertionError(run.communicate()[0])
        time.sleep(0.02)


def pause(cluster: Cluster, out: Path, run: subprocess.Popen[str], paused: Sequence[int] = ()) -> int:
    """Stop an actor in the middle of a video, and no other one; returns its process id."""
    while True:
        wait_until(lambda: bool({*cluster.busy(out)} - {*paused}), run)
        for pid in {*cluster.busy(out)} - {*paused}:
            os.kill(pid, signal.SIGSTOP)
            if pid in cluster.busy(out):
                return pid
            os.kill(pid, signal.SIGCONT)  # it had just finished one


def check(videos: Path, out: Path, run: subprocess.Popen[str], reference: Path) -> None:
    """The run has ended as promised: nothing lost, nothing twice, and the broken video is a row with an error."""
    said, _ = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 1, said  # of the broken video
    names = {str(path): path.name for path in videos.iterdir()}
    lines = Counter(row["key"] for _, row in rows(out) if "key" in row)
    assert lines == dict.fromkeys(names, 1), said
    results = read_results(out)
    assert {names[key] for key, one in results.items() if one.status == "failed"} == {"broken.mp4"}
    expected = parquet.read_table(reference).drop_columns(["source"])
    parts = [part for one in results.values() for part in one.parts]
    assert len(set(parts)) == VIDEOS and {path.relative_to(out).as_posix() for path in out.glob("parts/*/*")} == {
        *parts
    }
    for one in results.values():
        if one.status == "done":
            assert (one.frames, one.hands) == (FRAMES, 2 * FRAMES)
            assert parquet.read_table(out / one.parts[0]).drop_columns(["source"]).equals(expected)
    assert not list(out.glob("unfinished/*"))
    assert max(one.tries for one in results.values()) > 1 and "workers died" in said


@pytest.fixture(scope="module")
def reference(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table that a worker writes without Ray."""
    out = tmp_path_factory.mktemp("reference")
    (part,) = TrackVideo(str(out))(Item("0", str(videos / "0.mp4"))).parts
    return out / part


def test_an_actor_that_is_killed_takes_nothing_with_it(
    cluster: Cluster, videos: Path, reference: Path, tmp_path: Path
) -> None:
    with batch(videos, tmp_path, "--ray", cluster.address) as run:
        os.kill(pause(cluster, tmp_path, run), signal.SIGKILL)
        check(videos, tmp_path, run, reference)


def test_a_video_that_kills_its_process_has_failed_after_three_tries(
    cluster: Cluster, videos: Path, tmp_path: Path
) -> None:
    script = Path(__file__).with_name("deadly.py")
    command = [
        sys.executable,
        str(script),
        cluster.address,
        str(tmp_path),
        str(videos / "0.mp4"),
        str(videos / "1.mp4"),
    ]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    said = sorted(line for line in done.stdout.splitlines() if ";" in line)
    assert said == ["0.mp4;done;1;", "1.mp4;done;1;", "deadly;failed;3;its worker died, 3 times"]


def test_a_node_that_is_killed_takes_nothing_with_it(
    cluster: Cluster, videos: Path, reference: Path, tmp_path: Path
) -> None:
    cluster.start_node()
    with batch(videos, tmp_path, "--ray", cluster.address, "--workers", "2", "--min-workers", "2") as run:
        actors = [pause(cluster, tmp_path, run)]
        actors.append(pause(cluster, tmp_path, run, actors))
        cluster.kill_node(1)
        for actor in actors:
            with suppress(ProcessLookupError):  # the one on the node that is gone
                os.kill(actor, signal.SIGCONT)
        check(videos, tmp_path, run, reference)
