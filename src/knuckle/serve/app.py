"""The web application: which path does what, and what every answer carries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from knuckle.serve.detect import post_detect
from knuckle.serve.files import get_bundles, get_model, get_page
from knuckle.serve.limits import Refused
from knuckle.serve.openapi import get_description, get_manual, get_style
from knuckle.serve.service import Service, refusal
from knuckle.serve.track import track

# The page talks to this server alone. SharedArrayBuffer (threads in WebAssembly) needs the first two.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "worker-src 'self'",
            "connect-src 'self'",
            "img-src 'self' blob: data:",
            "media-src 'self' blob: mediastream:",
            "style-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def create_app(service: Service) -> Starlette:
    """The application for one service; it closes the service when it ends."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.get_running_loop().run_in_executor(None, service.close)

    app = Starlette(
        routes=[
            Route("/v1", get_manual),
            Route("/v1/api.css", get_style),
            Route("/v1/openapi.json", get_description),
            Route("/v1/detect", post_detect, methods=["POST"]),
            WebSocketRoute("/v1/track", track),
            Route("/models/", get_bundles),
            Route("/models/{bundle}/{file}", get_model),
            Route("/{path:path}", get_page),
        ],
        middleware=[Middleware(partial(SameForAll, service=service)), *_cross_origin(service.origins)],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
        lifespan=lifespan,
    )
    app.state.service = service
    return app


def _cross_origin(origins: tuple[str, ...]) -> list[Middleware]:
    if not origins:
        return []
    headers = ["Authorization", "Content-Type"]
    return [Middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=headers)]


class SameForAll:
    """What holds for every request: the name it asks for is ours, and the answer carries the headers above."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            self.service.require_allowed(Request(scope).headers)
        except Refused as refused:
            return await refusal(refused)(scope, receive, send_with_headers)
        await self.app(scope, receive, send_with_headers)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(Refused(error.status_code, f"{request.method} {request.url.path}: {error.detail}"))


async def _fail(request: Request, error: Exception) -> Response:
    return refusal(Refused(500, "this is a fault of the server; its log says more"))
