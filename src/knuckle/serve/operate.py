"""For operators: `/healthz`, `/readyz`, `/metrics`, and the address under which a proxy shows the server."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from knuckle.serve.limits import Refused
from knuckle.serve.service import Service, error_response


async def get_health(request: Request) -> Response:
    """`/healthz`: the process answers."""
    return JSONResponse({"status": "ok"})


async def get_readiness(request: Request) -> Response:
    """`/readyz`: the networks are loaded, and the server is not stopping."""
    service: Service = request.app.state.service
    if service.draining:
        return error_response(Refused(503, "the server is stopping", 1))
    return JSONResponse({"status": "ready", "models": service.networks.bundle.name})


async def get_metrics(request: Request) -> Response:
    """`/metrics`; with the token, if the server has one."""
    service: Service = request.app.state.service
    try:
        service.require_token_of(request)
    except Refused as refused:
        return error_response(refused)
    return Response(generate_latest(service.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


ROUTES = [Route("/healthz", get_health), Route("/readyz", get_readiness), Route("/metrics", get_metrics)]


class RootPath:
    """ASGI middleware for a server below a path of a proxy, whether or not the proxy removes this path."""

    def __init__(self, app: ASGIApp, root: str) -> None:
        self.app, self.root = app, root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.root and scope["type"] in ("http", "websocket"):
            path = scope["path"]
            if path != self.root and not path.startswith(self.root + "/"):
                path = self.root + path
            scope = {**scope, "root_path": self.root, "path": path}
        await self.app(scope, receive, send)
