"""A training run on the terminal: progress bar, Ctrl-C, summary."""

from __future__ import annotations

import logging
import math
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from knuckle.train import distributed, loop
from knuckle.train.device import keep_freed_memory
from knuckle.train.loop import Job, LoopOptions
from knuckle.train.task import TrainingTask

logger = logging.getLogger("knuckle")
console = Console(stderr=True, highlight=False)
STOPPED = 130  # the exit code that shells expect after Ctrl-C
# The figures of `HandEvaluator` and `PalmEvaluator` in the summary, and what they are called there.
SUMMARY = {
    "error": "median error, % of palm size",
    "tips": "median error of fingertips, % of palm size",
    "extra": "median error of points beyond the 21, % of palm size",
    "presence": "presence, share right",
    "handedness": "left or right, share right",
    "world_mm": "mean error in 3D, mm",
    "visibility_auroc": "visibility, AUROC",
    "ap": "palms, average precision at IoU 0.5, %",
    "recall": "palms, recall at score 0.5, %",
    "recall_4_8": "the same for hands of 4 to 8 % of the picture",
    "keypoints": "median error of key points, % of palm side",
    "false_per_1000": "false positives per 1000 hand-free pictures",
}


def run(context: click.Context, task: TrainingTask, out: Path, given: Collection[str]) -> None:
    """Train with a progress bar, and print a summary. Ctrl-C ends the run after its step, with a checkpoint.

    Args:
        given: names of options that the user chose; see `TrainingTask.loop_for`.
    """
    leads = distributed.rank() == 0
    keep_freed_memory()
    job = task.job()
    options = task.loop_for(job.images, given)
    report = Report(options)
    with _stop_on_signal() as stop, report.progress_bar(leads):
        loop.train(job, options, out, report, stop)
    if leads:
        report.print_summary(job, out, stopped=stop())
    if stop():
        context.exit(STOPPED)


@dataclass
class Report:
    """Collects the figures of a run, for the progress bar and the summary."""

    options: LoopOptions
    first: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    evaluations: list[dict[str, float]] = field(default_factory=list)
    done: int = 0
    best: int | None = None
    progress: Progress | None = None

    def __call__(self, step: int, figures: dict[str, float]) -> None:
        """Take the figures of a log line, of an evaluation, of the promise of time, or of the best evaluation."""
        if "promised_s" in figures:
            say_promise(self.options, step, figures["promised_s"], figures["samples_per_s"])
            return
        if "best" in figures:
            self.best = step
            self.evaluations.append(figures)
            return
        self.done = step
        if "loss" in figures:  # a log line; loss terms and evaluation figures share names
            self.first, self.last = self.first or figures, figures
        else:
            self.evaluations.append(figures)
            logger.info("step %d: %s", step, ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
        if self.progress is not None and "loss" in self.last:
            words = f"loss {self.last['loss']:.3f}, {self.last['samples_per_s']:.0f} samples/s"
            self.progress.update(self.progress.task_ids[0], completed=step, words=words)

    @contextmanager
    def progress_bar(self, leads: bool) -> Iterator[None]:
        """A progress bar on a terminal, and nothing elsewhere."""
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[words]}"), TimeRemainingColumn())
        hidden = not (leads and console.is_terminal)
        with Progress(TextColumn("steps"), *columns, console=console, transient=True, disable=hidden) as self.progress:
            self.progress.add_task("", total=self.options.steps, words="")
            yield

    def print_summary(self, job: Job, out: Path, stopped: bool) -> None:
        parameters = sum(p.numel() for p in job.network.parameters()) / 1e6
        device = next(job.network.parameters()).device.type
        lines = [
            ("network", f"{job.config['network']}, {parameters:.1f} M parameters, from {job.config['init']}"),
            ("data", ", ".join(job.config["data"])),
        ]
        if not self.done:
            lines.append(("steps", "all were already done; to go on, start a new run with --init checkpoint.pt"))
        else:
            pace = f"{self.last['seconds']:.0f} s in all, {self.last['samples_per_s']:.1f} samples/s on {device}"
            lines.append(("steps", f"{self.done} of {self.options.steps}, {pace}"))
            lines.append(("loss", f"first {self.first['loss']:.3f}, last {self.last['loss']:.3f}"))
        for name, words in SUMMARY.items() if self.evaluations else ():
            first, last = (figures.get(name, math.nan) for figures in (self.evaluations[0], self.evaluations[-1]))
            if math.isfinite(last):
                lines.append(("checked", f"{words}: first {first:.4g}, last {last:.4g}"))
        lines.append(("written", str(out / "checkpoint.pt")))
        if self.best is not None:
            words = f"the weights of step {self.best}, with the smallest error of {len(self.evaluations) - 1} checks"
            lines.append(("kept", words if self.best else f"{words}: training made them no better, so label more"))
        for title, text in lines:
            click.echo(f"{title:<8} {text}")
        if stopped:
            console.print("stopped; the same command resumes from the checkpoint", style="red")


def say_promise(options: LoopOptions, step: int, seconds: float, samples_per_s: float) -> None:
    """Say how long a run will take, before its next step."""
    most = f"{options.steps - step} steps of {options.batch} at {samples_per_s:.1f} samples/s"
    early = ", less if it gets no better before" if options.patience else ""
    click.echo(f"time     about {duration(seconds)}: {most}{early}; Ctrl-C ends it and keeps what it has learned")


def duration(seconds: float) -> str:
    """A time as people say it: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Ctrl-C or SIGTERM asks the loop to stop after its step; a second one stops at once.

    Yields:
        Whether a signal has arrived.
    """
    arrived: list[int] = []

    def ask(number: int, frame: object) -> None:
        if arrived:
            raise KeyboardInterrupt
        arrived.append(number)

    kept = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError):  # not in the main thread, which alone can handle signals
            kept[number] = signal.signal(number, ask)
    try:
        yield lambda: bool(arrived)
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
