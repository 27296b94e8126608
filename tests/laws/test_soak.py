"""The short form of `benchmarks/soak.py`: memory, threads and files of a process that tracks for a while."""

from __future__ import annotations

import gc
import os
import sys
from itertools import islice
from pathlib import Path

import pytest
from conftest import two_hands

import knuckle
from knuckle.models import catalogue
from knuckle.models.session import Session
from knuckle.pipeline.tracker import Networks

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read below /proc")


def test_tracking_leaves_no_memory_threads_or_files() -> None:
    from soak import growth, tracked

    images = [two_hands(part / 8) for part in range(8)]
    found = growth(tracked(knuckle.load("knuckle-fast", threads=1), images, 1e9), 300, 300, samples=20)
    assert found.count == 300
    assert found.slope_mb < 4 and found.threads <= 0 and found.files <= 0


@pytest.mark.parametrize("threads", [1, 2])
def test_trackers_with_engines_of_their_own_end_with_them(threads: int) -> None:
    bundle, image = catalogue.find("knuckle-fast"), two_hands(0.5)

    def steps() -> object:
        while True:
            networks = Networks(Session(bundle.palm_path, threads), Session(bundle.hand_path, threads), bundle)
            with knuckle.HandTracker(networks) as tracker:
                assert len(tracker(image)) == 2
            yield

    list(islice(steps(), 3))
    gc.collect()
    before = [len(os.listdir(f"/proc/self/{kind}")) for kind in ("task", "fd")]
    list(islice(steps(), 6))
    gc.collect()
    after = [len(os.listdir(f"/proc/self/{kind}")) for kind in ("task", "fd")]
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)
