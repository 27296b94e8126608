"""What recognising gestures costs, and what triggers by mistake while people sign.

    python benchmarks/gestures.py speed
    python benchmarks/gestures.py signing CLIP...

`speed` times one hand, as the last step of the pipeline does it, beside the landmark network on the same machine.
`signing` tracks clips of people who sign and counts what triggers with and without the lock.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

import knuckle
from knuckle.gestures.lock import GestureLock
from knuckle.gestures.motion import MotionGestures
from knuckle.gestures.recogniser import load_gestures

RUNS = 300


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("speed", "signing"))
    options.add_argument("clips", nargs="*")
    chosen = options.parse_args()
    if chosen.what == "speed":
        speed()
    else:
        signing(chosen.clips)


def speed() -> None:
    """Print processor time per hand, the smallest of many runs, in ms."""
    rng = np.random.default_rng(0)
    points = rng.normal(0, 1, (21, 3)).astype(np.float32)
    hand = knuckle.Hand(points * 80 + 200, points * 0.05, "Right", 0.9, 0.9, knuckle.Roi(200, 200, 300))
    recognise = load_gestures()
    networks = knuckle.load(threads=1)
    landmarker = networks.hand_landmarker(knuckle.TrackerOptions())
    image = rng.integers(0, 255, (480, 640, 3), np.uint8)
    for name, run in (
        ("gesture of one hand", lambda: recognise([hand])),
        ("gestures of two hands", lambda: recognise([hand, hand])),
        ("landmarks of one hand", lambda: landmarker.read(image, [hand.roi])),
    ):
        print(f"{name}: {smallest_ms(run):.3f} ms")


def smallest_ms(run: Callable[[], object]) -> float:
    """Processor time of one call, the smallest of `RUNS`."""
    times = []
    for _ in range(RUNS):
        start = time.thread_time()
        run()
        times.append(time.thread_time() - start)
    return 1000 * min(times)


def signing(clips: list[str]) -> None:
    """Print what triggered in all clips together, and per hour."""
    seconds, counts = 0.0, {"frames with a gesture": 0, "lock": 0, "lock without its rules": 0, "motion": 0}
    for clip in clips:
        tracker, lock, motion = knuckle.HandTracker(gestures="canned"), GestureLock(), MotionGestures()
        loose = GestureLock(hold_s=0, refractory_s=0, min_score=0, still=1e9, raised=False)
        last_s = 0.0
        for frame, hands in tracker.track(clip):
            last_s = frame.time_s
            counts["frames with a gesture"] += sum(hand.gesture is not None for hand in hands)
            counts["lock"] += len(lock(hands, frame.time_s))
            counts["lock without its rules"] += len(loose(hands, frame.time_s))
            counts["motion"] += len(motion(hands, frame.time_s))
        seconds += last_s
    print(f"{len(clips)} clips, {seconds:.0f} s")
    for name, count in counts.items():
        print(f"{name}: {count}, {count / seconds * 3600:.0f} an hour")


if __name__ == "__main__":
    main()
