"""`knuckle datasets`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.progress import Progress

from knuckle.cli.app import console
from knuckle.datasets import read_dataset
from knuckle.datasets.contact_sheet import write_sheet
from knuckle.datasets.damage import Finding, check_datasets
from knuckle.datasets.labels import Shot
from knuckle.exports.label_files import write_labels
from knuckle.media.names import counted
from knuckle.models import catalogue
from knuckle.pipeline.networks import load

DAMAGED = 1  # exit code


@click.group()
def datasets() -> None:
    """Look after labelled photos."""


@datasets.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--split", help="Read this split, as `knuckle evaluate` names them.")
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle that looks at the hands.")
@click.option("--numbers-only", is_flag=True, help="Do not look at the hands with a network.")
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False), help="Contact sheet to write, .jpg or .png.")
@click.option("--tiles", default=100, show_default=True, type=click.IntRange(1), help="Images on the sheet, at most.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per finding.")
def check(
    paths: tuple[Path, ...],
    split: str | None,
    models: str,
    numbers_only: bool,
    sheet: Path | None,
    tiles: int,
    as_json: bool,
) -> None:
    """Find damage in labels: boxes off the image, swapped sides, impossible bones, duplicates, damaged rows.

    PATHS are folders or label files in any format that Knuckle reads. Nothing is changed. The exit code is 1 if there
    is a finding. A finding is a reason to look, and not a proof: the contact sheet shows the images, those with
    findings first.

    \b
    knuckle datasets check photos/labels.jsonl --sheet labels.jpg
    knuckle datasets check train.jsonl held_out.jsonl     # photos that are in both
    """
    networks = None if numbers_only else load(models)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("looking")
        findings, shots = check_datasets(
            paths, networks, split, lambda done, of: progress.update(bar, completed=done, total=of)
        )
    for finding in findings:
        click.echo(json.dumps(as_object(finding)) if as_json else f"{finding.where}: {finding.kind}: {finding.text}")
    if sheet is not None:
        notes: dict[Shot, list[str]] = {}
        for finding in findings:
            if finding.shot is not None:
                notes.setdefault(finding.shot, []).append(f"{finding.kind}: {finding.text}")
        write_sheet(sheet, shots, notes, tiles)
    if not as_json:
        click.echo(summary(findings, shots))
    if findings:
        raise click.exceptions.Exit(DAMAGED)


@datasets.command()
@click.argument("labels", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--split", help="Read this split, as `knuckle evaluate` names them.")
def convert(labels: Path, out: Path, split: str | None) -> None:
    """Write LABELS, in any format that Knuckle reads, in the format that the name of OUT says.

    The names end with .jsonl (ours), .coco.json, .wholebody.json, .cvat.xml, .labelstudio.json, or .yolo (a folder with
    copies of the photos).

    \b
    knuckle datasets convert photos/labels.jsonl photos/labels.coco.json
    knuckle datasets convert export/annotations.xml export/labels.jsonl
    """
    count = write_labels(read_dataset(labels, split=split), out)
    click.echo(f"{counted(count, 'image')} written to {out}")


def as_object(finding: Finding) -> dict[str, object]:
    """A finding as JSON."""
    frame = None if finding.shot is None else finding.shot.frame
    about = {"kind": finding.kind, "source": finding.source, "frame": frame, "hand": finding.hand}
    return {**about, "text": finding.text}


def summary(findings: Sequence[Finding], shots: Sequence[Shot]) -> str:
    """One line: how many images, and how many findings of each kind."""
    hands = sum(len(shot.hands or ()) for shot in shots)
    kinds = ", ".join(f"{count} × {kind}" for kind, count in Counter(one.kind for one in findings).most_common())
    return f"{counted(len(shots), 'image')} with {counted(hands, 'hand')}: {kinds or 'nothing found'}"
