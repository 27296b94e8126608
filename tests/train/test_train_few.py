"""Training on few labels: early stopping, the promise of time, images that are held out, defaults."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import write_yolo

torch = pytest.importorskip("torch")

from knuckle.datasets.labels import Shot  # noqa: E402
from knuckle.errors import InputError  # noqa: E402
from knuckle.train.hand.task import HandTask  # noqa: E402
from knuckle.train.loop import Job, LoopOptions, train  # noqa: E402
from knuckle.train.pace import Pace  # noqa: E402
from knuckle.train.sources import Source, held_out  # noqa: E402

OPTIONS = LoopOptions(steps=6, batch=4, rate=1e-3, warmup=2, precision="float32", device="cpu", log_every=1)


class Line(torch.nn.Module):
    """One number that is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(1))

    def forward(self) -> torch.Tensor:
        return self.w


def nothing(step: int, figures: dict[str, float]) -> None:
    pass


def patient_task(errors: list[float]) -> Job:
    """A task whose evaluations give these errors, one after the other."""
    task = Job(Line(), lambda n: {"x": np.float32(n)}, lambda net, batch: {"pull": (net() - 1).abs().sum()}, None, {})
    following = iter(errors)
    task.evaluate = lambda net: {"w": net.w.item(), "error": next(following)}
    return task


def test_a_run_that_gets_no_better_ends_and_keeps_the_best_weights(tmp_path: Path) -> None:
    options = replace(OPTIONS, steps=20, evaluate_every=2, patience=2)
    seen: list[tuple[int, dict[str, float]]] = []
    path = train(patient_task([9, 5, 6, 7, 1]), options, tmp_path, lambda *found: seen.append(found))
    with (tmp_path / "evaluate.csv").open() as file:
        weights = {int(row["step"]): float(row["w"]) for row in csv.DictReader(file)}
    assert list(weights) == [0, 2, 4, 6] and len(set(weights.values())) == 4
    saved = torch.load(path)
    assert saved["step"] == 6 and saved["average"]["w"].item() == pytest.approx(weights[2], rel=1e-4)
    assert seen[-1][0] == 2 and seen[-1][1]["best"] == seen[-1][1]["error"] == 5
    train(patient_task([]), options, tmp_path, nothing)  # it has ended
    assert torch.load(path)["step"] == 6


def test_a_patient_run_resumes_exactly(tmp_path: Path) -> None:
    options = replace(OPTIONS, steps=8, evaluate_every=2, patience=3)
    errors = [9.0, 5, 6, 7, 3]
    whole = torch.load(train(patient_task(errors), options, tmp_path / "whole", nothing))
    asked = iter([False, False, True])
    stopped = torch.load(train(patient_task(errors[:2]), options, tmp_path / "parts", nothing, lambda: next(asked)))
    assert stopped["best"]["step"] == 2 and stopped["average"]["w"] != stopped["moving"]["w"]
    parts = torch.load(train(patient_task(errors[2:]), options, tmp_path / "parts", nothing))
    for name in ("network", "average", "moving"):
        assert torch.equal(whole[name]["w"], parts[name]["w"])
    assert whole["best"] == parts["best"]


def test_errors_of_nothing_end_no_run(tmp_path: Path) -> None:
    options = replace(OPTIONS, evaluate_every=1, patience=1)
    assert torch.load(train(patient_task([float("nan")] * 9), options, tmp_path, nothing))["step"] == OPTIONS.steps


def test_the_time_is_promised_before_the_first_step(tmp_path: Path) -> None:
    seen: list[tuple[int, dict[str, float]]] = []
    task = patient_task([1.0] * 9)
    task.evaluate = None
    made: list[int] = []
    task.samples = lambda n: (made.append(n), {"x": np.float32(n)})[1]
    train(task, OPTIONS, tmp_path, lambda *found: seen.append(found))
    step, promise = seen[0]
    assert step == 0 and made[:8] == [0, 1, 2, 3] * 2
    assert promise["promised_s"] == pytest.approx(OPTIONS.steps * OPTIONS.batch / promise["samples_per_s"])
    assert all("promised_s" not in figures for _, figures in seen[1:])


def test_workers_shorten_the_promise() -> None:
    pace = Pace(sample_s=0.03, step_s=0.01, evaluation_s=2)
    assert pace.samples_per_s(0) == pytest.approx(25) and pace.samples_per_s(2) == pytest.approx(1 / 0.015)
    assert pace.samples_per_s(8) == pytest.approx(100)
    assert pace.seconds(100, evaluations=3, workers=0) == pytest.approx(10)


def test_whole_groups_are_held_out_wherever_the_folder_lies() -> None:
    def source(root: str) -> Source:
        shots = [Shot(f"{root}/{k:03}.jpg", hands=(), group=f"room {k // 4}") for k in range(80)]
        return Source(root, shots)

    sources, out = held_out([source("/a")], 0.2)
    assert out is not None and len(out.shots) == 16 and len(sources[0].shots) == 64
    assert not {shot.group for shot in out.shots} & {shot.group for shot in sources[0].shots}
    _, elsewhere = held_out([source("/b")], 0.2)
    assert elsewhere is not None
    assert [Path(shot.source).name for shot in elsewhere.shots] == [Path(shot.source).name for shot in out.shots]
    assert held_out([Source("one", [Shot("a.jpg", group="a")])], 0.2)[1] is None
    assert held_out([source("/a")], 0)[1] is None


def test_fine_tuning_on_few_images_has_its_own_defaults(tmp_path: Path) -> None:
    labels = f"{write_yolo(tmp_path, 4)}@train"
    task = HandTask(init="knuckle", data=(labels,), loop=replace(OPTIONS, rate=0.5))
    few, many = task.loop_for(50, {"rate"}), task.loop_for(5000, ())
    assert few.rate == 0.5 and few.patience > 0 and few.steps * few.batch < many.steps * many.batch / 5
    assert many.rate == 3e-5 and many.patience == 0
    assert HandTask(init="new", data=(labels,), loop=OPTIONS).loop_for(50, ()) == OPTIONS


def test_only_the_landmarks_of_a_good_network_learn_from_few_images(tmp_path: Path) -> None:
    labels = f"{write_yolo(tmp_path / 'labels', 3)}@train"
    task = HandTask(init="knuckle", data=(labels,), loop=replace(OPTIONS, steps=2, batch=2))
    job = task.job()
    before = {name: value.clone() for name, value in job.network.state_dict().items()}
    after = torch.load(train(job, task.loop, tmp_path / "run", nothing))["network"]
    assert {name for name, value in after.items() if not torch.equal(value, before[name])} == {
        "landmarks.weight",
        "landmarks.bias",
    }
    assert task.loop_for(3, ()).rate > 10 * replace(task, part="all").loop_for(3, ()).rate
    with pytest.raises(InputError, match="use --part all"):
        HandTask(init="knuckle-fast", part="landmarks", data=(labels,)).job()
    assert "part" not in HandTask(init="knuckle-fast", data=(labels,)).job().config
