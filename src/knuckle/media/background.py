"""Run an iterator in a thread of its own, so that decoding overlaps with tracking."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

_END = object()


def in_background(items: Iterator[Any], keep: str = "all", depth: int = 8) -> Iterator[Any]:
    """Run an iterator in its own thread and yield its items. Leaving the loop early stops the thread.

    Args:
        items: the iterator to run.
        keep: "all" yields every item and lets the thread wait while `depth` items are ready; "newest" drops older
            items while the caller is busy.
        depth: how many items may be ready at once with "all".

    Raises:
        Exception: whatever the iterator raises, after the items before it.
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
    try:
        while (item := ready.get()) is not _END:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join(timeout=5)
