"""Several videos in one process: their trackers run side by side, and their calls of a network become one call.

The trackers are generators (`HandTracker.steps`) that stop where they need a network. So each of them computes what it
would compute alone, and the results are the same to the last bit. One thread runs them all; frames are decoded in
threads beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from knuckle.graph import Call, Steps

T = TypeVar("T")


def together(jobs: Iterable[Steps[T] | None], at_once: int) -> Iterator[T]:
    """Run jobs side by side.

    Args:
        jobs: generators that stop at calls of networks, such as `follow`. A job is taken from here when another ends.
            None instead of a job means that there is none now, while others run; it is asked again after their next
            call.
        at_once: how many jobs run at the same time, at least 1.

    Yields:
        The results of the jobs, as they end.

    Raises:
        Exception: an error of a job ends them all; jobs whose errors concern only them must catch these themselves.
    """
    coming = iter(jobs)
    ready: list[tuple[Steps[T], Any]] = []  # jobs and the answers that they wait for
    waiting: list[tuple[Steps[T], Call]] = []  # jobs and the calls that they ask for, the longest wait first
    try:
        while True:
            free = at_once - len(ready) - len(waiting)
            for new in islice(coming, free):
                if new is None:
                    break
                ready.append((new, None))
            if not ready and not waiting:
                return
            while ready:
                job, answer = ready.pop(0)
                try:
                    waiting.append((job, job.send(answer)))
                except StopIteration as end:
                    yield end.value
            if waiting:
                network = waiting[0][1].run
                asking = [(job, call) for job, call in waiting if call.run is network]
                waiting = [(job, call) for job, call in waiting if call.run is not network]
                answers = in_one_call([call for _, call in asking])
                ready += [(job, answer) for (job, _), answer in zip(asking, answers, strict=True)]
    finally:
        for job, _ in [*ready, *waiting]:
            job.close()


def in_one_call(calls: list[Call]) -> list[Any]:
    """The answers to calls of one network, which is called once."""
    if len(calls) == 1:
        return [calls[0].run(calls[0].batch)]
    outputs = calls[0].run(np.concatenate([call.batch for call in calls]))
    ends = np.cumsum([len(call.batch) for call in calls])[:-1]
    rows = {name: np.split(values, ends) for name, values in outputs.items()}
    return [{name: parts[k] for name, parts in rows.items()} for k in range(len(calls))]
