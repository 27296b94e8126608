"""Load test of `knuckle serve`: clients send frames at a fixed rate; prints answers, dropped frames and latency.

    python benchmarks/serve.py --clients 8 --rate 10 --seconds 10

The server runs in a process of its own. All clients share another process, which competes for the same CPU. Frames are
640 × 480 JPEGs of two drawn, moving hands.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from websockets.asyncio.client import connect

TESTS = Path(__file__).resolve().parents[1] / "tests"
SERVE = "from knuckle.cli.serve import serve; serve()"


@dataclass
class Seen:
    """The record of one client.

    Attributes:
        sent_s: when each frame was sent.
        latency_ms: from sending a frame to its answer.
        hands: number of hands of each answer.
        dropped: frames that the server reported as dropped.
        errors: error messages of the server.
    """

    sent_s: list[float] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    hands: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Frames that were neither answered nor reported as dropped."""
        return len(self.sent_s) - len(self.latency_ms) - len(self.dropped)


def frames() -> list[bytes]:
    """30 JPEG files that can be repeated without a jump."""
    sys.path.insert(0, str(TESTS))
    from conftest import two_hands

    files = []
    for k in range(30):
        file = io.BytesIO()
        PillowImage.fromarray(two_hands(abs(k - 15) / 15)).save(file, "JPEG", quality=85)
        files.append(file.getvalue())
    return files


async def client(address: str, pictures: list[bytes], start_s: float, rate: float, seconds: float) -> Seen:
    """Send frames from `start_s` on, at `rate` per second."""
    seen, count = Seen(), round(rate * seconds)
    async with connect(address, compression=None) as socket:
        await socket.recv()
        listening = asyncio.create_task(listen(socket, seen, count))
        for k in range(count):
            await asyncio.sleep(max(0.0, start_s + k / rate - time.perf_counter()))
            seen.sent_s.append(time.perf_counter())
            await socket.send(pictures[k % len(pictures)])
        await asyncio.wait_for(listening, 30)
    return seen


async def listen(socket: Any, seen: Seen, count: int) -> None:
    """Record answers until that of the last frame."""
    async for text in socket:
        answer = json.loads(text)
        seen.latency_ms.append(1000 * (time.perf_counter() - seen.sent_s[answer["frame"]]))
        seen.dropped += answer["dropped"]
        seen.hands.append(len(answer.get("hands", [])))
        seen.errors += [answer["error"]] if "error" in answer else []
        if answer["frame"] == count - 1:
            return


async def run(address: str, clients: int, rate: float, seconds: float) -> list[Seen]:
    """Run all clients; their frames are spread evenly over time."""
    pictures, start_s = frames(), time.perf_counter() + 1
    jobs = (client(address, pictures, start_s + k / clients / rate, rate, seconds) for k in range(clients))
    return await asyncio.gather(*jobs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rate", type=float, default=10, help="frames per second of each client")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--workers", type=int, help="passed to the server; by default it chooses")
    args = parser.parse_args()
    workers = [f"--workers={args.workers}"] if args.workers else []
    command = [sys.executable, "-u", "-c", SERVE, "--port=0", f"--max-sockets={2 * args.clients}", *workers]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        found = re.search(r"http://([^/]+)/", server.stdout.readline())
        assert found
        all_seen = asyncio.run(run(f"ws://{found[1]}/v1/track", args.clients, args.rate, args.seconds))
    finally:
        server.terminate()
        server.wait(20)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    report(all_seen, args.seconds, spent.ru_utime + spent.ru_stime)


def report(all_seen: list[Seen], seconds: float, cpu_s: float) -> None:
    """Print the totals of all clients; `cpu_s` is the server's CPU time."""
    latency = np.concatenate([seen.latency_ms for seen in all_seen])
    sent, dropped = sum(len(s.sent_s) for s in all_seen), sum(len(s.dropped) for s in all_seen)
    print(f"clients     {len(all_seen)}, {sent} frames in {seconds:g} s")
    print(f"answered    {len(latency)}, {np.concatenate([s.hands for s in all_seen]).mean():.2f} hands per frame")
    print(f"dropped     {dropped}, reported in a later answer")
    print(f"lost        {sum(seen.lost for seen in all_seen)}")
    print(f"errors      {sum(len(seen.errors) for seen in all_seen)}")
    percentiles = [f"{np.percentile(latency, p):.0f} ms ({p}th percentile)" for p in (50, 90, 99)]
    print(f"latency     {', '.join(percentiles)}")
    print(f"server      {1000 * cpu_s / max(len(latency), 1):.1f} ms of CPU time per frame, including the start")


if __name__ == "__main__":
    main()
