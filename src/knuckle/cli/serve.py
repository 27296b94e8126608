"""`knuckle serve`."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import click

from knuckle.errors import InputError, MissingExtraError
from knuckle.models import catalogue

if TYPE_CHECKING:
    import uvicorn

    from knuckle.serve.service import Service

SHUTDOWN_S = 5


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need a token.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option(
    "--token",
    envvar="KNUCKLE_TOKEN",
    show_envvar=True,
    help="What clients of the API must show; the variable keeps it out of the list of processes.",
)
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle, folder or .task file.")
@click.option("--allow-origin", "origins", multiple=True, help="Web origin that may use the API, like https://a.org.")
@click.option("--certificate", type=click.Path(exists=True, dir_okay=False), help="PEM file: serve https and wss.")
@click.option("--key", type=click.Path(exists=True, dir_okay=False), help="PEM file of its private key.")
@click.option(
    "--workers", type=click.IntRange(1), help="Threads for decoding and inference.  [default: CPU cores, at most 4]"
)
@click.option("--max-sockets", default=32, show_default=True, type=click.IntRange(1), help="WebSockets at a time.")
def serve(
    host: str,
    port: int,
    token: str | None,
    models: str,
    origins: tuple[str, ...],
    certificate: str | None,
    key: str | None,
    workers: int | None,
    max_sockets: int,
) -> None:
    """Serve the browser page and an API: POST /v1/detect, WebSocket /v1/track, described at /v1.

    The page tracks inside the browser: no picture leaves the device that opens it. Only this computer reaches the
    server unless --host says otherwise; cameras of other devices open for https pages only, so give --certificate.

    \b
    knuckle serve
    KNUCKLE_TOKEN=… knuckle serve --host 0.0.0.0 --certificate cert.pem --key key.pem
    """
    try:
        from knuckle.serve.limits import Limits
        from knuckle.serve.service import Service
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"knuckle serve needs {error.name}: pip install 'knuckle[serve]'") from error
    if key and not certificate:
        raise InputError("--key belongs to a --certificate; give both")
    limits = Limits(sockets=max_sockets, sockets_per_client=max(1, max_sockets // 2))
    service = Service(models, host, token, origins, limits, workers)
    try:
        create_server(service, port, certificate, key).run()
    except SystemExit as stop:  # uvicorn's, after it logged why
        raise InputError(f"{host} port {port} cannot be listened on; is the port taken? Try --port 0") from stop


def create_server(
    service: Service, port: int, certificate: str | None = None, key: str | None = None
) -> uvicorn.Server:
    """A uvicorn server for a service, with its limits; `run()` it.

    Raises:
        InputError: a certificate or key that cannot be used.
    """
    import uvicorn

    from knuckle.serve.app import create_app
    from knuckle.serve.protocol import protocols

    http, ws = protocols(service.limits)
    config = uvicorn.Config(
        create_app(service),
        host=service.host,
        port=port,
        http=http,
        ws=ws,
        ws_max_size=service.limits.body_bytes,
        ws_per_message_deflate=False,  # JPEG does not shrink, and inflating has bombs of its own
        limit_concurrency=service.limits.connections,
        timeout_graceful_shutdown=SHUTDOWN_S,
        access_log=False,
        proxy_headers=False,  # nobody but the socket says who asks
        server_header=False,
        log_config=None,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        config.load()
    except (ssl.SSLError, OSError) as error:
        raise InputError(f"--certificate and --key cannot be used: {error}") from error

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            name = f"[{service.host}]" if ":" in service.host else service.host
            bound = self.servers[0].sockets[0].getsockname()[1]
            click.echo(f"Knuckle is at http{'s' if certificate else ''}://{name}:{bound}/  (Ctrl-C stops it)")

    return Announcing(config)
