"""Flags of `knuckle track` about the files that it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from knuckle.exports.formats import FORMATS
from knuckle.media.sinks import OutputOptions

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # can be subscripted from click 8.4 on only


class Size(ParamType):
    """`1280x720`, or the length of the longer side."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> tuple[int, int] | int:
        sides = str(value).lower().replace("×", "x").split("x")
        if not all(side.isdecimal() for side in sides) or len(sides) > 2:
            self.fail(f"{value!r} is neither WIDTHxHEIGHT nor the length of the longer side", param, context)
        return (int(sides[0]), int(sides[1])) if len(sides) == 2 else int(sides[0])


OUTPUT_FLAGS = (
    click.option(
        "--format",
        type=click.Choice([one.name for one in FORMATS]),
        metavar="NAME",
        help="Format of --save, see docs/exports.md.  [default: by the suffix; .parquet in a folder]",
    ),
    click.option("--overwrite", is_flag=True, help="Replace output files that exist."),
    click.option(
        "--size",
        type=Size(),
        metavar="WxH|N",
        help="Picture size: WIDTHxHEIGHT, or the longer side.  [default: own]",
    ),
    click.option("--fps", type=float, help="Constant frame rate of written video.  [default: own times]"),
    click.option("--crf", type=int, help="Quality of video: 0 is best, 51 is smallest.  [default: 23]"),
    click.option(
        "--stills", type=click.Choice(["jpg", "png"]), default="jpg", show_default=True, help="Photos in a folder."
    ),
)


def output_options(flags: dict[str, Any]) -> OutputOptions:
    """Take the values of `OUTPUT_FLAGS` out of a command's flags.

    Raises:
        InputError: a value is out of range.
    """
    name = flags.pop("format")
    formats = tuple(one for one in FORMATS if name in (None, one.name))
    return OutputOptions(
        **{key: flags.pop(key) for key in ("overwrite", "size", "fps", "crf", "stills")}, formats=formats
    )
