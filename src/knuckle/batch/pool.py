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
        streams: items that each process does at once, through the same networks.
    """

    def __init__(self, workers: int | None = None, streams: int = 1) -> None:
        for name, value in (("workers", workers), ("streams", streams)):
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1, got {value}")
        self.workers, self.streams = workers or cores(), streams

    def __call__(self, work: TrackVideo, items: Iterable[Item]) -> Iterator[ItemResult]:
        """Do the items. The next one is taken from `items` when a process is free.

        Raises:
            Error: a table cannot be written, the networks cannot be loaded, or no process can be started.
        """
        first_tries = ((item, 1) for item in items)
        again: list[tuple[Item, int]] = []
        workers: list[_Worker] = []
        try:
            while True:
                while worker := self._free(workers, work, alone=bool(again)):
                    job = again.pop() if again else next(first_tries, None)
                    if job is None:
                        break
                    worker.begin(*job)  # if it is gone already, `answer` says so
                busy = {worker.connection: worker for worker in workers if worker.items}
                if not busy:
                    return
                for connection in wait(list(busy)):
                    worker = busy[connection]  # type: ignore[index]
                    answer = worker.answer()
                    if answer is None:
                        workers.remove(worker)
                        for item, tries in worker.items.values():
                            if tries == TRIES:
                                yield worker.failure(item)
                                continue
                            log.warning("%s: its worker %s; it is tried again", readable(item.source), worker.death)
                            again.append((item, tries + 1))
                    elif answer != READY:
                        yield replace(answer, tries=worker.items.pop(answer.key)[1])
        finally:
            for worker in workers:
                worker.end()

    def _free(self, workers: list[_Worker], work: TrackVideo, alone: bool) -> _Worker | None:
        """The worker that has room and the fewest items; a new one if all have some and there may be more.

        Args:
            workers: the workers; a new one is added here.
            work: what a new one does.
            alone: the item was tried before. It gets a worker to itself, since it may be what ends workers.
        """
        for worker in [worker for worker in workers if not worker.items and not worker.process.is_alive()]:
            workers.remove(worker)
            worker.end()
        room = 1 if alone else self.streams
        free = [one for one in workers if len(one.items) < (1 if one.is_trying_again else room)]
        if len(workers) < self.workers and all(worker.items for worker in free):
            workers.append(_Worker(work, self.streams))
            free = workers[-1:]
        return min(free, key=lambda worker: len(worker.items), default=None)


class _Worker:
    """A process, and the items that it has, by key, each with the number of its try."""

    def __init__(self, work: TrackVideo, streams: int) -> None:
        self.items: dict[str, tuple[Item, int]] = {}
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, work, streams), daemon=True, name="knuckle-batch")
        with _ignored_interrupts():  # the process inherits that, so Ctrl-C reaches the run alone
            self.process.start()
        theirs.close()
        self.is_ready = False

    def begin(self, item: Item, tries: int) -> None:
        """Give it an item. If the process is gone, `answer` says so."""
        self.items[item.key] = item, tries
        with suppress(OSError):
            self.connection.send(item)

    @property
    def is_trying_again(self) -> bool:
        """Whether it has an item whose worker died before."""
        return any(tries > 1 for _, tries in self.items.values())

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

    def failure(self, item: Item) -> ItemResult:
        """The result of an item whose workers died each time."""
        error = f"its worker {self.death}, {TRIES} times"
        return ItemResult(item.key, item.source, "failed", error, tries=TRIES, files=item.files)

    def end(self) -> None:
        """End the process now, whatever it does."""
        self.connection.close()
        self.process.terminate()
        self.process.join(END_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def serve(connection: Connection, work: TrackVideo, streams: int) -> None:
    """What a worker process does: take items and send results, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    running = 0

    def send(answer: Any) -> None:
        with suppress(OSError):  # the parent is gone, and this process ends with it
            connection.send(answer)

    def items() -> Iterator[Item | None]:
        nonlocal running
        with suppress(EOFError, OSError):
            while True:
                if running and not connection.poll():
                    yield None
                    continue
                item = connection.recv()
                running += 1
                yield item

    send(READY)
    try:
        for result in work.side_by_side(items(), streams):
            running -= 1
            send(result)
    except Exception as error:
        send(error if survives_pickling(error) else RuntimeError(f"{type(error).__name__}: {error}"))


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
