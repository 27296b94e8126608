"""The mean of several checkpoints' averaged weights, of runs that began from one another.

    python recipes/average_weights.py OUT.pt RUN_A/checkpoint.pt RUN_B/checkpoint.pt ...

Such weights lie in one valley, and their mean generalises better than each (Wortsman et al. 2022, "Model soups", arXiv
2203.05482). The config is the last one's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from knuckle.train.checkpoint import read_checkpoint


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out", type=Path)
    options.add_argument("checkpoints", type=Path, nargs="+")
    chosen = options.parse_args()
    saved = [read_checkpoint(path) for path in chosen.checkpoints]
    mean = saved[-1]["average"]
    for name, value in mean.items():
        if value.is_floating_point():
            mean[name] = torch.stack([each["average"][name] for each in saved]).mean(dim=0)
    torch.save(saved[-1], chosen.out)


if __name__ == "__main__":
    main()
