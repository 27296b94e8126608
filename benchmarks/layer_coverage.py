"""Which share of each layer's lines the tests run: `python benchmarks/layer_coverage.py [TEST …]`; without any, all.

Needs the package coverage. Layers are the packages of docs/architecture.md. Lines that only other processes run, such
as those of workers and servers, do not count as run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "knuckle"


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
    with tempfile.TemporaryDirectory() as folder:
        data, report = Path(folder) / "data", Path(folder) / "report.json"
        coverage = [sys.executable, "-m", "coverage"]
        tests = ["-m", "pytest", "-q", *sys.argv[1:]]
        subprocess.run([*coverage, "run", f"--data-file={data}", f"--source={SOURCE}", *tests], cwd=ROOT)
        subprocess.run([*coverage, "json", f"--data-file={data}", "-q", "-o", str(report)], cwd=ROOT, check=True)
        found = by_layer(report)
    for layer, (run, count) in sorted(found.items(), key=lambda item: item[1][0] / max(item[1][1], 1)):
        print(f"{layer:14} {100 * run / max(count, 1):5.1f} %  {run} of {count} lines")


if __name__ == "__main__":
    main()
