"""Flags of the commands that track hands: which networks, where they run, and the options of the tracker."""

from __future__ import annotations

from typing import Any

import click

from knuckle.gestures.recogniser import set_names
from knuckle.models import catalogue
from knuckle.pipeline.options import TrackerOptions

DEFAULTS = TrackerOptions()
BUNDLE_FLAGS = (
    click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle name, folder or .task file."),
    click.option("--device", default="cpu", show_default=True, help="cpu, gpu; for ONNX also cuda, directml, coreml."),
)
NETWORK_FLAGS = (
    *BUNDLE_FLAGS,
    click.option("--threads", type=int, help="Inference threads.  [default: CPU cores, at most 4]"),
)
TRACKER_FLAGS = (
    click.option("--max-hands", default=DEFAULTS.max_hands, show_default=True, help="Maximum number of hands."),
    click.option("--gestures", metavar="SET", help=f"Recognise gestures: {', '.join(set_names())}, or a FILE.json."),
    click.option("--mirrored", is_flag=True, help="The input is a mirror image, as selfie cameras show it."),
    click.option("--no-smooth", is_flag=True, help="Do not smooth the landmarks over time."),
    click.option("--search-every", type=int, help="Search for more hands every N frames.  [default: 5 times a second]"),
    click.option("--min-palm-score", type=float, help="Minimum palm score.  [default: the bundle's]"),
    click.option("--min-presence", type=float, help="Minimum hand presence.  [default: the bundle's]"),
)


def tracker_options(flags: dict[str, Any]) -> TrackerOptions:
    """Take the values of `TRACKER_FLAGS` out of a command's flags.

    Raises:
        InputError: a value is out of range.
    """
    smooth = not flags.pop("no_smooth")
    names = ("max_hands", "gestures", "mirrored", "search_every", "min_palm_score", "min_presence")
    return TrackerOptions(**{name: flags.pop(name) for name in names}, smooth=smooth)
