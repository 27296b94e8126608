"""Time limits that an ASGI application cannot set: for request headers that never end, and responses that are not read.

uvicorn's protocol classes are subclassed. Only methods of `asyncio.Protocol` are overridden, and the application tells
when a request's header is complete, so this does not depend on uvicorn's internals.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from starlette.types import ASGIApp, Receive, Scope, Send

Client = tuple[str, int]


class Timer:
    """Calls a function after a time, unless it is stopped before."""

    def __init__(self, seconds: float, expire: Callable[[], None]) -> None:
        self.seconds, self.expire = seconds, expire
        self.handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the timer; a running one keeps running."""
        if self.handle is None:
            self.handle = asyncio.get_running_loop().call_later(self.seconds, lambda: self.expire())

    def stop(self) -> None:
        """Stop the timer."""
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None


class HeaderDeadlines:
    """ASGI middleware that closes connections that take too long to send the header of their next request.

    A connection's timer runs whenever no request of it is being handled.

    Args:
        app: the application.
        seconds: the time limit.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app, self.seconds = app, seconds
        self.timers: dict[Client, Timer] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        timer = self.timers.get(tuple(scope.get("client") or ()))
        if timer is None:  # the lifespan of the application
            return await self.app(scope, receive, send)
        timer.stop()
        try:
            await self.app(scope, receive, send)
        finally:
            if self.timers.get(tuple(scope["client"])) is timer:  # still connected
                timer.start()

    def accepted(self, client: Client, connection: socket.socket) -> None:
        """Start the timer of a connection that may still need its TLS handshake, for which the same time counts."""

        def shut() -> None:
            with suppress(OSError):  # the client has gone
                connection.shutdown(socket.SHUT_RDWR)

        self.timers[client] = Timer(self.seconds, shut)
        self.timers[client].start()

    def connected(self, client: Client, transport: asyncio.Transport) -> None:
        """Start the timer of a connection. When it runs out, pending data is sent and the connection closed."""
        timer = self.timers.setdefault(client, Timer(self.seconds, transport.close))
        timer.expire = transport.close
        timer.start()

    def disconnected(self, client: Client) -> None:
        """Forget a connection."""
        if timer := self.timers.pop(client, None):
            timer.stop()


def with_deadlines(protocol: type[asyncio.Protocol], headers: HeaderDeadlines, send_s: float) -> type[asyncio.Protocol]:
    """A protocol class with both time limits.

    Args:
        protocol: uvicorn's class for HTTP or for WebSockets.
        headers: the middleware that knows which connections wait for a request.
        send_s: how long a client may leave its receive buffer full before the connection is aborted.
    """

    class Limited(protocol):  # type: ignore[valid-type, misc]
        def connection_made(self, transport: asyncio.Transport) -> None:
            peer = transport.get_extra_info("peername")
            self.peer: Client | None = (peer[0], peer[1]) if peer else None  # None: the client has gone already
            self.unread = Timer(send_s, transport.abort)
            super().connection_made(transport)
            if self.peer:
                headers.connected(self.peer, transport)

        def pause_writing(self) -> None:
            super().pause_writing()
            self.unread.start()

        def resume_writing(self) -> None:
            self.unread.stop()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            self.unread.stop()
            if self.peer:
                headers.disconnected(self.peer)
            super().connection_lost(exc)

    return Limited
