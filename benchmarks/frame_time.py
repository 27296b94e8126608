"""Where the time of a frame goes, and how steady it is: `python benchmarks/frame_time.py`.

    python benchmarks/frame_time.py --models knuckle       # 100,000 frames with one hand: 10 minutes of a quiet core
    python benchmarks/frame_time.py --minutes 3            # no longer than this for each bundle and number of hands
    python benchmarks/frame_time.py --frames 2000 --no-save

Tracks a looped clip with one hand held, which is where no palm is searched, and with two. The networks run on one
thread. Parts and overhead are processor time, which other programs hardly change; the 99th percentile is real time.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from reliability import Row, save

import knuckle
from knuckle.geometry import image_from_crop, letterbox
from knuckle.graph import Step
from knuckle.models.session import Network, Session
from knuckle.pipeline.networks import Networks

ROOT = Path(__file__).resolve().parents[1]
CLIP, RESULT = ROOT / "examples" / "hands.mp4", ROOT / "benchmarks" / "results" / "frame_time.json"
MAX_OVERHEAD_MS, MAX_RATIO, MAX_P99 = 0.25, 1.5, 3.0
ENOUGH = 90_000  # frames with the hand held, of 100,000
PARTS = {  # value that a node makes: the part of the frame it belongs to
    "pictures": "letterbox",
    "raw_palms": "decode palms",
    "palms": "decode palms",
    "size": "decode palms",
    "crops": "crop",
    "read_hands": "decode hands",
}
INNER = ("palm_detection", "hand_landmarks")  # graphs whose nodes count; of the other graphs their own nodes do


@dataclass
class Timed:
    """A network that adds up the processor time of its calls."""

    network: Network
    spent_s: float = 0.0

    @property
    def side(self) -> int:
        return self.network.side

    def __call__(self, pictures: Any) -> Any:
        start = time.thread_time()
        outputs = self.network(pictures)
        self.spent_s += time.thread_time() - start
        return outputs


@dataclass
class Measured:
    """What the frames of one run took: real and processor seconds of the whole, processor seconds of the networks."""

    real_s: list[float] = field(default_factory=list)
    total_s: list[float] = field(default_factory=list)
    network_s: list[float] = field(default_factory=list)

    @property
    def overhead_ms(self) -> float:
        """Median of the processor time outside of the networks."""
        return 1e3 * float(np.median(np.subtract(self.total_s, self.network_s)))

    @property
    def ratio(self) -> float:
        """Median of the whole processor time over that of the networks."""
        return float(np.median(np.divide(self.total_s, self.network_s)))


def frames(images: Sequence[np.ndarray], count: int) -> Iterator[tuple[int, np.ndarray]]:
    """The frames of a clip that runs forwards and backwards, so that hands do not jump at its ends."""
    return enumerate(islice(cycle([*images, *images[-2:0:-1]]), count))


def measure(
    networks: Networks, images: Sequence[np.ndarray], count: int, max_hands: int, seconds: float = math.inf
) -> Measured:
    """Track `count` frames, and keep those in which as many hands are tracked and no palm is searched.

    It stops early, with fewer frames, when the time is over.
    """
    end = time.perf_counter() + seconds
    timed = [Timed(networks.palm), Timed(networks.hand)]
    tracker = knuckle.HandTracker(replace(networks, palm=timed[0], hand=timed[1]), max_hands=max_hands)
    found = Measured()
    for number, image in frames(images, count + 60):
        if time.perf_counter() > end:
            break
        before = [network.spent_s for network in timed]
        real, own = time.perf_counter(), time.thread_time()
        hands = tracker(image, number / 30)
        total, passed = time.thread_time() - own, time.perf_counter() - real
        palm_s, hand_s = (network.spent_s - old for network, old in zip(timed, before, strict=True))
        if number >= 60 and len(hands) == max_hands and palm_s == 0:  # the first frames warm caches
            found.real_s.append(passed)
            found.total_s.append(total)
            found.network_s.append(hand_s)
    return found


def parts(networks: Networks, images: Sequence[np.ndarray], count: int) -> dict[str, float]:
    """Median milliseconds of each part in a frame in which it runs, with one hand at most."""
    spent, per_frame = defaultdict[str, list[float]](list), defaultdict[str, float](float)

    def observe(step: Step) -> None:
        graph, name = step.path[-2], step.path[-1]
        if step.skipped or name in ("unnamed_hands",):
            return
        if name == "raw":
            per_frame["palm network" if graph == "palm_detection" else "landmark network"] += step.seconds
        elif graph in INNER:
            per_frame[PARTS.get(name, "decode hands")] += step.seconds
        elif not hasattr(step.node.run, "nodes"):
            per_frame["track"] += step.seconds

    tracker = knuckle.HandTracker(networks, max_hands=1)
    tracker.observe = observe
    for number, image in frames(images, count):
        if number % 30 == 0:
            tracker.reset()  # so that palms are searched, too
        per_frame.clear()
        tracker(image, number / 30)
        for name, seconds in per_frame.items():
            spent[name].append(seconds)
    return {name: 1e3 * float(np.median(times)) for name, times in spent.items()}


def floors(networks: Networks, image: np.ndarray) -> dict[str, float]:
    """The least that parts can take: one call of the library that does their work, with everything else prepared."""
    hand = knuckle.detect(image, networks)[0]
    side, roi = networks.hand.side, hand.roi
    ticks = np.arange(side, dtype=np.float32)
    affine = image_from_crop(roi, side).astype(np.float32)
    x, y = (np.add.outer(row[1] * ticks + row[2], row[0] * ticks) for row in affine)
    letterbox(image, networks.palm.side)  # keeps its maps
    found = {
        "crop": best_ms(lambda: cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)),
        "letterbox": best_ms(lambda: letterbox(image, networks.palm.side)),
    }
    for name, network in (("palm network", networks.palm), ("landmark network", networks.hand)):
        if isinstance(network, Session) and hasattr(network._engine, "all_threads"):
            found[name] = best_ms(network._engine.all_threads.interpreter.invoke)
    return found


def best_ms(work: Callable[[], object], runs: int = 200) -> float:
    """Median milliseconds of a call."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def allocated_growth(networks: Networks, images: Sequence[np.ndarray], count: int = 600) -> int:
    """Bytes of Python and NumPy memory that `count` frames left behind."""
    tracker = knuckle.HandTracker(networks)
    run = frames(images, 2 * count)
    for number, image in islice(run, count):
        tracker(image, number / 30)
    tracemalloc.start()
    try:
        sizes = []
        for _ in range(2):
            for number, image in islice(run, count // 2):
                tracker(image, number / 30)
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
        return sizes[1] - sizes[0]
    finally:
        tracemalloc.stop()


def rows(name: str, found: Measured, hands: int) -> list[Row]:
    """The lines of docs/reliability.md about one run."""
    what, ratio = f"{hands} hand{'s' * (hands > 1)} tracked, `{name}`", found.ratio
    p50, p99 = (float(np.percentile(found.real_s, part)) for part in (50, 99))
    steady = f"{p99 / p50:.2f} × ({1e3 * p99:.2f} of {1e3 * p50:.2f} ms)"
    count = f"{len(found.real_s):,} frames"
    lines = [Row(f"{what}: outside of the networks, median", f"{found.overhead_ms:.2f} ms", f"{MAX_OVERHEAD_MS} ms")]
    lines[0] = replace(lines[0], reached=found.overhead_ms <= MAX_OVERHEAD_MS)
    if hands == 1:
        goal = f"{MAX_RATIO} ×"
        lines.append(
            Row(f"{what}: whole frame over the networks' own time", f"{ratio:.2f} ×", goal, ratio <= MAX_RATIO)
        )
        reached = p99 < MAX_P99 * p50 and len(found.real_s) >= ENOUGH
        goal = f"below {MAX_P99:g} × over {ENOUGH:,} frames"
        lines.append(Row(f"{what}: 99th percentile over the median, {count}", steady, goal, reached))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000, help="frames with one hand; a tenth of it with two")
    parser.add_argument("--models", nargs="+", default=["knuckle", "knuckle-fast"])
    parser.add_argument("--minutes", type=float, default=math.inf, help="end a run after this time, with fewer frames")
    parser.add_argument("--no-save", action="store_true")
    options = parser.parse_args()
    images, lines, results = [frame.image for frame in knuckle.read(CLIP)], list[Row](), {}
    for name in options.models:
        networks = knuckle.load(name, threads=1)
        one = measure(networks, images, options.frames, 1, 60 * options.minutes)
        two = measure(networks, images, max(100, options.frames // 10), 2, 60 * options.minutes)
        lines += rows(name, one, 1) + rows(name, two, 2)
        results[name] = {"parts": parts(networks, images, 300), "floors": floors(networks, images[60])}
        results[name] |= {"frames": len(one.real_s), "overhead_ms": [one.overhead_ms, two.overhead_ms]}
        percentiles = np.percentile(one.real_s, [50, 99, 100])
        results[name]["one_hand_ms"] = [1e3 * float(value) for value in percentiles]
    growth = allocated_growth(knuckle.load(options.models[0], threads=1), images)
    lines.append(Row("memory that 300 frames leave behind", f"{growth / 1000:.1f} kB", "below 10 kB", growth < 10_000))
    print(*lines, sep="\n")
    print(json.dumps(results, indent=2))
    if not options.no_save:
        save("frame_time", "time", " ".join(["python benchmarks/frame_time.py", *sys.argv[1:]]), lines)
        RESULT.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
