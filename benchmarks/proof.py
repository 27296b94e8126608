"""Rows of docs/reliability.md about fuzzing, parts of the package and connections: `python benchmarks/proof.py`.

The counts of fuzzing come from `tests/fuzz/results.json`, to which `make fuzz` adds. The tests of the laws, of the
supply chain and of connections are run, and each becomes a row.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from reliability import Row, save

ROOT = Path(__file__).resolve().parents[1]
FUZZ = ROOT / "tests" / "fuzz"
HOURS = 8  # of fuzzing in all


def fuzzing() -> None:
    """Time and inputs of each target."""
    counts = json.loads((FUZZ / "results.json").read_text())
    hours, own = (sum(row.get(key, 0) for row in counts.values()) / 3600 for key in ("seconds", "processor_s"))
    kept = {name: sum(1 for path in (FUZZ / name).rglob("*") if path.is_file()) for name in ("finds", "corpus")}
    rows = [
        Row("time by the clock, all targets together", f"{hours:.1f} h"),
        Row("time of the processor", f"{own:.1f} h", f"{HOURS} h", own >= HOURS),
        Row("inputs", f"{sum(row['inputs'] for row in counts.values()):,} for {len(counts)} targets"),
        Row("inputs that failed once; each is fixed and kept as a test", str(kept["finds"])),
        Row("further inputs that are kept because they reach new code", str(kept["corpus"])),
    ]
    for name, row in sorted(counts.items()):
        own_min = row.get("processor_s", 0) / 60
        rows.append(
            Row(f"`{name}`", f"{row['inputs']:,} inputs, {row['seconds'] / 60:.0f} min, {own_min:.1f} of the processor")
        )
    note = (
        "The rule: each input gives a result or a `knuckle.Error` of one line, within 10 s of processor time and "
        "2 GB of memory. All runs add up; most of the first hour the processor did other work. Every run of the tests "
        "adds a dozen inputs per target."
    )
    save("fuzz", "inputs", "make fuzz SECONDS=3600", rows, note)


def tested(name: str, section: str, test: str, note: str) -> None:
    """Run a file of tests; each test becomes a row."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", test]
        subprocess.run(command, cwd=ROOT, capture_output=True, env={**os.environ, "KNUCKLE_SLOW": "1"})
        cases = list(ElementTree.parse(report).iter("testcase"))
    ends: dict[str, set[str]] = {}  # of a law, over all its parameters
    for case in cases:
        law = str(case.get("name")).removeprefix("test_").partition("[")[0].replace("_", " ")
        kinds = [kind for kind in ("skipped", "failure", "error") if case.find(kind) is not None]
        ends.setdefault(law, set()).update(kinds or ["passed"])
    rows = []
    for law, found in ends.items():
        if found == {"skipped"}:
            rows.append(Row(law, "not checked on this system", "holds"))
        else:
            holds = not found & {"failure", "error"}
            rows.append(Row(law, "holds" if holds else "does not hold", "holds", holds))
    save(name, section, f"KNUCKLE_SLOW=1 pytest {test}", rows, note)


def main() -> None:
    fuzzing()
    own = "On real networks and real pixels; hypothesis chooses the turns, sizes, places, and what networks answer."
    tested("laws", "laws", "tests/laws", own)
    audit = "`make check` also asks for known weaknesses, where the service can be reached, and lists all parts (SBOM)."
    tested("supply", "supply", "tests/test_supply_chain.py", audit)
    listed = "[privacy.md](privacy.md) lists what each command sends."
    tested("connections", "connections", "tests/cli/test_no_network.py", listed)


if __name__ == "__main__":
    main()
