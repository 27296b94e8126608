"""Make docs/reliability.md from benchmarks/results/reliability: `python docs/make_reliability.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS.parent / "benchmarks" / "results" / "reliability"
HEAD = """# Reliability

Stress tests of Knuckle and their results. `python docs/make_reliability.py` writes this page from the files in
`benchmarks/results/reliability`. The command above each table measures it again. Behind the command are the number of
cores, the load of the system before the run, and the version of Python. "no" in the last column is a missed goal.
"""
# Every section that benchmarks/reliability.py knows, in the order of the page: its title and what stands below it.
SECTIONS = {
    "load": (
        "Load",
        "Long runs, many trackers and many threads. Memory is the resident memory of the process; its slope is a line "
        "fitted to samples after the first tenth of the run.",
    ),
    "time": ("Time of a frame", "The parts of a frame beside their floors are in [Latency](latency.md)."),
    "memory": (
        "Memory",
        "Peak resident memory of a process that tracks the same decoded clip. The reference is mediapipe 0.10.21.",
    ),
    "faults": (
        "Faults",
        "An error or Ctrl-C is raised at every step at which a file is written. Afterwards the file must be readable, "
        "with the frames until then, or must not exist.",
    ),
    "inputs": ("Hostile inputs", "Damaged and hostile files and requests. They may raise only `knuckle.Error`."),
    "laws": ("Invariants", "What must hold for every image, tested with images that hypothesis generates."),
    "supply": ("Supply chain", "What the package consists of, and where it comes from."),
    "connections": ("Connections", "What leaves the computer while each command runs."),
    "tests": ("Tests of the tests", "Whether the tests notice a broken program."),
}


def measured() -> list[dict[str, Any]]:
    """What each script wrote, by the name of its file."""
    return [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]


def page(results: Iterable[Mapping[str, Any]]) -> str:
    """The whole page."""
    results, parts = list(results), [HEAD]
    for key, (title, introduction) in SECTIONS.items():
        if found := [result for result in results if result["section"] == key]:
            parts.append(f"## {title}\n\n{introduction}\n")
            parts += [block(result) for result in found]
    return "\n".join(parts)


def block(result: Mapping[str, Any]) -> str:
    """The table of one script, with its command above and its note below."""
    lines = [
        f"`{result['command']}` ({result['system']})",
        "",
        "| what | measured | goal | reached |",
        "|---|---|---|---|",
    ]
    for row in result["rows"]:
        reached = {True: "yes", False: "**no**", None: ""}[row["reached"]]
        lines.append(f"| {row['what']} | {row['measured']} | {row['goal']} | {reached} |")
    if result["note"]:
        lines += ["", result["note"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (DOCS / "reliability.md").write_text(page(measured()))
