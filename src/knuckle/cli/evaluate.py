"""`knuckle evaluate`: one table with all trackers side by side, and the report behind it."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from knuckle.datasets import KINDS, read_dataset
from knuckle.datasets.labels import Dataset
from knuckle.errors import InputError
from knuckle.evaluate.external import COMPLEXITY
from knuckle.evaluate.predict import count_images, predict
from knuckle.evaluate.results import Predictions, Report
from knuckle.evaluate.trackers import TrackerUnderTest, reference_tracker, tracker_from
from knuckle.models import catalogue

LABELLED_BY = ("people", "mediapipe", "renderer", "nobody")


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--models", multiple=True, help=f"Bundle, folder, .task file or module:function.  [default: {catalogue.DEFAULT}]"
)
@click.option("--reference", "references", multiple=True, type=click.Choice(list(COMPLEXITY)), help="The real package.")
@click.option("--reference-python", help="A Python that has mediapipe 0.10.21.  [default: one is made, through pip]")
@click.option("--kind", type=click.Choice(list(KINDS)), help="Format of the labels.  [default: found by their files]")
@click.option("--split", help="Part of the dataset: train, val, a source of our own JSON lines, ...")
@click.option("--labelled-by", type=click.Choice(LABELLED_BY), help="Who made the labels, where you know better.")
@click.option("--allow-missing", is_flag=True, help="Leave out images that are not there.")
@click.option("--max-hands", type=int, help="[default: as many as the fullest image holds, at least 2]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the report.  [default: out/evaluate/NAME]")
def evaluate(
    dataset: Path,
    models: tuple[str, ...],
    references: tuple[str, ...],
    reference_python: str | None,
    max_hands: int | None,
    out: Path | None,
    **reading: Any,
) -> None:
    """Score trackers on the labelled photos or clips in DATASET and write a report.

    The first of --models is what the others are compared with, or the --reference where there is one. What was
    predicted is kept beside the report: a run that broke off goes on, and a second one only scores.

    \b
    knuckle evaluate freihand/ --models mediapipe --models my_bundle/
    knuckle evaluate index.jsonl --split subhih --reference mediapipe
    knuckle evaluate coco/ --models my_package.my_module:my_tracker
    """
    labels = read_dataset(dataset, **reading)
    candidates, against = _candidates(models or (catalogue.DEFAULT,), references, reference_python)
    folder = out or Path("out") / "evaluate" / _file_name(labels.name)
    made = run(labels, candidates, folder, fullest(labels) if max_hands is None else max_hands)
    from knuckle.evaluate.report import terminal, write_report  # draws, so it is imported when there is something to
    from knuckle.evaluate.score import score

    found = score(labels, made, against)
    command = shlex.join(["knuckle", *sys.argv[1:]])
    pages = write_report(Report([found], {labels.name: made}, commands=[command]), folder)
    click.echo(terminal([found]), nl=False)
    click.echo(f"report   {pages.html}\n         {pages.markdown}")


def _candidates(
    models: Sequence[str], references: Sequence[str], python: str | None
) -> tuple[list[TrackerUnderTest], dict[str, str]]:
    """All trackers, and with which one each model is compared: the reference of the same name, the first one, or the
    first model."""
    real = {name: reference_tracker(name, python) for name in dict.fromkeys(references)}
    ours = {name: tracker_from(name) for name in dict.fromkeys(models)}
    first = next(iter([*real.values(), *ours.values()]))
    against = {one.name: real.get(name, first).name for name, one in ours.items() if one is not first}
    return [*real.values(), *ours.values()], against


def fullest(dataset: Dataset) -> int:
    """How many hands the fullest image holds, at least 2: a limit below would count as missed hands."""
    shots = [*dataset.shots, *(shot for clip in dataset.clips for shot in clip.shots)]
    return max([2, *(len(shot.hands or ()) for shot in shots)])


def run(dataset: Dataset, candidates: Sequence[TrackerUnderTest], folder: Path, max_hands: int) -> list[Predictions]:
    """Every candidate over the dataset, with a progress bar; what is there already is read."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if max_hands < 1:
        raise InputError(f"--max-hands must be a whole number from 1 up, got {max_hands}")
    console, made = Console(stderr=True, highlight=False), []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        for one in candidates:
            bar = progress.add_task(one.name, total=count_images(dataset))
            path = folder / "predictions" / f"{_file_name(dataset.name)}.{_file_name(one.name)}.parquet"
            made.append(predict(one, dataset, path, max_hands, functools.partial(progress.advance, bar)))
    return made


def _file_name(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in text)
