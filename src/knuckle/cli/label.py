"""`knuckle label`."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import click

from knuckle.errors import InputError
from knuckle.label.clip import EVERY
from knuckle.label.compare import Comparison, held_out_in
from knuckle.label.folder import Folder
from knuckle.label.routes import label_routes
from knuckle.label.session import Person
from knuckle.models import catalogue
from knuckle.pipeline.networks import load
from knuckle.serve.limits import Limits
from knuckle.serve.server import create_server
from knuckle.serve.service import Service

REQUESTS_PER_S = 200  # one person at a keyboard that repeats


@click.command()
@click.argument("photos")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Label file.  [default: PHOTOS/labels.jsonl]"
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="Labels to begin with, in any format of `knuckle datasets`.  [default: those in PHOTOS]",
)
@click.option("--recursive", is_flag=True, help="Also the folders inside of PHOTOS.")
@click.option("--by", default="", metavar="NAME", help="Who labels, to compare people who labelled the same photos.")
@click.option("--blind", is_flag=True, help="Do not show what others labelled; needs --by.")
@click.option(
    "--every", default=EVERY, show_default=True, type=click.IntRange(1), help="Frames per key frame of clips."
)
@click.option("--compare", metavar="BUNDLE", help="Show accepted photos before (--models) and after (this bundle).")
@click.option("--run", type=click.Path(path_type=Path), help="Of --compare: count the photos that this run held out.")
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle that labels first.")
@click.option("--port", default=8010, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
def label(photos: str, models: str, port: int, **choices: Any) -> None:
    """Correct the landmarks of photos and clips in the browser, for training and for tests.

    PHOTOS is a folder, a glob, or one photo or clip. The tracker labels first, the page shows the most doubtful photos
    first, and every change is saved at once. Of a clip you label key frames; the frames between them are filled. Only
    this computer reaches the page. The label file is what `knuckle train` and `knuckle evaluate` read.

    \b
    knuckle label photos/
    knuckle label clip.mp4 --out labels.jsonl
    knuckle train hand --data photos/labels.jsonl --init knuckle --out runs/mine
    knuckle export runs/mine/checkpoint.pt --out mine/
    knuckle label photos/ --compare mine/ --run runs/mine
    """
    if choices["blind"] and not choices["by"]:
        raise InputError("--blind shows only the labels of one person; say who it is with --by NAME")
    service = Service(models=models, limits=Limits(requests_per_s=REQUESTS_PER_S))
    try:
        person = Person(choices["by"], choices["blind"])
        given = {name: choices[name] for name in ("recursive", "labels", "every")}
        opened = Folder(photos, service.networks, choices["out"], person=person, **given)
        if choices["compare"]:
            held_out = held_out_in(choices["run"]) if choices["run"] else None
            before, after = (load(one, precision="float") for one in (models, choices["compare"]))  # of equal precision
            opened.session.comparison = Comparison(before, after, held_out)
        background = threading.Thread(target=opened.work, daemon=True)
        server = create_server(service, port, routes=label_routes(opened, service))
        background.start()
        server.run()
        opened.stopping.set()
        background.join()
    except SystemExit as stop:  # uvicorn has logged the reason
        raise InputError(f"cannot listen on port {port}; is the port taken? Try --port 0") from stop
    finally:
        service.close(0)
