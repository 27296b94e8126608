"""The training loop of both networks in plain PyTorch, on CPUs, one GPU or several (torchrun).

All randomness depends only on the seed of the run and the number of the sample. So a run that is stopped and resumed
ends with the same weights as an uninterrupted one (with the same number of processes and the same PyTorch).
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import logging
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from knuckle.errors import InputError
from knuckle.train import distributed
from knuckle.train.device import torch_device, uses_bfloat16
from knuckle.train.early_stopping import Best
from knuckle.train.pace import MEASURED, Pace, measure
from knuckle.train.run_folder import RunFolder

logger = logging.getLogger("knuckle")
Sample = Mapping[str, Any]
Batch = dict[str, Tensor]


@dataclass(frozen=True)
class LoopOptions:
    """How long and how fast to train; every field is a flag of `knuckle train`.

    Attributes:
        steps: number of optimiser steps.
        batch: samples per step, over all devices together.
        rate: peak learning rate of AdamW; it falls along a cosine to 1 % of the peak.
        warmup: steps over which the learning rate rises.
        decay: weight decay of matrices and filters.
        ema: decay of the moving average of the weights; the average is evaluated and exported.
        clip: the norm of the gradient is limited to this.
        seed: seed of all random choices.
        workers: processes that prepare samples; 0 prepares them in the training process.
        device: "auto" (a GPU if there is one), "cpu" or "cuda".
        precision: "auto" (bfloat16 where the device multiplies it fast), "bfloat16" or "float32".
        minutes: stop after this time with a checkpoint; by default all steps are done.
        save_every: steps between checkpoints.
        log_every: steps between log lines.
        evaluate_every: steps between evaluations.
        patience: end after this many evaluations without a smaller error, and keep the best weights; 0 does all steps.
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
    patience: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "save_every", "log_every", "evaluate_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("warmup", "workers", "decay", "seed", "patience"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if not 0 <= self.ema < 1:
            raise InputError(f"ema must be at least 0 and below 1, got {self.ema}")
        if not self.clip > 0 or (self.minutes is not None and not self.minutes > 0):
            raise InputError(f"clip and minutes must be above 0, got {self.clip} and {self.minutes}")
        if not 0 < self.rate < 1:
            raise InputError(f"rate must be above 0 and below 1, got {self.rate}")


@dataclass
class Job:
    """What the loop trains, and on what.

    Attributes:
        network: the module; only `losses` calls it in training.
        samples: sample number -> a dict of arrays; depends only on the number and the seed of the run.
        losses: network, batch -> named terms, whose sum is minimised.
        evaluate: network -> named figures, or None.
        config: saved with the checkpoint as JSON.
        helpers: layers that `losses` needs besides the network. They are trained and resumed with it, but neither
            evaluated nor exported.
        on_device: device -> (number of the first sample, number of samples -> a batch on that device); takes the place
            of `samples` if there is one.
        images: number of images that the samples come from; 0 if nobody counted.
        error: figures of an evaluation -> the error that early stopping keeps small.
    """

    network: nn.Module
    samples: Callable[[int], Sample]
    losses: Callable[[nn.Module, Batch], dict[str, Tensor]]
    evaluate: Callable[[nn.Module], dict[str, float]] | None
    config: dict[str, Any]
    helpers: nn.Module = field(default_factory=nn.Module)
    on_device: Callable[[torch.device], Callable[[int, int], Batch]] | None = None
    images: int = 0
    error: Callable[[Mapping[str, float]], float] = lambda figures: figures.get("error", math.nan)


Observer = Callable[[int, dict[str, float]], None]


