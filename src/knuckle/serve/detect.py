"""`POST /v1/detect`: an image in, its hands out as JSON."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from starlette.datastructures import QueryParams, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from knuckle.errors import InputError
from knuckle.pipeline.detect import detect, detect_palms
from knuckle.serve.decode import FORMATS, decode_image
from knuckle.serve.limits import Refused
from knuckle.serve.service import Service, client_options, error_response

TYPES = (*FORMATS.values(), "application/octet-stream", "multipart/form-data")
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def boolean(text: str) -> bool:
    """A boolean of the query string."""
    return BOOLEANS[text.lower()]


# Each option of the query string: how it is parsed, and what is expected.
OPTIONS: dict[str, tuple[Callable[[str], Any], str]] = {
    "max_hands": (int, "a whole number"),
    "min_palm_score": (float, "a number"),
    "min_presence": (float, "a number"),
    "mirrored": (boolean, "true or false"),
    "remove_duplicates": (boolean, "true or false"),
    "palms_only": (boolean, "true or false"),
}


async def post_detect(request: Request) -> Response:
    """Handle one request. Errors are an HTTP status and {"error": one line}."""
    service: Service = request.app.state.service
    try:
        service.require_allowed(request.headers)
        service.rates.take(request.client.host if request.client else "")
        if not service.has_token(request.headers):
            raise Refused(401, "missing or wrong token; send the header Authorization: Bearer TOKEN")
        options = parse_options(request.query_params)
        body = await asyncio.wait_for(read_image(request, service.limits.body_bytes), service.limits.receive_s)
        text = await service.work_if_room(find_hands, service, body, options)
    except asyncio.TimeoutError:
        return error_response(Refused(408, f"the image did not arrive within {service.limits.receive_s:g} s"))
    except ClientDisconnect:
        return Response(status_code=400)
    except InputError as error:
        return error_response(Refused(400, str(error)))
    except Refused as refused:
        return error_response(refused)
    return Response(text, media_type="application/json")


def parse_options(query: QueryParams) -> dict[str, Any]:
    """Read the options in the query string.

    Raises:
        Refused: 400, an unknown option or a value of the wrong type.
        InputError: a value is out of range.
    """
    options: dict[str, Any] = {}
    for name, text in query.multi_items():
        if name not in OPTIONS:
            raise Refused(400, f"no option called {name}; the options are {', '.join(OPTIONS)}")
        parse, expected = OPTIONS[name]
        try:
            options[name] = parse(text)
        except (ValueError, KeyError):
            raise Refused(400, f"{name} must be {expected}, got {text!r}") from None
    client_options({name: value for name, value in options.items() if name != "palms_only"})
    return options


async def read_image(request: Request, max_bytes: int) -> bytes:
    """The image file of a request: its body, or the first file of a multipart form.

    Raises:
        Refused: 415 for other content types, 413 for too many bytes, 400 for a form without a file.
    """
    kind = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise Refused(415, f"Content-Type must be one of {', '.join(TYPES)}; got {kind!r}")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > max_bytes:
        raise Refused(413, f"the body may have at most {max_bytes} bytes, got {length}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise Refused(413, f"the body may have at most {max_bytes} bytes, got more")
    return await first_file(request, bytes(body)) if kind == "multipart/form-data" else bytes(body)


async def first_file(request: Request, body: bytes) -> bytes:
    """The first file of a multipart form.

    Raises:
        Refused: 400, the form cannot be read or has no file.
    """

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(request.headers, stream(), max_files=1, max_fields=8).parse()
    except (MultiPartException, KeyError) as error:
        raise Refused(400, f"the multipart form cannot be read: {getattr(error, 'message', error)}") from error
    try:
        for value in form.values():
            if isinstance(value, UploadFile):
                return await value.read()
    finally:
        await form.close()
    raise Refused(400, "the multipart form has no file; send one as a field, for example image=@hand.jpg")


def find_hands(service: Service, body: bytes, options: dict[str, Any]) -> str:
    """The answer to one image as JSON; runs in a worker thread."""
    start = time.perf_counter()
    image = decode_image(body, service.limits.pixels)
    chosen = {name: value for name, value in options.items() if name != "palms_only"}
    find, what = (detect_palms, "palms") if options.get("palms_only") else (detect, "hands")
    found = [result.to_dict() for result in find(image, service.networks, **chosen)]
    ms = round(1000 * (time.perf_counter() - start), 2)
    return json.dumps({"width": image.shape[1], "height": image.shape[0], "ms": ms, what: found})
