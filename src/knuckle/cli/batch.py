"""`knuckle batch`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from knuckle import batch as batches
from knuckle.batch.manifest import read_runs
from knuckle.cli.app import complain, console, remark
from knuckle.cli.flags import with_flags
from knuckle.cli.space_flags import SPACE_FLAGS, SpaceFlags
from knuckle.cli.tracker_flags import BUNDLE_FLAGS, TRACKER_FLAGS
from knuckle.errors import InputError, SinkError
from knuckle.media.names import readable

NAMED = 20  # failures that are printed one by one; the manifest has all


class ShardType(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """I/N, counted from 1."""

    name = "I/N"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> tuple[int, int]:
        """The two numbers."""
        found = re.fullmatch(r"(\d+)/(\d+)", value) if isinstance(value, str) else None
        if found and 1 <= int(found[1]) <= int(found[2]):
            return int(found[1]), int(found[2])
        return self.fail(f"expected I/N with I from 1 to N, such as 3/8, got {value!r}", parameter, context)


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@click.option("--out", required=True, type=click.Path(file_okay=False), help="Output folder.")
@click.option("--resume", is_flag=True, help="Go on with the sources and options of the last run into --out.")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one per CPU core]")
@click.option("--streams", default=1, show_default=True, type=click.IntRange(1), help="Videos that each does at once.")
@click.option("--stride", default=1, show_default=True, type=click.IntRange(1), help="Longest step over calm frames.")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="Inference threads of each.")
@click.option("--shard", type=ShardType(), help="Do part I of N only, from 1 to N: one call per machine.")
@click.option("--ray", metavar="ADDRESS", help="Run on a Ray cluster: HOST:PORT, auto, or local for this machine.")
@click.option("--min-workers", type=click.IntRange(1), help="With --ray: workers to start with.  [default: 1]")
@click.option("--gpus", type=click.FloatRange(0), help="With --ray: GPUs of each worker, such as 0.25.")
@click.option("--report", is_flag=True, help="Write a summary as a page: report.html in --out.")
@click.option("--column", help="Column of Parquet and CSV tables that names the sources.")
@click.option("--recursive", is_flag=True, help="Also read the folders inside of a folder.")
@click.option("--stretch", "stretch_s", default=600.0, show_default=True, help="Cut longer videos, seconds.")
@click.option("--detect-only", is_flag=True, help="Detect palms only: no landmarks, no track ids.")
@with_flags(TRACKER_FLAGS)
@with_flags(SPACE_FLAGS)
@with_flags(BUNDLE_FLAGS)
@click.pass_context
def batch(
    context: click.Context, /, sources: tuple[str, ...], out: str, resume: bool, report: bool, **flags: Any
) -> None:
    """Track hands in many videos and photos: one Parquet table per video, and a manifest.

    SOURCE is a video, a photo, a folder of them, a 'glob*', a list.txt, a table.parquet or .csv with --column, a
    WebDataset 'shard-{0000..0099}.tar', or an address: s3://, gs://, hf://, http://.

    What is done already is skipped, so a run that was stopped or killed goes on where it was when it is called again.
    What fails is a row with an error, and is tried again by the next run. Ctrl-C lets running items finish, a second
    Ctrl-C does not.

    \b
    knuckle batch videos/ --out out
    knuckle batch 's3://bucket/videos/*.mp4' --out out --workers 16 --report
    knuckle batch list.txt --out out --shard $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT
    knuckle batch list.txt --out /shared/out --ray auto

    \b
    Exit status: 0 everything is done; 1 something is not, see the manifest; 2 nothing was done, or the run had to
    break off; 130 stopped with Ctrl-C, 143 with SIGTERM.
    """
    space = SpaceFlags(flags)
    flags |= {"camera": space.camera, "hand_length_m": space.hand_length_m, "offline": space.offline}
    flags["smooth"] = not flags.pop("no_smooth")
    runner = runner_of(
        {name: flags.pop(name) for name in ("ray", "min_workers", "gpus")}, flags["workers"], flags["streams"]
    )
    if flags["shard"] is None:
        del flags["shard"]
    given: tuple[str, ...] | list[str] = sources
    if resume:
        given, flags = resumed(Path(out), sources, flags, context)
    elif not sources:
        raise click.UsageError("Missing argument 'SOURCE...'; --resume goes on with those of the last run.", context)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(TextColumn("items"), *columns, console=console, disable=not console.is_terminal) as bars:
        bar = bars.add_task("", total=None, rate="")

        def show(progress: batches.Progress) -> None:
            finished = progress.total - progress.left + progress.stretches_done
            rate = f"{progress.frames / progress.wall_s:.0f} frames/s" if progress.wall_s else ""
            errors = f", {len(progress.incomplete)} with errors" if progress.incomplete else ""
            bars.update(bar, total=progress.total + progress.stretches, completed=finished, rate=rate + errors)

        try:
            progress = batches.run(list(given), out, runner=runner, observe=show, **flags)
        except SinkError as error:
            raise SinkError(f"{error}; what is done is kept, and the same command goes on with the rest") from error
    if report:
        from knuckle.batch.report import write_report

        click.echo(f"report   {readable(write_report(Path(out)))}")
    summarise(progress, Path(out))
    context.exit(progress.exit_status)


def runner_of(flags: dict[str, Any], workers: int | None, streams: int) -> batches.Runner | None:
    """Where the items are done: on a Ray cluster with --ray; None for processes of this machine."""
    if flags["ray"] is None:
        if given := [f"--{name.replace('_', '-')}" for name, value in flags.items() if value is not None]:
            raise click.UsageError(f"{' and '.join(given)} can only be used with --ray.")
        return None
    if streams != 1:
        raise click.UsageError("--streams cannot be used with --ray: an actor does one video at a time.")
    from knuckle.batch.on_ray import RayPool

    return RayPool(flags["ray"], workers, flags["min_workers"] or 1, gpus=flags["gpus"])


def resumed(
    out: Path, sources: tuple[str, ...], flags: dict[str, Any], context: click.Context
) -> tuple[list[str], dict[str, Any]]:
    """The sources and flags of the last run into a folder; flags that were given now replace those."""
    runs = read_runs(out)
    if not runs:
        raise InputError(f"--resume goes on with an earlier run, and there is none in {out}")
    last = runs[-1]
    before = {name: last[name] for name in ("recursive", "column")} | last["options"]
    names = {"smooth": "no_smooth", "offline": "smooth", "hand_length_m": "hand_length"}
    now = {
        name: value
        for name, value in flags.items()
        if name not in before or context.get_parameter_source(names.get(name, name)) is ParameterSource.COMMANDLINE
    }
    return list(sources) or last["sources"], before | now


def summarise(progress: batches.Progress, out: Path) -> None:
    """Print what was done, and to stderr what was not."""
    before = f", {progress.skipped} done before" if progress.skipped else ""
    click.echo(f"items    {progress.done + progress.skipped} of {progress.total} done{before}")
    speed = f", {progress.frames / progress.wall_s:.0f} frames/s" if progress.frames and progress.wall_s else ""
    click.echo(f"frames   {progress.frames} in {progress.wall_s:.1f} s{speed}, {progress.hands} hands")
    click.echo(f"written  {readable(out / 'parts')}, {readable(out / 'manifest.parquet')}")
    for note in progress.notes[:NAMED]:
        remark(note)
    if progress.retries:
        remark(f"workers died and were replaced: {progress.retries}")
    for result in progress.incomplete[:NAMED]:
        more = f" and {len(result.problems) - 1} more problems" if len(result.problems) > 1 else ""
        why = result.error or result.problems[0] + more
        complain(readable(why if result.source in why else f"{result.source}: {why}"))
    if len(progress.incomplete) > NAMED:
        complain(f"and {len(progress.incomplete) - NAMED} more items; the manifest has them all")
    if progress.stopped:
        complain(f"stopped; {progress.left} items are left, and the same command goes on with them")
