"""`LocalPool`: worker processes on this machine. One that dies is replaced, and its item is tried again."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import Any

from knuckle.batch.items import Item, ItemResult
from knuckle.batch.work import TrackVideo
from knuckle.errors import EngineError, InputError
from knuckle.media.names import readable

log = logging.getLogger("knuckle")
TRIES = 3  # an item whose workers died so often has failed
END_S = 5.0  # time for a worker to end before it is killed
READY = "ready"  # the first message of a worker


class LocalPool:
    """Does items in processes of this machine: `for result in LocalPool(4)(work, items)`.

    Results come as they are ready. The processes are spawned, so they share no state with this one. They end when this
    one ends, also when it is killed. Leaving the loop early ends them at once.

    Args:
        workers: number of processes; None for one per CPU core.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise InputError(f"workers must be at least 1, got {workers}")
        self.workers = workers or cores()

    def __call__(self, work: TrackVideo, items: Iterable[Item]) -> Iterator[ItemResult]:
        """Do the items. The next one is taken from `items` when a process is free.

        Raises:
            Error: a table cannot be written, the networks cannot be loaded, or no process can be started.
        """
        first_tries = ((item, 1) for item in items)
        again: list[tuple[Item, int]] = []
        idle: list[_Worker] = []
        busy: list[_Worker] = []
        try:
            while True:
                while len(busy) < self.workers and (job := again.pop() if again else next(first_tries, None)):
                    busy.append(_begun(job, idle, work))
                if not busy:
                    return
                ready = wait([worker.connection for worker in busy])
                for worker in [worker for worker in busy if worker.connection in ready]:
                    answer = worker.answer()
                    if answer == READY:
                        continue
                    busy.remove(worker)
                    if answer is not None:
                        idle.append(worker)
                        yield replace(answer, tries=worker.tries)
                    elif worker.tries < TRIES:
                        log.warning("%s: its worker %s; it is tried again", readable(worker.item.source), worker.death)
                        again.append((worker.item, worker.tries + 1))
                    else:
                        yield worker.failure()
        finally:
            for worker in (*idle, *busy):
                worker.end()


class _Worker:
    """A process, and the item that it has."""

    item: Item
    tries: int

    def __init__(self, work: TrackVideo) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, work), daemon=True, name="knuckle-batch")
        with _ignored_interrupts():  # the process inherits that, so Ctrl-C reaches the run alone
            self.process.start()
        theirs.close()
        self.is_ready = False

    def begin(self, item: Item, tries: int) -> bool:
        """Give it an item; False if the process is gone."""
        self.item, self.tries = item, tries
        try:
            self.connection.send(item)
        except OSError:
            return False
        return True

    def answer(self) -> Any:
        """What it sent: `READY` once, then a result for each item; None if it died.

        Raises:
            Error: what the worker raised, or the process could not be started.
        """
        try:
            answer = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            if not self.is_ready and (self.process.exitcode or 0) > 0:
                raise EngineError(
                    "the worker processes end before they begin; a script that calls knuckle.batch.run must do so "
                    'below `if __name__ == "__main__":`'
                ) from None
            return None
        self.is_ready = True
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @property
    def death(self) -> str:
        """How the process ended, for messages."""
        code = self.process.exitcode or 0
        if code >= 0:
            return f"ended with status {code}"
        names = {number.value: number.name for number in signal.Signals}
        return f"was killed by {names.get(-code, -code)}"

    def failure(self) -> ItemResult:
        """The result of an item whose workers died each time."""
        error = f"its worker {self.death}, {self.tries} times"
        return ItemResult(self.item.key, self.item.source, "failed", error, tries=self.tries, files=self.item.files)

    def end(self) -> None:
        """End the process now, whatever it does."""
        self.connection.close()
        self.process.terminate()
        self.process.join(END_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _begun(job: tuple[Item, int], idle: list[_Worker], work: TrackVideo) -> _Worker:
    """A worker that has begun this job: an idle one if one is alive, else a new one."""
    while idle:
        worker = idle.pop()
        if worker.begin(*job):
            return worker
        worker.end()
    worker = _Worker(work)
    worker.begin(*job)  # if it is gone already, `answer` says so
    return worker


def serve(connection: Connection, work: TrackVideo) -> None:
    """What a worker process does: take items and send results, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    connection.send(READY)
    with suppress(EOFError, OSError):
        while True:
            item = connection.recv()
            try:
                answer: Any = work(item)
            except Exception as error:
                answer = error if survives_pickling(error) else RuntimeError(f"{type(error).__name__}: {error}")
            connection.send(answer)


def end_with_parent() -> None:
    """End this process when the one that started it is gone, so that nobody goes on writing for a killed run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def survives_pickling(error: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True


@contextmanager
def _ignored_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # others may not change signals, and get none
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
