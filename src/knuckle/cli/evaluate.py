"""`knuckle evaluate`: one table with all trackers side by side, and a report."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import click

from knuckle.datasets import KINDS, Dataset, LabelledBy, read_dataset
from knuckle.errors import InputError
from knuckle.evaluate.external import COMPLEXITY
from knuckle.evaluate.predict import count_images, most_hands, predict
from knuckle.evaluate.results import Predictions, Report
from knuckle.evaluate.trackers import TrackerUnderTest, reference_tracker, tracker_from
from knuckle.models import catalogue


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--models", multiple=True, help=f"Bundle, folder, .task file or module:function.  [default: {catalogue.DEFAULT}]"
)
@click.option(
    "--reference", "references", multiple=True, type=click.Choice(list(COMPLEXITY)), help="Also score the real package."
)
@click.option("--reference-python", help="A Python that has mediapipe 0.10.21.  [default: installed with pip]")
@click.option("--kind", type=click.Choice(list(KINDS)), help="Format of the labels.  [default: found by its files]")
@click.option("--split", help="Part of the dataset: train, val, a source of our own JSON lines, ...")
@click.option("--labelled-by", type=click.Choice(get_args(LabelledBy)), help="Who made the labels, if you know better.")
@click.option("--allow-missing", is_flag=True, help="Leave out images that are not there.")
@click.option("--max-hands", type=int, help="[default: the largest number of labelled hands in an image, at least 2]")
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

    All models are compared with the --reference, by default the first of --models. Predictions are kept beside the
    report: an interrupted run continues where it stopped, and a second run only computes the scores.

    \b
    knuckle evaluate freihand/ --models mediapipe --models my_bundle/
    knuckle evaluate index.jsonl --split subhih --reference mediapipe
    knuckle evaluate coco/ --models my_package.my_module:my_tracker
    """
    labels = read_dataset(dataset, **reading)
    trackers, against = _trackers(models or (catalogue.DEFAULT,), references, reference_python)
    folder = out or Path("out") / "evaluate" / _file_name(labels.name)
    made = run(labels, trackers, folder, most_hands(labels) if max_hands is None else max_hands)
    from knuckle.evaluate.report import terminal, write_report  # heavy: imported when there is something to report
    from knuckle.evaluate.score import score

    found = score(labels, made, against)
    command = shlex.join(["knuckle", *sys.argv[1:]])
    pages = write_report(Report([found], {labels.name: made}, commands=[command]), folder)
    click.echo(terminal([found]), nl=False)
    click.echo(f"report   {pages.html}\n         {pages.markdown}")


def _trackers(
    models: Sequence[str], references: Sequence[str], python: str | None
) -> tuple[list[TrackerUnderTest], dict[str, str]]:
    """All trackers, and which one each model is compared with: the reference of the same name, else the first one."""
    real = {name: reference_tracker(name, python) for name in dict.fromkeys(references)}
    ours = {name: tracker_from(name) for name in dict.fromkeys(models)}
    first = next(iter([*real.values(), *ours.values()]))
    against = {one.name: real.get(name, first).name for name, one in ours.items() if one is not first}
    return [*real.values(), *ours.values()], against


def run(dataset: Dataset, trackers: Sequence[TrackerUnderTest], folder: Path, max_hands: int) -> list[Predictions]:
    """Run every tracker over the dataset, with a progress bar. Predictions that are in the folder are read."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if max_hands < 1:
        raise InputError(f"--max-hands must be at least 1, got {max_hands}")
    console, made = Console(stderr=True, highlight=False), []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    images = count_images(dataset)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        for one in trackers:
            bar = progress.add_task(one.name, total=images)
            path = folder / "predictions" / f"{_file_name(dataset.name)}.{_file_name(one.name)}.parquet"
            made.append(predict(one, dataset, path, max_hands, functools.partial(progress.advance, bar)))
    return made


def _file_name(text: str) -> str:
    """The text with _ for every character that a file name should not have."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in text)
