"""Threads that read ahead and write behind, so that decoding and encoding overlap with tracking."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from knuckle.media.write_common import Results, Sink
from knuckle.results import Frame

_END = object()


def in_background(items: Iterator[Any], keep: str = "all", depth: int = 8, settle_s: float = 0.0) -> Iterator[Any]:
    """Run an iterator in its own thread and yield its items. Leaving the loop early stops the thread.

    Args:
        items: the iterator to run.
        keep: "all" yields every item and lets the thread wait while `depth` items are ready; "newest" drops older
            items while the caller is busy.
        depth: how many items may be ready at once with "all".
        settle_s: wait so long before the first item, so that "newest" drops what has piled up in a connection.

    Raises:
        Exception: an error of the iterator, after the items before it.
    """
    newest_only = keep == "newest"
    ready: queue.Queue[Any] = queue.Queue(maxsize=1 if newest_only else depth)
    stopped = threading.Event()

    def put(item: Any, may_drop: bool) -> None:
        while not stopped.is_set():
            try:
                return ready.put(item, timeout=0 if may_drop else 0.1)
            except queue.Full:
                if may_drop:
                    with suppress(queue.Empty):  # the caller took it in the meantime
                        ready.get_nowait()

    def work() -> None:
        try:
            for item in items:
                put(item, newest_only)
                if stopped.is_set():
                    break
            put(_END, False)
        except BaseException as error:  # raised again in the caller's thread
            put(error, False)
        finally:
            close = getattr(items, "close", None)
            if close:
                close()

    thread = threading.Thread(target=work, daemon=True, name="knuckle-reader")
    thread.start()
    time.sleep(settle_s)
    try:
        while (item := ready.get()) is not _END:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join(timeout=5)


class InBackground(Sink):
    """Runs a sink in a thread of its own, so that encoding overlaps with tracking the next frame.

    At most `depth` frames wait; after that `write` waits as well. If the sink raises an error, the next `write`, or
    `close`, raises it again; nothing is written after an error.
    """

    def __init__(self, sink: Sink, depth: int = 8) -> None:
        self.sink, self.path, self.problems = sink, sink.path, sink.problems
        self.written = False
        self.waiting: queue.Queue[tuple[Frame, Any] | None] = queue.Queue(depth)
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._work, name="knuckle-writer", daemon=True)
        self.thread.start()

    def write(self, frame: Frame, results: Results) -> None:
        if self.error:
            raise self.error
        self.waiting.put((frame, results))

    def _work(self) -> None:
        while (item := self.waiting.get()) is not None:
            if self.error is None:
                try:
                    self.sink.write(*item)
                except BaseException as error:  # raised again in the caller's thread
                    self.error = error

    def _end_thread(self) -> None:
        """Wait until the thread has written what waits; after an error it only drops it."""
        if self.thread.is_alive():
            self.waiting.put(None)
            self.thread.join()

    def close(self) -> None:
        try:
            self._end_thread()
        except KeyboardInterrupt as interrupt:  # Ctrl-C while frames wait: they are left out, the file is finished
            self.error = self.error or interrupt
            self._end_thread()
        try:
            self.sink.close()
        finally:
            self.path, self.written = self.sink.path, self.sink.written
        if self.error:
            error, self.error = self.error, None
            raise error
