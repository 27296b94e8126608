"""Which share of each layer's lines the tests run: `python benchmarks/layer_coverage.py [TEST …]`; without any, all.

Layers are the packages of docs/architecture.md. Processes that the tests start, such as workers, servers and the
command line, count too. The whole suite takes half an hour of two quiet cores; only that run is written for
docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from reliability import Row, save

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "knuckle"
SETTINGS = """
[run]
data_file = {data}
source = {source}
parallel = true
patch = subprocess
sigterm = true
disable_warnings = no-data-collected, module-not-measured
"""


def by_layer(report: Path) -> dict[str, tuple[int, int]]:
    """The lines that were run, and all lines, of each package, from a report of coverage in JSON."""
    lines: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, found in json.loads(report.read_text())["files"].items():
        inside = (ROOT / name).resolve().relative_to(SOURCE).parts
        layer = inside[0].removesuffix(".py")
        lines[layer][0] += found["summary"]["covered_lines"]
        lines[layer][1] += found["summary"]["num_statements"]
    return {layer: (run, count) for layer, (run, count) in lines.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="*", help="arguments of pytest; all tests without any")
    parser.add_argument("--jobs", default="2", help="processes of the tests")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings, report = Path(folder) / "settings", Path(folder) / "report.json"
        settings.write_text(SETTINGS.format(data=Path(folder) / "data", source=SOURCE))
        coverage = [sys.executable, "-m", "coverage"]
        tests = ["-m", "pytest", "-q", "-n", chosen.jobs, "--dist", "loadfile", *chosen.tests]
        ended = subprocess.run([*coverage, "run", f"--rcfile={settings}", *tests], cwd=ROOT).returncode
        subprocess.run([*coverage, "combine", f"--rcfile={settings}", "-q"], cwd=ROOT, check=True)
        subprocess.run([*coverage, "json", f"--rcfile={settings}", "-q", "-o", str(report)], cwd=ROOT, check=True)
        found = by_layer(report)
    rows = []
    for layer, (run, count) in sorted(found.items(), key=lambda item: item[1][0] / max(item[1][1], 1)):
        rows.append(Row(f"lines of `{layer}` that the tests run", f"{100 * run / max(count, 1):.1f} % of {count:,}"))
    run, count = (sum(layer[k] for layer in found.values()) for k in (0, 1))
    rows.append(Row("lines of all layers", f"{100 * run / count:.1f} % of {count:,}"))
    print(*(f"{row.what}: {row.measured}" for row in rows), sep="\n")
    if ended not in (0, 1):
        raise SystemExit(f"pytest ended with {ended}")
    if not chosen.tests:
        note = "Lines that only a browser, a GPU or another system can run are not left out."
        save("layer_coverage", "tests", "python benchmarks/layer_coverage.py", rows, note)


if __name__ == "__main__":
    main()
