"""Ctrl-C and a lack of memory before each line that writes a file: `python benchmarks/faults.py [--most LINES]`.

Each file is written over an older one, once for each line and fault. Afterwards it must be readable or be the older
one, and nothing else may be left in its folder. Lines that are reached many times are tried the first and last time.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

from reliability import Row, save

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from faults import FAULTS, LineFault, places, what_is_wrong, write  # noqa: E402

from knuckle.errors import Error  # noqa: E402
from knuckle.exports.formats import FORMATS  # noqa: E402

NAMES = {KeyboardInterrupt: "Ctrl-C", MemoryError: "no memory"}


def tried(path: Path, error: type[BaseException], most: int) -> tuple[str, list[str]]:
    """How many lines were tried, of how many, and what was wrong afterwards."""
    write(path)
    problems, numbers = [], list(places(lambda: write(path)).items())
    chosen = numbers[:: max(1, -(-len(numbers) // most))]
    for number, place in chosen:
        if not path.exists():
            write(path)
        fault = LineFault(number, error)
        fault.run(lambda: write(path))
        if problem := what_is_wrong(path.parent, path, had_file=True):
            if ".remove:" not in place:  # a fault while removing what is left leaves it
                problems.append(f"{place}: {problem}")
            shutil.rmtree(path.parent)
            path.parent.mkdir()
    return f"{len(chosen)} of {len(numbers)}", problems


def main() -> None:
    warnings.simplefilter("ignore")  # files that were just opened are closed when their object goes
    sys.unraisablehook = lambda unraisable: None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=10_000, help="lines to try per file and fault, evenly spread")
    options = parser.parse_args()
    rows, suffixes = [], {one.name: one.suffix for one in FORMATS if one.read} | {"mp4": ".mp4"}
    for name in suffixes:
        for error in FAULTS:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"inside/out{suffixes[name]}"
                path.parent.mkdir()
                try:
                    count, problems = tried(path, error, options.most)
                except Error as missing:
                    print(f"{name}: {missing}")
                    continue
            print(f"{name}, {NAMES[error]}: {count} lines", *problems, sep="\n    ", flush=True)
            found = f"{len(problems)} broken files" if problems else "readable, or the older file"
            what = f"`{suffixes[name]}`: {NAMES[error]} before {count} lines"
            rows.append(Row(what, found, "readable, or the older file", not problems))
    save("faults", "faults", " ".join(["python benchmarks/faults.py", *sys.argv[1:]]), rows)


if __name__ == "__main__":
    main()
