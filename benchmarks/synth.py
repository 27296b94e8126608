"""Synthetic images per second: `python benchmarks/synth.py [--workers 2]`.

Writes crops of 256 px and scenes of 384 px with `write_shards`. The rate counts the second half of the samples, so it
leaves out the start of the processes (imports, body model, shaders). Processor time per sample is user and system time
of all processes; other load on the machine changes it less than the wall time.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

from knuckle.synth.write.recipe import Recipe
from knuckle.synth.write.shards import write_shards

PRODUCTS = (("hands", 256, 400, 60.0), ("scenes", 384, 80, 8.0))  # product, side, samples, target per second


def measure(product: str, side: int, count: int, workers: int) -> dict[str, float]:
    """Samples per second, and milliseconds of processor time per sample."""
    ticks: list[tuple[float, float]] = []

    def tick(done: int) -> None:
        ticks.append((time.perf_counter(), _processor_s()))

    with tempfile.TemporaryDirectory() as folder:
        started = _processor_s()
        write_shards(Path(folder), Recipe(product, count, side, seed=123), workers, tick)
        used = _processor_s() - started
    (first, _), (last, _) = ticks[len(ticks) // 2], ticks[-1]
    seconds = (last - first) / (len(ticks) - 1 - len(ticks) // 2)
    return {"per_s": round(1 / seconds, 1), "processor_ms": round(1000 * used / count, 1)}


def _processor_s() -> float:
    """Seconds of processor time of this process and of its children that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0, help="share of the usual number of samples")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON to this file")
    options = parser.parse_args()
    figures = {}
    for product, side, count, target in PRODUCTS:
        found = measure(product, side, max(8, int(count * options.share)), options.workers)
        figures[product] = {"side": side, "workers": options.workers, **found}
        speed = f"{found['per_s']:6.1f}/s (target {target:.0f})"
        print(f"{product:<7} {side} px  {speed}  {found['processor_ms']:.1f} ms each")
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
