"""`POST /v1/detect`: one picture in, its hands out as JSON."""

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
from knuckle.pipeline.tracker import detect, detect_palms
from knuckle.serve.limits import Refused
from knuckle.serve.pictures import FORMATS, decode
from knuckle.serve.service import Service, options_of, refusal

TYPES = (*FORMATS.values(), "application/octet-stream", "multipart/form-data")
WORDS = {"true": True, "1": True, "false": False, "0": False}


def _boolean(text: str) -> bool:
    return WORDS[text.lower()]


OPTIONS: dict[str, tuple[Callable[[str], Any], str]] = {
    "max_hands": (int, "a whole number"),
    "min_palm_score": (float, "a number"),
    "min_presence": (float, "a number"),
    "mirrored": (_boolean, "true or false"),
    "remove_duplicates": (_boolean, "true or false"),
    "palms_only": (_boolean, "true or false"),
}


async def post_detect(request: Request) -> Response:
    """Answer one request; every refusal is a status and {"error": one line}."""
    service: Service = request.app.state.service
    try:
        service.require_allowed(request.headers)
        service.rates.take(request.client.host if request.client else "")
        if not service.has_token(request.headers):
            raise Refused(401, "wrong or missing token: send the header Authorization: Bearer TOKEN")
        options = parse_options(request.query_params)
        body = await asyncio.wait_for(_picture(request, service.limits.body_bytes), service.limits.receive_s)
        text = await service.work_if_room(_look, service, body, options)
    except asyncio.TimeoutError:
        return refusal(Refused(408, f"the picture did not come within {service.limits.receive_s:g} s"))
    except ClientDisconnect:
        return Response(status_code=400)
    except InputError as error:
        return refusal(Refused(400, str(error)))
    except Refused as refused:
        return refusal(refused)
    return Response(text, media_type="application/json")


def parse_options(query: QueryParams) -> dict[str, Any]:
    """Options of the query string, by name.

    Raises:
        Refused: 400, an option that there is not, or a value of another kind.
    """
    options: dict[str, Any] = {}
    for name, text in query.multi_items():
        if name not in OPTIONS:
            raise Refused(400, f"no option called {name}; there are: {', '.join(OPTIONS)}")
        parse, expected = OPTIONS[name]
        try:
            options[name] = parse(text)
        except (ValueError, KeyError):
            raise Refused(400, f"{name} must be {expected}, got {text!r}") from None
    options_of({name: value for name, value in options.items() if name != "palms_only"})
    return options


async def _picture(request: Request, most: int) -> bytes:
    """The picture's bytes: the body, or the first file of a multipart form."""
    kind = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise Refused(415, f"expected Content-Type {', '.join(TYPES)}; got {kind!r}")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise Refused(413, f"at most {most} bytes are taken, got {length}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Refused(413, f"at most {most} bytes are taken, got more")
    return await _first_file(request, bytes(body)) if kind == "multipart/form-data" else bytes(body)


async def _first_file(request: Request, body: bytes) -> bytes:
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
    raise Refused(400, "the multipart form holds no file; expected a field like image=@hand.jpg")


def _look(service: Service, body: bytes, options: dict[str, Any]) -> str:
    """The answer as JSON; runs in a worker thread."""
    start = time.perf_counter()
    image = decode(body, service.limits.pixels)
    chosen = {name: value for name, value in options.items() if name != "palms_only"}
    find = detect_palms if options.get("palms_only") else detect
    found = [one.to_dict() for one in find(image, service.networks, **chosen)]
    ms = round(1000 * (time.perf_counter() - start), 2)
    what = "palms" if options.get("palms_only") else "hands"
    return json.dumps({"width": image.shape[1], "height": image.shape[0], "ms": ms, what: found})
