"""What one client may use, so that it cannot slow down the others; and who may use the server at all."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TypeAlias

from knuckle.errors import InputError

MIN_TOKEN_LENGTH = 16
Networks: TypeAlias = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


@dataclass(frozen=True)
class Limits:
    """Limits of a server; each must be greater than 0.

    Attributes:
        body_bytes: largest HTTP body, and largest WebSocket message.
        pixels: largest image, width × height.
        requests_per_s: API requests per second and client address; bursts may use two seconds' worth at once.
        frames_per_s: frames read per second from one WebSocket; a faster sender has to wait.
        sockets, sockets_per_client: open WebSockets, in total and per client address.
        connections, connections_per_client: open TCP connections, in total and per client address; counted before TLS.
        batch_images: images in one request to the batch endpoint; together they have the bytes and pixels of one image.
        waiting: photos that may wait for a free worker.
        header_s, receive_s, send_s: seconds to send a request's header, to send its body, and to read a response.
        hello_s: seconds until a WebSocket must have sent its token.
        idle_s: seconds that a WebSocket may be silent.
        shutdown_s: seconds that a stopping server gives requests in progress.

    Raises:
        InputError: a limit is not greater than 0.
    """

    body_bytes: int = 10_000_000
    pixels: int = 25_000_000
    requests_per_s: float = 20
    frames_per_s: float = 60
    sockets: int = 32
    sockets_per_client: int = 16
    connections: int = 256
    connections_per_client: int = 64
    batch_images: int = 16
    waiting: int = 16
    header_s: float = 10
    receive_s: float = 15
    send_s: float = 10
    hello_s: float = 5
    idle_s: float = 60
    shutdown_s: float = 10

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise InputError(f"{field.name} must be greater than 0, got {getattr(self, field.name)!r}")


class Refused(Exception):
    """A request that the server refuses.

    Args:
        status: HTTP status.
        reason: one line for the client.
        retry_after_s: when the client may try again; None for no advice.
    """

    def __init__(self, status: int, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.retry_after_s = status, reason, retry_after_s


class TokenBucket:
    """Limits a rate: on average `rate` events per second, up to `burst` at once."""

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self.rate, self.burst, self.level, self.at_s = rate, burst, burst, now_s

    def is_full(self, now_s: float) -> bool:
        """Whether a whole burst may happen now."""
        return self.level + (now_s - self.at_s) * self.rate >= self.burst

    def wait_s(self, now_s: float, count: float = 1) -> float:
        """Take `count` tokens (at most a burst) and return 0, or return the seconds until they are there."""
        count = min(count, self.burst)
        self.level = min(self.burst, self.level + (now_s - self.at_s) * self.rate)
        self.at_s = now_s
        if self.level < count:
            return (count - self.level) / self.rate
        self.level -= count
        return 0.0


class RateLimiter:
    """Limits the requests per second of each client address."""

    def __init__(self, rate: float) -> None:
        self.rate, self.burst = rate, max(1.0, 2 * rate)
        self.buckets: dict[str, TokenBucket] = {}

    def take(self, client: str, count: int = 1) -> None:
        """Count one request, or several images of one request.

        Raises:
            Refused: 429, the address sent too many.
        """
        now_s = time.monotonic()
        if len(self.buckets) >= 1024:  # drop full buckets: they behave like new ones
            self.buckets = {known: bucket for known, bucket in self.buckets.items() if not bucket.is_full(now_s)}
        bucket = self.buckets.setdefault(network_of(client), TokenBucket(self.rate, self.burst, now_s))
        if wait_s := bucket.wait_s(now_s, count):
            raise Refused(429, f"more than {self.rate:g} requests per second; slow down", wait_s)


class Slots:
    """Limits what is open at the same time, in total and per client address.

    Args:
        proxies: addresses that speak for many clients, so only the total counts for them.
    """

    def __init__(self, what: str, most: int, most_per_client: int, proxies: Networks = ()) -> None:
        self.what, self.most, self.most_per_client, self.proxies = what, most, most_per_client, proxies
        self.taken: dict[str, int] = {}

    @property
    def open(self) -> int:
        """How many slots are taken."""
        return sum(self.taken.values())

    def acquire(self, client: str) -> None:
        """Take a slot; `release` gives it back.

        Raises:
            Refused: 503, all slots are taken.
        """
        if self.open >= self.most:
            raise Refused(503, f"all {self.most} {self.what} are in use; try again later", 1)
        key = network_of(client)
        if self.taken.get(key, 0) >= self.most_per_client and not is_within(client, self.proxies):
            raise Refused(503, f"this address has {self.most_per_client} {self.what} open already; close one first", 1)
        self.taken[key] = self.taken.get(key, 0) + 1

    def release(self, client: str) -> None:
        """Give back a slot."""
        key = network_of(client)
        self.taken[key] -= 1
        if not self.taken[key]:
            del self.taken[key]

    @contextmanager
    def take(self, client: str) -> Iterator[None]:
        """Hold a slot for the length of a `with` block.

        Raises:
            Refused: 503, all slots are taken.
        """
        self.acquire(client)
        try:
            yield
        finally:
            self.release(client)


async def take_when_ready(bucket: TokenBucket) -> None:
    """Wait for a token and take it."""
    while wait_s := bucket.wait_s(time.monotonic()):
        await asyncio.sleep(wait_s)


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this computer only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def network_of(client: str) -> str:
    """The address that limits count for: an IPv4 address, or the /64 network that one user of IPv6 has to himself."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv4Address):
        return client
    return str(ipaddress.ip_network((address, 64), strict=False).network_address)


def networks(texts: tuple[str, ...]) -> Networks:
    """Parse addresses and networks, such as 10.0.0.0/8.

    Raises:
        InputError: one is neither.
    """
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as error:
        raise InputError(f"a trusted proxy is an IP address or a network such as 10.0.0.0/8: {error}") from error


def is_within(client: str, trusted: Networks) -> bool:
    """Whether an address belongs to one of some networks."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    return any(address in network for network in trusted)


def require_token(host: str, token: str | None) -> None:
    """Check that a server which other computers can reach has a token, and that the token is hard to guess.

    Raises:
        InputError: the token is missing or too weak.
    """
    if token is None and not is_loopback(host):
        raise InputError(
            f"--host {host} is reachable from other computers, so it needs a token: set KNUCKLE_TOKEN or --token, "
            "for example to $(python -c 'import secrets; print(secrets.token_urlsafe())')"
        )
    if token is not None and (len(token) < MIN_TOKEN_LENGTH or not token.isascii() or not token.isprintable()):
        raise InputError(f"a token needs {MIN_TOKEN_LENGTH} or more printable ASCII characters, got {len(token)}")


def same_token(given: str, token: str) -> bool:
    """Compare in constant time, so that response times reveal nothing about the token."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())


def host_of(value: str) -> str:
    """The host name in a Host or Origin header, without scheme and port."""
    rest = value.rpartition("://")[2]
    if rest.startswith("[") and "]" in rest:  # an IPv6 address, which contains colons
        address, bracket, _ = rest.partition("]")
        return address + bracket
    return rest.partition(":")[0]
