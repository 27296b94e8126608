"""Write the mean of the averaged weights of several runs that started from one another.

python recipes/average_weights.py OUT.pt RUN_A/checkpoint.pt RUN_B/checkpoint.pt ...
"""

from __future__ import annotations

import argparse
from pathlib import Path

from knuckle.train.checkpoint import average_checkpoints


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out", type=Path)
    options.add_argument("checkpoints", type=Path, nargs="+")
    chosen = options.parse_args()
    average_checkpoints(chosen.checkpoints, chosen.out)


if __name__ == "__main__":
    main()
