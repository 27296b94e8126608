"""`knuckle train palm`: fine-tune the palm detector on your own photos, or train ours from the start."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from knuckle.errors import InputError
from knuckle.train.flags import chosen, flags_of
from knuckle.train.loop import LoopOptions
from knuckle.train.nets.palm_net import PalmNetShape
from knuckle.train.palm import SCORE_LOSSES, PalmLossWeights, palm_task

# What a run is told at its end, of all that `palm.figures_of` gives.
JUDGED = {
    "ap": "palms, average precision at IoU 0.5, %",
    "recall": "palms found at score 0.5, %",
    "recall_4_8": "the same of hands of 4 to 8 % of the picture",
    "keypoints": "median error of key points, % of palm side",
    "false_per_1000": "false palms per 1000 pictures without hands",
}
FINE_TUNING = LoopOptions(steps=2000, rate=3e-5, warmup=100)
# A shape is a new network's; each flag but `--decoder` is made from its field.
SHAPE = [each.name for each in dataclasses.fields(PalmNetShape)]


@click.command()
@click.option(
    "--init",
    default="mediapipe",
    show_default=True,
    help="Where to start: a bundle (name or folder), a checkpoint FILE.pt, or `new` for our own network from nothing.",
)
@click.option(
    "--data",
    required=True,
    multiple=True,
    metavar="PATH[@SPLIT][:WEIGHT]",
    help="Pictures with all their hands labelled (docs/training_palm.md); repeatable, drawn from by weight.",
)
@click.option("--check", metavar="PATH[@SPLIT]", help="Labelled pictures to judge by while training; never trained on.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/palm"),
    show_default=True,
    help="Folder of the run: checkpoint, config, logs. A run that is there is resumed.",
)
@click.option(
    "--score-loss",
    type=click.Choice(list(SCORE_LOSSES)),
    default="focal",
    show_default=True,
    help="Focal loss over all anchors, or cross entropy over palms and the hardest background.",
)
@click.option("--no-decoder", is_flag=True, help="A new network without the way back from coarse to fine maps.")
@click.option("--look", default=1.0, show_default=True, help="How strongly colour, blur and noise are changed, 0 to 1.")
@flags_of(LoopOptions)
@flags_of(PalmNetShape)
@flags_of(PalmLossWeights, "weight_")
@click.pass_context
def palm(
    context: click.Context,
    /,
    init: str,
    data: tuple[str, ...],
    check: str | None,
    out: Path,
    score_loss: str,
    no_decoder: bool,
    look: float,
    **flags: Any,
) -> None:
    """Train the palm detector on pictures of which all hands are labelled.

    Unless told otherwise, fine-tuning takes 2000 steps at a rate of 0.00003, warmed up over 100.

    \b
    knuckle train palm --data photos/train.jsonl --check photos/held_out.jsonl --out runs/mine
    knuckle train palm --init new --data scenes/ --data photos/train.jsonl:2 --steps 60000 --batch 64
    """
    from knuckle.train.command import run

    given = {name for name in flags if context.get_parameter_source(name) != ParameterSource.DEFAULT}
    shaping = sorted(name.replace("_", "-") for name in given & set(SHAPE)) + ["no-decoder"] * no_decoder
    if init != "new" and shaping:
        raise InputError(f"--{shaping[0]} shapes a new network; {init} has its shape")
    if not 0 <= look <= 1:
        raise InputError(f"look must be a number from 0 to 1, got {look}")
    if init != "new":
        flags |= {name: getattr(FINE_TUNING, name) for name in ("steps", "rate", "warmup") if name not in given}
    flags["decoder"] = flags["decoder"] and not no_decoder
    options, shape = LoopOptions(**chosen(LoopOptions, flags)), PalmNetShape(**chosen(PalmNetShape, flags))
    weights = PalmLossWeights(**chosen(PalmLossWeights, flags, "weight_"))
    run(context, palm_task(init, data, check, shape, options, weights, score_loss, look), options, out)
