"""The training loop of both networks: plain PyTorch, on processors, one GPU or several (torchrun).

Everything random in a run is a function of its seed and of a sample's number, so a run that was stopped and resumed
gives the weights that it would have given in one go (on the same number of devices and the same PyTorch).
"""

from __future__ import annotations

import contextlib
import copy
import csv
import dataclasses
import json
import logging
import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from knuckle.errors import InputError, SinkError
from knuckle.train.checkpoint import decides, read_checkpoint
from knuckle.train.device import torch_device, uses_bfloat16

logger = logging.getLogger("knuckle")
Sample = Mapping[str, Any]
Batch = dict[str, Tensor]


@dataclass(frozen=True)
class LoopOptions:
    """How long and how fast; every field is a flag of `knuckle train`.

    Attributes:
        steps: optimiser steps in all.
        batch: samples per step, over all devices together.
        rate: peak learning rate of AdamW; from there it falls along a cosine to 1 % of itself.
        warmup: steps over which the rate rises.
        decay: weight decay of matrices and filters.
        ema: decay of the moving average of the weights, which is what is evaluated and exported.
        clip: the gradient's norm is cut down to this.
        seed: of everything random.
        workers: processes that prepare samples; 0 prepares them in this one.
        device: "auto" (a GPU where there is one), "cpu" or "cuda".
        precision: "auto" (bfloat16 where the device multiplies it fast), "bfloat16" or "float32".
        minutes: stop after so long, with a checkpoint; without it all steps are done.
        save_every, log_every, evaluate_every: steps between checkpoints, log lines and evaluations.
    """

    steps: int = 20_000
    batch: int = 64
    rate: float = 2e-3
    warmup: int = 500
    decay: float = 0.05
    ema: float = 0.999
    clip: float = 5.0
    seed: int = 0
    workers: int = 0
    device: str = "auto"
    precision: str = "auto"
    minutes: float | None = None
    save_every: int = 1000
    log_every: int = 50
    evaluate_every: int = 2000

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "save_every", "log_every", "evaluate_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("warmup", "workers", "decay", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if not 0 <= self.ema < 1:
            raise InputError(f"ema must lie between 0 and 1, got {self.ema}")
        if not self.clip > 0 or (self.minutes is not None and not self.minutes > 0):
            raise InputError(f"clip and minutes must be above 0, got {self.clip} and {self.minutes}")
        if not 0 < self.rate < 1:
            raise InputError(f"rate must lie between 0 and 1, got {self.rate}")


@dataclass
class Task:
    """What is trained.

    Attributes:
        network: the module; called by `losses` alone.
        samples: sample number -> a dict of arrays; a function of the number and the run's seed alone.
        losses: network, batch -> named terms, whose sum is minimised.
        evaluate: network -> named figures, or None.
        config: what is saved beside the checkpoint, JSON.
        helpers: layers that `losses` needs beside the network; trained and resumed with it, in no evaluation or export.
    """

    network: nn.Module
    samples: Callable[[int], Sample]
    losses: Callable[[nn.Module, Batch], dict[str, Tensor]]
    evaluate: Callable[[nn.Module], dict[str, float]] | None
    config: dict[str, Any]
    helpers: nn.Module = field(default_factory=nn.Module)


def train(
    task: Task,
    options: LoopOptions,
    folder: Path,
    observe: Callable[[int, dict[str, float]], None],
    stop: Callable[[], bool] = lambda: False,
) -> Path:
    """Train until the last step or the last minute; resume where `folder` holds a checkpoint of the same run.

    Args:
        observe: called with step and figures at every log line and evaluation, by the first process alone.
        stop: asked after every step; True ends the run with a checkpoint.

    Returns:
        The checkpoint: weights, their moving average, the optimiser, the step.

    Raises:
        InputError: the folder holds a run with another configuration, or the loss is no longer a number.
        SinkError: the folder cannot be written.
    """
    state = _State(task, options, folder)
    start, before = time.monotonic(), state.seconds
    try:
        if state.done == 0:
            state.judge(task, 0, observe)
        for step, batch in state.batches():
            terms = state.step(task, batch)
            done, spent = step + 1, time.monotonic() - start
            state.seconds = before + spent
            out_of_time = options.minutes is not None and spent > 60 * options.minutes
            state.gather(terms)
            stopped = state.anyone(stop())
            last = done == options.steps or state.anyone(out_of_time)
            saves = last or stopped or done % options.save_every == 0
            if saves or done % options.log_every == 0:
                figures = state.figures(done)
                if state.leads:
                    state.log("train.csv", done, figures)
                    observe(done, figures)
            if not stopped and (last or done % options.evaluate_every == 0):
                state.judge(task, done, observe)
            if saves and state.leads:
                state.save(done)
            if last or stopped:
                break
        state.leave()
    finally:
        if state.board is not None:
            state.board.close()
    return state.path


