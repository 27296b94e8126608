"""What each node of a running graph costs: calls, skips and time, as numbers and as a trace for Perfetto or Chrome."""

from __future__ import annotations

import json
import os
import statistics
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from knuckle.errors import SinkError
from knuckle.graph import Step

TRACED_CALLS = 1000  # a trace of more is slow to open, and memory must stay flat on a camera

NodePath = tuple[str, ...]


@dataclass(frozen=True)
class Cost:
    """What a node cost so far.

    Attributes:
        calls: how often it ran.
        skips: how often its `when` kept it from running.
        total_s: seconds of all calls together, those of the nodes inside it included.
        median_s: of one call, 0 where there was none.
    """

    calls: int
    skips: int
    total_s: float
    median_s: float


class _Event(NamedTuple):
    """A step without its value, which may be a picture; when it began, and the steps inside it."""

    graph: str
    name: str
    output: str
    skipped: bool
    start_s: float
    seconds: float
    inside: list[_Event]


@dataclass
class _Tally:
    skips: int = 0
    seconds: array[float] = field(default_factory=lambda: array("d"))


class Profile:
    """An observer that counts and times: `tracker.observe = profile`, or `graph.run(inputs, profile)`.

    Nodes are told apart by the output names on the way to them, so a subgraph that is used twice has two costs.
    Measured: 2 µs a node.
    """

    def __init__(self) -> None:
        self._events: list[_Event] = []
        self._tallies: dict[NodePath, _Tally] = {}
        self._open: dict[int, list[_Event]] = {}

    def __call__(self, step: Step) -> None:
        """Take in one step; those of nested graphs come before the one around them."""
        depth = len(step.path)
        inside = self._open.pop(depth + 1, [])
        start_s = min([time.perf_counter() - step.seconds, *(event.start_s for event in inside[:1])])
        node = step.node
        event = _Event(step.path[0], node.name, node.output, step.skipped, start_s, step.seconds, inside)
        if depth > 2:
            self._open.setdefault(depth, []).append(event)
        else:
            self._take(event)

    def _take(self, event: _Event) -> None:
        for path, inner in _walk(event, ()):
            tally = self._tallies.setdefault(path, _Tally())
            if inner.skipped:
                tally.skips += 1
            else:
                tally.seconds.append(inner.seconds)
        tally = self._tallies[(event.output,)]
        if tally.skips + len(tally.seconds) <= TRACED_CALLS:
            self._events.append(event)

    def costs(self, below: Sequence[NodePath] = ((),)) -> dict[NodePath, Cost]:
        """By the output names on the way to the node, outermost first: ("held_hands", "raw").

        Args:
            below: the ways to one subgraph in all its places; its nodes' costs there are added up.
        """
        joined: dict[NodePath, _Tally] = {}
        for path, tally in self._tallies.items():
            for start in below:
                if path[: len(start)] == start and len(path) > len(start):
                    sum_of = joined.setdefault(path[len(start) :], _Tally())
                    sum_of.skips += tally.skips
                    sum_of.seconds.extend(tally.seconds)
        return {
            path: Cost(len(t.seconds), t.skips, sum(t.seconds), statistics.median(t.seconds) if t.seconds else 0.0)
            for path, t in joined.items()
        }

    def trace(self) -> dict[str, object]:
        """The calls so far, at most `TRACED_CALLS`, as a Chrome trace: microseconds since the first one."""
        steps = [(path, event) for outer in self._events for path, event in _walk(outer, ()) if not event.skipped]
        zero_s = min((event.start_s for _, event in steps), default=0.0)
        events = [
            {
                "name": event.name,
                "cat": event.graph,
                "ph": "X",
                "ts": round(1e6 * (event.start_s - zero_s), 1),
                "dur": round(1e6 * event.seconds, 1),
                "pid": 1,
                "tid": 1,
                "args": {"output": ".".join(path)},
            }
            for path, event in steps
        ]
        return {"displayTimeUnit": "ms", "traceEvents": events}

    def write_trace(self, path: str | os.PathLike[str]) -> None:
        """Write `trace` as a JSON file, for ui.perfetto.dev or chrome://tracing.

        Raises:
            SinkError: the file cannot be written.
        """
        try:
            Path(path).write_text(json.dumps(self.trace()), encoding="utf-8")
        except OSError as error:
            raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error


def _walk(event: _Event, path: NodePath) -> Iterator[tuple[NodePath, _Event]]:
    here = (*path, event.output)
    yield here, event
    for inner in event.inside:
        yield from _walk(inner, here)
