"""Rows of docs/reliability.md about fuzzing, parts of the package and connections: `python benchmarks/proof.py`.

The counts of fuzzing come from `tests/fuzz/results.json`, to which `make fuzz` adds. The tests of the supply chain and
of connections are run, and each becomes a row.
"""

from __future__ import annotations

import json
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
    hours = sum(row["seconds"] for row in counts.values()) / 3600
    kept = {name: sum(1 for path in (FUZZ / name).rglob("*") if path.is_file()) for name in ("finds", "corpus")}
    rows = [
        Row("time, all targets together", f"{hours:.1f} h", f"{HOURS} h", hours >= HOURS),
        Row("inputs", f"{sum(row['inputs'] for row in counts.values()):,}"),
        Row("inputs that broke the law once, mended and now tests", str(kept["finds"])),
        Row("further inputs that are kept because they reach new code", str(kept["corpus"])),
    ]
    for name, row in sorted(counts.items()):
        rows.append(Row(f"`{name}`", f"{row['inputs']:,} inputs, {row['seconds'] / 60:.0f} min"))
    note = (
        "The law: a result or a `knuckle.Error` of one line, 10 s of processor time and 2 GB of memory at most. The "
        "time is that of the clock, on two cores that ten other programs shared, so it says less than the number of "
        "inputs. Every run of the tests adds a dozen inputs per target."
    )
    save("fuzz", "inputs", "make fuzz SECONDS=3600", rows, note)


def tested(name: str, section: str, test: str, note: str) -> None:
    """Run a file of tests; each law that it states becomes a row."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", test]
        subprocess.run(command, cwd=ROOT, capture_output=True)
        cases = list(ElementTree.parse(report).iter("testcase"))
    rows = []
    for case in cases:
        law = str(case.get("name")).removeprefix("test_").replace("_", " ")
        if case.find("skipped") is not None:
            rows.append(Row(law, "not checked on this system", "holds"))
        else:
            holds = case.find("failure") is None and case.find("error") is None
            rows.append(Row(law, "holds" if holds else "does not hold", "holds", holds))
    save(name, section, f"pytest {test}", rows, note)


def main() -> None:
    fuzzing()
    audit = "`make audit` also asks for known weaknesses, where the service can be reached."
    tested("supply", "supply", "tests/test_supply_chain.py", audit)
    listed = "[privacy.md](privacy.md) lists what each command sends."
    tested("connections", "connections", "tests/cli/test_no_network.py", listed)


if __name__ == "__main__":
    main()
