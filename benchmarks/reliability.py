"""What the scripts behind docs/reliability.md write: `save` puts their rows into benchmarks/results/reliability.

    from reliability import Row, save

    save("soak", "load", "python benchmarks/soak.py", [Row("frames through one tracker", "200,000", "200,000", True)])

`python docs/make_reliability.py` makes the page of all these files.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results" / "reliability"
SECTIONS = ("load", "time", "memory", "faults", "inputs", "laws", "supply", "connections", "tests")


@dataclass(frozen=True)
class Row:
    """One line of the page.

    Attributes:
        what: what was done or measured, with its size: "200,000 frames through one tracker, `knuckle`".
        measured: the figure, with its unit.
        goal: the figure to reach, with its unit; "" for a figure without a goal.
        reached: whether it was reached; None without a goal.
    """

    what: str
    measured: str
    goal: str = ""
    reached: bool | None = None


def save(name: str, section: str, command: str, rows: Sequence[Row], note: str = "") -> Path:
    """Write the rows of one script, in place of those that it wrote before.

    Args:
        name: name of the file, without its suffix.
        section: one of `SECTIONS`.
        command: the command that measures these rows again.
        rows: the rows, in the order of the page.
        note: one or two sentences below the table.

    Raises:
        ValueError: the section does not exist.
    """
    if section not in SECTIONS:
        raise ValueError(f"section must be one of {', '.join(SECTIONS)}, got {section!r}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    load = f", load {os.getloadavg()[0]:.0f}" if hasattr(os, "getloadavg") else ""
    system = f"{os.cpu_count()} cores{load}, {platform.system()}, Python {platform.python_version()}"
    found = {"section": section, "command": command, "system": system, "note": note}
    path.write_text(json.dumps({**found, "rows": [asdict(row) for row in rows]}, indent=2, ensure_ascii=False) + "\n")
    return path
