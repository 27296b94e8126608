"""What the API takes and gives: an OpenAPI description, and the same as a page to read."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

import knuckle
from knuckle.pipeline.options import TrackerOptions
from knuckle.serve.detect import OPTIONS, TYPES

REFUSALS = {
    "400": "an option or picture that cannot be used",
    "401": "no token, or a wrong one",
    "403": "asked by a page of another site, or by a name that is not this server's",
    "408": "the picture came too slowly",
    "413": "too many bytes or pixels",
    "415": "no JPEG, PNG or WebP",
    "429": "too many requests; Retry-After says when",
    "503": "too many pictures are waiting; Retry-After says when",
}
MEANINGS = {
    "max_hands": "never more hands than this",
    "min_palm_score": "weaker palms are none, 0..1",
    "min_presence": "less certain hands are dropped, 0..1",
    "mirrored": "the picture is a mirror image, as a selfie camera shows it",
    "remove_duplicates": "one hand that was found twice comes out once",
    "palms_only": "boxes and key points of palms, no landmarks; faster",
}
_NUMBER, _MAYBE = {"type": "number"}, {"type": ["number", "null"]}
_TYPES = {bool: "boolean", int: "integer", float: "number"}


def _points(count: int, size: int, what: str) -> dict[str, Any]:
    point = {"type": "array", "items": _NUMBER, "minItems": size, "maxItems": size}
    return {"type": "array", "items": point, "minItems": count, "maxItems": count, "description": what}


SCHEMAS: dict[str, Any] = {
    "Hand": {
        "type": "object",
        "properties": {
            "track_id": {"type": ["integer", "null"], "description": "stays with a hand; null for single pictures"},
            "handedness": {"enum": ["Left", "Right"], "description": "the person's own"},
            "handedness_score": _NUMBER,
            "presence": {**_NUMBER, "description": "how sure the network is that there is a hand, 0..1"},
            "palm_score": _MAYBE,
            "landmarks": _points(21, 3, "x, y in pixels of the picture, z in pixels relative to the wrist"),
            "world": _points(21, 3, "metres, origin near the hand's centre"),
            "visibility": {"type": ["array", "null"], "items": _NUMBER, "description": "per landmark, 0..1"},
        },
    },
    "Palm": {
        "type": "object",
        "properties": {
            "box": {"type": "array", "items": _NUMBER, "minItems": 4, "maxItems": 4, "description": "x0, y0, x1, y1"},
            "keypoints": _points(7, 2, "pixels of the picture"),
            "score": _NUMBER,
        },
    },
    "Found": {
        "type": "object",
        "properties": {
            "width": {"type": "integer"},
            "height": {"type": "integer"},
            "ms": {**_NUMBER, "description": "milliseconds spent on decoding and finding"},
            "hands": {"type": "array", "items": {"$ref": "#/components/schemas/Hand"}},
            "palms": {"type": "array", "items": {"$ref": "#/components/schemas/Palm"}, "description": "palms_only"},
        },
        "required": ["width", "height", "ms"],
    },
    "Error": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
}
for _name in ("Hand", "Palm"):
    SCHEMAS[_name]["required"] = list(SCHEMAS[_name]["properties"])


@lru_cache
def description(needs_token: bool) -> dict[str, Any]:
    """The OpenAPI 3.1 description of the HTTP part, as a dict for JSON."""
    file = {"type": "string", "format": "binary"}
    content: dict[str, Any] = {kind: {"schema": file} for kind in TYPES if "/form" not in kind}
    content["multipart/form-data"] = {"schema": {"type": "object", "properties": {"image": file}}}
    answers = {"200": _answer("what was found, the best first", "Found")}
    answers |= {status: _answer(why, "Error") for status, why in REFUSALS.items()}
    post = {
        "summary": "Find the hands in one picture",
        "operationId": "detect",
        "parameters": [_parameter(name) for name in OPTIONS],
        "requestBody": {"required": True, "content": content},
        "responses": answers,
    }
    components: dict[str, Any] = {"schemas": SCHEMAS}
    if needs_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        post["security"] = [{"token": []}]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Knuckle", "version": knuckle.__version__, "summary": "Hands in pictures, 21 landmarks each"},
        "paths": {"/v1/detect": {"post": post}},
        "components": components,
    }


def _answer(what: str, schema: str) -> dict[str, Any]:
    return {
        "description": what,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


def _parameter(name: str) -> dict[str, Any]:
    default = getattr(TrackerOptions(), name, False)
    schema = {"type": _TYPES[type(default)], "default": default}
    return {"name": name, "in": "query", "description": MEANINGS[name], "schema": schema}


def _option_row(name: str) -> str:
    default = str(_parameter(name)["schema"]["default"]).lower()
    return f"<tr><th scope=row><code>{name}</code><td>{escape(MEANINGS[name])}<td><code>{default}</code>"


async def get_description(request: Request) -> Response:
    """`/v1/openapi.json`."""
    return JSONResponse(description(request.app.state.service.token is not None))


async def get_manual(request: Request) -> Response:
    """`/v1`: the API on one page."""
    text = resources.files("knuckle.serve").joinpath("api.html").read_text(encoding="utf-8")
    options = "".join(map(_option_row, OPTIONS))
    refusals = "".join(f"<tr><th scope=row>{status}<td>{escape(why)}" for status, why in REFUSALS.items())
    needs_token = request.app.state.service.token is not None
    base = str(request.base_url).rstrip("/")
    header = ' \\\n     -H "Authorization: Bearer $KNUCKLE_TOKEN"' if needs_token else ""
    parts = {"options": options, "refusals": refusals, "base": escape(base), "header": escape(header)}
    parts |= {"socket": escape("ws" + base.removeprefix("http")), "version": knuckle.__version__}
    for name, value in parts.items():
        text = text.replace("{{" + name + "}}", value)
    return HTMLResponse(text)


async def get_style(request: Request) -> Response:
    """The manual's style sheet: the page may not hold styles itself."""
    text = resources.files("knuckle.serve").joinpath("api.css").read_text(encoding="utf-8")
    return Response(text, media_type="text/css")
