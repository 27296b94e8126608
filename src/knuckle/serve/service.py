"""What all requests share: networks, worker threads, and the gate that every request passes."""

from __future__ import annotations

import asyncio
import math
import queue
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, ParamSpec, TypeVar

import numpy as np
from starlette.responses import JSONResponse

from knuckle.models import catalogue
from knuckle.models.session import Outputs, Pictures, Session, default_threads
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import Networks, load
from knuckle.serve.limits import Limits, Places, Rates, Refused, host_of, is_loopback, require_token, same_token

MAX_HANDS = 16  # of one picture, so that a picture full of hands is not dear

P = ParamSpec("P")
T = TypeVar("T")


class Copies:
    """Several copies of one network, one thread each; a call takes one that is free and waits for it if need be.

    Eight streams of 10 frames a second with two hands each on 2 cores: none of 800 frames dropped, 99 % answered
    within 57 ms. One copy on both cores: 34 dropped, 342 ms (`python benchmarks/serve.py`).
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
    """A bundle's networks, `copies` times."""
    bundle = catalogue.find(models)
    palm, hand = (
        Copies([Session(path, threads=1) for _ in range(copies)]) for path in (bundle.palm_path, bundle.hand_path)
    )
    return replace(load(bundle.folder.as_posix(), threads=1), palm=palm, hand=hand)


@dataclass
class Service:
    """One server's models, workers and limits.

    Attributes:
        models: the bundle that detects and tracks.
        host: the address it listens on; on loopback only requests for loopback names are answered, so that no
            web page reaches it by a DNS name of its own.
        token: what clients of the API must show; None only on loopback.
        origins: web origins besides its own that may use the API, like "https://example.org".
        workers: threads that decode and infer; None for `default_threads()`.

    Raises:
        InputError: a host that needs a token, a token that is too short.
        BundleError: the models cannot be had.
    """

    models: str = catalogue.DEFAULT
    host: str = "127.0.0.1"
    token: str | None = None
    origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    workers: int | None = None

    def __post_init__(self) -> None:
        require_token(self.host, self.token)
        workers = self.workers or default_threads()
        self.networks = load_copies(self.models, workers)
        self.rates = Rates(self.limits.requests_per_s)
        self.places = Places("WebSockets", self.limits.sockets, self.limits.sockets_per_client)
        self.executor = ThreadPoolExecutor(workers, thread_name_prefix="knuckle-serve")
        self.waiting = 0

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run in a worker thread, first come first served."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, lambda: function(*args, **kwargs))

    async def work_if_room(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`work`, or Refused 503 when too many are waiting already."""
        if self.waiting >= self.limits.waiting:
            raise Refused(503, f"{self.waiting} pictures are waiting already; try again in a second", 1)
        self.waiting += 1
        try:
            return await self.work(function, *args, **kwargs)
        finally:
            self.waiting -= 1

    def require_allowed(self, headers: Mapping[str, str]) -> None:
        """Raises Refused 403: a web page of another site asks, or a name that is not ours."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if is_loopback(self.host) and not is_loopback(host_of(host)):
            raise Refused(403, f"this server answers to localhost only, not to {host!r}")
        if origin is None or origin in self.origins or origin.partition("://")[2] == host:
            return
        raise Refused(403, f"pages of {origin} may not use this server; it can be started with --allow-origin {origin}")

    def has_token(self, headers: Mapping[str, str]) -> bool:
        """Whether `Authorization: Bearer TOKEN` is right, or none is asked for."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return self.token is None or (scheme.lower() == "bearer" and same_token(given.strip(), self.token))

    def is_token(self, given: Any) -> bool:
        """Whether a token that came in a message is right, or none is asked for."""
        return self.token is None or (isinstance(given, str) and same_token(given, self.token))

    def close(self) -> None:
        """Let running work end, start no more."""
        self.executor.shutdown(wait=True, cancel_futures=True)


def options_of(changes: Mapping[str, Any]) -> TrackerOptions:
    """Options that a client asked for.

    Raises:
        InputError: there is no such option, or it is out of range.
        Refused: more hands than one client may ask for.
    """
    options = TrackerOptions.of(None, dict(changes))
    if options.max_hands > MAX_HANDS:
        raise Refused(400, f"max_hands may be at most {MAX_HANDS} here, got {options.max_hands}")
    return options


def refusal(refused: Refused) -> JSONResponse:
    """The answer that says why there is none."""
    headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else {}
    if refused.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(refused.retry_after_s))
    return JSONResponse({"error": refused.reason}, refused.status, headers)
