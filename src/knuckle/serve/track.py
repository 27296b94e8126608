"""The WebSocket `/v1/track`: images in, hands out. Each connection has its own tracker; stale frames are dropped."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

import knuckle
from knuckle.errors import Error
from knuckle.pipeline.tracker import HandTracker
from knuckle.serve.decode import decode_image
from knuckle.serve.limits import Refused, TokenBucket, take_when_ready
from knuckle.serve.service import Service, client_options, error_response, to_json

POLICY_VIOLATION, SERVICE_RESTART = 1008, 1012  # close codes of RFC 6455 and its registry
MAX_TIME_S = 1e12  # 32,000 years; sums and differences of such times are exact to a millisecond
KEYS = {"token", "options", "time_s", "reset"}


class CloseConnection(Exception):
    """Ends a connection.

    Args:
        code: close code; None if the client has closed the connection already.
        reason: one line for the client, at most 123 bytes.
    """

    def __init__(self, code: int | None = None, reason: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass
class Changes:
    """What text messages asked for since the last image that was processed."""

    options: dict[str, Any] | None = None
    reset: bool = False
    time_s: float | None = None


@dataclass
class QueuedImage:
    """An image that waits: its number in the connection, the file, its time, and the changes to make before."""

    frame: int
    data: bytes
    time_s: float
    changes: Changes


@dataclass
class Mailbox:
    """Passes the newest image from the reading to the answering task; an image that is not taken is replaced."""

    newest: QueuedImage | None = None
    dropped: list[int] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, image: QueuedImage) -> None:
        """Leave an image; it inherits the changes of the image that it replaces."""
        if self.newest is not None:
            self.dropped.append(self.newest.frame)
            earlier = self.newest.changes
            image.changes.reset |= earlier.reset
            if image.changes.options is None:
                image.changes.options = earlier.options
        self.newest = image
        self.arrived.set()
        self.answered.clear()

    async def take(self) -> tuple[QueuedImage, list[int]]:
        """Wait for an image; return it and the numbers of the images that were replaced."""
        await self.arrived.wait()
        self.arrived.clear()
        image, dropped = self.newest, self.dropped
        assert image is not None
        self.newest, self.dropped = None, []
        return image, dropped


async def track(socket: WebSocket) -> None:
    """Serve one connection from handshake to close."""
    service: Service = socket.app.state.service
    try:
        service.require_allowed(socket.headers)
        if service.stopping.is_set():
            raise Refused(503, "the server is stopping", 1)
        with service.sockets.take(socket.client.host if socket.client else ""):
            await socket.accept()
            try:
                await converse(socket, service)
            except CloseConnection as close:
                if close.code is not None:
                    with suppress(RuntimeError, WebSocketDisconnect):  # the client was faster
                        await socket.close(close.code, close.reason)
    except Refused as refused:
        await socket.send_denial_response(error_response(refused))


async def converse(socket: WebSocket, service: Service) -> None:
    """Check the token, then read and answer at the same time until one of the two ends."""
    mailbox, start_s = Mailbox(), time.monotonic()
    mailbox.answered.set()
    if not service.has_token(socket.headers):
        await require_token_message(socket, service)
    ready = {"ready": True, "version": knuckle.__version__, "models": service.networks.bundle.name}
    await send(socket, json.dumps({**ready, "max_bytes": service.limits.body_bytes}))
    tasks = [
        asyncio.create_task(read_messages(socket, service, mailbox, start_s)),
        asyncio.create_task(answer_images(socket, service, mailbox)),
        asyncio.create_task(stop_when_answered(service, mailbox)),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end(tasks)


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended. `asyncio.wait_for` loses a cancellation that comes together with its result
    (before Python 3.12), so a task can go on after the first.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.5)


async def stop_when_answered(service: Service, mailbox: Mailbox) -> None:
    """End the conversation when the server stops and every image that has arrived is answered."""
    await service.stopping.wait()
    await mailbox.answered.wait()
    raise CloseConnection(SERVICE_RESTART, "the server is stopping")


async def require_token_message(socket: WebSocket, service: Service) -> None:
    """Take the token from the first message, because browsers cannot send an Authorization header.

    Raises:
        CloseConnection: the token is missing or wrong.
    """
    try:
        message = await asyncio.wait_for(socket.receive(), service.limits.hello_s)
    except asyncio.TimeoutError:
        service.token_refused(socket)
        raise CloseConnection(POLICY_VIOLATION, 'missing token: the first message must be {"token": "..."}') from None
    if message["type"] == "websocket.disconnect":
        raise CloseConnection
    given = parse_json(message.get("text") or "")
    if not isinstance(given, dict) or not service.is_token(given.get("token")):
        service.token_refused(socket)
        await asyncio.sleep(0.5)  # makes guessing slow; meanwhile this connection occupies a slot
        raise CloseConnection(POLICY_VIOLATION, 'missing or wrong token: the first message must be {"token": "..."}')


async def read_messages(socket: WebSocket, service: Service, mailbox: Mailbox, start_s: float) -> None:
    """Read messages, no faster than the limit; the client's sends wait meanwhile."""
    limits = service.limits
    bucket = TokenBucket(limits.frames_per_s, 2 * limits.frames_per_s, time.monotonic())
    frame, changes = 0, Changes()
    while True:
        try:
            message = await asyncio.wait_for(socket.receive(), limits.idle_s)
        except asyncio.TimeoutError:
            raise CloseConnection(POLICY_VIOLATION, f"no message for {limits.idle_s:g} s") from None
        if message["type"] == "websocket.disconnect":
            raise CloseConnection
        await take_when_ready(bucket)
        if (data := message.get("bytes")) is not None:
            taken_s = time.monotonic() - start_s if changes.time_s is None else changes.time_s
            mailbox.put(QueuedImage(frame, data, taken_s, changes))
            frame, changes = frame + 1, Changes()
        elif problem := apply_message(message.get("text") or "", changes):
            await send(socket, json.dumps({"error": problem}))


