"""`Tracked`: the frames of a source with their hands, for `for` and for `async for`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from types import TracebackType
from typing import Any, TypeAlias

from knuckle.media.sources import Reader, in_background, read
from knuckle.results import Frame, Hand

FrameAndHands: TypeAlias = tuple[Frame, list[Hand]]


class Tracked:
    """The frames of a source with their hands, made by `HandTracker.track`. It can be gone through once.

    A `for` loop reads ahead in a thread while hands are found. An `async for` loop opens, reads and finds in a thread,
    so the event loop stays free. Leaving the loop early, `close`, or leaving a `with` or `async with` block closes the
    source. A `Reader` that the caller opened stays open.
    """

    def __init__(self, source: Any, live: bool | None, find: Callable[[Frame], list[Hand]]) -> None:
        self._stopped = threading.Event()
        self._pairs = _frames_and_hands(source, live, find, self._stopped)
        self._worker: ThreadPoolExecutor | None = None

    def __iter__(self) -> Iterator[FrameAndHands]:
        return self

    def __next__(self) -> FrameAndHands:
        return next(self._pairs)

    def close(self) -> None:
        """Stop, and close the source. A frame that another thread is busy with is finished first."""
        self._stopped.set()
        with suppress(ValueError):  # another thread is inside; it closes the source when it sees `_stopped`
            self._pairs.close()
        if self._worker:
            self._worker.shutdown(wait=False)
            self._worker = None

    def __enter__(self) -> Tracked:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Tracked:
        return self

    async def __anext__(self) -> FrameAndHands:
        if self._stopped.is_set():
            raise StopAsyncIteration
        # One thread for all steps: a step that was cancelled ends before the next one, or `aclose`, begins.
        self._worker = self._worker or ThreadPoolExecutor(1, thread_name_prefix="knuckle-track")
        import asyncio  # takes longer than the rest of this package's imports together

        step: Callable[[], FrameAndHands | None] = partial(next, self._pairs, None)
        pair = await asyncio.get_running_loop().run_in_executor(self._worker, step)
        if pair is None:
            self.close()
            raise StopAsyncIteration
        return pair

    async def aclose(self) -> None:
        """`close`, without holding up the event loop."""
        import asyncio

        self._stopped.set()
        if self._worker:
            await asyncio.get_running_loop().run_in_executor(self._worker, self._pairs.close)
        self.close()

    async def __aenter__(self) -> Tracked:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _frames_and_hands(
    source: Any, live: bool | None, find: Callable[[Frame], list[Hand]], stopped: threading.Event
) -> Generator[FrameAndHands, None, None]:
    """Open the source at the first step, so that this happens in the thread that reads it."""
    given = isinstance(source, Reader)
    reader = source if given else read(source, live=live)
    try:
        frames = iter(reader) if reader.kind == "live" else in_background(iter(reader))
        with closing(frames):  # type: ignore[type-var]  # both are generators
            for frame in frames:
                hands = find(frame)
                if stopped.is_set():
                    return
                yield frame, hands
                if stopped.is_set():
                    return
    finally:
        if not given:
            reader.close()
