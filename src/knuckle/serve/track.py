"""The WebSocket `/v1/track`: pictures in, hands out, one tracker per connection, stale pictures dropped and said."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

import knuckle
from knuckle.errors import Error
from knuckle.pipeline.tracker import HandTracker
from knuckle.serve.limits import Bucket, Refused, pace
from knuckle.serve.pictures import decode
from knuckle.serve.service import Service, options_of, refusal

POLICY = 1008  # close code of RFC 6455 for clients that break a rule
KEYS = {"token", "options", "time_s", "reset"}


class Leave(Exception):
    """Close the connection: code and reason, or without a word where the client has gone."""

    def __init__(self, code: int | None = None, reason: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass
class Orders:
    """What text messages asked for since the last picture that was looked at."""

    options: dict[str, Any] | None = None
    reset: bool = False
    time_s: float | None = None


@dataclass
class Picture:
    """One that waits: its number in the connection, the file, when it was taken, what to do before."""

    frame: int
    data: bytes
    time_s: float
    orders: Orders


@dataclass
class Desk:
    """Where the reader leaves the newest picture and the answerer takes it; one that waits too long is replaced."""

    newest: Picture | None = None
    dropped: list[int] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, picture: Picture) -> None:
        if self.newest is not None:
            self.dropped.append(self.newest.frame)
            earlier = self.newest.orders
            picture.orders.reset |= earlier.reset
            if picture.orders.options is None:
                picture.orders.options = earlier.options
        self.newest = picture
        self.arrived.set()

    async def take(self) -> tuple[Picture, list[int]]:
        """The newest picture and the numbers of those that it replaced."""
        await self.arrived.wait()
        self.arrived.clear()
        picture, dropped = self.newest, self.dropped
        assert picture is not None
        self.newest, self.dropped = None, []
        return picture, dropped


async def track(socket: WebSocket) -> None:
    """Serve one connection from handshake to close."""
    service: Service = socket.app.state.service
    try:
        service.require_allowed(socket.headers)
        with service.places.take(socket.client.host if socket.client else ""):
            await socket.accept()
            try:
                await _converse(socket, service)
            except Leave as leave:
                if leave.code is not None:
                    with suppress(RuntimeError, WebSocketDisconnect):  # it has gone meanwhile
                        await socket.close(leave.code, leave.reason)
    except Refused as refused:
        await socket.send_denial_response(refusal(refused))


async def _converse(socket: WebSocket, service: Service) -> None:
    desk, start_s = Desk(), time.monotonic()
    if not service.has_token(socket.headers):
        await _require_token(socket, service)
    ready = {"ready": True, "version": knuckle.__version__, "models": service.networks.bundle.name}
    await _send(socket, json.dumps({**ready, "max_bytes": service.limits.body_bytes}))
    tasks = [
        asyncio.create_task(_read(socket, service, desk, start_s)),
        asyncio.create_task(_answer(socket, service, desk)),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _require_token(socket: WebSocket, service: Service) -> None:
    """The first message must be {"token": …}; browsers cannot send an Authorization header."""
    try:
        message = await asyncio.wait_for(socket.receive(), service.limits.hello_s)
    except asyncio.TimeoutError:
        raise Leave(POLICY, 'no token: begin with {"token": "..."}') from None
    if message["type"] == "websocket.disconnect":
        raise Leave
    given = _object(message.get("text") or "")
    if not isinstance(given, dict) or not service.is_token(given.get("token")):
        await asyncio.sleep(0.5)  # guessing is slow, and costs one of the places
        raise Leave(POLICY, 'wrong or missing token: begin with {"token": "..."}')


async def _read(socket: WebSocket, service: Service, desk: Desk, start_s: float) -> None:
    """Take messages as they come, never more than the limit allows; who sends faster waits at their end."""
    limits = service.limits
    bucket = Bucket(limits.frames_per_s, 2 * limits.frames_per_s, time.monotonic())
    frame, orders = 0, Orders()
    while True:
        try:
            message = await asyncio.wait_for(socket.receive(), limits.idle_s)
        except asyncio.TimeoutError:
            raise Leave(POLICY, f"nothing came for {limits.idle_s:g} s") from None
        if message["type"] == "websocket.disconnect":
            raise Leave
        await pace(bucket)
        if (data := message.get("bytes")) is not None:
            taken_s = time.monotonic() - start_s if orders.time_s is None else orders.time_s
            desk.put(Picture(frame, data, taken_s, orders))
            frame, orders = frame + 1, Orders()
            continue
        problem = _obey(message.get("text") or "", orders)
        if problem:
            await _send(socket, json.dumps({"error": problem}))


def _obey(text: str, orders: Orders) -> str | None:
    """Note what a text message asks for; what is wrong with it, if anything."""
    wanted = _object(text)
    if not isinstance(wanted, dict) or not wanted or set(wanted) - KEYS:
        return f"text messages are JSON objects with {', '.join(sorted(KEYS))}; pictures come as binary messages"
    options, time_s = wanted.get("options"), wanted.get("time_s")
    if time_s is not None and (isinstance(time_s, bool) or not isinstance(time_s, (int, float))):
        return f"time_s must be a number of seconds, got {time_s!r}"
    if options is not None:
        try:
            if not isinstance(options, dict):
                return f"options must be an object, got {options!r}"
            options_of(options)
        except (Error, Refused) as error:
            return str(error)
        orders.options = options
    orders.reset |= bool(wanted.get("reset"))
    orders.time_s = orders.time_s if time_s is None else float(time_s)
    return None


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


async def _answer(socket: WebSocket, service: Service, desk: Desk) -> None:
    """Track the newest picture, send its hands, and so on: the next one is taken when the client has taken these."""
    tracker = HandTracker(service.networks)
    while True:
        picture, dropped = await desk.take()
        if picture.orders.options is not None:
            tracker = HandTracker(service.networks, **picture.orders.options)
        elif picture.orders.reset:
            tracker.reset()
        text = await service.work(_look, tracker, picture, dropped, service.limits.pixels)
        await _send(socket, text)


def _look(tracker: HandTracker, picture: Picture, dropped: list[int], max_pixels: int) -> str:
    """One picture's answer as JSON; runs in a worker thread."""
    answer: dict[str, Any] = {"frame": picture.frame, "time_s": round(picture.time_s, 6), "dropped": dropped}
    start = time.perf_counter()
    try:
        image = decode(picture.data, max_pixels)
        hands = [hand.to_dict() for hand in tracker(image, picture.time_s)]
    except (Refused, Error) as error:
        return json.dumps({**answer, "error": str(error)})
    ms = round(1000 * (time.perf_counter() - start), 2)
    return json.dumps({**answer, "width": image.shape[1], "height": image.shape[0], "ms": ms, "hands": hands})


async def _send(socket: WebSocket, text: str) -> None:
    """Waits while the client does not take what was sent; protocol.py ends that after a while."""
    try:
        await socket.send_text(text)
    except (RuntimeError, WebSocketDisconnect):  # it was closed in between
        raise Leave from None
