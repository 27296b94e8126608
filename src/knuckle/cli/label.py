"""`knuckle label`."""

from __future__ import annotations

import threading
from pathlib import Path

import click

from knuckle.errors import InputError
from knuckle.label.photos import Photos
from knuckle.label.routes import label_routes
from knuckle.models import catalogue
from knuckle.serve.limits import Limits
from knuckle.serve.server import create_server
from knuckle.serve.service import Service

REQUESTS_PER_S = 200  # one person at a keyboard that repeats


@click.command()
@click.argument("photos")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Label file.  [default: PHOTOS/labels.jsonl]"
)
@click.option("--recursive", is_flag=True, help="Also the folders inside of PHOTOS.")
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle that labels first.")
@click.option("--port", default=8010, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
def label(photos: str, out: Path | None, recursive: bool, models: str, port: int) -> None:
    """Correct the landmarks of photos in the browser, for training and for tests.

    The tracker labels first, the page shows the most doubtful photos first, and every change is saved at once. Only
    this computer reaches the page. The label file is what `knuckle train` and `knuckle evaluate` read.

    \b
    knuckle label photos/
    knuckle train hand --data photos/labels.jsonl --init knuckle
    """
    service = Service(models=models, limits=Limits(requests_per_s=REQUESTS_PER_S))
    try:
        opened = Photos(photos, service.networks, out, recursive)
        background = threading.Thread(target=opened.propose_all, daemon=True)
        server = create_server(service, port, routes=label_routes(opened, service))
        background.start()
        server.run()
        opened.stopping.set()
        background.join()
    except SystemExit as stop:  # uvicorn has logged the reason
        raise InputError(f"cannot listen on port {port}; is the port taken? Try --port 0") from stop
    finally:
        service.close(0)
