"""The training loop: resuming is exact, several processes equal one, errors are one line."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from drawn import write_yolo

torch = pytest.importorskip("torch")

from knuckle.errors import InputError, SinkError  # noqa: E402
from knuckle.train import loop  # noqa: E402
from knuckle.train.flags import field_help  # noqa: E402
from knuckle.train.hand.loss import HandLossWeights  # noqa: E402
from knuckle.train.hand.task import HandTask  # noqa: E402
from knuckle.train.loop import Job, LoopOptions, train  # noqa: E402
from knuckle.train.nets.hand_net import HandNetShape  # noqa: E402

SMALL = HandNetShape(side=64, stem=4, widths=(4, 4, 8, 8), depths=(1, 0, 0, 1), token=8, bin_px=4)
OPTIONS = LoopOptions(
    steps=6, batch=4, rate=1e-3, warmup=2, precision="float32", device="cpu", log_every=1, save_every=100
)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"{write_yolo(tmp_path_factory.mktemp('drawn') / 'labels', 4)}@train"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def small_task(labels: str, options: LoopOptions) -> Job:
    torch.manual_seed(7)
    return HandTask(init="new", data=(labels,), shape=SMALL, loop=options).job()


def nothing(step: int, figures: dict[str, float]) -> None:
    pass


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_stopped_and_resumed_run_gives_the_same_bits(labels: str, tmp_path: Path) -> None:
    whole = torch.load(train(small_task(labels, OPTIONS), OPTIONS, tmp_path / "whole", nothing))
    asked = iter([False, False, True])
    train(small_task(labels, OPTIONS), OPTIONS, tmp_path / "parts", nothing, lambda: next(asked))
    stopped = torch.load(tmp_path / "parts" / "checkpoint.pt")
    assert stopped["step"] == 3
    log = tmp_path / "parts" / "train.csv"
    log.write_text(log.read_text() + "5,of a crash\n")
    with_workers = replace(OPTIONS, workers=1)  # how samples are prepared decides nothing
    parts = torch.load(train(small_task(labels, with_workers), with_workers, tmp_path / "parts", nothing))
    for name in ("network", "average"):
        for key, value in whole[name].items():
            assert torch.equal(value, parts[name][key]), key
    moments = whole["optimiser"]["state"]
    assert all(torch.equal(moments[k]["exp_avg_sq"], parts["optimiser"]["state"][k]["exp_avg_sq"]) for k in moments)
    logs = [
        [(row["step"], row["loss"], row["rate"]) for row in rows(tmp_path / f / "train.csv")]
        for f in ("whole", "parts")
    ]
    assert logs[0] == logs[1] and [step for step, _, _ in logs[0]] == list("123456")


def test_a_finished_run_is_not_changed(labels: str, tmp_path: Path) -> None:
    path = train(small_task(labels, OPTIONS), OPTIONS, tmp_path, nothing)
    before = path.read_bytes()
    assert train(small_task(labels, OPTIONS), OPTIONS, tmp_path, nothing) == path
    assert path.read_bytes() == before


class Line(torch.nn.Module):
    """One number that is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(1))

    def forward(self) -> torch.Tensor:
        return self.w


def line_task() -> Job:
    return Job(Line(), lambda n: {"x": np.float32(n)}, lambda net, batch: {"pull": (net() - 1).abs().sum()}, None, {})


def test_the_average_follows_fast_at_first_and_slower_later(tmp_path: Path) -> None:
    options = replace(OPTIONS, steps=4, ema=0.3, warmup=0, decay=0, rate=0.1)
    seen: list[float] = []
    task = line_task()
    inner = task.losses
    task.losses = lambda net, batch: (seen.append(net().item()), inner(net, batch))[1]
    saved = torch.load(train(task, options, tmp_path, nothing))
    values, mean = [*seen[3:], saved["network"]["w"].item()], 0.0
    assert seen[:3] == [0, 0, 0]  # two batches to measure the time, and the first step
    for step, value in enumerate(values, start=1):
        keep = min(0.3, (1 + step) / (10 + step))
        mean = keep * mean + (1 - keep) * value
    assert saved["average"]["w"].item() == pytest.approx(mean, rel=1e-5)


def test_the_rate_rises_and_falls_to_a_hundredth() -> None:
    options = replace(OPTIONS, steps=100, warmup=10, rate=0.5)
    rates = [loop.learning_rate(step, options) for step in range(101)]
    assert rates[0] == pytest.approx(0.05) and rates[9] == rates[10] == 0.5
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[100] == pytest.approx(0.005)


