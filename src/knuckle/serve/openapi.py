"""The API's documentation: an OpenAPI description, and a page to read."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

import knuckle
from knuckle.gestures.recogniser import set_names
from knuckle.media.photo_files import MAX_SIDE
from knuckle.pipeline.options import TrackerOptions
from knuckle.serve.detect import GESTURES, OPTIONS
from knuckle.serve.limits import Limits
from knuckle.serve.service import MAX_HANDS, Service
from knuckle.serve.uploads import FORM, TYPES

ERRORS = {
    "400": "an option or the image is invalid",
    "401": "the token is missing or wrong",
    "403": "the request comes from a page of another web site, or uses a host name that is not this server's",
    "405": "the path does not have this method; Allow lists those that it has",
    "408": "the image took too long to arrive",
    "413": "the image has too many bytes or pixels",
    "415": "the file is not a JPEG, PNG or WebP",
    "429": "too many requests; Retry-After says when to try again",
    "503": "too many images are waiting, or the server is stopping; Retry-After says when to try again",
}
DESCRIPTIONS = {
    "max_hands": "maximum number of hands",
    "min_palm_score": "confidence threshold of the palm detector, 0..1",
    "min_presence": "confidence threshold for a hand in a palm's region, 0..1",
    "mirrored": "the image is a mirror image, as selfie cameras show it",
    "remove_duplicates": "return a hand once if it was detected twice",
    "gestures": "recognise the gestures of this set; without it, none (`/v1/gestures`: its default set)",
    "palms_only": "return boxes and key points of palms without landmarks; faster",
}
NUMBER, NUMBER_OR_NULL = {"type": "number"}, {"type": ["number", "null"]}
JSON_TYPES = {bool: "boolean", int: "integer", float: "number"}


def points(count: int, size: int, text: str) -> dict[str, Any]:
    """The schema of `count` points with `size` numbers each."""
    point = {"type": "array", "items": NUMBER, "minItems": size, "maxItems": size}
    return {"type": "array", "items": point, "minItems": count, "maxItems": count, "description": text}


SCHEMAS: dict[str, Any] = {
    "Hand": {
        "type": "object",
        "properties": {
            "track_id": {"type": ["integer", "null"], "description": "stays with a hand in a stream; null for images"},
            "handedness": {"enum": ["Left", "Right"], "description": "the person's left or right hand"},
            "handedness_score": NUMBER,
            "presence": {**NUMBER, "description": "confidence that the region shows a hand, 0..1"},
            "palm_score": NUMBER_OR_NULL,
            "landmarks": points(21, 3, "x, y in image pixels; z in pixels, relative to the wrist"),
            "world": points(21, 3, "metres; the origin is near the hand's centre"),
            "visibility": {"type": ["array", "null"], "items": NUMBER, "description": "of each landmark, 0..1"},
            "gesture": {"type": ["string", "null"], "description": "null unless gestures are recognised"},
            "gesture_score": NUMBER_OR_NULL,
            "landmark_std": {
                "type": ["array", "null"],
                "items": NUMBER,
                "description": "expected standard deviation of x and of y of each landmark, image pixels",
            },
            "extra": {
                "type": "object",
                "description": "points beyond the 21, if the bundle has any: names, and the arrays above for them",
            },
        },
    },
    "Palm": {
        "type": "object",
        "properties": {
            "box": {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 4, "description": "x0, y0, x1, y1"},
            "keypoints": points(7, 2, "image pixels"),
            "score": NUMBER,
        },
    },
    "Found": {
        "type": "object",
        "properties": {
            "width": {"type": "integer"},
            "height": {"type": "integer"},
            "ms": {**NUMBER, "description": "milliseconds for decoding and detection"},
            "hands": {"type": "array", "items": {"$ref": "#/components/schemas/Hand"}},
            "palms": {"type": "array", "items": {"$ref": "#/components/schemas/Palm"}, "description": "palms_only"},
        },
        "required": ["width", "height", "ms"],
    },
    "Failed": {
        "type": "object",
        "properties": {"error": {"type": "string", "description": "why this image cannot be used"}},
        "required": ["error"],
    },
    "FoundInEach": {
        "type": "object",
        "properties": {
            "images": {
                "type": "array",
                "items": {
                    "anyOf": [{"$ref": "#/components/schemas/FoundInOne"}, {"$ref": "#/components/schemas/Failed"}]
                },
            },
            "ms": {**NUMBER, "description": "milliseconds for all images"},
        },
        "required": ["images", "ms"],
    },
    "GestureSets": {
        "type": "object",
        "properties": {
            "default": {"type": "string"},
            "sets": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        },
        "required": ["default", "sets"],
    },
    "Error": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
}
for name in ("Hand", "Palm"):  # only networks with points beyond the 21 give `extra`
    SCHEMAS[name]["required"] = [key for key in SCHEMAS[name]["properties"] if key != "extra"]
SCHEMAS["FoundInOne"] = {
    "type": "object",
    "properties": {name: schema for name, schema in SCHEMAS["Found"]["properties"].items() if name != "ms"},
    "required": ["width", "height"],
}


@lru_cache
def description(needs_token: bool, limits: Limits = Limits(), root_path: str = "") -> dict[str, Any]:  # noqa: B008
    """The OpenAPI 3.1 description of the HTTP API of a server with some limits, as a dict for JSON."""
    file = {"type": "string", "format": "binary"}
    bounds = f"at most {limits.body_bytes} bytes, {limits.pixels} pixels, and {MAX_SIDE} pixels a side"
    image: dict[str, Any] = {kind: {"schema": file} for kind in TYPES if kind != FORM}
    image[FORM] = {"schema": {"type": "object", "properties": {"image": file}, "required": ["image"]}}
    files = {"type": "array", "items": file, "minItems": 1, "maxItems": limits.batch_images}
    form = {FORM: {"schema": {"type": "object", "properties": {"image": files}, "required": ["image"]}}}
    one = {"description": f"a JPEG, PNG or WebP file; {bounds}", "required": True, "content": image}
    several = {
        "description": f"up to {limits.batch_images} files; together {bounds}",
        "required": True,
        "content": form,
    }
    paths = {
        "/v1/detect": {"post": operation("detect", "Find the hands in an image", "Found", one, limits)},
        "/v1/detect/batch": {
            "post": operation("detect_batch", "Find the hands in several images", "FoundInEach", several, limits)
        },
        "/v1/gestures": {
            "post": operation("gestures", "Find the hands in an image, and their gestures", "Found", one, limits),
            "get": {
                "summary": "List the sets of gestures",
                "operationId": "list_gestures",
                "responses": {"200": response("the names of each set", "GestureSets")},
            },
        },
    }
    components: dict[str, Any] = {"schemas": SCHEMAS}
    if needs_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path in paths.values():
            path["post"]["security"] = [{"token": []}]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Knuckle", "version": knuckle.__version__, "summary": "Hands in images, 21 landmarks each"},
        "servers": [{"url": root_path or "/"}],
        "paths": paths,
        "components": components,
    }


def operation(name: str, summary: str, schema: str, body: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """The description of a POST that takes images."""
    responses = {"200": response("hands or palms, the highest score first", schema)}
    responses |= {status: response(text, "Error") for status, text in ERRORS.items()}
    integer = {"schema": {"type": "integer", "minimum": 0}}
    for status in ("429", "503"):
        responses[status]["headers"] = {"Retry-After": {"description": "seconds", **integer}}
    responses["401"]["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    responses["405"]["headers"] = {"Allow": {"schema": {"type": "string"}}}
    return {
        "summary": summary,
        "description": f"At most {limits.requests_per_s:g} images per second and client address.",
        "operationId": name,
        "parameters": [parameter(option) for option in OPTIONS],
        "requestBody": body,
        "responses": responses,
    }


def response(text: str, schema: str) -> dict[str, Any]:
    """The description of a response whose body follows a schema of `SCHEMAS`."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": text, "content": content}


