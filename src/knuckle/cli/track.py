"""`knuckle track`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from knuckle.cli.app import console
from knuckle.cli.draw_flags import DRAW_FLAGS, draw_style
from knuckle.cli.flags import with_flags
from knuckle.cli.output_flags import OUTPUT_FLAGS, output_options
from knuckle.cli.space_flags import SPACE_FLAGS, SpaceFlags
from knuckle.cli.summary import Summary
from knuckle.cli.tracker_flags import NETWORK_FLAGS, TRACKER_FLAGS, tracker_options
from knuckle.errors import Error
from knuckle.media.draw_style import DrawStyle
from knuckle.media.drawer import HandDrawer
from knuckle.media.output_names import STDOUT
from knuckle.media.outputs import Outputs
from knuckle.media.playback import Playback
from knuckle.media.sinks import InBackground
from knuckle.media.sources import find_sources, in_background, read
from knuckle.media.window import KEYS, Window
from knuckle.pipeline.run import Run
from knuckle.pipeline.tracker import Networks, load
from knuckle.results import Frame


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--recursive", is_flag=True, help="Also read the folders inside of a folder.")
@click.option("--out", type=click.Path(), help="Annotated video, animation or photo, or a folder/.")
@click.option(
    "--save", type=click.Path(), help="Data: .parquet, .csv, .jsonl, .coco.json, …; a folder/; - streams JSON lines."
)
@with_flags(OUTPUT_FLAGS)
@click.option("--live/--no-live", default=None, help="Newest frame only.  [default: for cameras and endless streams]")
@click.option("--show", is_flag=True, help=f"Play the result in a window. Keys: {KEYS}.")
@with_flags(DRAW_FLAGS)
@with_flags(NETWORK_FLAGS)
@with_flags(TRACKER_FLAGS)
@click.option("--detect-only", is_flag=True, help="Detect palms only: no landmarks, no track ids.")
@with_flags(SPACE_FLAGS)
@click.pass_context
def track(
    context: click.Context,
    /,
    sources: tuple[str, ...],
    recursive: bool,
    out: str | None,
    save: str | None,
    show: bool,
    **flags: Any,
) -> None:
    """Track hands in each SOURCE and write annotated images and data.

    SOURCE is a photo, a video, a folder of them, a 'glob*', a list.txt with one source per line, a camera number, or an
    http:// or rtsp:// address. Photos are looked at one by one; hands keep their ids within a video. Several sources
    share the file of --save, whose column `source` tells them apart, and need a folder for --out.

    \b
    knuckle track clip.mp4 --out hands.mp4 --save hands.parquet
    knuckle track photos/ 'clips/*.mov' --out out/ --save out/hands.csv
    knuckle track 0 --show

    \b
    Exit status: 0 everything was done; 1 something was not, and is named at the end; 2 nothing was done;
    130 stopped with Ctrl-C. What was done until then is in the files.
    """
    space = SpaceFlags(flags)
    how, style, options = output_options(flags), draw_style(flags), tracker_options(flags)
    how = replace(how, raw=space.offline, metres=bool(space.camera))
    live, palms_only = flags["live"], flags["detect_only"]
    found = find_sources(sources, recursive=recursive)
    outputs = Outputs(out, save, how, style, palms=palms_only, many=len(found) > 1, given=sources)
    networks: Networks | None = None
    summary = Summary(len(found), to_stderr=save == STDOUT)
    for number, source in enumerate(found, 1):
        try:
            reader = read(source, live=live)
        except Error as error:
            summary.add_failure(source.name, error)
            continue
        with reader:
            if networks is None:  # not before a source can be opened
                networks = load(flags["models"], flags["threads"], flags["device"])
            run = Run(reader, networks, options, palms_only)
            try:
                space.apply(run)
                track_into(
                    run, outputs, style if show else None, f"{number} of {len(found)}: " if len(found) > 1 else ""
                )
            except Error as error:
                run.errors.append(error)
        summary.add(run)
        if run.stopped or run.closed or (run.errors and outputs.is_broken):
            break
    try:
        outputs.close()
    except Error as error:
        summary.add_failure(str(save), error)
    summary.end(outputs)
    context.exit(summary.exit_status)


def track_into(run: Run, outputs: Outputs, shown: DrawStyle | None, position: str = "") -> None:
    """Open the outputs of a run, track to the end of its source, and finish the outputs.

    Args:
        run: the run.
        outputs: the files of the run.
        shown: open a window and draw in this style; None opens none.
        position: which source of several it is, for the progress bar: "2 of 5: ".
    """
    kind = run.reader.kind
    playback = Playback(run.reader) if kind == "video" else None
    frames: Any = playback or (iter(run.reader) if kind == "live" else in_background(iter(run.reader)))

    def seek(time_s: float) -> None:
        if playback:
            playback.seek(time_s)
        run.start_again()

    with ExitStack() as stack:
        stack.enter_context(closing(frames))  # its thread ends also if no output can be opened
        first = list(islice(frames, 1))  # fails here if the source is unreadable, before any output is overwritten
        for sink in outputs.open(run.reader) if first else ():
            run.sinks.append(stack.enter_context(InBackground(sink)))
        if shown and first:
            mirrored = run.reader.name.startswith("camera ") and not run.options.mirrored
            can_seek = playback is not None and not run.sinks  # files hold every frame once
            window = Window(HandDrawer(shown), kind, mirrored, seek if can_seek else None)
            run.window = stack.enter_context(window)
        with_progress(run, chain(first, frames), position)
        while run.window and not (run.closed or run.stopped) and run.window.hold():
            with_progress(run, frames, position)


def with_progress(run: Run, frames: Iterator[Frame], position: str) -> None:
    """Run to the end of the source, with a progress bar on a terminal."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    title = TextColumn(f"{position}{run.what}", markup=False)
    with Progress(title, *columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=run.reader.frame_count, rate="")
        run.run(frames, lambda: progress.update(bar, advance=1, rate=f"{run.frames / run.wall_s:.0f} frames/s"))
