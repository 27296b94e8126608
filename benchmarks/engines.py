"""How two landmark crops are best run on this processor: in turn, in one call, or side by side.

    python benchmarks/engines.py

Prints the median and the spread of each, alone and while another thread encodes video.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from ai_edge_litert.interpreter import Interpreter

import knuckle
from knuckle.models.session import default_threads

CROPS = np.random.default_rng(0).random((2, 224, 224, 3), dtype=np.float32)


def interpreter(model: Path, threads: int, batch: int) -> Callable[[Any], None]:
    made = Interpreter(model_path=str(model), num_threads=threads)
    entry = made.get_input_details()[0]["index"]
    made.resize_tensor_input(entry, [batch, 224, 224, 3])
    made.allocate_tensors()

    def run(crops: Any) -> None:
        made.set_tensor(entry, crops)
        made.invoke()

    return run


def ways(model: Path) -> dict[str, Callable[[], None]]:
    threads = default_threads()
    wide, both = interpreter(model, threads, 1), interpreter(model, threads, 2)
    left, right = interpreter(model, 1, 1), interpreter(model, 1, 1)
    pool = ThreadPoolExecutor(1)

    def in_turn() -> None:
        wide(CROPS[:1])
        wide(CROPS[1:])

    def side_by_side() -> None:
        job = pool.submit(right, CROPS[1:])
        left(CROPS[:1])
        job.result()

    return {"in turn": in_turn, "one call of two": lambda: both(CROPS), "side by side": side_by_side}


@contextmanager
def encoding() -> Any:
    """Another thread that encodes 640 × 480 video, as `knuckle track --out` does."""
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
    candidates = ways(knuckle.load().bundle.hand_path)
    for title, context in (("alone", None), ("beside an encoder", encoding())):
        with context or threading.Lock():
            times: dict[str, list[float]] = {name: [] for name in candidates}
            for _ in range(150):
                for name, run in candidates.items():
                    start = time.perf_counter()
                    run()
                    times[name].append(1000 * (time.perf_counter() - start))
        for name, values in times.items():
            tenths = statistics.quantiles(values, n=10)
            print(f"{title:18} {name:16} {statistics.median(values):5.2f} ms ({tenths[0]:.2f} to {tenths[8]:.2f})")


if __name__ == "__main__":
    main()
