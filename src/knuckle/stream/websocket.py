"""WebSocket: a server that browsers and OBS connect to, or a client of a server elsewhere; one message a frame."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from contextlib import ExitStack
from typing import Any

from knuckle.errors import InputError
from knuckle.extras import required
from knuckle.results import Frame
from knuckle.stream.address import Address
from knuckle.stream.messages import frame_json
from knuckle.stream.values import FrameValues

CONNECT_S = 5.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Web pages that may read hands from a server on loopback: local files (OBS) and pages of this computer. Without this
# every page that is open in a browser could.
LOCAL_PAGES = re.compile(r"(null|file://.*|https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)")


class WebSocketServer:
    """Listens; every client that connects gets each new frame, and the newest one if it is slow.

    Args:
        address: where to listen.
    """

    waits = False  # frames are handed over to the thread of the server

    def __init__(self, address: Address) -> None:
        self.name, self.address = f"ws {address}", address
        required("websockets", "ws", "WebSockets")
        self._text, self._number = "", 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._problem: InputError | None = None
        self._arrived: asyncio.Event | None = None  # of the next frame
        self._thread: threading.Thread | None = None

    def open(self, frame: Frame) -> None:
        """Start to listen.

        Raises:
            InputError: the port is in use or not allowed.
        """
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(ready)), name="knuckle-websocket", daemon=True
        )
        self._thread.start()
        ready.wait()
        if self._problem:
            raise self._problem

    def send(self, values: FrameValues) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.publish, frame_json(values))

    def close(self) -> None:
        if self._thread and self._loop and self._stop and not self._problem:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(2)
        self._thread = None

    def publish(self, text: str) -> None:
        """Give a message to all clients; runs in the thread of the server."""
        self._text, self._number = text, self._number + 1
        if self._arrived:
            self._arrived.set()  # wakes all clients that wait, once
        self._arrived = asyncio.Event()

    async def _serve(self, ready: threading.Event) -> None:
        from websockets.asyncio.server import serve

        self._loop, self._stop, self._arrived = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        local = self.address.host in LOOPBACK
        origins: Any = [None, LOCAL_PAGES] if local else None
        try:
            async with serve(self._client, self.address.host, self.address.port, origins=origins, compression=None):
                ready.set()
                await self._stop.wait()
        except OSError as error:
            self._problem = InputError(f"--ws {self.address}: cannot listen there: {os.strerror(error.errno or 0)}")
        finally:
            ready.set()

    async def _client(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        seen = self._number
        reading = asyncio.ensure_future(connection.wait_closed())
        try:
            while not reading.done():
                if seen == self._number and self._arrived:
                    arrived = asyncio.ensure_future(self._arrived.wait())
                    await asyncio.wait([reading, arrived], return_when=asyncio.FIRST_COMPLETED)
                    arrived.cancel()
                    continue
                seen = self._number
                await connection.send(self._text)  # waits while the client does not read; frames meanwhile are dropped
        except ConnectionClosed:
            pass
        finally:
            reading.cancel()


class WebSocketClient:
    """Connects to a server and sends it each frame.

    Args:
        url: `ws://` or `wss://`.
    """

    waits = True

    def __init__(self, url: str) -> None:
        self.name, self.url = url, url
        required("websockets", "ws", "WebSockets")
        self._connection: Any = None
        self._opened = ExitStack()

    def open(self, frame: Frame) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        try:
            opened = connect(self.url, open_timeout=CONNECT_S, close_timeout=1, compression=None)
            self._connection = self._opened.enter_context(opened)
        except WebSocketException as error:
            raise ConnectionError(f"no WebSocket there: {error}") from error

    def send(self, values: FrameValues) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            self._connection.send(frame_json(values))
        except ConnectionClosed as error:
            raise ConnectionError("the connection was closed") from error

    def close(self) -> None:
        self._opened.close()
