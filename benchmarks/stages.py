"""Measure how well decoding, tracking and writing overlap: each stage alone, then all together.

    python benchmarks/stages.py VIDEO [VIDEO ...]

Prints milliseconds per frame.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import knuckle
from knuckle import Frame, HandTracker
from knuckle.media.sinks import InBackground, Sink, VideoSink, data_sink
from knuckle.media.sources import in_background


def drawn(frame: Frame, hands: list[knuckle.Hand]) -> Frame:
    return replace(frame, image=knuckle.draw_hands(frame.image, hands))


def timed(work: Callable[[], object], frames: int) -> float:
    """Milliseconds per frame."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start) / frames


def measure(clip: str, folder: Path) -> str:
    """One line about one video; `folder` receives its output files."""
    frames = list(knuckle.read(clip))
    tracker = HandTracker()
    hands = [tracker(frame.image, frame.time_s) for frame in frames]  # warms up, too

    def sinks() -> list[Sink]:
        return [VideoSink(folder / "o.mp4", 30.0), data_sink(folder / "o.parquet")]

    def track() -> None:
        tracker.reset()
        for frame in frames:
            tracker(frame.image, frame.time_s)

    def write() -> None:
        for sink in sinks():
            with sink:
                for frame, found in zip(frames, hands, strict=True):
                    sink.write(drawn(frame, found), found)

    def everything() -> None:
        tracker.reset()
        open_sinks = [InBackground(sink) for sink in sinks()]
        for frame in in_background(iter(knuckle.read(clip))):
            found = tracker(frame.image, frame.time_s)
            for sink in open_sinks:
                sink.write(drawn(frame, found), found)
        for sink in open_sinks:
            sink.close()

    decode = timed(lambda: list(knuckle.read(clip)), len(frames))
    stages = {"decode": decode, "track": timed(track, len(frames)), "draw and write": timed(write, len(frames))}
    together = timed(everything, len(frames))
    parts = ", ".join(f"{name} {value:.1f}" for name, value in stages.items())
    return f"{Path(clip).name}: {parts}; all {together:.1f} = {together / max(stages.values()):.2f} × the slowest"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for clip in sys.argv[1:]:
            print(measure(clip, Path(folder)))