class _State:
    """All that a checkpoint holds, and the files of the run."""

    def __init__(self, task: Task, options: LoopOptions, folder: Path) -> None:
        self.options, self.folder, self.path = options, folder, folder / "checkpoint.pt"
        self.rank, self.ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.leads = self.rank == 0
        self.device = torch_device(options.device)
        self.bfloat16 = uses_bfloat16(options.precision, self.device)
        torch.manual_seed(options.seed)
        self.network = task.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.helpers = task.helpers.to(self.device)
        self.average = copy.deepcopy(self.network).eval()
        self.optimiser = _optimiser(nn.ModuleList([self.network, self.helpers]), options)
        self.samples, self.done, self.seconds, self.rate = task.samples, 0, 0.0, 0.0
        self.config = {**task.config, "loop": dataclasses.asdict(options)}
        self.board: Any = None
        self.sums: Tensor | float = 0.0
        self.names: tuple[str, ...] = ()
        self.counted = 0
        if self.path.is_file():
            self._resume()
        if self.leads:
            self._prepare_folder()
        self.parallel: nn.Module = self.network
        if self.ranks > 1:
            torch.distributed.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
            self.parallel = nn.parallel.DistributedDataParallel(self.network)
        self.first_step, self.first_second = self.done, self.seconds

    def _prepare_folder(self) -> None:
        """The config beside the checkpoint; log lines of steps that were done after it are done again, so they go."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "config.json").write_text(json.dumps(self.config, indent=2) + "\n")
            for path in self.folder.glob("*.csv"):
                head, *lines = path.read_text().splitlines(keepends=True)
                path.write_text("".join([head, *(line for line in lines if int(line.split(",")[0]) <= self.done)]))
        except OSError as error:
            raise SinkError(f"the run's folder {self.folder} cannot be written: {error.strerror}") from error
        self.board = _board(self.folder)

    def _resume(self) -> None:
        saved = read_checkpoint(self.path)
        before, now = (decides(config) for config in (json.loads(saved["config"]), self.config))
        if before != now:
            changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
            raise InputError(
                f"{self.folder} holds a run with another configuration ({', '.join(changed)}); "
                "use its flags to resume it, or another folder"
            )
        self.network.load_state_dict(saved["network"])
        self.helpers.load_state_dict(saved.get("helpers", {}))
        self.average.load_state_dict(saved["average"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.done, self.seconds = saved["step"], saved["seconds"]
        logger.info("resumed %s at step %d", self.folder, self.done)

    def batches(self) -> Iterator[tuple[int, Batch]]:
        """Step number and this process's share of its batch, from the first step that is not done."""
        share, whole = divmod(self.options.batch, self.ranks)
        if whole:
            raise InputError(f"a batch of {self.options.batch} cannot be shared by {self.ranks} processes evenly")
        steps = range(self.done, self.options.steps)
        first = (step * self.options.batch + self.rank * share for step in steps)
        loader = torch.utils.data.DataLoader(
            _Samples(self.samples),
            batch_sampler=(list(range(number, number + share)) for number in first),
            num_workers=self.options.workers,
            prefetch_factor=4 if self.options.workers else None,
            worker_init_fn=_prepare_worker,
            pin_memory=self.device.type == "cuda",
        )
        yield from zip(steps, loader, strict=True)

    def step(self, task: Task, batch: Batch) -> dict[str, Tensor]:
        """One step of the optimiser; the terms of the loss."""
        options = self.options
        self.rate = _rate(self.done, options)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        self.network.train()
        batch = {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}
        with torch.autocast(self.device.type, torch.bfloat16) if self.bfloat16 else contextlib.nullcontext():
            terms = task.losses(self.parallel, batch)
            total = torch.stack(list(terms.values())).sum()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self._share_helpers()
        nn.utils.clip_grad_norm_(self.network.parameters(), options.clip)
        self.optimiser.step()
        self.done += 1
        self._average()
        return {"loss": total.detach(), **{name: value.detach() for name, value in terms.items()}}

    def _share_helpers(self) -> None:
        """The helpers' mean gradient over all processes; the network's own is `DistributedDataParallel`'s business."""
        if self.ranks > 1:
            for parameter in self.helpers.parameters():
                assert parameter.grad is not None
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad /= self.ranks

    @torch.no_grad()
    def _average(self) -> None:
        """The moving average follows faster at the start, where it holds little but noise."""
        keep = min(self.options.ema, (1 + self.done) / (10 + self.done))
        for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)

    def anyone(self, wants: bool) -> bool:
        """Whether any process wants it: all must leave the loop at the same step."""
        if self.ranks == 1:
            return wants
        flag = torch.tensor(float(wants), device=self.device)
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        return bool(flag)

    def gather(self, terms: Mapping[str, Tensor]) -> None:
        """Add a step's terms to those since the last log line; a single batch says little."""
        values = torch.stack([value.float() for value in terms.values()])
        self.sums, self.names = values + self.sums, tuple(terms)
        self.counted += 1

    def figures(self, step: int) -> dict[str, float]:
        """The mean terms of the loss since the last log line over all processes, and how fast it goes."""
        values = torch.as_tensor(self.sums)
        if self.ranks > 1:
            torch.distributed.all_reduce(values)
        figures = dict(zip(self.names, (values / (self.ranks * self.counted)).tolist(), strict=True))
        self.sums, self.counted = 0.0, 0
        if not all(map(math.isfinite, figures.values())):
            raise InputError(f"step {step}: the loss is {figures}; lower --rate and resume from the checkpoint")
        steps_per_s = (self.done - self.first_step) / max(self.seconds - self.first_second, 1e-9)
        return figures | {
            "rate": self.rate,
            "seconds": self.seconds,
            "samples_per_s": self.options.batch * steps_per_s,
        }

    def judge(self, task: Task, step: int, observe: Callable[[int, dict[str, float]], None]) -> None:
        """Evaluate the averaged weights, in the first process."""
        if self.leads and task.evaluate is not None:
            figures = task.evaluate(self.average)
            self.log("evaluate.csv", step, figures)
            observe(step, figures)

    def log(self, name: str, step: int, figures: Mapping[str, float]) -> None:
        """One line of a CSV file, and the same for TensorBoard where that is installed."""
        path = self.folder / name
        try:
            fresh = not path.exists()
            with path.open("a", newline="") as file:
                writer = csv.writer(file)
                if fresh:
                    writer.writerow(["step", *figures])
                writer.writerow([step, *(f"{value:.6g}" for value in figures.values())])
        except OSError as error:
            raise SinkError(f"the log {path} cannot be written: {error.strerror}") from error
        if self.board is not None:
            for key, value in figures.items():
                self.board.add_scalar(f"{path.stem}/{key}", value, step)

    def save(self, step: int) -> None:
        """The checkpoint, whole or not at all."""
        part = self.path.with_suffix(".part")
        try:
            torch.save(
                {
                    "network": self.network.state_dict(),
                    "helpers": self.helpers.state_dict(),
                    "average": self.average.state_dict(),
                    "optimiser": self.optimiser.state_dict(),
                    "step": step,
                    "seconds": self.seconds,
                    "config": json.dumps(self.config),
                },
                part,
            )
            part.replace(self.path)
        except (OSError, RuntimeError) as error:
            part.unlink(missing_ok=True)
            raise SinkError(f"the checkpoint {self.path} cannot be written: {error}") from error

    def leave(self) -> None:
        """Part from the other processes, all at the same time, after a run without an error."""
        if self.ranks > 1:
            self.parallel = self.network  # its reducer must not outlive the group that it speaks to
            torch.distributed.barrier()
            torch.distributed.destroy_process_group()


class _Samples(torch.utils.data.Dataset[Sample]):
    def __init__(self, samples: Callable[[int], Sample]) -> None:
        self.samples = samples

    def __getitem__(self, number: int) -> Sample:
        return self.samples(number)


def _prepare_worker(_: int) -> None:
    """One thread each, and Ctrl-C is the main process's business."""
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _board(folder: Path) -> Any:
    """A TensorBoard writer, or None where that is not installed: the figures go to CSV files in any case."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder))


def _rate(step: int, options: LoopOptions) -> float:
    """Linear warm-up, then a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983) down to 1 %."""
    if step < options.warmup:
        return options.rate * (step + 1) / options.warmup
    part = (step - options.warmup) / max(1, options.steps - options.warmup)
    return options.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, part))))


def _optimiser(network: nn.Module, options: LoopOptions) -> torch.optim.Optimizer:
    """AdamW; biases, norms and slopes do not decay."""
    matrices = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": options.decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=options.rate)