def test_minutes_end_a_run_with_a_checkpoint(tmp_path: Path) -> None:
    options = replace(OPTIONS, steps=10**6, minutes=0.3 / 60, log_every=10**6)
    start = time.monotonic()
    saved = torch.load(train(line_task(), options, tmp_path, nothing))
    assert 0 < saved["step"] < 10**6 and time.monotonic() - start < 20
    assert rows(tmp_path / "train.csv")[-1]["step"] == str(saved["step"])


def test_evaluation_comes_before_the_first_step_and_after_the_last(tmp_path: Path) -> None:
    task = line_task()
    task.evaluate = lambda net: {"w": net.w.item()}
    train(task, replace(OPTIONS, steps=5, evaluate_every=2), tmp_path, nothing)
    assert [row["step"] for row in rows(tmp_path / "evaluate.csv")] == ["0", "2", "4", "5"]


def test_a_folder_with_another_run_is_refused(tmp_path: Path) -> None:
    train(line_task(), OPTIONS, tmp_path, nothing)
    with pytest.raises(InputError, match=r"another configuration \(rate, steps\)"):
        train(line_task(), replace(OPTIONS, steps=7, rate=0.1), tmp_path, nothing)
    train(line_task(), replace(OPTIONS, minutes=5, log_every=3), tmp_path, nothing)  # these may differ


def test_the_error_names_a_broken_checkpoint(tmp_path: Path) -> None:
    path = train(line_task(), OPTIONS, tmp_path, nothing)
    whole = path.read_bytes()
    for damaged in (b"", b"no zip", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"checkpoint\.pt is not a checkpoint of knuckle train"):
            train(line_task(), OPTIONS, tmp_path, nothing)
    torch.save({"something": 1}, path)
    with pytest.raises(InputError, match="lacks average, config"):
        train(line_task(), OPTIONS, tmp_path, nothing)


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    path = train(line_task(), replace(OPTIONS, steps=6), tmp_path, nothing, lambda: True)
    before = path.read_bytes()
    task = line_task()
    task.losses = lambda net, batch: {"pull": (net() * float("nan")).sum()}
    with pytest.raises(InputError, match="lower --rate"):
        train(task, OPTIONS, tmp_path, nothing)
    assert path.read_bytes() == before


def test_the_error_names_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"file/run cannot be written"):
        train(line_task(), OPTIONS, tmp_path / "file" / "run", nothing)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"rate": 2.0}, {"ema": 1.0}, {"minutes": 0.0}, {"workers": -1}, {"clip": 0.0}]
)
def test_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        replace(OPTIONS, **wrong)


def test_unknown_devices_and_precisions_are_refused(tmp_path: Path) -> None:
    for wrong, words in (({"device": "tpu"}, "device must be"), ({"precision": "int4"}, "precision must be")):
        with pytest.raises(InputError, match=words):
            train(line_task(), replace(OPTIONS, **wrong), tmp_path, nothing)
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="sees no GPU"):
            train(line_task(), replace(OPTIONS, device="cuda"), tmp_path, nothing)


SCRIPT = """
import os, sys, torch
from dataclasses import replace
from pathlib import Path
torch.set_num_threads(1)
from knuckle.train import losses
from knuckle.train.loop import Job, LoopOptions, train
from knuckle.train.teacher import Adapter
torch.manual_seed(3)
net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
helper = torch.nn.ModuleDict({"linear": torch.nn.Linear(3, 1), "adapter": Adapter(3, 4)})
def sample(n):
    g = torch.Generator().manual_seed(n)
    x = torch.randn(4, generator=g)
    return {"x": x.numpy(), "y": x[:1].sin().numpy(), "weight": torch.rand(1, generator=g).gt(0.6).float().numpy()}
def terms(net, batch):
    own = net(batch["x"])
    fit = losses.weighted_mean((helper["linear"](own) - batch["y"]).abs(), batch["weight"])
    return {"fit": fit, "teacher": helper["adapter"](own, batch["x"])}
options = LoopOptions(steps=20, batch=8, rate=1e-2, warmup=2, precision="float32", device="cpu", log_every=1)
folder = Path(sys.argv[1])
train(Job(net, sample, terms, None, {}, helper), options, folder, lambda step, figures: None)
torch.save(dict(helper.named_buffers()), folder / f"buffers{os.environ.get('RANK', 0)}.pt")
"""


