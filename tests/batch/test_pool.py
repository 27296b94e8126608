"""The local pool: spawned processes; one that dies is replaced and its item is tried again."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import knuckle
from knuckle.batch import Item, ItemResult, LocalPool
from knuckle.batch.work import TrackVideo
from knuckle.graph import Call, Steps
from knuckle.models.session import Outputs
from knuckle.results import FloatArray


class Task(TrackVideo):
    """A worker for tests: the name of an item says what it does. Its network returns what it gets."""

    def steps(self, item: Item) -> Steps[ItemResult]:
        folder = Path(self.out)
        mark = folder / f"{item.key}-{time.monotonic_ns()}"
        mark.write_text(str(os.getpid()))
        tries = len(list(folder.glob(f"{item.key}-*")))
        yield Call(unchanged, np.zeros(1))
        if item.key == "deadly" or (item.key == "shaky" and tries == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if item.key == "disk":
            raise knuckle.SinkError("the disk is full")
        return ItemResult(item.key, item.source, "done")


def unchanged(batch: FloatArray) -> Outputs:
    return {"batch": batch}


@pytest.mark.parametrize("streams", [1, 3])
def test_an_item_whose_worker_dies_is_tried_again_and_counted(tmp_path: Path, streams: int) -> None:
    items = [Item(key, key) for key in ("a", "shaky", "deadly", "b", "c")]
    results = {result.key: result for result in LocalPool(2, streams)(Task(str(tmp_path)), items)}
    assert {key: one.status for key, one in results.items()} == {
        "a": "done",
        "b": "done",
        "c": "done",
        "shaky": "done",
        "deadly": "failed",
    }
    assert results["deadly"].tries == 3 and results["shaky"].tries >= 2
    if streams == 1:  # else they may be in the process that an item ends
        assert [results[key].tries for key in "abc"] == [1, 1, 1] and results["shaky"].tries == 2
    assert results["deadly"].error == "its worker was killed by SIGKILL, 3 times"


def test_an_error_about_every_item_ends_the_run_and_all_processes(tmp_path: Path) -> None:
    with pytest.raises(knuckle.SinkError, match="the disk is full"):
        list(LocalPool(2)(Task(str(tmp_path)), [Item("disk", "disk"), *(Item(str(k), "") for k in range(50))]))
    for mark in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.read_text()), 0)


def test_a_pool_needs_a_worker() -> None:
    with pytest.raises(knuckle.InputError, match="workers must be at least 1"):
        LocalPool(0)
    with pytest.raises(knuckle.InputError, match="streams must be at least 1"):
        LocalPool(2, 0)