def parameter(name: str) -> dict[str, Any]:
    """The description of an option in the query string."""
    default = getattr(TrackerOptions(), name, False)
    schema: dict[str, Any]
    if name == "gestures":
        schema = {"enum": list(set_names())}
    elif default is None:  # an option without a default is a threshold that the bundle sets
        schema = {"type": "number", "minimum": 0, "maximum": 1}
    else:
        schema = {"type": JSON_TYPES[type(default)], "default": default}
    if name == "max_hands":
        schema |= {"minimum": 1, "maximum": MAX_HANDS}
    return {"name": name, "in": "query", "description": DESCRIPTIONS[name], "schema": schema}


async def get_description(request: Request) -> Response:
    """`/v1/openapi.json`."""
    service: Service = request.app.state.service
    return JSONResponse(description(service.token is not None, service.limits, service.root_path))


async def get_manual(request: Request) -> Response:
    """`/v1`: the API on one page."""
    service: Service = request.app.state.service
    base = str(request.base_url).rstrip("/")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text_of("api.html"))
    page = template.render(
        version=knuckle.__version__,
        base=base,
        root=service.root_path,
        socket="ws" + base.removeprefix("http"),
        needs_token=service.token is not None,
        options=[parameter(name) for name in OPTIONS],
        errors=ERRORS,
        sets=set_names(),
        default_set=GESTURES,
        batch_images=service.limits.batch_images,
    )
    return HTMLResponse(page)


async def get_style(request: Request) -> Response:
    """`/v1/api.css`: the page's content security policy forbids inline styles."""
    return Response(text_of("api.css"), media_type="text/css")


def text_of(name: str) -> str:
    """A text file of this package."""
    return resources.files("knuckle.serve").joinpath(name).read_text(encoding="utf-8")
