"""How many photos a second `knuckle serve` answers, and how fast, for growing numbers of clients.

    python benchmarks/serve_load.py --seconds 10 --write

Each client sends `POST /v1/detect` as soon as it has its answer. The clients share the processor with the server.
`--write` writes benchmarks/results/serve.json, and `python docs/make_tables.py` puts it into docs/serve.md. serve.py
does the same for streams.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from serve import frames

RESULTS = Path(__file__).parent / "results" / "serve.json"
SERVE = "from knuckle.cli import main; main()"
CLIENTS = (1, 2, 4, 8, 16)


def ask(host: str, pictures: list[bytes], until_s: float, latency_ms: list[float]) -> None:
    """Send photos until a time; refused ones are errors."""
    connection = http.client.HTTPConnection(host, timeout=120)
    number = 0
    while time.monotonic() < until_s:
        start = time.monotonic()
        connection.request("POST", "/v1/detect", pictures[number % len(pictures)], {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200 or not json.loads(body)["hands"]:
            raise RuntimeError(f"{answer.status}: {body[:200]!r}")
        latency_ms.append(1000 * (time.monotonic() - start))
        number += 1


def cpu_s(process: int) -> float:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def step(host: str, process: int, pictures: list[bytes], clients: int, seconds: float) -> dict[str, float]:
    """Requests per second, latency and CPU time for one number of clients."""
    latency: list[float] = []
    before, start = cpu_s(process), time.monotonic()
    each = [threading.Thread(target=ask, args=(host, pictures, start + seconds, latency)) for _ in range(clients)]
    for one in each:
        one.start()
    for one in each:
        one.join()
    took = time.monotonic() - start
    return {
        "clients": clients,
        "per_s": round(len(latency) / took, 1),
        "p50_ms": round(float(np.percentile(latency, 50)), 1),
        "p99_ms": round(float(np.percentile(latency, 99)), 1),
        "cpu_ms": round(1000 * (cpu_s(process) - before) / len(latency), 1),
    }


def processor() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else "unknown processor"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of each number of clients")
    parser.add_argument("--models", default="knuckle")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    options = ["--port=0", f"--models={args.models}", "--limit=requests_per_s=100000", "--limit=waiting=100"]
    server = subprocess.Popen([sys.executable, "-u", "-c", SERVE, "serve", *options], stdout=subprocess.PIPE, text=True)
    load, pictures = round(os.getloadavg()[0], 1), frames()
    try:
        assert server.stdout
        found = re.search(r"http://([^/]+)/", server.stdout.readline())
        assert found
        step(found[1], server.pid, pictures, 2, 1)  # warm
        rows = []
        for clients in CLIENTS:
            rows.append(step(found[1], server.pid, pictures, clients, args.seconds))
            print(rows[-1], flush=True)
    finally:
        server.terminate()
        server.wait(60)
    about = {"models": args.models, "cores": os.cpu_count(), "processor": processor(), "load": load}
    if args.write:
        RESULTS.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
