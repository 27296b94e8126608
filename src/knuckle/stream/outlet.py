"""`Outlet`: one receiver, served so that it never holds up the tracking: rate limit, queue, reconnection, reports."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from knuckle.results import Frame
from knuckle.stream.values import FrameValues

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)  # before each attempt to connect again; the last one repeats
CONFIRMED = 3  # frames in a row that must go out before a lost receiver counts as back
DEPTH = 4  # frames that wait for a slow receiver; when one more comes the oldest is dropped
EARLY_PART = 0.25  # with a rate limit, a frame may be early by this part of a period: cameras are not exact
Report = Callable[[str], None]


class Destination(Protocol):
    """A way to send frames somewhere.

    Attributes:
        name: what messages call it, such as "osc 127.0.0.1:9000".
        waits: whether `open` or `send` may wait for the other side. It then runs in a thread of its own. Datagrams
            do not wait: they are sent at once, from the thread that tracks, which is the shortest way.
    """

    name: str
    waits: bool

    def open(self, frame: Frame) -> None:
        """Connect. `frame` is the first one.

        Raises:
            OSError: the other side cannot be reached now; it is tried again later.
            Error: it will never work; this ends the command if it happens at the start.
        """

    def send(self, values: FrameValues) -> None:
        """Send one frame.

        Raises:
            OSError: the connection is lost.
        """

    def close(self) -> None:
        """Disconnect. Must work at any time, also twice."""


class RateLimit:
    """Lets at most `rate` frames a second pass; None lets all of them pass."""

    def __init__(self, rate: float | None) -> None:
        self.period_s = 1 / rate if rate else 0.0
        self._next_s = 0.0

    def allows(self, now_s: float) -> bool:
        """Whether a frame may pass at this time."""
        if now_s < self._next_s - EARLY_PART * self.period_s:
            return False
        self._next_s = max(self._next_s, now_s - EARLY_PART * self.period_s) + self.period_s
        return True


class Outlet:
    """Sends frames to one destination.

    Args:
        destination: where to.
        rate: at most so many frames a second; None for all.
        report: gets one line when the other side is lost, and one when it is there again.

    Attributes:
        sent: frames that were sent.
        dropped: frames that were not: the receiver was too slow, or gone.
    """

    def __init__(self, destination: Destination, rate: float | None = None, report: Report = print) -> None:
        self.destination, self.limit, self.report = destination, RateLimit(rate), report
        self.sent = self.dropped = 0
        self._open = self._lost = self._closing = False
        self._attempt, self._retry_s, self._in_a_row = 0, 0.0, 0
        self._queue: deque[FrameValues] = deque()
        self._missed: set[str] = set()  # hands that were lost in frames that were not sent
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="knuckle-stream", daemon=True)

    def start(self, frame: Frame) -> None:
        """Connect, before the first frame is sent. A receiver that is not there is reported and tried again.

        Raises:
            Error: this destination can never work here.
        """
        self._connect(frame)
        if self.destination.waits:
            self._thread.start()

    def write(self, values: FrameValues) -> None:
        """Send a frame, or leave it for the thread that sends. Never waits for the receiver, never fails."""
        if not self.limit.allows(time.monotonic()):
            self._miss(values.lost)
            return
        with self._changed:
            missed, self._missed = self._missed, set()
        if missed:  # also tell of hands that were lost in frames that were not sent, unless they have come back
            missed = missed.union(values.lost).difference(hand.name for hand in values.hands)
            values = replace(values, lost=tuple(sorted(missed)))
        if not self.destination.waits:
            self._send(values)
            return
        with self._changed:
            oldest = self._queue.popleft() if len(self._queue) == DEPTH else None
            self._queue.append(values)
            self._changed.notify()
        if oldest:
            self._drop(oldest)

    def close(self, last: FrameValues | None = None, patience_s: float = 2.0) -> None:
        """Send what waits, for at most so many seconds, then `last`, which says that all hands are gone; disconnect."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(patience_s)
        if last and self._open and not self._thread.is_alive():
            with suppress(OSError):
                self.destination.send(last)
        self.destination.close()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    self._changed.wait()
                if not self._queue:
                    return
                values = self._queue.popleft()
            self._send(values)

    def _send(self, values: FrameValues) -> None:
        if not self._open and time.monotonic() >= self._retry_s:
            self._connect(values.frame)
        if not self._open:
            self._drop(values)
            return
        try:
            self.destination.send(values)
        except BlockingIOError:  # a buffer on the way is full
            self._drop(values)
        except OSError as error:
            self._drop(values)
            self._disconnect(error)
        else:
            self.sent += 1
            self._in_a_row += 1
            if self._lost and self._in_a_row == CONFIRMED:
                self._lost, self._attempt = False, 0
                self.report(f"{self.destination.name}: connected again")

    def _drop(self, values: FrameValues) -> None:
        self.dropped += 1
        self._miss(values.lost)

    def _miss(self, lost: tuple[str, ...]) -> None:
        if lost:
            with self._changed:
                self._missed.update(lost)

    def _connect(self, frame: Frame) -> None:
        try:
            self.destination.open(frame)
            self._open, self._in_a_row = True, 0
        except OSError as error:
            self._disconnect(error)

    def _disconnect(self, error: OSError) -> None:
        """Note that the other side is gone; say so once, and try again after a pause that grows."""
        self._open = False
        self.destination.close()
        if self.destination.waits:  # a datagram may be tried at once
            self._retry_s = time.monotonic() + PAUSES_S[min(self._attempt, len(PAUSES_S) - 1)]
            self._attempt += 1
        if not self._lost:
            self._lost = True
            reason = error.strerror or str(error) or type(error).__name__
            self.report(f"{self.destination.name}: {reason}; tracking goes on and the connection is tried again")
