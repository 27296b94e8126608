"""The web server: a uvicorn server with the limits of a service."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

import click
import uvicorn
from starlette.routing import BaseRoute

from knuckle.errors import InputError
from knuckle.serve.app import create_app
from knuckle.serve.deadlines import HeaderDeadlines, with_deadlines
from knuckle.serve.service import Service

SHUTDOWN_S = 5


def create_server(
    service: Service,
    port: int,
    certificate: str | None = None,
    key: str | None = None,
    routes: Sequence[BaseRoute] | None = None,
) -> uvicorn.Server:
    """Create a server for a service; call `run()` on it.

    Args:
        service: models, workers and limits.
        port: TCP port; 0 takes a free one.
        certificate, key: PEM files for https and wss.
        routes: of another page, in place of ours and the API.

    Raises:
        InputError: the certificate or key cannot be used.
    """
    limits = service.limits
    app = HeaderDeadlines(create_app(service, routes), limits.header_s)
    config = uvicorn.Config(
        app,
        host=service.host,
        port=port,
        http="h11",
        ws="websockets-sansio",
        ws_max_size=limits.body_bytes,
        ws_per_message_deflate=False,  # JPEG does not compress further, and inflating invites decompression bombs
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=SHUTDOWN_S,
        access_log=False,
        proxy_headers=False,  # a client's address is the one that its socket has
        server_header=False,
        log_config=None,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        config.load()
    except (ssl.SSLError, OSError) as error:
        raise InputError(f"--certificate and --key cannot be used: {error}") from error
    assert config.ws_protocol_class
    config.http_protocol_class = with_deadlines(config.http_protocol_class, app, limits.send_s)
    config.ws_protocol_class = with_deadlines(config.ws_protocol_class, app, limits.send_s)
    return Server(config)


class Server(uvicorn.Server):
    """A uvicorn server that prints its address."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        bound = self.servers[0].sockets[0].getsockname()[1]
        click.echo(f"Knuckle is at http{'s' if self.config.is_ssl else ''}://{host}:{bound}/  (Ctrl-C stops it)")
