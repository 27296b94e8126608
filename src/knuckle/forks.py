"""Forked processes. Only the thread that forked lives on in them, so what other threads held is held forever.

Our locks are `RenewedLock`s, which are free in a forked process. What a fork must not cut in two, because Python or a
library has locks of its own, is done while holding `FORKS_WAIT`. What has threads of its own is given to `abandon`.
"""

from __future__ import annotations

# A fork takes the locks of these two modules too, beginning with the module that was imported last. A thread that holds
# `FORKS_WAIT` may log and start jobs, so a fork must take `FORKS_WAIT` first: these imports must come before it.
import concurrent.futures.thread  # noqa: F401
import ctypes
import logging  # noqa: F401
import os
import threading
import weakref
from contextlib import suppress
from types import TracebackType
from typing import Any

FORKS_WAIT = threading.RLock()
"""Forks wait until it is free. Held while a heavy package is imported or an engine starts: well below a second.

A forked process cannot import a module that another thread was importing: the import's lock stays taken.
"""


class RenewedLock:
    """A reentrant lock that is free in a forked process, even if a thread of the parent held it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _renewed.add(self)

    def renew(self) -> None:
        """Forget who holds it."""
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(RuntimeError):  # the thread forked while holding it, so in the forked process it is free already
            self._lock.release()


def abandon(thing: Any) -> None:
    """Keep something forever that a forked process has from its parent and must not take down.

    Taking down an engine waits for its threads, and they stayed in the parent. The memory is the parent's as long as
    nobody writes to it.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


_renewed: weakref.WeakSet[RenewedLock] = weakref.WeakSet()


def _renew_locks() -> None:
    for lock in _renewed:
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=FORKS_WAIT.acquire, after_in_parent=FORKS_WAIT.release, after_in_child=FORKS_WAIT.release
    )
    os.register_at_fork(after_in_child=_renew_locks)
