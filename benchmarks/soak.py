"""Long runs: whether memory, threads or open files grow. `python benchmarks/soak.py --help` lists the sizes.

    python benchmarks/soak.py                                       # the goals: 200,000 frames, 1,000 trackers
    python benchmarks/soak.py --frames 20000 --trackers 100 --no-save

Each engine runs in a process of its own: first one tracker over a looped clip, then trackers that are opened and
closed, each with networks of its own, then 8 threads with a tracker each on one bundle. Linux only: memory, threads and
open files are read below /proc.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from reliability import Row, save

import knuckle
from knuckle.models import catalogue
from knuckle.models.bundle import Bundle, open_description
from knuckle.models.session import Session
from knuckle.pipeline.networks import Networks
from knuckle.results import Hand

CLIP = Path(__file__).resolve().parents[1] / "examples" / "hands.mp4"
ENGINES = {"litert": "LiteRT", "litert-int8": "LiteRT, int8", "onnx": "ONNX Runtime"}
MAX_SLOPE_MB = 1.0  # per 100,000 frames, and per 1,000 trackers
WARM_UP = 0.1  # this part of a run fills caches and is not fitted
SAMPLES = 400
THREADS = 8


def use_now() -> tuple[float, int, int]:
    """Resident memory in MB, threads and open files of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    memory_mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return memory_mb, len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


@dataclass(frozen=True)
class Growth:
    """How the use of a process changed over a run.

    Attributes:
        count: frames, or trackers.
        per: the slope is per this many of them.
        slope_mb: growth of the memory by a line fitted after the warm-up.
        error_mb: standard error of the slope.
        threads, files: those at the end minus those after the warm-up.
        seconds: length of the run.
    """

    count: int
    per: int
    slope_mb: float
    error_mb: float
    threads: int
    files: int
    seconds: float


