"""`knuckle track`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, islice
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from knuckle.cli.app import STOPPED, complain, console
from knuckle.cli.output_flags import output_flags, output_options
from knuckle.errors import Error
from knuckle.media.output_names import STDOUT
from knuckle.media.outputs import Outputs
from knuckle.media.sinks import InBackground
from knuckle.media.sources import in_background, read
from knuckle.media.window import Window
from knuckle.models import catalogue
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.run import Run
from knuckle.pipeline.tracker import load
from knuckle.results import Frame

DEFAULTS = TrackerOptions()


@click.command()
@click.argument("source")
@click.option("--out", type=click.Path(), help="Annotated video, animation or photo, or a folder/.")
@click.option("--save", type=click.Path(), help="Data: .parquet, .csv or .jsonl; a folder/; - streams JSON lines.")
@output_flags
@click.option("--show", is_flag=True, help="Show the result in a window: q quits, space pauses, m mirrors.")
@click.option("--max-hands", default=DEFAULTS.max_hands, show_default=True, help="Maximum number of hands.")
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle name, folder or .task file.")
@click.option("--detect-only", is_flag=True, help="Detect palms only: no landmarks, no track ids.")
@click.option("--mirrored", is_flag=True, help="The input is a mirror image, as selfie cameras show it.")
@click.option("--device", default="cpu", show_default=True, help="cpu, gpu; for ONNX also cuda, directml, coreml.")
@click.option("--threads", type=int, help="Inference threads.  [default: CPU cores, at most 4]")
@click.option("--no-smooth", is_flag=True, help="Do not smooth the landmarks over time.")
@click.option("--search-every", type=int, help="Search for more hands every N frames.  [default: 5 times a second]")
@click.option("--min-palm-score", type=float, help="Minimum palm score.  [default: the bundle's]")
@click.option("--min-presence", type=float, help="Minimum hand presence.  [default: the bundle's]")
@click.pass_context
def track(context: click.Context, /, source: str, out: str | None, save: str | None, show: bool, **flags: Any) -> None:
    """Track hands in SOURCE and write annotated images and data.

    SOURCE is a photo, a folder of photos, a 'glob*', a video, a camera number, or an http:// or rtsp:// address.

    \b
    knuckle track clip.mp4 --out hands.mp4 --save hands.parquet
    knuckle track photos/ --out out/ --save out/hands.csv
    knuckle track 0 --show
    """
    palms_only, smooth = flags.pop("detect_only"), not flags.pop("no_smooth")
    bundle, threads, device = flags.pop("models"), flags.pop("threads"), flags.pop("device")
    outputs = Outputs(out, save, output_options(flags), palms=palms_only)
    options = TrackerOptions(**flags, smooth=smooth)
    with read(source) as reader, outputs:
        run = Run(reader, load(bundle, threads, device), options, palms_only, draws=show or out is not None)
        try:
            track_into(run, outputs, show)
        except Error as error:
            if not run.frames:
                raise
            run.errors.append(error)
    report(run, to_stderr=save == STDOUT)
    context.exit(STOPPED if run.stopped else int(run.failed))


def track_into(run: Run, outputs: Outputs, show: bool) -> None:
    """Open the outputs of a run, track to the end of its source, and finish the outputs.

    Args:
        run: the run.
        outputs: the files of the run.
        show: open a window.
    """
    live = run.reader.kind == "live"
    frames = iter(run.reader) if live else in_background(iter(run.reader))
    first = list(islice(frames, 1))  # fails here if the source is unreadable, before any output is overwritten
    with ExitStack() as stack:
        for sink in outputs.open(run.reader) if first else ():
            run.sinks.append(stack.enter_context(InBackground(sink)))
        if show and first:
            run.window = stack.enter_context(Window(mirrored=live and not run.options.mirrored))
        with_progress(run, chain(first, frames))


def with_progress(run: Run, frames: Iterator[Frame]) -> None:
    """Run to the end of the source, with a progress bar on a terminal."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    shown = console.is_terminal
    with Progress(TextColumn(run.what), *columns, console=console, transient=True, disable=not shown) as progress:
        bar = progress.add_task("", total=run.reader.frame_count, rate="")
        run.run(frames, lambda: progress.update(bar, advance=1, rate=f"{run.frames / run.wall_s:.0f} frames/s"))


def report(run: Run, to_stderr: bool = False) -> None:
    """Print what was found, where the files are, and what went wrong; to stderr if stdout carries the results."""
    speed = f", {1000 * run.inference_s / run.frames:.1f} ms a frame" if run.frames else ""
    ids = f", ids {ranges(run.ids)}" if run.ids else ""
    lines = [
        ("source", run.reader.name),
        ("frames", f"{run.frames} in {run.wall_s:.1f} s{speed}, {run.frames_with} with {run.what}"),
        (run.what, f"{run.found}{ids}"),
        *(("written", str(sink.path)) for sink in run.sinks if sink.written),
    ]
    for title, text in lines:
        click.echo(f"{title:<8} {text}", err=to_stderr)
    if run.stopped:
        complain("stopped; the files contain all frames until now")
    for problem in (*run.reader.problems, *run.sink_problems, *run.errors):
        complain(problem)
    saved = [str(sink.path) for sink in run.sinks if sink.written]
    if run.errors and saved:
        complain(f"the frames before the error are saved: {', '.join(saved)}")


def ranges(ids: set[int]) -> str:
    """Numbers as ranges: {1, 2, 3, 7} -> "1-3, 7"."""
    runs: list[list[int]] = []
    for number in sorted(ids):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)
