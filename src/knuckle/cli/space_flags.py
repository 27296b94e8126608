"""Flags of `knuckle track` and `knuckle batch` about metres and about smoothing."""

from __future__ import annotations

from typing import Any

import click

from knuckle.errors import InputError
from knuckle.pipeline.run import Run
from knuckle.pipeline.smooth import OfflineSmoother
from knuckle.space.position import Locator

SPACE_FLAGS = (
    click.option(
        "--camera",
        metavar="FILE|fov:DEG|fov|exif",
        help="Add positions in metres: a calibration, a field of view along the longer side, an assumed one, or EXIF.",
    ),
    click.option("--hand-length", type=float, metavar="M", help="Length of the hand, wrist to middle tip, in metres."),
    click.option(
        "--smooth",
        type=click.Choice(["online", "offline"]),
        default="online",
        show_default=True,
        help="offline: by later frames too, without lag; files only, and the raw landmarks are saved as well.",
    ),
)


class SpaceFlags:
    """The values of `SPACE_FLAGS`, taken out of a command's flags.

    Raises:
        InputError: a value cannot be, or does not go with another.
        SourceError: the camera's file cannot be read.
    """

    def __init__(self, flags: dict[str, Any]) -> None:
        self.camera, self.hand_length_m = flags.pop("camera"), flags.pop("hand_length")
        self.offline = flags.pop("smooth") == "offline"
        if self.offline and flags["no_smooth"]:
            raise InputError("--smooth offline and --no-smooth exclude each other")
        if flags["detect_only"] and (self.camera or self.offline):
            raise InputError("--detect-only finds no landmarks, which --camera and --smooth offline need")
        if self.hand_length_m is not None and not self.camera:
            raise InputError("--hand-length needs --camera, such as --camera fov:60")
        if self.camera:
            Locator(self.camera, self.hand_length_m)  # fails here if it cannot be, before a source is opened

    def apply(self, run: Run) -> None:
        """Give a run what the flags ask for.

        Raises:
            InputError: the source is live, and later frames are asked for; or the bundle lacks some of the 21 points.
        """
        if self.offline and run.reader.kind == "live":
            raise InputError(f"{run.reader.name} is live: --smooth offline needs frames that are still to come")
        if self.offline and run.reader.kind == "video":
            run.smoother = OfflineSmoother()
        if self.camera:
            run.networks.require_all_points("positions in metres")
            run.place = Locator(self.camera, self.hand_length_m).of_reader(run.reader)
