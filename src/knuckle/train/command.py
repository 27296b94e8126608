"""`knuckle train`: fine-tune a network on your own photos, or train ours from the start."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from knuckle.errors import InputError
from knuckle.train import loop
from knuckle.train.flags import chosen, flags_of
from knuckle.train.landmarks import LossWeights, landmark_task
from knuckle.train.loop import LoopOptions, Task
from knuckle.train.nets.hand_net import HandNetShape
from knuckle.train.palm_command import JUDGED as PALMS_JUDGED
from knuckle.train.palm_command import palm

logger = logging.getLogger("knuckle")
console = Console(stderr=True, highlight=False)
STOPPED = 130  # what shells expect after Ctrl-C
FINE_TUNING = LoopOptions(steps=2000, rate=3e-5, warmup=100)  # Adam's steps are large for weights that are good


@click.group()
def train() -> None:
    """Train a network. Needs the extra `train`; docs/training.md is a tutorial."""


train.add_command(palm)


@train.command()
@click.option(
    "--init",
    default="mediapipe",
    show_default=True,
    help="Where to start: a bundle (name or folder), a checkpoint FILE.pt, or `new` for our own network from nothing.",
)
@click.option(
    "--data",
    required=True,
    multiple=True,
    metavar="PATH[@SPLIT][:WEIGHT]",
    help="Labelled images (docs/datasets.md); repeatable, drawn from by weight.",
)
@click.option("--check", metavar="PATH[@SPLIT]", help="Labelled images to judge by while training; never trained on.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/landmarks"),
    show_default=True,
    help="Folder of the run: checkpoint, config, logs. A run that is there is resumed.",
)
@click.option("--look", default=1.0, show_default=True, help="How strongly colour, blur and noise are changed, 0 to 1.")
@flags_of(LoopOptions)
@flags_of(HandNetShape)
@flags_of(LossWeights, "weight_")
@click.pass_context
def landmarks(
    context: click.Context, /, init: str, data: tuple[str, ...], check: str | None, out: Path, look: float, **flags: Any
) -> None:
    """Train the landmark network on labelled images.

    Unless told otherwise, fine-tuning takes 2000 steps at a rate of 0.00003, warmed up over 100.

    \b
    knuckle train landmarks --data photos/data.yaml --out runs/mine
    knuckle train landmarks --data photos/data.yaml:3 --data shards/ --check held_out/ --minutes 30
    knuckle train landmarks --init new --data shards/ --steps 100000 --batch 256
    """
    given = {name for name in flags if context.get_parameter_source(name) != ParameterSource.DEFAULT}
    shaping = sorted(given & {each.name for each in dataclasses.fields(HandNetShape)})
    if init != "new" and shaping:
        raise InputError(f"--{shaping[0].replace('_', '-')} shapes a new network; {init} has its shape")
    if not 0 <= look <= 1:
        raise InputError(f"look must be a number from 0 to 1, got {look}")
    if init != "new":
        flags |= {name: getattr(FINE_TUNING, name) for name in ("steps", "rate", "warmup") if name not in given}
    options, shape = LoopOptions(**chosen(LoopOptions, flags)), HandNetShape(**chosen(HandNetShape, flags))
    task = landmark_task(init, data, check, shape, options, LossWeights(**chosen(LossWeights, flags, "weight_")), look)
    run(context, task, options, out)


def run(context: click.Context, task: Task, options: LoopOptions, out: Path) -> None:
    """Train a task with a progress bar, and say at the end what came of it; Ctrl-C leaves a checkpoint."""
    leads = int(os.environ.get("RANK", 0)) == 0
    report = Report(options.steps)
    with _stopping() as stop, report.shown(leads):
        loop.train(task, options, out, report, stop)
    if leads:
        report.tell(task, out, stopped=stop())
    if stop():
        context.exit(STOPPED)


@dataclass
class Report:
    """What a run says of itself, while it goes and at its end."""

    steps: int
    first: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    judged: list[dict[str, float]] = field(default_factory=list)
    done: int = 0
    progress: Progress | None = None

    def __call__(self, step: int, figures: dict[str, float]) -> None:
        """Take the figures of a log line or of an evaluation."""
        self.done = step
        if "loss" in figures:  # the loss has terms of the same names as what is judged
            self.first, self.last = self.first or figures, figures
        else:
            self.judged.append(figures)
            logger.info("step %d: %s", step, ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
        if self.progress is not None and "loss" in self.last:
            words = f"loss {self.last['loss']:.3f}, {self.last['samples_per_s']:.0f} samples/s"
            self.progress.update(self.progress.task_ids[0], completed=step, words=words)

    @contextmanager
    def shown(self, leads: bool) -> Iterator[None]:
        """A bar on a terminal, nothing elsewhere."""
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[words]}"), TimeRemainingColumn())
        hidden = not (leads and console.is_terminal)
        with Progress(TextColumn("steps"), *columns, console=console, transient=True, disable=hidden) as self.progress:
            self.progress.add_task("", total=self.steps, words="")
            yield

    def tell(self, task: Task, out: Path, stopped: bool) -> None:
        """The summary."""
        parameters = sum(p.numel() for p in task.network.parameters()) / 1e6
        device = next(task.network.parameters()).device.type
        lines = [
            ("network", f"{task.config['network']}, {parameters:.1f} M parameters, from {task.config['init']}"),
            ("data", ", ".join(task.config["data"])),
        ]
        if not self.done:
            lines.append(("steps", f"all {self.steps} were done before; more need a new run with --init checkpoint.pt"))
        else:
            pace = f"{self.last['seconds']:.0f} s in all, {self.last['samples_per_s']:.1f} samples/s on {device}"
            lines.append(("steps", f"{self.done} of {self.steps}, {pace}"))
            lines.append(("loss", f"{self.first['loss']:.3f} at first, {self.last['loss']:.3f} at last"))
        for name, words in JUDGED.items() if self.judged else ():
            first, last = (figures.get(name, math.nan) for figures in (self.judged[0], self.judged[-1]))
            if math.isfinite(last):
                lines.append(("judged", f"{words}: {first:.4g} at first, {last:.4g} at last"))
        lines.append(("written", str(out / "checkpoint.pt")))
        for title, text in lines:
            click.echo(f"{title:<8} {text}")
        if stopped:
            console.print("stopped; the same command goes on from the checkpoint", style="red")


JUDGED = {
    "error": "median error, % of palm size",
    "tips": "the same at finger tips",
    "presence": "presence, share right",
    "handedness": "left or right, share right",
    "world_mm": "mean error in 3D, mm",
    "visibility_auroc": "visibility, AUROC",
    **PALMS_JUDGED,
}


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Ctrl-C (or the system's wish to end) asks the loop to stop after its step; a second Ctrl-C ends at once."""
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    kept = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError):  # not the main thread: nobody sends signals there
            kept[number] = signal.signal(number, ask)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
