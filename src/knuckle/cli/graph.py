"""`knuckle graph`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from knuckle.errors import InputError
from knuckle.inspect.diagram import Diagram, diagrams_of
from knuckle.inspect.formats import FORMATS, save
from knuckle.inspect.profile import Profile
from knuckle.media.sources import read
from knuckle.models import catalogue
from knuckle.pipeline.main_graph import main_graph
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.run import Run
from knuckle.pipeline.tracker import Networks, load


@click.command()
@click.argument("name", default="main")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="[default: by the suffix of --out, else text]")
@click.option("--out", type=click.Path(path_type=Path), help="File to write; in a folder, one .pbtxt per graph.")
@click.option("--profile", "source", help="Run on this photo or video, show what each node costs, write a trace.")
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle name, folder or .task file.")
def graph(name: str, form: str | None, out: Path | None, source: str | None, models: str) -> None:
    """Show a processing graph: main, hand_tracking, hand_landmarks, palm_detection, hand_renderer, hand_detection.

    \b
    knuckle graph
    knuckle graph --out graph.html --profile clip.mp4
    knuckle graph hand_tracking --format mermaid
    knuckle graph --out graphs/ --format pbtxt
    """
    profile = Profile() if source else None
    networks = load(models)
    known = profiled(networks, source, profile) if source and profile else running_graphs(networks)
    if name not in known:
        where = f" in a run on {source}" if source else ""
        raise InputError(f"no graph{where} is called {name}; there are {', '.join(known)}")
    diagram = known[name]
    if out is None:
        click.echo(FORMATS[form or "text"](diagram), nl=False)
    else:
        save(diagram, out, form)
    if profile:
        trace = out.with_suffix(".trace.json") if out else Path(f"{name}.trace.json")
        profile.write_trace(trace)
        click.echo(f"trace for ui.perfetto.dev or chrome://tracing: {trace}", err=True)


def running_graphs(networks: Networks) -> dict[str, Diagram]:
    """The graphs that `knuckle track` builds for photos and for videos, by name."""

    def write(*_: Any) -> bool:
        return False

    found: dict[str, Diagram] = {}
    for stills in (True, False):
        found |= diagrams_of(main_graph(iter(()), networks, TrackerOptions(), write, stills=stills))
    return found


def profiled(networks: Networks, source: str, profile: Profile) -> dict[str, Diagram]:
    """Run on a source and return its graphs by name, with what each node cost."""
    with read(source) as reader:
        built = Run(reader, networks, TrackerOptions()).graph(iter(reader), draws=True)
        with suppress(KeyboardInterrupt):
            while built.run([], profile):
                pass
    return diagrams_of(built, profile)
