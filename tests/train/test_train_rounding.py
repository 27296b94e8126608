"""Rounding in training: 256 values, gradients as without it, the network itself stays what it was."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from drawn import write_yolo

torch = pytest.importorskip("torch")

from knuckle.errors import InputError  # noqa: E402
from knuckle.train.hand.task import HandTask  # noqa: E402
from knuckle.train.loop import LoopOptions, train  # noqa: E402
from knuckle.train.nets.reference_hand import LITE, ReferenceHandNet  # noqa: E402
from knuckle.train.rounding import STEPS, Rounded, Rounding, late_blocks  # noqa: E402

SIDE = 64


def test_values_are_rounded_to_256_steps_that_hold_zero_and_gradients_pass() -> None:
    value = torch.linspace(-1, 3, 5001, requires_grad=True)
    rounded = Rounded()(value)
    step = 4 / STEPS
    assert len(rounded.detach().unique()) <= STEPS + 1
    assert (
        float((rounded - value).detach().abs().max()) <= step
    )  # half a step, and as much where zero was moved onto one
    assert float(rounded.detach().abs().min()) == 0
    rounded.sum().backward()
    assert torch.equal(value.grad, torch.ones_like(value))


def test_the_range_follows_slowly_so_one_odd_batch_does_not_spoil_it() -> None:
    rounded = Rounded()
    rounded(torch.tensor([-1.0, 1.0]))
    rounded(torch.tensor([-100.0, 1.0]))
    assert rounded.low.item() == pytest.approx(-1 - 0.02 * 99) and rounded.high.item() == 1
    assert float(rounded(torch.tensor([-100.0])).item()) > -6  # values beyond the range are clipped, as int8 does


def test_only_the_network_in_training_is_rounded_and_its_weights_stay_the_same() -> None:
    torch.manual_seed(0)
    network = ReferenceHandNet(LITE, side=SIDE).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    weights, pictures = copy.deepcopy(network.state_dict()), torch.rand(2, 3, SIDE, SIDE)
    with torch.no_grad():
        before = network(pictures)["landmarks"]
        rounding = Rounding(network)
        assert torch.equal(network(pictures)["landmarks"], before)
        inside = network.train()(pictures, train_outputs=True)["landmarks"]
    difference = float((inside - before).abs().max() / before.std())
    assert 0 < difference < 0.5
    assert network.state_dict().keys() == weights.keys()
    assert len(late_blocks(network)) == 10 and len(rounding) == 17  # of which 7 add their input


def test_other_networks_are_refused() -> None:
    with pytest.raises(InputError, match="--quantise"):
        Rounding(torch.nn.Linear(2, 2))


def test_a_resumed_run_continues_with_its_ranges(tmp_path: Path) -> None:
    labels = f"{write_yolo(tmp_path / 'drawn', 4)}@train"
    options = LoopOptions(steps=4, batch=2, rate=1e-4, precision="float32", device="cpu", save_every=100, log_every=1)

    def run(folder: str, stops: list[bool]) -> dict[str, object]:
        asked = iter(stops)
        task = HandTask(init="mediapipe-lite", data=(labels,), loop=options, quantise=True, pairs=1.0, resize=SIDE)
        path = train(task.job(), options, tmp_path / folder, lambda step, figures: None, lambda: next(asked, False))
        return torch.load(path)

    torch.set_num_threads(1)
    whole = run("whole", [])
    run("parts", [False, True])
    parts = run("parts", [])
    assert whole["step"] == parts["step"] == 4
    for part in ("network", "average", "helpers"):
        assert whole[part].keys() == parts[part].keys()
        for key, value in whole[part].items():
            assert torch.equal(value, parts[part][key]), key
    assert any(float(value) > 0 for key, value in whole["helpers"].items() if key.endswith("high"))
    assert "rounding" not in " ".join(whole["average"])
