"""Measure the nodes of a running graph: calls, skips and time, as numbers and as a trace for Perfetto or Chrome."""

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

TRACED_CALLS = 1000  # longer traces open slowly, and memory must not grow without bound on a camera

NodePath = tuple[str, ...]


@dataclass(frozen=True)
class Cost:
    """The cost of a node.

    Attributes:
        calls: how often it ran.
        skips: how often it was skipped because its `when` was empty.
        total_s: seconds of all calls, including the nodes inside it.
        median_s: median seconds of a call; 0 if there was none.
    """

    calls: int
    skips: int
    total_s: float
    median_s: float


class _Event(NamedTuple):
    """A step with its start time and the steps inside it, but without its value, which may be a large image."""

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
    """An observer that measures nodes: `tracker.observe = profile`, or `graph.run(inputs, profile)`.

    A node is identified by the output names that lead to it, so a subgraph that is used twice has two costs. Measuring
    costs about 2 µs a node.
    """

    def __init__(self) -> None:
        self._events: list[_Event] = []
        self._tallies: dict[NodePath, _Tally] = {}
        self._open: dict[int, list[_Event]] = {}

    def __call__(self, step: Step) -> None:
        """Record one step. The steps of a nested graph arrive before the step of the node around it."""
        depth = len(step.path)
        inside = self._open.pop(depth + 1, [])
        start_s = min([time.perf_counter() - step.seconds, *(event.start_s for event in inside[:1])])
        node = step.node
        event = _Event(step.path[0], node.name, node.output, step.skipped, start_s, step.seconds, inside)
        if depth > 2:
            self._open.setdefault(depth, []).append(event)
        else:
            self._add(event)

    def _add(self, event: _Event) -> None:
        """Add an outermost step, and those inside it, to the tallies and to the trace."""
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
        """The cost of each node, by the output names that lead to it, outermost first: ("tracked_hands", "raw").

        Args:
            below: paths of the nodes that run one subgraph. The result contains its nodes, with the costs of all
                paths added up.
        """
        joined: dict[NodePath, _Tally] = {}
        for path, tally in self._tallies.items():
            for start in below:
                if path[: len(start)] == start and len(path) > len(start):
                    sum_of = joined.setdefault(path[len(start) :], _Tally())
                    sum_of.skips += tally.skips
                    sum_of.seconds.extend(tally.seconds)
        costs = {}
        for path, tally in joined.items():
            seconds = tally.seconds
            median_s = statistics.median(seconds) if seconds else 0.0
            costs[path] = Cost(len(seconds), tally.skips, sum(seconds), median_s)
        return costs

    def trace(self) -> dict[str, object]:
        """The first `TRACED_CALLS` calls as a Chrome trace, in microseconds since the first one."""
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
        """Write `trace` to a JSON file, for ui.perfetto.dev or chrome://tracing.

        Raises:
            SinkError: the file cannot be written.
        """
        try:
            Path(path).write_text(json.dumps(self.trace()), encoding="utf-8")
        except OSError as error:
            raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error


def _walk(event: _Event, path: NodePath) -> Iterator[tuple[NodePath, _Event]]:
    """A step and all steps inside it, each with its path."""
    here = (*path, event.output)
    yield here, event
    for inner in event.inside:
        yield from _walk(inner, here)
