"""`knuckle synth`: synthetic hands with exact labels, as tar shards, clips and contact sheets."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from knuckle.cli.flags import PointSetType
from knuckle.errors import InputError

console = Console(stderr=True)
SHEET_COLUMNS = 8


@click.group()
def synth() -> None:
    """Render images of hands with exact labels: crops, scenes and clips. Needs the extra `train`.

    \b
    knuckle synth hands out/hands --count 100000 --side 256 --workers 8
    knuckle synth scenes out/scenes --count 20000 --backgrounds photos/
    knuckle synth clips out/clips --count 20
    knuckle synth hands --count 64 --preview sheet.png
    knuckle synth hands out/nails --points nails --count 2000
    """


points_option = click.option(
    "--points",
    type=PointSetType(),
    default="hand",
    show_default=True,
    help="Points to label: the 21 of `hand`, or also those of `nails`, `carpals` or of a .json file (docs/points.md).",
)
missing_option = click.option(
    "--missing",
    multiple=True,
    metavar="FINGER",
    help='Hands lack this finger; "any" is another one for each person. Can be given several times.',
)


def _options(side: int, count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options that `hands` and `scenes` share."""
    chosen = [
        click.argument("out", required=False, type=click.Path(path_type=Path, file_okay=False)),
        click.option("--count", default=count, show_default=True, help="Number of images."),
        click.option("--side", default=side, show_default=True, help="Side of the square images, pixels."),
        click.option("--seed", default=0, show_default=True, help="Same seed, same pixels on the same renderer."),
        click.option("--workers", default=1, show_default=True, help="Number of processes."),
        click.option(
            "--backgrounds",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            help="Folder of photos to draw behind the hands. They must not show hands.",
        ),
        click.option("--masks", is_flag=True, help="Also write KEY.mask.png: the hand id of each pixel."),
        click.option("--depth", is_flag=True, help="Also write KEY.depth.png: 16 bits, unit 0.2 mm."),
        points_option,
        click.option("--per-shard", default=1000, show_default=True, help="Samples per tar file."),
        click.option(
            "--preview",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Draw a contact sheet with labels of the first 64 images (32 scenes).",
        ),
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(chosen):
            command = option(command)
        return command

    return decorate


@synth.command()
@_options(side=256, count=1000)
@click.option("--margin", default=1.0, show_default=True, help="How many times the tracker's region an image shows.")
@click.option(
    "--pose",
    "poses",
    multiple=True,
    metavar="NAME",
    help='Only empty hands in this pose, such as "ok", "asl_L" or "pinching". Can be given several times.',
)
@missing_option
@click.option("--missing-share", default=1.0, show_default=True, help="Share of the people who lack them, 0 to 1.")
def hands(**options: Any) -> None:
    """Crops of one hand as a tracker cuts them; some are wrong, some show no hand."""
    _write("hands", 64, **options)


@synth.command()
@_options(side=384, count=1000)
def scenes(**options: Any) -> None:
    """Whole images of people, arms and rooms with 0 to 6 hands."""
    _write("scenes", 32, **options)


@synth.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--count", default=4, show_default=True, help="Number of clips.")
@click.option("--seconds", default=6.0, show_default=True, help="Length of each clip, seconds.")
@click.option("--width", default=640, show_default=True, help="Width, pixels; even.")
@click.option("--height", default=480, show_default=True, help="Height, pixels; even.")
@click.option("--rate", default=30, show_default=True, help="Frames per second.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same clips on the same renderer.")
@click.option("--workers", default=1, show_default=True, help="Number of processes.")
@click.option(
    "--backgrounds",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of photos to draw behind the hands. They must not show hands.",
)
@points_option
@missing_option
def clips(out: Path, workers: int, backgrounds: Path | None, **options: Any) -> None:
    """Clips of moving hands, each with the labels of every frame in a .jsonl file beside it."""
    from knuckle.synth.write.clips import ClipRecipe, write_clips

    recipe = ClipRecipe(backgrounds=str(backgrounds) if backgrounds else None, **options)
    with _ProgressBar("clips", recipe.count) as (progress, bar):
        written = write_clips(out, recipe, workers, lambda done: progress.advance(bar, done))
    for path in written:
        click.echo(path)


class _ProgressBar:
    """A progress bar if stderr is a terminal, else nothing."""

    def __init__(self, what: str, total: int) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        shown = console.is_terminal
        self.progress = Progress(TextColumn(what), *columns, console=console, transient=True, disable=not shown)
        self.total = total

    def __enter__(self) -> tuple[Progress, Any]:
        self.progress.start()
        return self.progress, self.progress.add_task("", total=self.total)

    def __exit__(self, *error: object) -> None:
        self.progress.stop()


def _write(
    product: str,
    shown: int,
    out: Path | None,
    workers: int,
    preview: Path | None,
    backgrounds: Path | None,
    **options: Any,
) -> None:
    from knuckle.synth.write.recipe import Recipe
    from knuckle.synth.write.shards import write_shards

    recipe = Recipe(product, backgrounds=str(backgrounds.resolve()) if backgrounds else None, **options)
    if preview is not None:
        _draw_sheet(recipe, preview, min(shown, recipe.count))
    if out is None and preview is None:
        raise InputError(f"give an output folder (knuckle synth {product} OUT) or --preview sheet.png")
    if out is None:
        return
    start = time.perf_counter()
    with _ProgressBar(product, recipe.count) as (progress, bar):
        manifest = write_shards(out, recipe, workers, lambda done: progress.advance(bar, done))
    seconds = time.perf_counter() - start
    totals = [sum(shard[name] for shard in manifest["shards"]) for name in ("samples", "hands")]
    click.echo(f"{product:<8} {totals[0]} with {totals[1]} hands in {len(manifest['shards'])} shards, {seconds:.0f} s")
    click.echo(f"written  {out}")


def _draw_sheet(recipe: Any, path: Path, count: int) -> None:
    from knuckle.synth.write.preview import contact_sheet, draw_labels, save_sheet
    from knuckle.synth.write.shards import samples_of

    pictures = []
    with _ProgressBar("sheet", count) as (progress, bar):
        for sample in samples_of(recipe, range(count)):
            pictures.append(draw_labels(sample.image, sample.hands, zoom=1 if recipe.side > 300 else 2))
            progress.advance(bar, 1)
    save_sheet(path, contact_sheet(pictures, SHEET_COLUMNS))
    click.echo(f"written  {path}")
