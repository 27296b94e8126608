"""The web server: a uvicorn server with the limits of a service."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import time
from collections.abc import Sequence

import click
import uvicorn
import uvicorn.middleware.proxy_headers
from starlette.routing import BaseRoute

from knuckle.errors import InputError
from knuckle.serve.app import create_app
from knuckle.serve.deadlines import HeaderDeadlines, with_deadlines
from knuckle.serve.listener import Listener, allow_files, listen
from knuckle.serve.metrics import Observer
from knuckle.serve.operate import RootPath
from knuckle.serve.service import Service


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
        InputError: the certificate or key cannot be used, or this process may not open enough files.
    """
    limits = service.limits
    allow_files(limits.connections)
    app = RootPath(Observer(create_app(service, routes), service.metrics), service.root_path)
    if service.proxies:
        proxied = uvicorn.middleware.proxy_headers.ProxyHeadersMiddleware
        app = proxied(app, list(service.proxies))  # type: ignore[arg-type, assignment]
    headers = HeaderDeadlines(app, limits.header_s)
    config = uvicorn.Config(
        headers,
        host=service.host,
        port=port,
        loop="asyncio:SelectorEventLoop",  # it calls the listener's `accept`, which bounds the connections
        http="h11",
        ws="websockets-sansio",
        ws_max_size=limits.body_bytes,
        ws_per_message_deflate=False,  # JPEG does not compress further, and inflating invites decompression bombs
        timeout_graceful_shutdown=max(1, round(limits.shutdown_s)),
        access_log=False,
        proxy_headers=False,  # done above, where the address of the socket is still known
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
    config.http_protocol_class = with_deadlines(config.http_protocol_class, headers, limits.send_s)
    config.ws_protocol_class = with_deadlines(config.ws_protocol_class, headers, limits.send_s)
    return Server(config, service, headers)


class Server(uvicorn.Server):
    """A uvicorn server that bounds its connections, prints its address, and finishes its work when it is stopped."""

    def __init__(self, config: uvicorn.Config, service: Service, headers: HeaderDeadlines) -> None:
        super().__init__(config)
        self.service, self.headers = service, headers
        self.listeners: list[Listener] = []

    def listener(self, bound: socket.socket) -> Listener:
        """A listening socket that bounds its connections, from one that does not."""
        listener = Listener(bound.family, bound.type, bound.proto, fileno=bound.detach())
        listener.slots, listener.headers = self.service.connections, self.headers
        listener.refused, listener.plain = self.service.metrics.refused.inc, not self.config.is_ssl
        return listener

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.listeners = listen(self.config.host, self.config.port, self.listener)
        await super().startup([*self.listeners])
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        bound = self.listeners[0].getsockname()[1]
        scheme = "https" if self.config.is_ssl else "http"
        click.echo(f"Knuckle is at {scheme}://{host}:{bound}{self.service.root_path}/  (Ctrl-C stops it)")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say at `/readyz` that the server stops, go on for the drain time, then finish what has begun."""
        service = self.service
        service.draining = True
        await self.pause(service.drain_s, until_idle=False)
        service.stopping.set()
        service.stop_by_s = time.monotonic() + service.limits.shutdown_s  # one limit for all that is waited for
        await self.pause(service.limits.shutdown_s, until_idle=True)
        self.config.timeout_graceful_shutdown = max(1, round(service.stop_by_s - time.monotonic()))
        await super().shutdown([*self.listeners])

    async def pause(self, seconds: float, until_idle: bool) -> None:
        """Wait while requests are answered; a second signal ends it, and so do no open WebSockets if asked for."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.force_exit and not (until_idle and not self.service.sockets.open):
            await asyncio.sleep(0.05)


def end_process_if_busy(service: Service) -> None:
    """End this process now if a stopped server still works: Python waits for worker threads at exit, however long."""
    if service.jobs:
        logging.shutdown()
        os._exit(1)
