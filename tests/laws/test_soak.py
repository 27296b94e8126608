"""The short form of `python benchmarks/soak.py`: memory, threads and open files of a process that tracks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).resolve().parents[2] / "benchmarks" / "soak.py"
FRAMES, TRACKERS = 300, 12


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read below /proc")
def test_tracking_leaves_no_memory_threads_or_files() -> None:
    sizes = ["--frames", str(FRAMES), "--trackers", str(TRACKERS), "--threads", "2", "--models", "knuckle-fast"]
    done = subprocess.run([sys.executable, SOAK, "--one", "litert", *sizes], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["agree"], "trackers in threads give other results than one alone"
    frames, trackers = found["frames"], found["trackers"]
    assert (frames["count"], trackers["count"]) == (FRAMES, TRACKERS)
    assert frames["slope_mb"] / frames["per"] * FRAMES < 5
    # Threads of the last tracker may still be about to end; each tracker that left its own would add three and more.
    for run in (frames, trackers):
        assert run["threads"] < TRACKERS and run["files"] < TRACKERS
