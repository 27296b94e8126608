"""Ctrl-C and a lack of memory before each line that writes a file: `python benchmarks/faults.py [FORMAT ...]`.

Each file is written over an older one, once for each line and fault. Afterwards it must be readable or be the older
one, and nothing else may be left in its folder. Lines that are reached many times are tried the first and last time.
"""

from __future__ import annotations

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


def tried(path: Path, error: type[BaseException]) -> tuple[int, list[str]]:
    """How many lines were tried, and what was wrong afterwards."""
    write(path)
    problems, numbers = [], places(lambda: write(path))
    for number, place in numbers.items():
        if not path.exists():
            write(path)
        fault = LineFault(number, error)
        fault.run(lambda: write(path))
        if problem := what_is_wrong(path.parent, path, had_file=True):
            if ".remove:" not in place:  # a fault while removing what is left leaves it
                problems.append(f"{place}: {problem}")
            shutil.rmtree(path.parent)
            path.parent.mkdir()
    return len(numbers), problems


def main() -> None:
    warnings.simplefilter("ignore")  # files that were just opened are closed when their object goes
    sys.unraisablehook = lambda unraisable: None
    rows, suffixes = [], {one.name: one.suffix for one in FORMATS if one.read} | {"mp4": ".mp4"}
    for name in sys.argv[1:] or suffixes:
        for error in FAULTS:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"inside/out{suffixes[name]}"
                path.parent.mkdir()
                try:
                    count, problems = tried(path, error)
                except Error as missing:
                    print(f"{name}: {missing}")
                    continue
            print(f"{name}, {NAMES[error]}: {count} lines", *problems, sep="\n    ", flush=True)
            found = f"{len(problems)} broken files" if problems else "readable, or the older file"
            what = f"`{suffixes[name]}`: {NAMES[error]} before each of {count} lines"
            rows.append(Row(what, found, "readable, or the older file", not problems))
    if not sys.argv[1:]:
        save("faults", "faults", "python benchmarks/faults.py", rows)


if __name__ == "__main__":
    main()