def train(
    job: Job, options: LoopOptions, folder: Path, observe: Observer, stop: Callable[[], bool] = lambda: False
) -> Path:
    """Train until the last step or until time is up. Resumes if `folder` holds a checkpoint of the same run.

    Args:
        observe: called in the first process with the step and the figures of every log line and evaluation; before
            the first step with `promised_s` and `samples_per_s`, and where `patience` kept earlier weights, after the
            last step with the step and the figures of these.
        stop: called after every step; True ends the run with a checkpoint.

    Returns:
        The path of the checkpoint: weights, their moving average, the optimiser, the step.

    Raises:
        InputError: the folder holds a run with another configuration, or the loss is not finite any more.
        SinkError: the folder cannot be written.
    """
    trainer = _Trainer(job, options, folder, observe)
    start, before = time.monotonic(), trainer.seconds
    try:
        if trainer.done == 0:
            trainer.evaluate()
        trainer.promise()
        for batch in trainer.batches():
            trainer.step(batch)
            spent = time.monotonic() - start
            trainer.seconds = before + spent
            out_of_time = options.minutes is not None and spent > 60 * options.minutes
            stopped = distributed.any_of(stop(), trainer.device)
            last = trainer.done == options.steps or distributed.any_of(out_of_time, trainer.device)
            saves = last or stopped or trainer.done % options.save_every == 0
            if trainer.done % options.log_every == 0:
                trainer.log()
            if not stopped and (last or trainer.done % options.evaluate_every == 0):
                trainer.evaluate()
                last = last or distributed.any_of(trainer.best.is_over, trainer.device)
            if saves or last:
                trainer.log()
                trainer.save()
            if last or stopped:
                break
        if trainer.best.weights is not None:
            observe(trainer.best.step, {"best": trainer.best.error, **trainer.best.figures})
        trainer.parallel = trainer.network  # DistributedDataParallel must be released before the process group
        distributed.leave()
    finally:
        trainer.folder.close()
    return trainer.folder.checkpoint


