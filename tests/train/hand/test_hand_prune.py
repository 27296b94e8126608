"""A landmark network with fewer channels gives the same where the channels left out were not needed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from knuckle.errors import InputError
from knuckle.train.checkpoint import write_weights
from knuckle.train.hand.network import describe, load_hand_network
from knuckle.train.hand.prune import pruned
from knuckle.train.nets.reference_hand import LITE, InvertedResidual, ReferenceHandNet, inner_of

SIDE = 64


@pytest.fixture(scope="module")
def network() -> ReferenceHandNet:
    torch.manual_seed(0)
    made = ReferenceHandNet(LITE, side=SIDE)
    block = made.blocks[0]
    assert isinstance(block, InvertedResidual)
    for layer in made.modules():
        if isinstance(layer, nn.Conv2d):  # else pictures would hardly change the output
            nn.init.kaiming_normal_(layer.weight)
    with torch.no_grad():  # every second channel of the stem and of the first block repeats the one before it
        for layer in (made.stem, made.stem_filter, block.expand, block.filter):
            assert layer.bias is not None
            layer.weight[1::2], layer.bias[1::2] = layer.weight[::2], layer.bias[::2]
    return made.eval()


def pictures(count: int = 6) -> torch.Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def moved(one: ReferenceHandNet, other: ReferenceHandNet) -> float:
    """How far landmarks move, as a share of how much they differ between pictures."""
    with torch.no_grad():
        before, after = (each(pictures())["landmarks"] for each in (one, other))
    return float((after - before).abs().max() / before.std(dim=0).mean())


def test_channels_that_repeat_others_are_left_out_without_a_change(network: ReferenceHandNet) -> None:
    small = pruned(network, (12, 32), pictures())
    assert small.inner == (12, 32, *inner_of(LITE)[2:]) and network.inner == inner_of(LITE)
    assert moved(network, small) < 0.05
    parameters = [sum(one.numel() for one in each.parameters()) for each in (network, small)]
    assert parameters[1] < parameters[0]


def test_channels_that_are_needed_change_the_output(network: ReferenceHandNet) -> None:
    assert moved(network, pruned(network, (6, 16), pictures())) > 0.1


def test_a_checkpoint_of_a_pruned_network_is_read_again(network: ReferenceHandNet, tmp_path: Path) -> None:
    small = pruned(network, (12, 32), pictures())
    write_weights(small, {"task": "hand", **describe(small)}, tmp_path / "small.pt")
    again, _ = load_hand_network(tmp_path / "small.pt")
    assert isinstance(again, ReferenceHandNet) and again.inner == small.inner
    assert moved(small, again.eval()) < 0.05  # weights are written as float16
    assert "inner" not in describe(network)


@pytest.mark.parametrize("inner", [(25,), (24, 0), (24,) * 16])
def test_more_channels_or_blocks_than_there_are_are_refused(network: ReferenceHandNet, inner: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="channels must be at most"):
        pruned(network, inner, pictures())
