"""`StreamSink`: the sink of a run that hands each frame's hands to all receivers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from knuckle.errors import Error
from knuckle.media.write_common import Sink
from knuckle.results import Frame
from knuckle.stream.outlet import Destination, Outlet, Report
from knuckle.stream.values import Measure


class StreamSink(Sink):
    """Measures the hands of each frame once and gives them to every outlet.

    Args:
        destinations: the receivers.
        measure: computes what is sent.
        rate: at most so many frames a second to each receiver; None for all.
        report: gets one line when a receiver is lost or back.
    """

    def __init__(
        self, destinations: Sequence[Destination], measure: Measure, rate: float | None, report: Report
    ) -> None:
        self.path, self.written = Path(), False
        self.problems: list[Error] = []
        self.outlets = [Outlet(destination, rate, report) for destination in destinations]
        self.measure = measure
        self._last: Frame | None = None

    def start(self, frame: Frame) -> None:
        """Connect to all receivers.

        Args:
            frame: the first frame.

        Raises:
            Error: a receiver can never work here.
        """
        for outlet in self.outlets:
            outlet.start(frame)

    def write(self, frame: Frame, results: Any) -> None:
        values, self._last = self.measure(frame, results), frame
        for outlet in self.outlets:
            outlet.write(values)

    def close(self) -> None:
        gone = self.measure(self._last, []) if self._last else None
        for outlet in self.outlets:
            outlet.close(gone)
