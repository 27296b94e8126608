"""`knuckle models`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from knuckle.models import catalogue


@click.group()
def models() -> None:
    """The networks: list, fetch, inspect, import and remove bundles."""


@models.command("list")
def models_list() -> None:
    """Show all bundles and where they are."""
    for name, bundle in catalogue.available().items():
        shown = bundle or catalogue.BUNDLES[name]
        place = "in the package" if name in catalogue.PACKAGED else "in the cache" if bundle else "not fetched"
        notes = ["default"] * (name == catalogue.DEFAULT) + [place, shown.licence]
        click.echo(f"{name}: {', '.join(notes)}\n    {shown.source}")


@models.command("pull")
@click.argument("names", nargs=-1)
def models_pull(names: tuple[str, ...]) -> None:
    """Fetch known bundles into the cache (all of them when none is named)."""
    for name in names or tuple(catalogue.BUNDLES):
        there = name in catalogue.BUNDLES or name in catalogue.PACKAGED
        click.echo((catalogue.find if there else catalogue.pull)(name).folder)


@models.command("info")
@click.argument("name")
def models_info(name: str) -> None:
    """Print all that is known of a bundle, as JSON."""
    bundle = catalogue.find(name)
    click.echo(json.dumps({**asdict(bundle), "folder": str(bundle.folder)}, indent=2))


@models.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", help="What to call it.  [default: the file's own name]")
def models_import(path: Path, name: str | None) -> None:
    """Copy a hand_landmarker.task file or a bundle folder into the cache, to be used by name."""
    take = catalogue.import_folder if path.is_dir() else catalogue.import_task
    click.echo(take(path, name or path.stem).folder)


@models.command("remove")
@click.argument("name")
def models_remove(name: str) -> None:
    """Delete a bundle from the cache."""
    catalogue.remove(name)
    click.echo(f"removed {name}")
