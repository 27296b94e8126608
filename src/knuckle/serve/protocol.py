"""Time limits below HTTP: for clients that do not finish a request's header, or do not take what we send."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from knuckle.serve.limits import Limits


class Deadline:
    """Ends a connection at once, with what lies in its buffer, unless it is called off in time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.timer: asyncio.TimerHandle | None = None

    def set(self, transport: asyncio.Transport) -> None:
        if self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(self.seconds, transport.abort)

    def call_off(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def protocols(limits: Limits) -> tuple[type[asyncio.Protocol], type[asyncio.Protocol]]:
    """uvicorn's HTTP and WebSocket protocols with these limits."""

    class Http(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.header, self.taking = Deadline(limits.header_s), Deadline(limits.send_s)

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.header.set(transport)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            upgraded = self not in self.connections
            serving = self.cycle is not None and not self.cycle.response_complete
            if upgraded or serving:
                self.header.call_off()
            else:
                self.header.set(self.transport)

        def pause_writing(self) -> None:
            super().pause_writing()
            self.taking.set(self.transport)

        def resume_writing(self) -> None:
            self.taking.call_off()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            self.header.call_off()
            self.taking.call_off()
            super().connection_lost(exc)

    class Socket(WebSocketsSansIOProtocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.taking = Deadline(limits.send_s)

        def pause_writing(self) -> None:
            super().pause_writing()
            self.taking.set(self.transport)

        def resume_writing(self) -> None:
            self.taking.call_off()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            self.taking.call_off()
            super().connection_lost(exc)

    return Http, Socket
