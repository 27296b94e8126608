"""What an installation costs and whether it works: `python benchmarks/install.py`. With --check, as CI runs it, it only
installs the plain package and fails where a limit is passed.

Builds the wheel and installs it into an empty environment, once for each extra of `EXTRAS`. In each, `pip check` must
be content, and the hands in a photo and a clip must be found with the networks of the package, so that nothing is
downloaded. Size and import time are measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "install.json"
EXTRAS = ("", "parquet", "serve", "evaluate")
# Limits of --check: measured values, and room for the next releases of OpenCV and FFmpeg, which are half of the size.
MAX_MB, MAX_IMPORT_S = 620, 0.2
IMPORT = "import time; start = time.process_time(); import knuckle; print(time.process_time() - start)"
FIND = """
import sys
from pathlib import Path
from PIL import Image
import knuckle
from knuckle.cli import main
folder = Path(sys.argv[1])
frames = [frame.image for frame in knuckle.read(sys.argv[2])]
Image.fromarray(frames[60]).save(folder / "photo.png")
assert len(knuckle.detect(folder / "photo.png", "knuckle")) == 2
main(["track", sys.argv[2], "--models", "knuckle", "--out", str(folder / "out.mp4"), "--save", str(folder / "out.csv")])
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--check", action="store_true", help="only the plain package; fail where a limit is passed")
    options.add_argument("--wheel", type=Path, help="install this file and do not build one")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = chosen.wheel or build(Path(folder))
        rows = [measured(wheel.resolve(), extra, Path(folder)) for extra in ([""] if chosen.check else EXTRAS)]
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}", "rows": rows}
    print(json.dumps(found, indent=2))
    if not chosen.check:
        RESULT.write_text(json.dumps(found, indent=2) + "\n")
    elif rows[0]["mb"] > MAX_MB or rows[0]["import_s"] > MAX_IMPORT_S:
        sys.exit(f"an installation may have {MAX_MB} MB and import in {MAX_IMPORT_S} s")


def build(folder: Path) -> Path:
    """The wheel of this checkout."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def measured(wheel: Path, extra: str, folder: Path) -> dict[str, Any]:
    """Install the wheel with an extra into a new environment and look at the result."""
    home = folder / (extra or "plain")
    venv.create(home, with_pip=True)
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    before = size_mb(home)
    run(python, "-m", "pip", "install", "--quiet", f"{wheel}[{extra}]" if extra else str(wheel))
    mb = size_mb(home) - before
    run(python, "-m", "pip", "check")
    listed = json.loads(run(python, "-m", "pip", "list", "--format", "json"))
    run(python, "-c", FIND, home, ROOT / "examples" / "hands.mp4")
    rows = (home / "out.csv").read_text().splitlines()[1:]
    assert len(rows) > 50 and (home / "out.mp4").stat().st_size > 10_000, len(rows)
    seconds = min(float(run(python, "-c", IMPORT)) for _ in range(15))
    return {"extra": extra, "mb": round(mb), "packages": len(listed) - 1, "import_s": round(seconds, 3)}


def run(python: Path, *arguments: object) -> str:
    """The output of a Python of an environment, away from this checkout."""
    command = [str(python), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=python.parent)
    if done.returncode:
        sys.exit(f"{' '.join(command[1:3])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def size_mb(folder: Path) -> float:
    """Bytes of all files below a folder, in millions."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


if __name__ == "__main__":
    main()
