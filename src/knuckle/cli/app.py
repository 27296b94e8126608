"""The `knuckle` command: its subcommands, and how errors reach the terminal."""

from __future__ import annotations

import errno
import importlib
import io
import logging
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console

import knuckle
from knuckle.errors import Error, MissingExtraError

STOPPED = 130  # the exit code that shells expect after Ctrl-C
console = Console(stderr=True, highlight=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Expected errors are printed as one line, with exit code 2. Everything else is a bug and keeps its traceback.

    Args:
        arguments: what follows `knuckle`; None takes it from `sys.argv`.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # no file name and no locale can make printing fail
            stream.reconfigure(errors="backslashreplace")
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about the inside of damaged files, which are named anyway
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("knuckle").setLevel(logging.INFO)
    try:
        sys.exit(cli.main(arguments, prog_name="knuckle", standalone_mode=False))
    except Error as error:
        complain(error)
    except click.UsageError as error:
        complain(f"{error.format_message()} See {error.ctx.command_path if error.ctx else 'knuckle'} --help")
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        complain(f"a name is too long for this system: {error.filename}")
    except (click.Abort, KeyboardInterrupt):
        sys.exit(STOPPED)
    sys.exit(2)


def complain(error: object) -> None:
    """Print an error to stderr as one red line."""
    console.print(" ".join(str(error).split()), style="red", markup=False, soft_wrap=True)


def remark(text: str) -> None:
    """Print what a user should know and what is no error, to stderr."""
    console.print(" ".join(text.split()), style="yellow", markup=False, soft_wrap=True)


class LazyCommand(click.Command):
    """A command that is imported when it is called, so that other commands start fast and need no extras.

    Its module is `knuckle.cli.NAME`, and the command there has the same name.

    Args:
        name: name of the subcommand.
        extra: optional dependencies that it needs, as in `pip install 'knuckle[EXTRA]'`; "" for none.
        short_help: its line in `knuckle --help`.
    """

    def __init__(self, name: str, extra: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help)
        self.extra = extra

    def load(self) -> click.Command:
        """Import the command.

        Raises:
            MissingExtraError: a package that the command needs is not installed.
        """
        try:
            command: click.Command = getattr(importlib.import_module(f"knuckle.cli.{self.name}"), str(self.name))
        except ModuleNotFoundError as error:
            package = f"knuckle[{self.extra}]" if self.extra else "knuckle"
            raise MissingExtraError(f"knuckle {self.name} needs {error.name}: pip install '{package}'") from error
        return command

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        return self.load().make_context(*args, **settings)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(knuckle.__version__, prog_name="knuckle")
def cli() -> None:
    """Find and track hands in photos, videos and cameras: 21 3D landmarks per hand, handedness, track ids.

    Nothing leaves this computer. The network is used only to download a model bundle, once.
    """


for command in (
    LazyCommand("track", "", "Track hands in a photo, video, camera or stream."),
    LazyCommand("batch", "batch", "Track hands in many videos and photos, on all cores or machines."),
    LazyCommand("triangulate", "space", "Hands in metres from several calibrated cameras."),
    LazyCommand("convert", "", "Convert data files of hands between formats."),
    LazyCommand("stream", "stream", "Send hands to other programs: OSC, VMC, MQTT, MIDI, …"),
    LazyCommand("gestures", "", "Teach gestures from a few examples."),
    LazyCommand("graph", "", "Show the processing graph, and what each step costs."),
    LazyCommand("models", "", "List, download, inspect, import and remove model bundles."),
    LazyCommand("evaluate", "evaluate", "Score trackers on labelled photos or clips."),
    LazyCommand("serve", "serve", "Serve the browser page and an HTTP API."),
    LazyCommand("label", "serve", "Correct the landmarks of photos in the browser."),
    LazyCommand("datasets", "", "Check labelled photos for damage, and convert labels."),
    LazyCommand("synth", "train", "Render synthetic hands with exact labels."),
    LazyCommand("train", "train", "Train or fine-tune networks on labelled photos."),
    LazyCommand("export", "train", "Export trained networks as a model bundle."),
):
    cli.add_command(command)
