"""The web application: its routes, and the headers of every response."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from knuckle.serve.detect import get_gestures, post_batch, post_detect, post_gestures
from knuckle.serve.files import get_bundles, get_model, get_page
from knuckle.serve.limits import Refused
from knuckle.serve.openapi import get_description, get_manual, get_style
from knuckle.serve.operate import ROUTES
from knuckle.serve.prelabel import prelabel_routes
from knuckle.serve.service import Service, error_response
from knuckle.serve.track import track

# The page may connect to this server only. Threads in WebAssembly need the first two headers.
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


def create_app(service: Service, routes: Sequence[BaseRoute] | None = None) -> Starlette:
    """Create the application of a service; it closes the service when it shuts down.

    Args:
        routes: of another page, in place of ours and the API.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        patience_s = min(service.limits.shutdown_s, max(1.0, service.stop_by_s - time.monotonic()))
        await asyncio.get_running_loop().run_in_executor(None, service.close, patience_s)

    middleware = [Middleware(partial(SecurityMiddleware, service=service))]
    if service.origins:
        headers = ["Authorization", "Content-Type"]
        cors = partial(
            CORSMiddleware, allow_methods=["GET", "POST"], allow_headers=headers, expose_headers=["Retry-After"]
        )
        middleware.append(Middleware(cors, allow_origins=service.origins))
    app = Starlette(
        routes=own_routes(service) if routes is None else routes,
        middleware=middleware,
        exception_handlers={HTTPException: on_http_error, Exception: on_bug},
        lifespan=lifespan,
    )
    app.state.service = service
    return app


def own_routes(service: Service) -> list[BaseRoute]:
    """The routes of the page and of the API."""
    api = [
        Route("/api.css", get_style),
        Route("/openapi.json", get_description),
        Route("/detect", post_detect, methods=["POST"]),
        Route("/detect/batch", post_batch, methods=["POST"]),
        Route("/gestures", Gestures),
        WebSocketRoute("/track", track),
    ]
    return [
        *ROUTES,
        Route("/v1", get_manual),
        Mount("/v1", routes=api),  # mounted, so that a wrong method is not taken for a file of the page
        Route("/models/", get_bundles),
        Route("/models/{bundle}/{file}", get_model),
        *prelabel_routes(service),
        Route("/{path:path}", get_page),
    ]


class Gestures(HTTPEndpoint):
    """`/v1/gestures`: GET lists the sets, POST recognises the gestures of an image."""

    async def get(self, request: Request) -> Response:
        return await get_gestures(request)

    async def post(self, request: Request) -> Response:
        return await post_gestures(request)


class SecurityMiddleware:
    """Refuses HTTP requests for foreign host names or from foreign pages, and adds `HEADERS` to every response."""

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
            return await error_response(refused)(scope, receive, send_with_headers)
        await self.app(scope, receive, send_with_headers)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own errors, such as a method that a path does not have."""
    assert isinstance(error, HTTPException)
    response = error_response(Refused(error.status_code, f"{request.method} {request.url.path}: {error.detail}"))
    response.headers.update(error.headers or {})  # Allow, of a method that a path does not have
    return response


async def on_bug(request: Request, error: Exception) -> Response:
    """An unexpected exception; uvicorn logs its traceback."""
    return error_response(Refused(500, "internal error of the server; its log has the details"))
