"""The local pool: spawned processes; one that dies is replaced and its item is tried again."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

import knuckle
from knuckle.batch import Item, ItemResult, LocalPool


class Task:
    """A worker for tests: the name of an item says what it does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, item: Item) -> ItemResult:
        mark = self.folder / f"{item.key}-{time.monotonic_ns()}"
        mark.write_text(str(os.getpid()))
        tries = len(list(self.folder.glob(f"{item.key}-*")))
        if item.key == "deadly" or (item.key == "shaky" and tries == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if item.key == "disk":
            raise knuckle.SinkError("the disk is full")
        return ItemResult(item.key, item.source, "done")


def test_an_item_whose_worker_dies_is_tried_again_and_counted(tmp_path: Path) -> None:
    items = [Item(key, key) for key in ("a", "shaky", "deadly", "b", "c")]
    results = {result.key: result for result in LocalPool(2)(Task(tmp_path), items)}  # type: ignore[arg-type]
    assert {key: (one.status, one.tries) for key, one in results.items()} == {
        "a": ("done", 1),
        "b": ("done", 1),
        "c": ("done", 1),
        "shaky": ("done", 2),
        "deadly": ("failed", 3),
    }
    assert results["deadly"].error == "its worker was killed by SIGKILL, 3 times"


def test_an_error_about_every_item_ends_the_run_and_all_processes(tmp_path: Path) -> None:
    with pytest.raises(knuckle.SinkError, match="the disk is full"):
        list(LocalPool(2)(Task(tmp_path), [Item("disk", "disk"), *(Item(str(k), "") for k in range(50))]))  # type: ignore[arg-type]
    for mark in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.read_text()), 0)


def test_a_pool_needs_a_worker() -> None:
    with pytest.raises(knuckle.InputError, match="at least 1"):
        LocalPool(0)
