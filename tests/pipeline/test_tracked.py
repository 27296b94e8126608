"""`HandTracker.track` in `for` and `async for` loops; closing; trackers as context managers."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

import knuckle
from knuckle import HandTracker, InputError, SourceError
from knuckle.media.reader import Reader
from knuckle.results import Frame, Hand


def by_hand(clip: Path) -> list[list[Hand]]:
    tracker = HandTracker("knuckle")
    return [tracker(frame.image, frame.time_s) for frame in knuckle.read(clip)]


def slow_reader(frames: list[np.ndarray], closed: list[str], pause_s: float = 0.01) -> Reader:
    """A live source that notes when it is closed."""

    def opened(reader: Reader) -> Iterator[Frame]:
        try:
            for k, image in enumerate(frames):
                time.sleep(pause_s)
                yield Frame(image, k, k / 30, "slow")
        finally:
            closed.append(threading.current_thread().name)

    return Reader("slow", "live", opened)


def test_track_gives_each_frame_with_its_hands(clip: Path) -> None:
    tracker = HandTracker("knuckle", order="bgr")  # about arrays; a file knows its own order
    frames, hands = zip(*tracker.track(str(clip)), strict=True)
    assert [frame.index for frame in frames] == list(range(30))
    assert list(hands) == by_hand(clip) and all(len(found) == 2 for found in hands)
    again = [found for _, found in tracker.track(clip)]  # from the start: ids begin at 1
    assert again == list(hands)
    assert [found for _, found in tracker.track(knuckle.read(clip))] == again


def test_photos_are_looked_at_one_by_one(tmp_path: Path, clip_frames: list[np.ndarray]) -> None:
    for k in range(3):
        pillow.fromarray(clip_frames[k]).save(tmp_path / f"{k}.png")
    tracker = HandTracker("knuckle")
    found = [hands for _, hands in tracker.track(tmp_path)]
    assert found == [tracker(frame.image, frame.time_s) for frame in knuckle.read(tmp_path)]  # the README's loop
    assert found == [knuckle.detect(tmp_path / f"{k}.png", "knuckle") for k in range(3)]
    assert all(hand.track_id is None for hands in found for hand in hands)


def test_a_source_that_cannot_be_opened_is_named_at_the_first_step(tmp_path: Path) -> None:
    tracked = HandTracker("knuckle").track(tmp_path / "no.mp4")
    with pytest.raises(SourceError, match=r"no\.mp4"):
        next(tracked)


def test_leaving_the_loop_or_the_block_closes_the_source(clip_frames: list[np.ndarray]) -> None:
    tracker, closed = HandTracker("knuckle"), list[str]()
    for _frame, _hands in tracker.track(slow_reader(clip_frames, closed)):
        break
    assert len(closed) == 1
    with tracker.track(slow_reader(clip_frames, closed)) as tracked:
        next(tracked)
        assert len(closed) == 1
    assert len(closed) == 2
    with pytest.raises(StopIteration):
        next(tracked)
    tracked.close()  # twice is no error


def test_a_new_track_ends_the_one_before_and_so_does_close(clip_frames: list[np.ndarray]) -> None:
    tracker, closed = HandTracker("knuckle"), list[str]()
    first = tracker.track(slow_reader(clip_frames, closed))
    next(first)
    second = tracker.track(slow_reader(clip_frames, closed))
    assert len(closed) == 1 and list(first) == []
    assert next(second)[1][0].track_id == 1
    tracker.close()
    assert len(closed) == 2 and list(second) == []


def test_a_closed_tracker_says_so(clip_frames: list[np.ndarray]) -> None:
    with HandTracker("knuckle") as tracker:
        assert len(tracker(clip_frames[0])) == 2
    for closed in (tracker, pickle.loads(pickle.dumps(tracker))):
        with pytest.raises(InputError, match="this tracker is closed; make a new HandTracker"):
            closed(clip_frames[0])
    tracker.close()
    assert len(HandTracker("knuckle")(clip_frames[0])) == 2  # the networks are still there


def test_async_for_gives_the_same_and_leaves_the_event_loop_free(clip: Path) -> None:
    async def follow() -> tuple[list[list[Hand]], int]:
        ticks, found = 0, []

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.002)

        other = asyncio.create_task(tick())
        async with HandTracker("knuckle").track(clip) as tracked:
            async for _frame, hands in tracked:
                found.append(hands)
        other.cancel()
        return found, ticks

    found, ticks = asyncio.run(follow())
    assert found == by_hand(clip) and ticks >= 10


def test_a_cancelled_task_closes_its_source(clip_frames: list[np.ndarray]) -> None:
    closed = list[str]()

    async def follow() -> None:
        async with HandTracker("knuckle").track(slow_reader(clip_frames, closed, 0.2)) as tracked:
            async for _ in tracked:
                pass

    async def main() -> None:
        task = asyncio.create_task(follow())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert len(closed) == 1


def test_two_async_trackers_run_side_by_side(clip: Path) -> None:
    async def follow() -> int:
        return sum([len(hands) async for _, hands in HandTracker("knuckle").track(clip)])

    async def both() -> list[int]:
        return list(await asyncio.gather(follow(), follow()))

    assert asyncio.run(both()) == [60, 60]