def test_two_processes_equal_one_with_the_same_batch(tmp_path: Path) -> None:
    """Even if the labels are spread unevenly over the two, and with a teacher, whose statistics both share."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    launchers = {
        "one": [sys.executable],
        "two": [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"],
    }
    running = [
        subprocess.Popen([*launcher, str(script), str(tmp_path / name)], env=environment, stderr=subprocess.PIPE)
        for name, launcher in launchers.items()
    ]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors[-2000:]
    one, two = ([float(row["loss"]) for row in rows(tmp_path / name / "train.csv")] for name in launchers)
    assert len(two) == 20 and sum(one[-5:]) < sum(one[:5])
    np.testing.assert_allclose(two, one, rtol=2e-4)
    alone, first, second = (
        torch.load(tmp_path / f"{name}.pt") for name in ("one/buffers0", "two/buffers0", "two/buffers1")
    )
    assert set(alone) == {"adapter.seen", "adapter.mean", "adapter.square"}
    for name, value in alone.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], value)


def test_ctrl_c_leaves_a_checkpoint_that_can_be_resumed(labels: str, tmp_path: Path) -> None:
    from knuckle.cli.train import train as train_group

    command = ["hand", "--init", "new", "--data", labels, "--out", str(tmp_path), "--steps", "100000"]
    command += ["--batch", "2", "--side", "64", "--token", "8", "--precision", "float32", "--log-every", "1"]
    command += ["--stem", "4", "--widths", "4", "4", "8", "8"]
    code = "import sys; from knuckle.cli.train import train as train_group; train_group(sys.argv[1:])"
    running = subprocess.Popen(
        [sys.executable, "-c", code, *command, "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    log = tmp_path / "train.csv"
    for _ in range(600):
        if running.poll() is not None or (log.exists() and len(rows(log)) > 2):
            break
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does it: the workers get it too
    out, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert "resumes from the checkpoint" in errors and "checkpoint.pt" in out and "Traceback" not in errors
    saved = torch.load(tmp_path / "checkpoint.pt")
    assert saved["step"] >= 3
    again = CliRunner().invoke(train_group, [*command, "--minutes", "0.0001"])
    assert again.exit_code == 0, again.output
    assert torch.load(tmp_path / "checkpoint.pt")["step"] == saved["step"] + 1


def test_every_flag_has_help() -> None:
    for options in (LoopOptions, HandNetShape, HandLossWeights):
        said = field_help(options)
        assert set(options.__dataclass_fields__) == set(said) and all(map(str.strip, said.values()))


def test_shape_flags_are_for_new_networks_only(labels: str) -> None:
    from knuckle.cli.train import train as train_group

    result = CliRunner().invoke(train_group, ["hand", "--data", labels, "--token", "8"])
    assert isinstance(result.exception, InputError) and "--token shapes a new network" in str(result.exception)
    with pytest.raises(InputError, match="multiple of 32"):
        HandNetShape(side=100)


def test_a_checkpoint_of_another_network_is_refused(labels: str, tmp_path: Path) -> None:
    path = train(line_task(), OPTIONS, tmp_path, nothing)
    with pytest.raises(InputError, match="not a landmark network"):
        HandTask(init=str(path), data=(labels,), shape=SMALL, loop=OPTIONS).job()
    saved = torch.load(path)
    config = json.loads(saved["config"]) | {"network": "knuckle", "shape": {"side": 64}}
    torch.save(saved | {"config": json.dumps(config)}, path)
    with pytest.raises(InputError, match="do not fit the network"):
        HandTask(init=str(path), data=(labels,), shape=SMALL, loop=OPTIONS).job()


def test_runs_of_version_0_1_are_resumed_and_started_from(labels: str, tmp_path: Path) -> None:
    """They call the task "landmarks"."""
    path = train(small_task(labels, OPTIONS), OPTIONS, tmp_path, nothing, lambda: True)
    saved = torch.load(path)
    saved["config"] = json.dumps(json.loads(saved["config"]) | {"task": "landmarks"})
    torch.save(saved, path)
    assert torch.load(train(small_task(labels, OPTIONS), OPTIONS, tmp_path, nothing))["step"] == 6
    torch.save(saved, path)
    job = HandTask(init=str(path), data=(labels,), loop=OPTIONS).job()
    assert job.config["task"] == "hand"
    for name, value in saved["average"].items():
        assert torch.equal(job.network.state_dict()[name], value)


def test_the_command_of_version_0_1_still_trains(labels: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from knuckle.cli.train import train as train_group

    monkeypatch.chdir(tmp_path)
    command = ["landmarks", "--init", "new", "--data", labels, "--steps", "1", "--batch", "2", "--side", "64"]
    done = CliRunner().invoke(train_group, [*command, "--stem", "4", "--widths", "4", "4", "8", "8", "--token", "8"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "runs" / "landmarks" / "checkpoint.pt").is_file()
    assert "landmarks" not in CliRunner().invoke(train_group, ["--help"]).output.split("Commands:")[1].split()


def test_tensorboard_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    train(line_task(), OPTIONS, tmp_path / "with", nothing)
    assert list((tmp_path / "with").glob("events.*"))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    train(line_task(), OPTIONS, tmp_path / "without", nothing)
    assert not list((tmp_path / "without").glob("events.*")) and rows(tmp_path / "without" / "train.csv")