def growth(steps: Iterator[object], count: int, per: int, samples: int = SAMPLES) -> Growth:
    """Do `count` steps and watch the process. It stops early, with the smaller count, if the steps end."""
    start, done, every = time.perf_counter(), 0, max(1, count // samples)
    seen = np.full((2 * samples, 4), np.nan)  # made in advance, so that keeping the samples needs no memory
    for done, _ in enumerate(islice(steps, count), 1):
        if done % every == 0:
            seen[done // every - 1] = done, *use_now()
    warm = seen[seen[:, 0] > WARM_UP * done]
    at, memory = warm[:, 0], warm[:, 1]
    fit = np.polyfit(at, memory, 1)
    error = float((memory - np.polyval(fit, at)).std() / at.std() / np.sqrt(len(at)))
    threads, files = (int(number) for number in warm[-1, 2:] - warm[0, 2:])
    return Growth(done, per, float(fit[0]) * per, error * per, threads, files, time.perf_counter() - start)


def described(engine: str, name: str) -> Bundle:
    """The bundle with the networks that this engine runs."""
    if engine == "onnx":
        return open_description(catalogue.ONNX / f"{name}.json")
    return catalogue.find(name)


def opened(engine: str, name: str, threads: int) -> Networks:
    """The networks of a bundle, with engines of their own that nothing else holds."""
    bundle = described(engine, name)
    hand = bundle.hand_path
    if engine == "litert-int8" and bundle.hand_int8:
        hand = bundle.folder / bundle.hand_int8.file
    return Networks(Session(bundle.palm_path, threads), Session(hand, threads), bundle)


def tracked(networks: Networks, images: Sequence[np.ndarray], seconds: float) -> Iterator[list[Hand]]:
    """The hands of a clip that is shown again and again, until the time is over."""
    end = time.perf_counter() + seconds
    with knuckle.HandTracker(networks) as tracker:
        for number, image in enumerate(cycle(images)):
            if time.perf_counter() > end:
                return
            yield tracker(image, number / 30)


def opened_and_closed(engine: str, name: str, images: Sequence[np.ndarray], seconds: float) -> Iterator[None]:
    """Trackers with networks of their own, each for two frames with two hands, until the time is over."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        with knuckle.HandTracker(opened(engine, name, 2)) as tracker:
            for number in range(2):
                tracker(images[60 + number], number / 30)
        yield None


def threads_agree(networks: Networks, images: Sequence[np.ndarray]) -> bool:
    """Whether trackers in `THREADS` threads give, to the last bit, what one gives alone."""

    def follow(found: list[list[Hand]]) -> None:
        tracker = knuckle.HandTracker(networks)
        found += [tracker(image, number / 30) for number, image in enumerate(images)]

    alone, results = list[list[Hand]](), [list[list[Hand]]() for _ in range(THREADS)]
    follow(alone)
    running = [threading.Thread(target=follow, args=(found,)) for found in results]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return all(same(found, alone) for found in results)


def same(found: Sequence[Sequence[Hand]], expected: Sequence[Sequence[Hand]]) -> bool:
    """Whether the hands of a clip are equal to the last bit."""
    return [[hand.to_dict() for hand in hands] for hands in found] == [
        [hand.to_dict() for hand in hands] for hands in expected
    ]


def measure(engine: str, options: argparse.Namespace) -> dict[str, object]:
    """All runs of one engine, in this process."""
    images = [frame.image for frame in knuckle.read(CLIP)]
    networks = opened(engine, options.models, options.threads)
    frames = growth(tracked(networks, images, options.minutes * 60), options.frames, 100_000)
    agree = threads_agree(networks, images[50:80])
    del networks
    trackers = growth(opened_and_closed(engine, options.models, images, options.minutes * 60), options.trackers, 1_000)
    return {"frames": asdict(frames), "trackers": asdict(trackers), "agree": agree}


def rows(engine: str, options: argparse.Namespace, found: dict) -> list[Row]:
    """The lines of docs/reliability.md about one engine."""
    name, lines = f"{ENGINES[engine]}, `{options.models}`", list[Row]()
    for what, key, wanted in (
        ("frames through one tracker", "frames", 200_000),
        ("trackers with networks of their own, opened and closed", "trackers", 1_000),
    ):
        run = Growth(**found[key])
        slope = f"{run.slope_mb:+.2f} ± {run.error_mb:.2f} MB per {run.per:,}"
        goal = f"below {MAX_SLOPE_MB:g} MB, {wanted:,} {key}"
        held = run.slope_mb < MAX_SLOPE_MB and run.count >= wanted
        lines.append(Row(f"{run.count:,} {what}, {name}: memory", slope, goal, held))
        left = f"{run.threads:+d} threads, {run.files:+d} files"
        lines.append(Row("the same: threads and open files left", left, "none", run.threads <= 0 and run.files <= 0))
    agrees = "equal to the last bit" if found["agree"] else "different"
    lines.append(Row(f"{THREADS} threads with a tracker each on one bundle, {name}", agrees, "equal", found["agree"]))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--trackers", type=int, default=1_000)
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--models", default="knuckle", help="a bundle of this package")
    parser.add_argument("--threads", type=int, default=1, help="threads of each engine")
    parser.add_argument("--minutes", type=float, default=1e6, help="end each run after this time, with fewer frames")
    parser.add_argument("--no-save", action="store_true", help="only print the results")
    parser.add_argument("--one", choices=list(ENGINES), help=argparse.SUPPRESS)  # the process of one engine
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options)))
        return
    for engine in options.engines:
        command = [sys.executable, __file__, *sys.argv[1:], "--one", engine]
        found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1])
        lines = rows(engine, options, found)
        print(*lines, sep="\n", flush=True)
        if not options.no_save:
            save(f"soak_{engine}", "load", " ".join(["python benchmarks/soak.py", *sys.argv[1:]]), lines)


if __name__ == "__main__":
    main()
