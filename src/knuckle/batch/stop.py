"""Ctrl-C: the first one lets the running items finish, the second one ends them; SIGTERM ends them at once."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

log = logging.getLogger("knuckle")
INTERRUPTED, TERMINATED = 130, 143  # the exit codes that shells expect


@dataclass
class Stop:
    """Whether a run was asked to stop.

    Attributes:
        status: exit code of the signal; 0 if nobody asked.
    """

    status: int = 0


@contextmanager
def stopping() -> Iterator[Stop]:
    """Watch for signals during the block. A second Ctrl-C, and SIGTERM, raise KeyboardInterrupt inside of it."""
    stop = Stop()

    def interrupted(number: int, frame: Any) -> None:
        second = bool(stop.status)
        stop.status = stop.status or INTERRUPTED
        if second:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a third one must not disturb the end
            raise KeyboardInterrupt
        log.warning("stopping when the items under way are done; Ctrl-C once more stops now")

    def terminated(number: int, frame: Any) -> None:
        stop.status = TERMINATED
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, interrupted),
        signal.SIGTERM: signal.signal(signal.SIGTERM, terminated),
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
