"""`knuckle serve`."""

from __future__ import annotations

from typing import Any

import click

from knuckle.errors import InputError
from knuckle.models import catalogue
from knuckle.serve.limits import Limits
from knuckle.serve.server import create_server
from knuckle.serve.service import Service


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need a token.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option(
    "--token",
    envvar="KNUCKLE_TOKEN",
    show_envvar=True,
    help="What API clients must send. The variable keeps it out of the process list.",
)
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle name, folder or .task file.")
@click.option("--allow-origin", "origins", multiple=True, help="Web origin that may use the API: https://example.org.")
@click.option("--certificate", type=click.Path(exists=True, dir_okay=False), help="PEM file for https and wss.")
@click.option("--key", type=click.Path(exists=True, dir_okay=False), help="PEM file with the certificate's key.")
@click.option(
    "--workers", type=click.IntRange(1), help="Threads for decoding and inference.  [default: CPU cores, at most 4]"
)
@click.option("--label-studio", metavar="URL", help="Pre-label the tasks of this Label Studio, at /label-studio.")
@click.option("--cvat", is_flag=True, help="Pre-label images for CVAT, as a serverless function without a token.")
@click.option("--max-sockets", default=32, show_default=True, type=click.IntRange(1), help="Open WebSockets at most.")
def serve(port: int, certificate: str | None, key: str | None, max_sockets: int, **settings: Any) -> None:
    """Serve the browser page and an API: POST /v1/detect, WebSocket /v1/track, documented at /v1.

    The page tracks inside the browser, so no image leaves the device that opens it. The server is reachable from this
    computer only, unless --host says otherwise. Browsers give other devices a camera on https pages only: use
    --certificate.

    \b
    knuckle serve
    KNUCKLE_TOKEN=... knuckle serve --host 0.0.0.0 --certificate cert.pem --key key.pem
    """
    if key and not certificate:
        raise InputError("--key needs --certificate")
    limits = Limits(sockets=max_sockets, sockets_per_client=max(1, max_sockets // 2))
    service = Service(**settings, limits=limits)
    try:
        create_server(service, port, certificate, key).run()
    except SystemExit as stop:  # uvicorn has logged the reason
        where = f"{service.host} port {port}"
        raise InputError(f"cannot listen on {where}; is the port taken? Try --port 0") from stop
