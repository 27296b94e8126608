"""What `knuckle track` prints: a line per source, totals, and at the end everything that went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

import click

from knuckle.cli.app import STOPPED, complain, remark
from knuckle.errors import Error
from knuckle.media.names import readable
from knuckle.media.outputs import Outputs
from knuckle.pipeline.run import Run


@dataclass
class Summary:
    """Collects the runs of one command.

    Attributes:
        sources: number of sources. With several, each gets a line when it is done.
        to_stderr: print to stderr, because stdout carries the results.
        runs: what was tracked.
        failures: what could not be opened or written, one line each.
    """

    sources: int
    to_stderr: bool = False
    runs: list[Run] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, run: Run) -> None:
        """Take up a run that has ended."""
        self.runs.append(run)
        for error in (*run.reader.problems, *run.sink_problems, *run.errors):
            self.add_failure(run.reader.name, error)
        if self.sources > 1 and run.frames:
            self.say(readable(run.reader.name), f"{run.frames} frames, {run.found} {run.what}{ids_of(run)}")

    def add_failure(self, name: str, error: Error) -> None:
        """Take up an error; its line names the source."""
        text = str(error)
        self.failures.append(readable(text if name in text else f"{name}: {text}"))

    def say(self, title: str, text: str) -> None:
        """Print one line."""
        click.echo(f"{title:<8} {text}", err=self.to_stderr)

    @property
    def frames(self) -> int:
        """Number of frames of all runs."""
        return sum(run.frames for run in self.runs)

    @property
    def stopped(self) -> bool:
        """Whether the user stopped the last run."""
        return any(run.stopped for run in self.runs)

    @property
    def exit_status(self) -> int:
        """0 all done, 1 something failed, 2 nothing was done, 130 stopped; docs/formats.md explains it."""
        if self.stopped:
            return STOPPED
        return (1 if self.frames else 2) if self.failures else 0

    def end(self, outputs: Outputs) -> None:
        """Print totals, files and, to stderr, what was passed over and what went wrong."""
        if self.frames or not self.failures:
            self.say_totals()
        sinks = [sink for run in self.runs for sink in run.sinks if sink.written and sink.path != outputs.lost]
        written = list(dict.fromkeys(readable(sink.path) for sink in sinks))
        for path in written:
            self.say("written", path)
        if self.stopped:
            complain("stopped; the files contain all frames until now" if written else "stopped")
        for note in dict.fromkeys(note for run in self.runs for note in run.reader.notes):
            remark(readable(note))
        for failure in dict.fromkeys(self.failures):
            complain(failure)
        if written and any(run.errors and run.frames for run in self.runs):
            complain(f"the frames before an error are saved: {', '.join(written)}")

    def say_totals(self) -> None:
        """Print how much was tracked, and how fast."""
        if self.sources > 1:
            done = sum(not run.failed for run in self.runs)
            self.say("sources", f"{done} of {self.sources} complete")
        elif self.runs:
            self.say("source", readable(self.runs[0].reader.name))
        wall_s, inference_s = sum(run.wall_s for run in self.runs), sum(run.inference_s for run in self.runs)
        frames_with, found = sum(run.frames_with for run in self.runs), sum(run.found for run in self.runs)
        what = self.runs[0].what if self.runs else "hands"
        speed = f", {1000 * inference_s / self.frames:.1f} ms a frame" if self.frames else ""
        self.say("frames", f"{self.frames} in {wall_s:.1f} s{speed}, {frames_with} with {what}")
        self.say(what, f"{found}{ids_of(self.runs[0]) if self.sources == 1 and self.runs else ''}")


def ids_of(run: Run) -> str:
    """The track ids of a run as ranges, such as ", ids 1-3, 7"; an empty text if the run has no ids."""
    runs: list[list[int]] = []
    for number in sorted(run.ids):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ids " + ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs) if runs else ""
