"""How long `knuckle stream` takes from the end of tracking to the packet: `python benchmarks/stream.py`.

Tracks a clip with two hands at its own speed and sends it to a receiver in another process, over the loopback device.
The clocks of both processes are the same. The time counts from the end of the tracker's call until the receiver has
read the last packet of the frame; for datagrams also until the last packet was handed to the network.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import knuckle
from knuckle.media.live import paced
from knuckle.stream.choose import StreamOptions, destinations
from knuckle.stream.sink import StreamSink
from knuckle.stream.values import Measure

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "examples" / "hands.mp4"
RESULT = ROOT / "benchmarks" / "results" / "stream.json"
NOTE = (
    "Read by a receiver in another process, over the loopback device, from {frames} frames at 30 frames a second in "
    "{system}, with a raised priority because other programs were running. Computing what is sent is included."
)


def receive(kind: str, port: int, ready: Any, results: Any) -> None:
    """Read packets until a pause of 2 s, and give back when each arrived."""
    arrivals: list[float] = []
    if kind == "ws":
        from websockets.exceptions import ConnectionClosed
        from websockets.sync.client import connect

        ready.set()
        while True:  # the server starts with the first frame
            try:
                with connect(f"ws://127.0.0.1:{port}", compression=None) as connection:
                    while True:
                        connection.recv()
                        arrivals.append(time.perf_counter())
            except ConnectionClosed:
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", port))
            receiver.settimeout(4)
            ready.set()
            try:
                while True:
                    receiver.recv(65536)
                    arrivals.append(time.perf_counter())
                    receiver.settimeout(2)
            except TimeoutError:
                pass
    results.put(arrivals)


def latencies(kind: str, tracker: knuckle.HandTracker, port: int) -> tuple[list[float], list[float]]:
    """Milliseconds from tracked to sent, and from tracked to received, one for each frame with two hands."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Event(), context.Queue()
    process = context.Process(target=receive, args=(kind, port, ready, results))
    process.start()
    ready.wait()
    tracked, written = list[float](), list[float]()
    tracker.reset()
    receivers = destinations({kind: [f"127.0.0.1:{port}"]}, StreamOptions())
    with StreamSink(receivers, Measure(), None, print) as stream:
        for frame, _ in paced((frame, frame.time_s) for frame in knuckle.read(CLIP)):
            if frame.index == 0:
                stream.start(frame)
                time.sleep(0.5)
            hands = tracker(frame.image, frame.time_s)
            if len(hands) == 2:
                tracked.append(time.perf_counter())
            stream.write(frame, hands)
            if len(hands) == 2:
                written.append(1000 * (time.perf_counter() - tracked[-1]))
        time.sleep(0.5)
    arrivals = np.array(results.get())
    process.join()
    found = []
    for start, end in zip(tracked, [*tracked[1:], tracked[-1] + 0.03], strict=True):
        inside = arrivals[(arrivals > start) & (arrivals < min(end, start + 0.03))]
        if len(inside):
            found.append(1000 * float(inside.max() - start))
    return written, found


def main() -> None:
    tracker, rows = knuckle.HandTracker(), []
    for place, kind in enumerate(("osc", "vmc", "udp", "ws")):
        for name, found in zip(("sent", "received"), latencies(kind, tracker, 45610 + place), strict=True):
            if name == "received" or kind != "ws":  # a server sends in a thread of its own
                figures = {f"p{part}_ms": round(float(np.percentile(found, part)), 3) for part in (50, 95, 99)}
                rows.append({"receiver": kind, "until": name, **figures})
        print(*rows[-2:], len(found))
    system = f"{os.cpu_count()} cores"
    if "--check" in sys.argv:
        assert all(row["p50_ms"] <= 1 for row in rows if row["until"] == "sent"), rows
    RESULT.write_text(
        json.dumps({"rows": rows, "note": NOTE.format(frames=len(found), system=system)}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
