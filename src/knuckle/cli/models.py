"""`knuckle models`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from knuckle.models import catalogue


@click.group()
def models() -> None:
    """List, download, inspect, import and remove model bundles."""


@models.command("list")
def list_bundles() -> None:
    """List all bundles and where they are."""
    for name, bundle in catalogue.available().items():
        shown = bundle or catalogue.BUNDLES[name]
        location = "in the cache" if bundle else "not downloaded"
        if name in catalogue.PACKAGED:
            location = "in the package"
        notes = ["default"] * (name == catalogue.DEFAULT) + [location, shown.licence]
        click.echo(f"{name}: {', '.join(notes)}\n    {shown.source}")


@models.command("pull")
@click.argument("names", nargs=-1)
def pull(names: tuple[str, ...]) -> None:
    """Download bundles into the cache; without NAMES, all known ones."""
    for name in names or tuple(catalogue.BUNDLES):
        known = name in catalogue.BUNDLES or name in catalogue.PACKAGED
        bundle = catalogue.find(name) if known else catalogue.pull(name)
        click.echo(bundle.folder)


@models.command("info")
@click.argument("name")
def info(name: str) -> None:
    """Print everything about a bundle as JSON."""
    bundle = catalogue.find(name)
    click.echo(json.dumps({**asdict(bundle), "folder": str(bundle.folder)}, indent=2))


@models.command("import")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--name", help="Name of the bundle in the cache.  [default: the file's own name]")
def import_bundle(path: Path, name: str | None) -> None:
    """Copy a .task file or a bundle folder into the cache, for use by name."""
    take = catalogue.import_folder if path.is_dir() else catalogue.import_task
    click.echo(take(path, name or path.stem).folder)


@models.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Delete a bundle from the cache."""
    catalogue.remove(name)
    click.echo(f"removed {name}")
