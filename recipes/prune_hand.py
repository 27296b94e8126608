"""Leave out channels of the landmark network that the others can stand in for, and write a start for training.

    python recipes/prune_hand.py photos/data.yaml --inner 16 32 48 64 --out runs/pruned.pt
    knuckle train hand --init runs/pruned.pt --data photos/data.yaml --out runs/small

`--inner`: channels of the stem, then those inside each block from the first on. `knuckle.train.hand.prune` says how it
is done, and recipes/log.md (Stage 7) what it gained.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from knuckle.train.checkpoint import write_weights
from knuckle.train.export_pictures import ExportData
from knuckle.train.hand.network import describe, start_hand_network
from knuckle.train.hand.prune import pruned
from knuckle.train.nets.hand_net import HandNetShape
from knuckle.train.nets.reference_hand import ReferenceHandNet

PICTURES = 48


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", help="labelled photos, as for knuckle train hand --data")
    options.add_argument("--init", default="knuckle")
    options.add_argument("--inner", type=int, nargs="+", required=True)
    options.add_argument("--out", type=Path, required=True)
    chosen = options.parse_args()
    network, config = start_hand_network(chosen.init, HandNetShape())
    if not isinstance(network, ReferenceHandNet):
        raise SystemExit(f"--init {chosen.init}: only networks that go on from MediaPipe's are pruned")
    crops = ExportData(chosen.data).examples(network, "hand", config).inputs[:PICTURES]
    pictures = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    small = pruned(network, chosen.inner, pictures)
    with torch.no_grad():
        before, after = (one(pictures)["landmarks"].reshape(-1, 21, 3)[..., :2].numpy() for one in (network, small))
    palm = np.linalg.norm(before[:, 9] - before[:, 0], axis=-1)
    moved = np.median(np.linalg.norm(after - before, axis=-1).mean(axis=1) / palm)
    write_weights(small, {"task": "hand", **config, **describe(small)}, chosen.out)
    print(f"{chosen.out}: channels {list(small.inner)}; landmarks moved by {moved:.1%} of the palm (median)")


if __name__ == "__main__":
    main()
