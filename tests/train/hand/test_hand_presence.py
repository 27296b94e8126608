"""The presence head: it learns what the former head does not know, and keeps what that one knew."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from knuckle.metrics import auroc
from knuckle.train.hand.head import HeadOptions
from knuckle.train.hand.presence import PresenceData, joined, train_presence_head
from knuckle.train.nets.reference_hand import LITE, ReferenceHandNet, perceptron


def test_the_joined_head_is_the_sum_of_both() -> None:
    torch.manual_seed(1)
    head, former, x = perceptron(20, 5, 1), nn.Linear(20, 1), torch.randn(9, 20) * 3 + 1
    mean, spread = torch.randn(20), torch.rand(20) + 0.5
    whole = joined(head, mean, spread, former, 0.5)
    expected = head((x - mean) / spread) + 0.5 * former(x)
    torch.testing.assert_close(whole(x), expected, atol=1e-4, rtol=1e-4)
    network = ReferenceHandNet(LITE, presence_hidden=7)
    assert network(torch.rand(1, 3, 224, 224))["presence"].shape == (1, 1)


def test_a_head_learns_what_the_former_one_ignored() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3000, 12)).astype(np.float32)
    present = ((features[:, 0] > 0) & (np.abs(features[:, 1]) < 1)).astype(np.float32)  # the former head sees the first
    former = nn.Linear(12, 1)
    with torch.no_grad():
        former.weight.zero_()
        former.weight[0, 0] = 1.0
        former.bias.zero_()
    options = HeadOptions(epochs=25, hidden=16, rate=1e-2, noise=0.05, decay=0.01)
    head = train_presence_head(former, PresenceData(features[:2000], present[:2000]), options)
    held_out = torch.from_numpy(features[2000:])
    with torch.no_grad():
        before, after = (auroc(each(held_out)[:, 0].numpy(), present[2000:]) for each in (former, head))
    assert after > 0.95 > before
