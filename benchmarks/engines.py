"""Compare ways to run the landmark network on two crops: one after the other, as one batch, or in parallel.

    python benchmarks/engines.py [--models BUNDLE] [--runs N]

Prints the median and the 10th to 90th percentile of each, alone and while another thread encodes video.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import av
import numpy as np
from ai_edge_litert.interpreter import Interpreter

import knuckle
from knuckle.models.session import default_threads


def interpreter(model: Path, threads: int, batch: int, side: int) -> Callable[[Any], None]:
    """Load the network for a fixed batch size."""
    loaded = Interpreter(model_path=str(model), num_threads=threads)
    entry = loaded.get_input_details()[0]["index"]
    loaded.resize_tensor_input(entry, [batch, side, side, 3])
    loaded.allocate_tensors()

    def run(crops: Any) -> None:
        loaded.set_tensor(entry, crops)
        loaded.invoke()

    return run


def ways(model: Path, side: int) -> dict[str, Callable[[], None]]:
    """The ways to run two crops, by name."""
    threads = default_threads()
    crops = np.random.default_rng(0).random((2, side, side, 3), dtype=np.float32)
    wide, both = interpreter(model, threads, 1, side), interpreter(model, threads, 2, side)
    left, right = interpreter(model, 1, 1, side), interpreter(model, 1, 1, side)
    pool = ThreadPoolExecutor(1)

    def one_by_one() -> None:
        wide(crops[:1])
        wide(crops[1:])

    def parallel() -> None:
        job = pool.submit(right, crops[1:])
        left(crops[:1])
        job.result()

    return {"one by one": one_by_one, "one batch": lambda: both(crops), "parallel": parallel}


@contextmanager
def encoding() -> Any:
    """Encode 640 × 480 video in another thread, as `knuckle track --out` does."""
    stop = threading.Event()
    picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)

    def work() -> None:
        with av.open("/dev/null", "w", format="mp4", options={"movflags": "frag_keyframe"}) as container:
            stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
            while not stop.is_set():
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                time.sleep(0.005)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--models", default="mediapipe", help="bundle whose landmark network is measured")
    options.add_argument("--runs", type=int, default=150, help="runs of each way")
    chosen = options.parse_args()
    bundle = knuckle.load(chosen.models).bundle
    candidates = ways(bundle.hand_path, bundle.hand_side)
    for title, context in (("alone", nullcontext()), ("with an encoder", encoding())):
        with context:
            times: dict[str, list[float]] = {name: [] for name in candidates}
            for _ in range(chosen.runs):
                for name, run in candidates.items():
                    start = time.perf_counter()
                    run()
                    times[name].append(1000 * (time.perf_counter() - start))
        for name, values in times.items():
            deciles = statistics.quantiles(values, n=10)
            print(f"{title:18} {name:12} {statistics.median(values):5.2f} ms ({deciles[0]:.2f} to {deciles[8]:.2f})")


if __name__ == "__main__":
    main()
