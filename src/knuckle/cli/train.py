"""`knuckle train`: fine-tune a network on your own photos, or train ours from the start."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from knuckle.errors import InputError
from knuckle.train.console import run
from knuckle.train.flags import Command, chosen, flags_of
from knuckle.train.hand.task import LossWeights, landmark_task
from knuckle.train.loop import LoopOptions
from knuckle.train.nets.hand_net import HandNetShape
from knuckle.train.nets.palm_net import PalmNetShape
from knuckle.train.palm.task import SCORE_LOSSES, PalmLossWeights, palm_task

FINE_TUNING = LoopOptions(steps=2000, rate=3e-5, warmup=100)  # Adam's steps are large for weights that are good
INIT = "Where to start: a bundle (name or folder), a checkpoint FILE.pt, or `new` for our own network from nothing."
TEACHER = "Also learn from the features of MediaPipe's network; `mediapipe`, or another bundle that holds it."
TEACHER_SHARE = "Share of each batch that the teacher looks at; at a quarter a step takes about a third longer."
LOOK = "How strongly colour, blur and noise are changed, 0 to 1."


@click.group()
def train() -> None:
    """Train a network. Needs the extra `train`; docs/training.md is a tutorial."""


def trains(data: str, out: str, shape: type, weights: type) -> Callable[[Command], Command]:
    """A decorator for the flags that every network's training has.

    Args:
        data: what `--data` takes, in words. out: default folder.
        shape, weights: dataclasses of a new network's shape and of the loss, whose fields are flags.
    """
    folder = click.Path(path_type=Path, file_okay=False)
    where = "Folder of the run: checkpoint, config, logs. A run that is there is resumed."
    check = "Labelled images to judge by while training; never trained on."
    decorators: list[Callable[[Command], Command]] = [
        click.option("--init", default="mediapipe", show_default=True, help=INIT),
        click.option("--data", required=True, multiple=True, metavar="PATH[@SPLIT][:WEIGHT]", help=data),
        click.option("--check", metavar="PATH[@SPLIT]", help=check),
        click.option("--out", type=folder, default=Path(out), show_default=True, help=where),
        click.option("--look", default=1.0, show_default=True, callback=share, help=LOOK),
        click.option("--teacher", metavar="BUNDLE", help=TEACHER),
        click.option("--teacher-share", default=0.25, show_default=True, help=TEACHER_SHARE),
        flags_of(LoopOptions),
        flags_of(shape),
        flags_of(weights, "weight_"),
        click.pass_context,
    ]

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def share(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """A number from 0 to 1."""
    if not 0 <= value <= 1:
        raise InputError(f"{parameter.name} must be a number from 0 to 1, got {value}")
    return value


def given_in(context: click.Context, flags: dict[str, Any]) -> set[str]:
    """The flags that somebody wrote."""
    return {name for name in flags if context.get_parameter_source(name) != ParameterSource.DEFAULT}


def loop_options(
    init: str, flags: dict[str, Any], given: set[str], fixed: type, free: frozenset[str] = frozenset()
) -> LoopOptions:
    """How long and how fast; fine-tuning has its own defaults.

    Args:
        fixed: the dataclass of shapes, which only a new network can be given; `free` are the fields that any can.

    Raises:
        InputError: a value is out of range, or a network that is there was to get another shape.
    """
    if init != "new":
        shaping = sorted(given & {each.name for each in dataclasses.fields(fixed)} - free)
        if shaping:
            raise InputError(f"--{shaping[0].replace('_', '-')} shapes a new network; {init} has its shape")
        flags |= {name: getattr(FINE_TUNING, name) for name in ("steps", "rate", "warmup") if name not in given}
    return LoopOptions(**chosen(LoopOptions, flags))


@train.command()
@trains(
    "Labelled images (docs/datasets.md); repeatable, drawn from by weight.", "runs/landmarks", HandNetShape, LossWeights
)
def landmarks(
    context: click.Context,
    /,
    init: str,
    data: tuple[str, ...],
    check: str | None,
    out: Path,
    look: float,
    teacher: str | None,
    teacher_share: float,
    **flags: Any,
) -> None:
    """Train the landmark network on labelled images.

    Unless told otherwise, fine-tuning takes 2000 steps at a rate of 0.00003, warmed up over 100.

    \b
    knuckle train landmarks --data photos/data.yaml --out runs/mine
    knuckle train landmarks --data photos/data.yaml:3 --data shards/ --check held_out/ --minutes 30
    knuckle train landmarks --init new --data shards/ --steps 100000 --batch 256
    """
    options = loop_options(init, flags, given_in(context, flags), HandNetShape)
    shape, weights = HandNetShape(**chosen(HandNetShape, flags)), LossWeights(**chosen(LossWeights, flags, "weight_"))
    task = landmark_task(init, data, check, shape, options, weights, look, teacher, teacher_share)
    run(context, task, options, out)


@train.command()
@click.option(
    "--score-loss",
    type=click.Choice(list(SCORE_LOSSES)),
    default="focal",
    show_default=True,
    help="Focal loss over all anchors, or cross entropy over palms and the hardest background.",
)
@trains(
    "Pictures with all their hands labelled (docs/training_palm.md); repeatable, drawn from by weight.",
    "runs/palm",
    PalmNetShape,
    PalmLossWeights,
)
def palm(
    context: click.Context,
    /,
    init: str,
    data: tuple[str, ...],
    check: str | None,
    out: Path,
    look: float,
    teacher: str | None,
    teacher_share: float,
    score_loss: str,
    **flags: Any,
) -> None:
    """Train the palm detector on pictures of which all hands are labelled.

    Unless told otherwise, fine-tuning takes 2000 steps at a rate of 0.00003, warmed up over 100. A network of ours can
    be trained on at another side.

    \b
    knuckle train palm --data photos/train.jsonl --check photos/held_out.jsonl --out runs/mine
    knuckle train palm --init new --data scenes/ --data photos/train.jsonl:2 --steps 60000 --batch 64
    """
    given = given_in(context, flags)
    options = loop_options(init, flags, given, PalmNetShape, frozenset({"side"}))
    shape = PalmNetShape(**chosen(PalmNetShape, flags))
    weights = PalmLossWeights(**chosen(PalmLossWeights, flags, "weight_"))
    side = shape.side if "side" in given else None
    task = palm_task(init, data, check, shape, options, weights, score_loss, look, side, teacher, teacher_share)
    run(context, task, options, out)
