"""Keep the smallest inputs by which libFuzzer reached new code: run it after `make fuzz`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "src")]
EACH, LARGEST = 5, 3000  # files of a target, bytes of a file


def main() -> None:
    from fuzzing import CORPUS, name_of, saved_inputs

    for folder in sorted((HERE.parents[1] / "build" / "fuzz").iterdir()):
        target = CORPUS / folder.name
        found = {path.read_bytes() for path in saved_inputs(folder / "corpus") + saved_inputs(target)}
        kept = sorted((data for data in found if 0 < len(data) <= LARGEST), key=lambda data: (len(data), data))[:EACH]
        target.mkdir(parents=True, exist_ok=True)
        for path in saved_inputs(target):
            path.unlink()
        for data in kept:
            (target / name_of(data)).write_bytes(data)
        if not kept:
            target.rmdir()


if __name__ == "__main__":
    main()
