"""What one client may take, so that the others do not notice it."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from knuckle.errors import InputError

MIN_TOKEN_LENGTH = 16


@dataclass(frozen=True)
class Limits:
    """All of them; each must be above 0.

    Attributes:
        body_bytes: of an HTTP body, and of one WebSocket message.
        pixels: of one picture, read from its header before anything is decoded.
        requests_per_s: HTTP requests to the API of one address, with as many at once as two seconds allow.
        frames_per_s: frames that are taken from one WebSocket; what comes faster waits at the sender.
        sockets, sockets_per_client: WebSockets open at a time, in all and from one address.
        connections: TCP connections open at a time.
        waiting: photos that may wait for a free worker.
        header_s, receive_s, send_s: how long a client may take for a request's header, for its body, and to
            accept what we send.
        hello_s: how long a WebSocket may stay open without having shown its token.
        idle_s: how long a WebSocket may stay open without a message.
    """

    body_bytes: int = 10_000_000
    pixels: int = 25_000_000
    requests_per_s: float = 20
    frames_per_s: float = 60
    sockets: int = 32
    sockets_per_client: int = 16
    connections: int = 256
    waiting: int = 16
    header_s: float = 10
    receive_s: float = 15
    send_s: float = 10
    hello_s: float = 5
    idle_s: float = 60

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise InputError(f"{field.name} must be above 0, got {getattr(self, field.name)!r}")


class Refused(Exception):
    """A request that is not served: the HTTP status, one line that says why, and when to try again."""

    def __init__(self, status: int, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.retry_after_s = status, reason, retry_after_s


class Bucket:
    """A token bucket: `rate` a second, `burst` at once."""

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self.rate, self.burst, self.level, self.at_s = rate, burst, burst, now_s

    def wait_s(self, now_s: float) -> float:
        """Take one; seconds until it is there, 0 when it was taken."""
        self.level = min(self.burst, self.level + (now_s - self.at_s) * self.rate)
        self.at_s = now_s
        if self.level < 1:
            return (1 - self.level) / self.rate
        self.level -= 1
        return 0.0


class Rates:
    """One bucket per address; full ones are forgotten."""

    def __init__(self, rate: float) -> None:
        self.rate, self.burst = rate, max(1.0, 2 * rate)
        self.buckets: dict[str, Bucket] = {}

    def take(self, client: str) -> None:
        """Raises Refused 429 when the address asked too often."""
        now_s = time.monotonic()
        if len(self.buckets) >= 1024:
            self.buckets = {c: b for c, b in self.buckets.items() if b.level + (now_s - b.at_s) * b.rate < b.burst}
        bucket = self.buckets.setdefault(client, Bucket(self.rate, self.burst, now_s))
        if wait_s := bucket.wait_s(now_s):
            raise Refused(429, f"more than {self.rate:g} requests a second; slow down", wait_s)


class Places:
    """Counts who is in; at most so many in all and of one client."""

    def __init__(self, what: str, most: int, most_per_client: int) -> None:
        self.what, self.most, self.most_per_client = what, most, most_per_client
        self.taken: dict[str, int] = {}

    @contextmanager
    def take(self, client: str) -> Iterator[None]:
        """Be in for the length of a `with`; raises Refused 503 when all places are taken."""
        if sum(self.taken.values()) >= self.most:
            raise Refused(503, f"all {self.most} {self.what} are taken; try again later", 1)
        if self.taken.get(client, 0) >= self.most_per_client:
            raise Refused(503, f"{self.most_per_client} {self.what} of one address are taken; close one first", 1)
        self.taken[client] = self.taken.get(client, 0) + 1
        try:
            yield
        finally:
            self.taken[client] -= 1
            if not self.taken[client]:
                del self.taken[client]


async def pace(bucket: Bucket) -> None:
    """Wait until the bucket gives one."""
    while wait_s := bucket.wait_s(time.monotonic()):
        await asyncio.sleep(wait_s)


def is_loopback(host: str) -> bool:
    """Whether only this computer reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def require_token(host: str, token: str | None) -> None:
    """Raises InputError: other computers could reach the server and it has no token, or a token to be guessed."""
    if token is None and not is_loopback(host):
        raise InputError(
            f"--host {host} lets other computers in, so it needs a token: set KNUCKLE_TOKEN or give --token, "
            "for instance $(python -c 'import secrets; print(secrets.token_urlsafe())')"
        )
    if token is not None and (len(token) < MIN_TOKEN_LENGTH or not token.isascii() or not token.isprintable()):
        raise InputError(f"a token has {MIN_TOKEN_LENGTH} or more printable ASCII characters, got {len(token)}")


def same_token(given: str, token: str) -> bool:
    """Compares in a time that does not tell how much of it was right."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def host_of(value: str) -> str:
    """The host of a Host header or of an origin, without scheme and port."""
    rest = value.rpartition("://")[2]
    return rest[: rest.index("]") + 1] if rest.startswith("[") and "]" in rest else rest.partition(":")[0]
