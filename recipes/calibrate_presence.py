"""Moves the bias of a landmark network's presence so that one half lies between hands and what is none.

    python recipes/calibrate_presence.py RUN/checkpoint.pt --hands REAL/train.jsonl --free REAL/train.jsonl

Training sees far more doubtful crops (lost, cut off, covered hands) than tracking does, so a trained network says
"hand" too readily. The new zero of its logit lies between what it says of 99.9 % of the crops anywhere in pictures
without hands and of 99.5 % of the hands, cut as a tracker cuts them, a bit nearer to these (`TOWARDS_HANDS`): a hand
that is refused is looked for again soon, a false one stays. Writes RUN/calibrated.pt.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from knuckle.datasets import open_image
from knuckle.images import Image
from knuckle.pipeline.hand import MCP_JOINTS
from knuckle.results import FloatArray
from knuckle.train.augment import Jitter, crop_from_image, cut
from knuckle.train.checkpoint import read_checkpoint
from knuckle.train.hand.data import Source, elsewhere, is_taught, region
from knuckle.train.hand.task import load_network
from knuckle.train.nets.hand_net import HandNet

TRACKED = Jitter(any_angle=0, lost=0)
PER_PICTURE = 8
HANDS, FREE = 0.005, 0.999
TOWARDS_HANDS = 0.6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkpoint", type=Path)
    options.add_argument("--hands", required=True)
    options.add_argument("--free", required=True)
    chosen = options.parse_args()
    network, _ = load_network(chosen.checkpoint)
    assert isinstance(network, HandNet)
    hands = logits(network, crops_of_hands(Source.read(chosen.hands), network.side))
    free = logits(network, crops_of_nothing(Source.read(chosen.free), network.side))
    low, high = float(np.quantile(hands, HANDS)), float(np.quantile(free, FREE))
    zero = high + TOWARDS_HANDS * (low - high)
    print(f"{len(hands)} hands from {low:.2f}, {len(free)} other crops up to {high:.2f}: the new zero is {zero:.2f}")
    print(f"hands below it {100 * np.mean(hands <= zero):.2f} %, others above it {100 * np.mean(free > zero):.2f} %")
    saved = read_checkpoint(chosen.checkpoint)
    saved["average"]["presence.bias"] -= zero
    torch.save(saved, chosen.checkpoint.with_name("calibrated.pt"))


def crops_of_hands(source: Source, side: int) -> Iterator[Image]:
    """Each hand as a tracker cuts it."""
    for number, shot in enumerate(track(source.shots, "hands")):
        for hand in filter(is_taught, shot.hands or ()):
            roi = TRACKED.moved(region(hand, MCP_JOINTS), np.random.default_rng(number))
            yield cut(open_image(shot.source), crop_from_image(roi, side, False), side, side / roi.size)


def crops_of_nothing(source: Source, side: int) -> Iterator[Image]:
    """Crops anywhere in pictures without hands."""
    for number, shot in enumerate(track(source.shots, "no hands")):
        if shot.hands or not shot.complete:
            continue
        image, rng = open_image(shot.source), np.random.default_rng(number)
        for _ in range(PER_PICTURE):
            roi = elsewhere(image, (), rng)
            if roi is not None:
                yield cut(image, crop_from_image(roi, side, False), side, side / roi.size)


@torch.no_grad()
def logits(network: HandNet, crops: Iterator[Image]) -> FloatArray:
    """What the presence output says of each crop, before its sigmoid."""
    said = []
    for crop in crops:
        picture = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))[None].float() / 255
        said.append(float(network(picture, train_outputs=True)["presence_logit"]))
    return np.array(said)


if __name__ == "__main__":
    main()
