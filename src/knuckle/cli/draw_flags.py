"""Flags of `knuckle track` about what is drawn."""

from __future__ import annotations

from typing import Any, get_args

import click

from knuckle.media.draw_style import ColourBy, DrawStyle

DRAW_FLAGS = (
    click.option(
        "--colours",
        type=click.Choice(get_args(ColourBy)),
        default="finger",
        show_default=True,
        metavar="BY",
        help=f"What colours mean: {', '.join(get_args(ColourBy))}.",
    ),
    click.option("--line-width", type=float, metavar="PX", help="Width of the bones.  [default: by image and hand]"),
    click.option("--no-landmarks", is_flag=True, help="Draw no bones and joints."),
    click.option("--boxes", is_flag=True, help="Draw the box of each hand."),
    click.option("--regions", is_flag=True, help="Draw the region that the landmark network saw."),
    click.option("--no-labels", is_flag=True, help="Do not write Left or Right."),
    click.option("--no-ids", is_flag=True, help="Do not write track ids."),
    click.option("--trails", type=float, default=0.0, metavar="S", help="Draw the index fingertips' last S seconds."),
    click.option("--show-fps", is_flag=True, help="Write the frames per second."),
)


def draw_style(flags: dict[str, Any]) -> DrawStyle:
    """Take the values of `DRAW_FLAGS` out of a command's flags.

    Raises:
        InputError: a value is out of range.
    """
    hidden: dict[str, Any] = {name: not flags.pop(f"no_{name}") for name in ("landmarks", "labels", "ids")}
    shown = {name: flags.pop(name) for name in ("colours", "line_width", "boxes", "regions")}
    return DrawStyle(**shown, **hidden, trails_s=flags.pop("trails"), fps=flags.pop("show_fps"))
