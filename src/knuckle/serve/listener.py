"""Listening sockets that count their connections, and close those that are too many before TLS and before any byte."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from knuckle.errors import InputError
from knuckle.serve.deadlines import HeaderDeadlines
from knuckle.serve.limits import Refused, Slots

logger = logging.getLogger(__name__)
SPARE_FILES = 128  # descriptors for everything that is not a client's connection: models, pages, log, event loop


class Accepted(socket.socket):
    """A client's connection; calls `closed` once when it is closed."""

    closed: Callable[[], None] | None = None

    def close(self) -> None:
        super().close()
        closed, self.closed = self.closed, None
        if closed is not None:
            closed()


class Listener(socket.socket):
    """A listening socket. `accept` is what asyncio's selector event loop calls; surplus connections end there.

    Attributes:
        slots: bounds the connections in total and per client address.
        headers: gets each connection, so that the time limit of a header begins before TLS.
        refused: called for each refused connection, with the client's address.
        plain: the server speaks HTTP, so a refused client is told why. TLS has no words for it.
    """

    slots: Slots
    headers: HeaderDeadlines
    refused: Callable[[], None]
    plain: bool

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept one connection.

        Raises:
            ConnectionAbortedError: it was refused; asyncio goes on with the next.
        """
        connection, peer = super().accept()
        try:
            self.slots.acquire(peer[0])
        except Refused as refused:
            with connection:
                if self.plain:
                    turn_away(connection, refused)
            self.refused()
            logger.warning("connection of %s refused: %s", peer[0], refused.reason)
            raise ConnectionAbortedError(refused.reason) from None
        client = (peer[0], peer[1])
        accepted = Accepted(self.family, self.type, self.proto, fileno=connection.detach())
        # asyncio sets this only where `proto` is TCP, and here it is 0. Without it, the body of each answer waits 40 ms
        # for the client's delayed acknowledgement of the header (Nagle's algorithm).
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def closed() -> None:
            self.slots.release(client[0])
            self.headers.disconnected(client)

        accepted.closed = closed
        self.headers.accepted(client, accepted)
        return accepted, peer


def turn_away(connection: socket.socket, refused: Refused) -> None:
    """Send a response with status 503 if the socket takes it at once."""
    body = json.dumps({"error": refused.reason}).encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with suppress(OSError):
        connection.setblocking(False)
        connection.send(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1 << 16)  # a request that is left unread would reset the connection, and lose the answer


def listen(host: str, port: int, make: Callable[[socket.socket], Listener]) -> list[Listener]:
    """Bind a host name's addresses.

    Args:
        port: TCP port; 0 takes a free one.
        make: turns a bound socket into a listener.

    Raises:
        InputError: an address cannot be used, or the port is taken.
    """
    listeners: list[Listener] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((entry[0], entry[4][0]) for entry in found):
            listeners.append(make(socket.create_server((str(address), port), family=family, backlog=2048)))
            port = listeners[-1].getsockname()[1]
    except OSError as error:
        for listener in listeners:
            listener.close()
        advice = f"cannot listen on {host} port {port}; is the port taken? Try --port 0"
        raise InputError(f"{advice} ({error.strerror or error})") from error
    return listeners


def allow_files(connections: int) -> None:
    """Raise this process's limit of open files, if so many connections need it.

    Raises:
        InputError: the computer does not allow that many.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    needed = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise InputError(
            f"{connections} connections need {needed} open files, but this process may open {hard}; "
            f"use --limit connections={max(1, hard - SPARE_FILES)}, or raise the limit (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
