"""What all requests share: the networks, the worker threads, and the rules that every request must pass."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import math
import queue
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for_jobs
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

import numpy as np
from starlette.requests import HTTPConnection
from starlette.responses import Response

from knuckle.errors import InputError
from knuckle.gestures.recogniser import set_names
from knuckle.models import catalogue
from knuckle.models.precision import ROLES, open_network
from knuckle.models.session import Outputs, Pictures, Session, default_threads
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import Networks
from knuckle.serve.limits import (
    Limits,
    RateLimiter,
    Refused,
    Slots,
    host_of,
    is_loopback,
    networks,
    require_token,
    same_token,
)
from knuckle.serve.metrics import Metrics

logger = logging.getLogger(__name__)
MAX_HANDS = 16  # per image, so that one crowded image cannot occupy a worker for long

P = ParamSpec("P")
T = TypeVar("T")


class NetworkPool:
    """Several copies of one network, each single-threaded; a call uses a free copy, or waits for one.

    This serves many streams better than one copy that uses all cores (`python benchmarks/serve.py`; docs/serve.md).
    """

    def __init__(self, sessions: list[Session]) -> None:
        self.free: queue.SimpleQueue[Session] = queue.SimpleQueue()
        self.side = sessions[0].side
        for session in sessions:
            session(np.zeros((1, session.side, session.side, 3), np.uint8))  # the first run is slow
            self.free.put(session)

    def __call__(self, pictures: Pictures) -> Outputs:
        session = self.free.get()
        try:
            return session(pictures)
        finally:
            self.free.put(session)


def load_copies(models: str, copies: int) -> Networks:
    """Load the networks of a bundle, each `copies` times."""
    bundle = catalogue.find(models)
    palm, hand = (NetworkPool([open_network(bundle, role, 1) for _ in range(copies)]) for role in ROLES)
    return Networks(palm, hand, bundle)


@dataclass
class Service:
    """Models, workers and limits of one server.

    Attributes:
        models: the bundle that the API uses: its name, folder or `.task` file.
        host: the address that the server listens on. On a loopback address, only requests for loopback names are
            answered, so that no web site can reach the server through a DNS name of its own.
        token: what API clients must send; may be None on loopback addresses only.
        origins: other web origins whose pages may use the API, for example "https://example.org".
        limits: what one client may use.
        workers: threads for decoding and inference; None for as many as there are cores, at most 4.
        label_studio: address of a Label Studio whose tasks are pre-labelled, and whose images are fetched.
        cvat: answer CVAT's calls of a serverless function, which carry no token.
        proxies: addresses or networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
        root_path: path below which a proxy shows the server, for example "/hands".
        drain_s: how long a stopping server goes on answering while `/readyz` says that it stops.

    Raises:
        InputError: the token is missing or too weak, or an address or path is malformed.
        BundleError: the models are missing, damaged or cannot be downloaded.
    """

    models: str = catalogue.DEFAULT
    host: str = "127.0.0.1"
    token: str | None = None
    origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    workers: int | None = None
    label_studio: str | None = None
    cvat: bool = False
    proxies: tuple[str, ...] = ()
    root_path: str = ""
    drain_s: float = 0

    def __post_init__(self) -> None:
        require_token(self.host, self.token)
        if self.label_studio and not self.label_studio.startswith(("http://", "https://")):
            raise InputError(f"Label Studio's address begins with http:// or https://, got {self.label_studio}")
        self.root_path = self.root_path.rstrip("/")
        if self.root_path and not self.root_path.startswith("/"):
            raise InputError(f"--root-path begins with a slash, for example /hands; got {self.root_path}")
        trusted = networks(self.proxies)
        workers = self.workers or default_threads()
        self.networks = load_copies(self.models, workers)
        self.rates = RateLimiter(self.limits.requests_per_s)
        limits = self.limits
        self.sockets = Slots("WebSockets", limits.sockets, limits.sockets_per_client)
        self.connections = Slots("connections", limits.connections, limits.connections_per_client, trusted)
        self.executor = ThreadPoolExecutor(workers, thread_name_prefix="knuckle-serve")
        self.jobs: set[Future[Any]] = set()  # waiting for a worker, or in work
        self.waiting = 0
        self.draining = False
        self.stopping = asyncio.Event()
        self.stop_by_s = math.inf  # of time.monotonic(), set when the server begins to stop
        self.metrics = Metrics()
        waiting = "HTTP requests that wait for a worker or are in work."
        self.metrics.gauge("knuckle_requests_waiting", waiting, lambda: self.waiting)
        self.metrics.gauge("knuckle_websockets_open", "Open WebSockets.", lambda: self.sockets.open)
        self.metrics.gauge("knuckle_connections_open", "Open TCP connections.", lambda: self.connections.open)

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a worker thread; calls run in the order in which they came."""
        asked = time.perf_counter()

        def run() -> T:
            self.metrics.queue_s.observe(time.perf_counter() - asked)
            return function(*args, **kwargs)

        job = self.executor.submit(run)
        self.jobs.add(job)
        job.add_done_callback(self.jobs.discard)
        return await asyncio.wrap_future(job)

    async def work_if_room(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `work`, but refuses when too many calls are waiting.

        Raises:
            Refused: 503.
        """
        if self.waiting >= self.limits.waiting:
            raise Refused(503, f"the server is busy, {self.waiting} images are waiting; try again in a second", 1)
        self.waiting += 1
        try:
            return await self.work(function, *args, **kwargs)
        finally:
            self.waiting -= 1

    def require_allowed(self, headers: Mapping[str, str]) -> None:
        """Check the Host and Origin headers of a request.

        Raises:
            Refused: 403, the request is for a foreign host name, or from a page of another web site.
        """
        host, origin = headers.get("host", ""), headers.get("origin")
        if is_loopback(self.host) and not is_loopback(host_of(host)):
            raise Refused(403, f"this server answers requests for localhost only, not for {host!r}")
        if origin is None or origin in self.origins or origin.partition("://")[2] == host:
            return
        # Behind a proxy that changes Host, the browser knows that a page asks its own server; pages cannot set this.
        if headers.get("sec-fetch-site") == "same-origin":
            return
        raise Refused(403, f"pages from {origin} may not use this server; start it with --allow-origin {origin}")

    def require_token_of(self, connection: HTTPConnection) -> None:
        """Check the token of an HTTP request.

        Raises:
            Refused: 401, it is missing or wrong.
        """
        if not self.has_token(connection.headers):
            self.token_refused(connection)
            raise Refused(401, "missing or wrong token; send the header Authorization: Bearer TOKEN")

    def token_refused(self, connection: HTTPConnection) -> None:
        """Log and count a request whose token is missing or wrong; the log never holds the token."""
        self.metrics.wrong_tokens.inc()
        client = connection.client.host if connection.client else ""
        logger.warning("missing or wrong token from %s for %s", client, connection.url.path)

    def has_token(self, headers: Mapping[str, str]) -> bool:
        """Whether the headers carry the token as `Authorization: Bearer TOKEN`; True if the server needs no token."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return self.token is None or (scheme.lower() == "bearer" and same_token(given.strip(), self.token))

    def has_password(self, headers: Mapping[str, str]) -> bool:
        """Whether the headers carry the token as the password of HTTP's basic authentication, under any name."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        try:
            text = base64.b64decode(given).decode() if scheme.lower() == "basic" else ""
        except ValueError:
            return False
        return self.token is not None and same_token(text.partition(":")[2], self.token)

    def is_token(self, given: Any) -> bool:
        """Whether a value from a message is the token; True if the server needs no token."""
        return self.token is None or (isinstance(given, str) and same_token(given, self.token))

    def close(self, patience_s: float) -> None:
        """Drop what is waiting, and wait for running work for a time; `jobs` then has what still runs."""
        self.executor.shutdown(wait=False, cancel_futures=True)
        if wait_for_jobs(self.jobs.copy(), patience_s).not_done:
            logger.warning("stopped while %d requests were in work; they get no answer", len(self.jobs))


def client_options(changes: Mapping[str, Any]) -> TrackerOptions:
    """Tracker options that a client asked for.

    Raises:
        InputError: an option does not exist or is out of range.
        Refused: 400, more hands than a client may ask for.
    """
    options = TrackerOptions.of(None, dict(changes))
    if options.gestures is not None and options.gestures not in set_names():  # a path would read the server's files
        raise Refused(400, f"gestures must be one of {', '.join(set_names())}, got {str(options.gestures)[:80]!r}")
    if options.max_hands > MAX_HANDS:
        raise Refused(400, f"max_hands may be at most {MAX_HANDS} on this server, got {str(options.max_hands)[:40]}")
    return options


def to_json(value: Any) -> str:
    """JSON by the standard, which has no NaN and no infinity.

    Raises:
        ValueError: there is one in `value`.
    """
    return json.dumps(value, allow_nan=False)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response in JSON. It is ASCII, because text from clients may not be valid Unicode."""
    return Response(to_json(value), status, headers, "application/json")


def error_response(refused: Refused) -> Response:
    """The HTTP response of a refused request: {"error": reason}."""
    headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else {}
    if refused.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(refused.retry_after_s))
    return json_response({"error": refused.reason}, refused.status, headers)
