"""`knuckle gestures`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from knuckle.cli.app import remark
from knuckle.errors import InputError, SinkError
from knuckle.extras import required
from knuckle.gestures.examples import new_take, read_examples, write_csv
from knuckle.gestures.recogniser import load_gestures, set_names
from knuckle.gestures.taught import (
    NONE,
    ExampleHands,
    confusion,
    directed_or_not,
    fit_gestures,
    held_out,
)
from knuckle.media.names import counted
from knuckle.media.sources import read
from knuckle.models import catalogue
from knuckle.pipeline.tracker import HandTracker
from knuckle.results import Hand

FEW = 5


@click.group()
def gestures() -> None:
    """Teach gestures from a few examples, and list the sets that are there."""


@gestures.command("list")
def list_sets() -> None:
    """List the sets of gestures that come with Knuckle."""
    for name in set_names():
        click.echo(f"{name}: {', '.join(load_gestures(name).names)}")


@gestures.command("train")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("gestures.json"), show_default=True)
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle that finds the hands.")
@click.option("--directed/--any-direction", default=None, help="Where a hand points counts.  [default: if it helps]")
def train_gestures(folder: Path, out: Path, models: str, directed: bool | None) -> None:
    """Learn gestures from FOLDER, which has one folder per gesture with photos, clips or recordings.

    5 to 50 examples of each are enough. Folders inside of a gesture's folder name people; then the report says how well
    each person is understood by gestures learned from the others. A folder called None holds what is no gesture.

    \b
    knuckle gestures train my_gestures/ --out gestures.json
    knuckle track 0 --show --gestures gestures.json
    """
    examples = examples_in(folder, models)
    taught = examples.chosen(examples.names != NONE)
    chosen = directed_or_not(taught) if directed is None else directed
    learned = fit_gestures(taught, chosen)
    try:
        out.write_text(json.dumps(learned.to_json()) + "\n")
    except OSError as error:
        raise SinkError(f"cannot write {out}: {error.strerror}") from error
    report(examples, chosen)
    click.echo(f"{out}: {counted(len(learned.names), 'gesture')}, {out.stat().st_size} bytes")


def examples_in(folder: Path, models: str) -> ExampleHands:
    """The examples of a folder; what was passed over is named."""
    tracker = HandTracker(models, max_hands=1)

    def find_hands(path: Path) -> Iterable[Sequence[Hand]]:
        for _, hands in tracker.track(path):
            yield hands

    examples, notes = read_examples(folder, find_hands)
    for note in notes:
        remark(note)
    return examples


def report(examples: ExampleHands, directed: bool) -> None:
    """Print how hands of each group were understood by gestures that were learned from the others."""
    said = held_out(examples, directed)
    table = confusion(examples.names.tolist(), said)
    right = sum(row.get(name, 0) for name, row in table.items())
    groups = len(set(examples.groups.tolist()))
    click.echo(
        f"{right} of {len(said)} hands right, each by gestures learned without its person or take ({groups} of them)"
    )
    for name, row in sorted(table.items()):
        wrong = ", ".join(f"{count} {other}" for other, count in sorted(row.items()) if other != name)
        click.echo(f"  {name}: {row.get(name, 0)} of {sum(row.values())}" + (f", taken for: {wrong}" if wrong else ""))
        if sum(row.values()) < FEW and name != NONE:
            remark(f"{name} has {counted(sum(row.values()), 'example')}; {FEW} or more are better")
    if groups < 2:
        remark("all examples are of one take; record another one, or another person, to know how well this works")
    click.echo(f"where a hand points {'counts' if directed else 'does not count'}")


@gestures.command("record")
@click.argument("name")
@click.option("--source", default="0", show_default=True, help="Camera number, clip or stream.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("gestures"), show_default=True)
@click.option("--count", default=10, show_default=True, type=click.IntRange(min=1), help="Hands to record.")
@click.option(
    "--every", default=0.3, show_default=True, type=click.FloatRange(min=0), help="Seconds between two hands."
)
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle that finds the hands.")
def record(name: str, source: str, folder: Path, count: int, every: float, models: str) -> None:
    """Record examples of the gesture NAME from a camera: hold the gesture, turn the hand a little.

    Only landmarks are kept, no images: FOLDER/NAME/take-1.jsonl, take-2.jsonl, ….
    """
    rows: list[dict[str, Any]] = []
    last_s = -every
    path = new_take(folder, name)
    try:
        with HandTracker(models, max_hands=1) as tracker, read(int(source) if source.isdigit() else source) as reader:
            for frame, hands in tracker.track(reader):
                if hands and frame.time_s - last_s >= every:
                    last_s = frame.time_s
                    found = [hand.to_dict() for hand in hands]
                    rows.append({"frame": frame.index, "time_s": frame.time_s, "hands": found})
                    remark(f"{len(rows)} of {count}")
                if len(rows) == count:
                    break
    finally:  # what was recorded before Ctrl-C, or before a camera broke off, is kept
        if rows:
            keep(path, name, rows)
    if not rows:
        raise SinkError(f"no hand was seen in {source}; nothing was recorded")


def keep(path: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a recording."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror}") from error
    click.echo(f"{path}: {counted(len(rows), 'hand')} of {name}")


@gestures.command("export")
@click.argument("what", metavar="SET|FILE.json|FOLDER")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="FILE.task or FILE.csv to write.")
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle that finds the hands.")
@click.option(
    "--landmarker",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A hand landmarker's .task to put into FILE.task.  [default: made of --models]",
)
def export_gestures(what: str, out: Path, models: str, landmarker: Path | None) -> None:
    """Write gestures for other programs.

    FILE.task is for MediaPipe's GestureRecognizer, on phones and in the web too: a SET or a FILE.json that `train`
    wrote, as custom gestures, beside MediaPipe's seven. FILE.csv has the landmarks of a FOLDER of examples.

    \b
    knuckle gestures export gestures.json --out gesture_recognizer.task
    knuckle gestures export asl --out letters.task
    knuckle gestures export my_gestures/ --out examples.csv
    """
    if out.suffix == ".csv":
        examples = examples_in(Path(what), models)
        write_csv(out, examples)
        gestures_of = counted(len(set(examples.names.tolist())), "gesture")
        click.echo(f"{out}: {counted(len(examples.names), 'hand')} of {gestures_of}")
        return
    if out.suffix != ".task":
        raise InputError(f"--out {out} must be a FILE.task or a FILE.csv")
    chosen = load_gestures(what)
    with tempfile.TemporaryDirectory() as folder:
        if landmarker is None:
            landmarker = Path(folder) / "landmarker.task"
            exporter = required("knuckle.train.export_bundle", "train", "`.task` files")
            exporter.write_task_file(landmarker, exporter.choose_parts(models, None, None, ""))
        writer = required("knuckle.train.gestures.task_file", "train", "`.task` files")
        writer.write_gesture_task(out, chosen, landmarker.read_bytes())
    click.echo(f"{out}: {len(chosen.names)} gestures and MediaPipe's seven, {out.stat().st_size / 1e6:.1f} MB")
