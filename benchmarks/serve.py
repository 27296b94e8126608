"""Clients of `knuckle serve` that send frames at a fixed rate: what is answered, said to be dropped, and how late.

    python benchmarks/serve.py --clients 8 --rate 10 --seconds 10

The server runs in a process of its own; the clients share one more, so on a small machine they take their part of it.
Frames are 640 x 480 JPEGs of two drawn hands that move.
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
    """What one client saw, and when it sent each frame."""

    sent_s: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    hands: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def unaccounted(self) -> int:
        return len(self.sent_s) - len(self.late_ms) - len(self.dropped)


def frames() -> list[bytes]:
    sys.path.insert(0, str(TESTS))
    from conftest import two_hands

    files = []
    for k in range(30):
        file = io.BytesIO()
        PillowImage.fromarray(two_hands(abs(k - 15) / 15)).save(file, "JPEG", quality=85)
        files.append(file.getvalue())
    return files


async def client(address: str, pictures: list[bytes], start_s: float, rate: float, seconds: float) -> Seen:
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
    async for text in socket:
        answer = json.loads(text)
        seen.late_ms.append(1000 * (time.perf_counter() - seen.sent_s[answer["frame"]]))
        seen.dropped += answer["dropped"]
        seen.hands.append(len(answer.get("hands", [])))
        seen.errors += [answer["error"]] if "error" in answer else []
        if answer["frame"] == count - 1:
            return


async def run(address: str, clients: int, rate: float, seconds: float) -> list[Seen]:
    pictures, start_s = frames(), time.perf_counter() + 1
    jobs = (client(address, pictures, start_s + k / clients / rate, rate, seconds) for k in range(clients))
    return await asyncio.gather(*jobs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--workers", default=[], nargs=1, metavar="N")
    args = parser.parse_args()
    workers = [f"--workers={n}" for n in args.workers]
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


def report(all_seen: list[Seen], seconds: float, processor_s: float) -> None:
    late = np.concatenate([seen.late_ms for seen in all_seen])
    sent, dropped = sum(len(s.sent_s) for s in all_seen), sum(len(s.dropped) for s in all_seen)
    print(f"clients     {len(all_seen)}, {sent} frames in {seconds:g} s")
    print(f"answered    {len(late)}, {np.concatenate([s.hands for s in all_seen]).mean():.2f} hands a frame")
    print(f"dropped     {dropped}, said in a later answer")
    print(f"unaccounted {sum(seen.unaccounted for seen in all_seen)}")
    print(f"errors      {sum(len(seen.errors) for seen in all_seen)}")
    print("late        " + ", ".join(f"{np.percentile(late, p):.0f} ms ({p}th)" for p in (50, 90, 99)))
    print(f"server      {1000 * processor_s / max(len(late), 1):.1f} ms of processor time a frame, start included")


if __name__ == "__main__":
    main()