class _Trainer:
    """The state of a run: everything that a checkpoint holds, and the loss terms since the last log line."""

    def __init__(self, job: Job, options: LoopOptions, folder: Path, observe: Observer) -> None:
        self.job, self.options, self.observe = job, options, observe
        self.leads = distributed.rank() == 0
        self.device = torch_device(options.device)
        self.bfloat16 = uses_bfloat16(options.precision, self.device)
        torch.manual_seed(options.seed)
        self.network = job.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.helpers = job.helpers.to(self.device)
        self.average = copy.deepcopy(self.network).eval()
        self.optimiser = adamw(nn.ModuleList([self.network, self.helpers]), options)
        self.done, self.seconds, self.rate = 0, 0.0, 0.0
        self.best, self.evaluation_s = Best(options.patience), 0.0
        self.sums: dict[str, Tensor] = {}
        self.counted = 0
        self.folder = RunFolder(folder, {**job.config, "loop": dataclasses.asdict(options)})
        saved = self.folder.resumed()
        if saved is not None:
            self._restore(saved)
        if self.leads:
            self.folder.prepare(self.done)
        self.parallel: nn.Module = self.network
        distributed.start(self.device)
        if distributed.world_size() > 1:
            self.parallel = nn.parallel.DistributedDataParallel(self.network)
        self.first_step, self.first_second = self.done, self.seconds

    def _restore(self, saved: dict[str, Any]) -> None:
        self.network.load_state_dict(saved["network"])
        self.helpers.load_state_dict(saved.get("helpers", {}))
        self.average.load_state_dict(saved.get("moving", saved["average"]))
        self.optimiser.load_state_dict(saved["optimiser"])
        self.done, self.seconds = saved["step"], saved["seconds"]
        self.evaluation_s = saved.get("evaluation_s", 0.0)
        self.best.restore(saved.get("best", {}))
        if self.best.step >= 0:
            self.best.weights = saved["average"]
        logger.info("resumed %s at step %d", self.folder.path, self.done)

    @functools.cached_property
    def on_device(self) -> Callable[[int, int], Batch]:
        """Makes batches on the device; it holds all pictures there."""
        assert self.job.on_device is not None
        return self.job.on_device(self.device)

    def batches(self) -> Iterator[Batch]:
        """This process's share of each remaining batch."""
        share, remainder = divmod(self.options.batch, distributed.world_size())
        if remainder:
            raise InputError(
                f"a batch of {self.options.batch} cannot be divided evenly among {distributed.world_size()} processes"
            )
        steps = range(self.options.steps if self.best.is_over else self.done, self.options.steps)
        first = (step * self.options.batch + distributed.rank() * share for step in steps)
        if self.job.on_device is not None:
            yield from (self.on_device(number, share) for number in first)
            return
        loader = torch.utils.data.DataLoader(
            _Samples(self.job.samples),
            batch_sampler=(list(range(number, number + share)) for number in first),
            num_workers=self.options.workers,
            prefetch_factor=4 if self.options.workers else None,
            worker_init_fn=_prepare_worker,
            pin_memory=self.device.type == "cuda",
        )
        yield from loader

    def step(self, batch: Batch) -> None:
        """One step of the optimiser."""
        options = self.options
        self.rate = learning_rate(self.done, options)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        terms = self.gradient(batch)
        distributed.average_gradients(self.helpers.parameters())
        nn.utils.clip_grad_norm_(self.network.parameters(), options.clip)
        self.optimiser.step()
        self.done += 1
        self._update_average()
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, 0.0) + value.detach().float()
        self.counted += 1

    @torch.no_grad()
    def _update_average(self) -> None:
        """The moving average follows faster in the first steps, when it holds little more than noise."""
        keep = min(self.options.ema, (1 + self.done) / (10 + self.done))
        for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)

    def log(self) -> None:
        """Report the mean terms of the loss since the last log line, over all processes, and the speed; once a step."""
        if not self.counted:
            return
        values = distributed.mean_of(torch.stack(list(self.sums.values()))) / self.counted
        figures = dict(zip(self.sums, values.tolist(), strict=True))
        self.sums, self.counted = {}, 0
        if not all(map(math.isfinite, figures.values())):
            raise InputError(f"step {self.done}: the loss is {figures}; lower --rate and resume from the checkpoint")
        steps_per_s = (self.done - self.first_step) / max(self.seconds - self.first_second, 1e-9)
        samples_per_s = self.options.batch * steps_per_s
        figures |= {"rate": self.rate, "seconds": self.seconds, "samples_per_s": samples_per_s}
        if self.leads:
            self.folder.log("train", self.done, figures)
            self.observe(self.done, figures)

    def evaluate(self) -> None:
        """Evaluate the averaged weights, in the first process."""
        if self.leads and self.job.evaluate is not None:
            start = time.perf_counter()
            figures = self.job.evaluate(self.average)
            self.evaluation_s = time.perf_counter() - start
            self.folder.log("evaluate", self.done, figures)
            self.observe(self.done, figures)
            self.best.see(self.done, self.job.error(figures), figures, self.average)

    def promise(self) -> None:
        """Measure a few samples, and report how long the remaining steps will take. In a single process only."""
        options, count = self.options, min(self.options.batch, MEASURED)
        steps = 0 if self.best.is_over else options.steps - self.done
        if not steps or distributed.world_size() > 1:
            return

        def make() -> Batch:
            if self.job.on_device is not None:
                return self.on_device(0, count)
            batch: Batch = torch.utils.data.default_collate([self.job.samples(number) for number in range(count)])
            return batch

        made_s, trained_s = measure(make, self.gradient, nn.ModuleList([self.network, self.helpers]), self.device)
        pace = Pace(made_s / count, trained_s / count, self.evaluation_s)
        evaluations = 0 if self.job.evaluate is None else -(-steps // options.evaluate_every)
        seconds = pace.seconds(steps * options.batch, evaluations, options.workers)
        self.observe(self.done, {"promised_s": seconds, "samples_per_s": pace.samples_per_s(options.workers)})

    def gradient(self, batch: Batch) -> dict[str, Tensor]:
        """The terms of the loss of a batch, and their gradient."""
        self.network.train()
        batch = {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}
        with torch.autocast(self.device.type, torch.bfloat16) if self.bfloat16 else contextlib.nullcontext():
            terms = self.job.losses(self.parallel, batch)
            total = torch.stack(list(terms.values())).sum()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        return {"loss": total, **terms}

    def save(self) -> None:
        """Write the checkpoint, in the first process."""
        if self.leads:
            modules = {"network": self.network, "helpers": self.helpers, "average": self.average}
            state: dict[str, Any] = {name: module.state_dict() for name, module in modules.items()}
            state |= {"optimiser": self.optimiser.state_dict(), "step": self.done, "seconds": self.seconds}
            state["evaluation_s"] = self.evaluation_s
            if self.best.weights is not None:  # what is exported; the moving average is for resuming
                state |= {"best": self.best.state(), "moving": state["average"], "average": self.best.weights}
            self.folder.save(state)


class _Samples(torch.utils.data.Dataset[Sample]):
    def __init__(self, samples: Callable[[int], Sample]) -> None:
        self.samples = samples

    def __getitem__(self, number: int) -> Sample:
        return self.samples(number)


def _prepare_worker(_: int) -> None:
    """One thread per process; Ctrl-C is handled by the main process."""
    from knuckle.extras import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def learning_rate(step: int, options: LoopOptions) -> float:
    """Linear warm-up, then a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983) down to 1 %."""
    if step < options.warmup:
        return options.rate * (step + 1) / options.warmup
    part = (step - options.warmup) / max(1, options.steps - options.warmup)
    return options.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, part))))


def adamw(network: nn.Module, options: LoopOptions) -> torch.optim.Optimizer:
    """AdamW; biases, norms and slopes do not decay."""
    matrices = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": options.decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=options.rate)
