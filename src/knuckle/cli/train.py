"""`knuckle train`: fine-tune a network on your own photos, or train ours from the start."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from knuckle.errors import InputError
from knuckle.train.console import run
from knuckle.train.flags import add_flags, flags_in, from_flags
from knuckle.train.hand.task import HandTask
from knuckle.train.palm.task import PalmTask
from knuckle.train.task import HELD_OUT, TrainingTask

Task = TypeVar("Task", bound=TrainingTask)
out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run: checkpoint, configuration, logs. A run in it is resumed.  [default: runs/COMMAND]",
)


@click.group()
def train() -> None:
    """Train a network. Needs the extra `train`; docs/training.md is a tutorial."""


@train.command()
@out_option
@add_flags(HandTask)
@click.pass_context
def hand(context: click.Context, /, out: Path | None, **values: Any) -> None:
    """Train the landmark network on labelled images.

    Before the first step it measures a few samples and says how long the run will take. Fine-tuning has its own
    defaults. On fewer than 500 images: 200 steps of 16, checked every 20 steps, ended after four checks without a
    smaller error, at a rate of 0.001 for the layer of the landmarks (see --part) and of 0.00003 for a whole network. On
    more images: 2000 steps at a rate of 0.00003, with a warm-up of 100 steps. Without --check, a fifth of the images is
    held out. --side also resizes an existing network.

    \b
    knuckle train hand --data photos/labels.jsonl --init knuckle --out runs/mine
    knuckle train hand --data photos/data.yaml --out runs/mine
    knuckle train hand --init mediapipe-lite --side 192 --distill mediapipe --data photos/data.yaml --out runs/small
    knuckle train hand --data photos/data.yaml:3 --data shards/ --check held_out/ --minutes 30
    knuckle train hand --init new --data shards/ --steps 100000 --batch 256
    """
    task = task_of(HandTask, values, given_flags(context))
    run(context, task, out or Path("runs") / str(context.info_name), given_flags(context))


@train.command()
@out_option
@add_flags(PalmTask)
@click.pass_context
def palm(context: click.Context, /, out: Path | None, **values: Any) -> None:
    """Train the palm detector on images with all their hands labelled.

    Fine-tuning has the defaults of `knuckle train hand`. --side also resizes an existing network of ours.

    \b
    knuckle train palm --data photos/train.jsonl --check photos/held_out.jsonl --out runs/mine
    knuckle train palm --init new --data scenes/ --data photos/train.jsonl:2 --steps 60000 --batch 64
    """
    task = task_of(PalmTask, values, given_flags(context))
    run(context, task, out or Path("runs") / str(context.info_name), given_flags(context))


landmarks = copy.copy(hand)  # the name of version 0.1
landmarks.name, landmarks.hidden = "landmarks", True
train.add_command(landmarks)


def given_flags(context: click.Context) -> set[str]:
    """The flags that are on the command line."""
    return {name for name in context.params if context.get_parameter_source(name) != ParameterSource.DEFAULT}


def task_of(kind: type[Task], values: dict[str, Any], given: set[str]) -> Task:
    """The training task of a command line. Fine-tuning without --check holds some images out.

    `--side` is the side of a new network, or resizes an existing one.

    Raises:
        InputError: a value is out of range, or a flag shapes a network that already has a shape.
    """
    if values["init"] != "new":
        shaping = sorted(
            flag.name for flag in flags_in(kind) if flag.metadata.get("new_only") and flag.name in given - {"side"}
        )
        if shaping:
            raise InputError(
                f"--{shaping[0].replace('_', '-')} shapes a new network; {values['init']} already has its shape"
            )
        values = values | {"resize": values["side"] if "side" in given else None}
        if not given & {"check", "hold_out"}:
            values["hold_out"] = HELD_OUT
    return from_flags(kind, values)
