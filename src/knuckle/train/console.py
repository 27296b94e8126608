"""A run of `knuckle train` as its user sees it: progress, Ctrl-C, the summary."""

from __future__ import annotations

import logging
import math
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from knuckle.train import loop
from knuckle.train.loop import LoopOptions, Task

logger = logging.getLogger("knuckle")
console = Console(stderr=True, highlight=False)
STOPPED = 130  # what shells expect after Ctrl-C


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


# What is told at the end of a run, of all that `landmarks.Judge` and `palm.PalmJudge` give.
JUDGED = {
    "error": "median error, % of palm size",
    "tips": "the same at finger tips",
    "presence": "presence, share right",
    "handedness": "left or right, share right",
    "world_mm": "mean error in 3D, mm",
    "visibility_auroc": "visibility, AUROC",
    # of palms
    "ap": "palms, average precision at IoU 0.5, %",
    "recall": "palms found at score 0.5, %",
    "recall_4_8": "the same of hands of 4 to 8 % of the picture",
    "keypoints": "median error of key points, % of palm side",
    "false_per_1000": "false palms per 1000 pictures without hands",
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
