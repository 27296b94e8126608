"""What the server counts, in Prometheus's format, and the middleware that observes each request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("knuckle.serve.access")
BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
# Longer paths first: a request counts for the first path that it is or is below.
PATHS = (
    """/v1/detect/batch /v1/detect /v1/gestures /v1/track /v1 /models /metrics /healthz /readyz /label-studio /api"""
)


class Metrics:
    """Counters of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        each: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter(
            "knuckle_requests", "Finished HTTP requests and WebSockets.", ["path", "method", "status"], **each
        )
        self.request_s = Histogram(
            "knuckle_request_seconds", "From an HTTP request's header to the end of its response.", ["path"],
            buckets=BUCKETS_S, **each,
        )  # fmt: skip
        self.image_s = Histogram(
            "knuckle_image_seconds", "Decoding and finding hands, per call.", ["path"], buckets=BUCKETS_S, **each
        )
        self.queue_s = Histogram("knuckle_queue_seconds", "Waiting for a worker.", buckets=BUCKETS_S, **each)
        self.images = Counter("knuckle_images", "Images that were searched.", ["path"], **each)
        self.hands = Counter("knuckle_hands", "Hands that were found.", ["path"], **each)
        self.dropped = Counter("knuckle_frames_dropped", "Frames of streams that a newer one replaced.", **each)
        self.wrong_tokens = Counter("knuckle_tokens_refused", "Missing and wrong tokens.", **each)
        self.refused = Counter("knuckle_connections_refused", "Connections that were too many.", **each)

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a value that is read when it is asked for."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def searched(self, path: str, seconds: float, images: int, hands: int) -> None:
        """Count one call that found the hands of some images."""
        self.image_s.labels(path).observe(seconds)
        self.images.labels(path).inc(images)
        self.hands.labels(path).inc(hands)


def path_label(path: str) -> str:
    """The path as a label; the names of files are left out, because every label costs memory."""
    return next((known for known in PATHS.split() if path == known or path.startswith(known + "/")), "page")


class Observer:
    """ASGI middleware that counts each HTTP request and WebSocket, and writes its line of the access log."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        start, status = time.perf_counter(), 0
        seen = {**scope}  # Starlette changes the scope on its way

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self.app(scope, receive, send_and_see)
        except Exception:
            status = 500
            raise
        finally:
            self.finished(seen, status, time.perf_counter() - start)

    def finished(self, scope: Scope, status: int, seconds: float) -> None:
        """Count and log one request; `status` 0 means that the client went away before the response."""
        client = scope["client"][0] if scope.get("client") else ""
        method = scope.get("method", "WEBSOCKET")
        label = path_label(scope["path"].removeprefix(scope.get("root_path", "")))
        counted = method if method in METHODS or method == "WEBSOCKET" else "other"
        self.metrics.requests.labels(label, counted, str(status)).inc()
        if scope["type"] == "http":
            self.metrics.request_s.labels(label).observe(seconds)
        fields = {"client": client, "method": method, "path": scope["path"], "status": status}
        fields["ms"] = round(1000 * seconds, 1)
        text = "%(client)s %(method)s %(path)s %(status)s in %(ms)s ms"
        level = logging.ERROR if status >= 500 and status != 503 else logging.INFO
        logger.log(level, text, fields, extra={"fields": fields})