def apply_message(text: str, changes: Changes) -> str | None:
    """Add to `changes` what a text message asks for; return what is wrong with the message, or None."""
    wanted = parse_json(text)
    if not isinstance(wanted, dict) or not wanted or set(wanted) - KEYS:
        keys = ", ".join(sorted(KEYS))
        return f"text messages must be JSON objects with the keys {keys}; send images as binary messages"
    options, time_s = wanted.get("options"), wanted.get("time_s")
    if time_s is not None:
        if isinstance(time_s, bool) or not isinstance(time_s, (int, float)):
            return f"time_s must be a number of seconds, got {str(time_s)[:80]!r}"
        if not abs(time_s) <= MAX_TIME_S:
            return f"time_s must be a number of seconds from {-MAX_TIME_S:g} to {MAX_TIME_S:g}, got {str(time_s)[:20]}"
    if options is not None:
        if not isinstance(options, dict):
            return f"options must be an object, got {str(options)[:80]!r}"
        for name, value in options.items():
            if isinstance(value, float) and not math.isfinite(value):
                return f"the option {name[:80]!r} must be a finite number, got {value}"
        try:
            client_options(options)
        except (Error, Refused) as error:
            return str(error)
        changes.options = options
    changes.reset |= bool(wanted.get("reset"))
    changes.time_s = changes.time_s if time_s is None else float(time_s)
    return None


def parse_json(text: str) -> Any:
    """The value of a JSON text; None if it is invalid. Numbers beyond the range of floats become infinity."""
    try:
        return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 300 else float(digits))
    except (ValueError, RecursionError):
        return None


async def answer_images(socket: WebSocket, service: Service, mailbox: Mailbox) -> None:
    """Track the newest image and send its hands; the next image is taken after the client has read the answer."""
    tracker = HandTracker(service.networks)
    while True:
        image, dropped = await mailbox.take()
        if image.changes.options is not None:
            tracker = HandTracker(service.networks, **image.changes.options)
        elif image.changes.reset:
            tracker.reset()
        service.metrics.dropped.inc(len(dropped))
        text = await service.work(track_image, service, tracker, image, dropped)
        await send(socket, text)
        if mailbox.newest is None:
            mailbox.answered.set()


def track_image(service: Service, tracker: HandTracker, queued: QueuedImage, dropped: list[int]) -> str:
    """The answer to one image as JSON; runs in a worker thread."""
    answer: dict[str, Any] = {"frame": queued.frame, "time_s": round(queued.time_s, 6), "dropped": dropped}
    start = time.perf_counter()
    try:
        image = decode_image(queued.data, service.limits.pixels)
        hands = [hand.to_dict() for hand in tracker(image, queued.time_s)]
    except (Refused, Error) as error:
        return to_json({**answer, "error": str(error)})
    seconds = time.perf_counter() - start
    service.metrics.searched("/v1/track", seconds, 1, len(hands))
    ms = round(1000 * seconds, 2)
    return to_json({**answer, "width": image.shape[1], "height": image.shape[0], "ms": ms, "hands": hands})


async def send(socket: WebSocket, text: str) -> None:
    """Send a message; waits while the client does not read. deadlines.py ends a wait that is too long."""
    try:
        await socket.send_text(text)
    except (RuntimeError, WebSocketDisconnect):  # the connection was closed meanwhile
        raise CloseConnection from None
