"""Measure how well decoding, tracking, and drawing and writing overlap in `knuckle track`.

    python benchmarks/stages.py [--models knuckle] [--repeats 3] VIDEO [VIDEO ...]

Each stage runs alone, then all of them together as the command runs them, in turns, so that a busy machine slows all
alike. Prints the best time of each in milliseconds per frame.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import knuckle
from knuckle import HandDrawer, HandTracker
from knuckle.media.drawn import Drawn
from knuckle.media.outputs import Outputs
from knuckle.media.sinks import InBackground, OutputOptions, Sink, VideoSink, data_sink
from knuckle.media.sources import in_background
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.run import Run


def timed(work: Callable[[], object], frames: int) -> float:
    """Milliseconds per frame."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start) / frames


def measure(clip: str, folder: Path, models: str, repeats: int) -> str:
    """One line about one video; `folder` receives its output files."""
    frames = list(knuckle.read(clip))
    networks = knuckle.load(models)
    tracker = HandTracker(networks)
    hands = [tracker(frame.image, frame.time_s) for frame in frames]  # warms up, too

    def decode() -> None:
        for _ in knuckle.read(clip):
            pass

    def track() -> None:
        tracker.reset()
        for frame in frames:
            tracker(frame.image, frame.time_s)

    def write() -> None:
        sinks: list[Sink] = [Drawn(VideoSink(folder / "o.mp4", 30.0), HandDrawer()), data_sink(folder / "o.parquet")]
        for sink in sinks:
            with sink:
                for frame, found in zip(frames, hands, strict=True):
                    sink.write(frame, found)

    def everything() -> None:
        reader = knuckle.read(clip)
        outputs = Outputs(str(folder / "o.mp4"), str(folder / "o.parquet"), OutputOptions(overwrite=True))
        run = Run(reader, networks, TrackerOptions())
        run.sinks = [InBackground(sink) for sink in outputs.open(reader)]
        run.run(in_background(iter(reader)), lambda: None)
        for sink in run.sinks:
            sink.close()
        outputs.close()

    works = {"decode": decode, "track": track, "draw and write": write, "all": everything}
    best = dict.fromkeys(works, float("inf"))
    for _ in range(repeats):
        for name, work in works.items():
            best[name] = min(best[name], timed(work, len(frames)))
    together = best.pop("all")
    parts = ", ".join(f"{name} {value:.1f}" for name, value in best.items())
    return f"{Path(clip).name}: {parts}; all {together:.1f} = {together / max(best.values()):.2f} × the slowest"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="knuckle")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("videos", nargs="+")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for clip in arguments.videos:
            print(measure(clip, Path(folder), arguments.models, arguments.repeats), flush=True)
