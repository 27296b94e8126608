"""What every HTTP request of the API and of the annotation tools goes through: who asks, how often, and its errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from knuckle.errors import InputError, reason_of
from knuckle.serve.limits import Refused
from knuckle.serve.service import Service, error_response

Handler = Callable[[Request], Awaitable[Response]]
Check = Callable[[Service, Request], None]  # raises Refused
T = TypeVar("T")


def answered(handler: Handler, check: Check = Service.require_token_of) -> Handler:
    """A handler that checks the client first, and whose errors are an HTTP status and {"error": one line}.

    Args:
        check: whether the client may ask; `anybody` where it cannot send a token.
    """

    async def answer(request: Request) -> Response:
        service: Service = request.app.state.service
        try:
            service.require_allowed(request.headers)
            service.rates.take(client_of(request))
            check(service, request)
            return await handler(request)
        except ClientDisconnect:
            return Response(status_code=400)
        except InputError as error:
            return error_response(Refused(400, str(error)))
        except Refused as refused:
            return error_response(refused)

    return answer


def anybody(service: Service, request: Request) -> None:
    """A check that refuses nobody."""


def client_of(request: Request) -> str:
    """The address of the client."""
    return request.client.host if request.client else ""


async def within(seconds: float, job: Awaitable[T], what: str) -> T:
    """The result of a job that may take so long.

    Raises:
        Refused: 408, it took longer; `what` says what has not happened, as "the image did not arrive".
    """
    try:
        return await asyncio.wait_for(job, seconds)
    except asyncio.TimeoutError:
        raise Refused(408, f"{what} within {seconds:g} s") from None


async def json_body(request: Request) -> dict[str, Any]:
    """The JSON object in the body of a request.

    Raises:
        Refused: 408 if it does not arrive in time, 413 for too many bytes, 400 for anything but an object.
    """
    limits = request.app.state.service.limits
    body = bytearray()

    async def read() -> None:
        async for chunk in request.stream():
            body.extend(chunk)
            if len(body) > limits.body_bytes:
                raise Refused(413, f"the body may have at most {limits.body_bytes} bytes, got more")

    await within(limits.receive_s, read(), "the body did not arrive")
    try:
        found = json.loads(bytes(body) or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {reason_of(error)}") from error
    if not isinstance(found, dict):
        raise Refused(400, f"the body must be a JSON object, got a {type(found).__name__}")
    return found
