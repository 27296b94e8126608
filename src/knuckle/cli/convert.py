"""`knuckle convert`."""

from __future__ import annotations

from pathlib import Path

import click

from knuckle.cli.app import remark
from knuckle.cli.output_flags import Size
from knuckle.errors import InputError
from knuckle.exports.convert import Given
from knuckle.exports.convert import convert as convert_file
from knuckle.exports.formats import FORMATS
from knuckle.media.names import readable

NAMES = [one.name for one in FORMATS]
READABLE = [one.name for one in FORMATS if one.read]


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--from", "source_format", type=click.Choice(READABLE), metavar="NAME", help="Format of SOURCE.")
@click.option("--to", "target_format", type=click.Choice(NAMES), metavar="NAME", help="Format of TARGET.")
@click.option("--fps", type=float, help="Frames per second, if SOURCE does not say when its frames were.")
@click.option("--size", type=Size(), metavar="WxH", help="Size of the frames, if SOURCE does not say it.")
@click.option("--overwrite", is_flag=True, help="Replace TARGET if it exists.")
def convert(
    source: Path,
    target: Path,
    source_format: str | None,
    target_format: str | None,
    fps: float | None,
    size: tuple[int, int] | int | None,
    overwrite: bool,
) -> None:
    """Write the hands of a data file in another format.

    The suffixes give the formats, unless --from and --to name them; docs/exports.md lists what each can hold. What
    TARGET cannot hold is named. What TARGET needs and SOURCE lacks is an error.

    \b
    knuckle convert hands.parquet labels.coco.json
    knuckle convert labels.coco.json dataset/ --to yolo
    knuckle convert openpose/ hands.csv --from openpose --fps 30 --size 1280x720
    """
    if fps is not None and not 0 < fps <= 1000:
        raise InputError(f"--fps must be above 0 and at most 1000, got {fps}")
    if isinstance(size, int):
        raise InputError(f"--size must be WIDTHxHEIGHT, got {size}")
    done = convert_file(
        source,
        target,
        source_format=source_format,
        target_format=target_format,
        overwrite=overwrite,
        given=Given(fps, size),
    )
    click.echo(f"frames   {done.frames}\nhands    {done.hands}\nwritten  {readable(target)}")
    if done.lost:
        remark(f"{done.target.title} cannot hold {', '.join(done.lost)}; these are left out")
