"""Train a presence head for MediaPipe's lite network on regions that our palm network proposes (recipes/log.md).

    python recipes/presence_head.py --data PHOTOS@asl_letters --data PHOTOS@indoor_no_hands … --out hand.pt
    knuckle export hand.pt --palm knuckle --out bundle/

Everything else of MediaPipe's lite network stays as it is; it has the visibility head that `recipes/visibility_head.py`
trained. `--data`: photos with people's boxes around hands, and photos without hands.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import Progress
from torch import nn

from knuckle.train.augment import PhotometricAugment
from knuckle.train.checkpoint import write_weights
from knuckle.train.hand.candidates import CandidateOptions, find_candidates, read_source
from knuckle.train.hand.network import describe, start_hand_network
from knuckle.train.hand.presence import read_presence_data, train_presence_head
from knuckle.train.nets.hand_net import HandNetShape
from knuckle.train.nets.reference_hand import ReferenceHandNet

COUNT = 16_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", action="append", required=True)
    options.add_argument("--init", default="mediapipe-lite")
    options.add_argument("--count", type=int, default=COUNT, help="crops to train on; each region gives several")
    options.add_argument("--out", type=Path, required=True)
    chosen = options.parse_args()
    network, _ = start_hand_network(chosen.init, HandNetShape())
    if not isinstance(network, ReferenceHandNet) or not isinstance(network.presence, nn.Linear):
        raise SystemExit(f"--init {chosen.init}: this recipe starts from a published network of MediaPipe")
    shots = [shot for text in chosen.data for shot in read_source(text).shots]
    crops = find_candidates(shots, network.side, CandidateOptions(), PhotometricAugment(0))
    with Progress() as progress:
        bar = progress.add_task("features", total=chosen.count)
        data = read_presence_data(
            network.eval(), crops, chosen.count, lambda done: progress.update(bar, completed=done)
        )
    network.presence = train_presence_head(network.presence, data)
    write_weights(network, {"task": "hand", **describe(network)}, chosen.out)


if __name__ == "__main__":
    main()
