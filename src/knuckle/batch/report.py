"""A run as a page: totals, what failed and why, which machines did how much."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from knuckle.batch.items import ItemResult
from knuckle.batch.manifest import read_results, read_runs
from knuckle.media.names import readable
from knuckle.media.write_common import PartFile, writing

SHOWN = 200  # rows of each list; the manifest has all


def write_report(out: Path) -> Path:
    """Write `report.html` about everything that the manifest of an output folder says; returns its path.

    Raises:
        SinkError: it cannot be written.
    """
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("knuckle.batch"), autoescape=True, trim_blocks=True)
    environment.filters |= {"readable": readable, "number": lambda value: f"{value:,.0f}".replace(",", " ")}
    results = [result for result in read_results(out).values() if not result.of]
    page = environment.get_template("report.html").render(**content(out, results))
    path = out / "report.html"
    file = PartFile(path)
    try:
        with writing(path):
            file.part.write_text(page, encoding="utf-8")
        file.keep()
    except BaseException:
        file.discard()
        raise
    return path


def content(out: Path, results: list[ItemResult]) -> dict[str, Any]:
    """What the page shows."""
    runs = read_runs(out)
    failed = [result for result in results if result.status == "failed"]
    partly = [result for result in results if result.status == "done" and result.problems]
    return {
        "folder": str(out.resolve()),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "total": len(results),
        "done": len(results) - len(failed),
        "failed": failed[:SHOWN],
        "failed_count": len(failed),
        "partly": partly[:SHOWN],
        "partly_count": len(partly),
        "frames": sum(result.frames for result in results),
        "hands": sum(result.hands for result in results),
        "worker_hours": sum(result.seconds for result in results) / 3600,
        "retries": sum(result.tries - 1 for result in results),
        "hosts": by_host(results),
        "slowest": sorted(results, key=lambda result: -result.seconds)[:20],
        "options": runs[-1]["options"] if runs else {},
        "sources": runs[-1]["sources"][:SHOWN] if runs else [],
        "engines": sorted({result.engine for result in results if result.engine}),
        "versions": runs_versions(results),
        "runs": len(runs),
        "shown": SHOWN,
    }


def by_host(results: Iterable[ItemResult]) -> list[dict[str, Any]]:
    """Items, frames and speed of each machine, the one with the most frames first."""
    hosts: dict[str, dict[str, Any]] = defaultdict(lambda: {"items": 0, "frames": 0, "seconds": 0.0})
    for result in results:
        host = hosts[result.host or "unknown"]
        host["items"] += 1
        host["frames"] += result.frames
        host["seconds"] += result.seconds
    rows = [{"name": name, **host} for name, host in hosts.items()]
    for row in rows:
        row["rate"] = row["frames"] / row["seconds"] if row["seconds"] else 0.0
    return sorted(rows, key=lambda row: -row["frames"])


def runs_versions(results: Iterable[ItemResult]) -> list[str]:
    """Versions of the libraries that made the results, such as "numpy 2.1"; several if they changed."""
    return sorted({f"{name} {value}" for result in results for name, value in result.versions.items()})
