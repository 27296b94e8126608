"""`POST /v1/detect`, `/v1/detect/batch` and `/v1/gestures`: images in, their hands out as JSON."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from knuckle.gestures.recogniser import load_gestures, set_names
from knuckle.images import Image
from knuckle.pipeline.detect import detect_palms, hands_in_images
from knuckle.serve.decode import decode_image
from knuckle.serve.limits import Limits, Refused
from knuckle.serve.requests import Handler, answered, client_of, within
from knuckle.serve.service import Service, client_options, json_response, to_json
from knuckle.serve.uploads import read_image, read_images

BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
GESTURES = "canned"  # the set of /v1/gestures
Reader = Callable[[Request, Limits], Awaitable[list[bytes]]]
Finder = Callable[[Service, list[bytes], dict[str, Any]], str]


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
    "gestures": (str, "the name of a set"),
}


def finding(read: Reader, find: Finder, **defaults: Any) -> Handler:
    """A handler that reads the images of a request and answers with what is found in them.

    Args:
        defaults: options that the query string may change.
    """

    async def find_hands(request: Request) -> Response:
        service: Service = request.app.state.service
        options = defaults | parse_options(request.query_params)
        limits = service.limits
        files = await within(limits.receive_s, read(request, limits), "the image did not arrive")
        if len(files) > 1:
            service.rates.take(client_of(request), len(files) - 1)
        text = await service.work_if_room(find, service, files, options)
        return Response(text, media_type="application/json")

    return answered(find_hands)


async def get_gestures(request: Request) -> Response:
    """The sets of gestures and their names."""
    sets = {name: list(load_gestures(name).names) for name in set_names()}
    return json_response({"default": GESTURES, "sets": sets})


def parse_options(query: QueryParams) -> dict[str, Any]:
    """Read the options in the query string.

    Raises:
        Refused: 400, an unknown option or a value of the wrong type.
        InputError: a value is out of range.
    """
    options: dict[str, Any] = {}
    for name, text in query.multi_items():
        if name not in OPTIONS:
            raise Refused(400, f"no option called {' '.join(name[:80].split())}; the options are {', '.join(OPTIONS)}")
        parse, expected = OPTIONS[name]
        try:
            options[name] = parse(text)
        except (ValueError, KeyError):
            raise Refused(400, f"{name} must be {expected}, got {text[:80]!r}") from None
    client_options({name: value for name, value in options.items() if name != "palms_only"})
    return options


def find_in_image(service: Service, files: list[bytes], options: dict[str, Any], path: str = "/v1/detect") -> str:
    """The answer to one image as JSON; runs in a worker thread."""
    start = time.perf_counter()
    image = decode_image(files[0], service.limits.pixels)
    (row,) = rows(service, [image], dict(options))
    seconds = time.perf_counter() - start
    service.metrics.searched(path, seconds, 1, found_in(row))
    return to_json({**row, "ms": round(1000 * seconds, 2)})


def find_in_images(service: Service, files: list[bytes], options: dict[str, Any]) -> str:
    """The answer to several images as JSON, in their order; an image that cannot be used gets an error of its own."""
    start = time.perf_counter()
    room, images, answers = service.limits.pixels, [], dict[int, dict[str, Any]]()
    for number, file in enumerate(files):
        try:
            images.append((number, decode_image(file, room)))
            room -= images[-1][1].shape[0] * images[-1][1].shape[1]
        except Refused as refused:
            answers[number] = {"error": refused.reason}
    found = rows(service, [image for _, image in images], dict(options))
    answers |= {number: row for (number, _), row in zip(images, found, strict=True)}
    seconds = time.perf_counter() - start
    service.metrics.searched("/v1/detect/batch", seconds, len(images), sum(map(found_in, found)))
    return to_json({"images": [answers[k] for k in range(len(files))], "ms": round(1000 * seconds, 2)})


def rows(service: Service, images: list[Image], options: dict[str, Any]) -> list[dict[str, Any]]:
    """What is found in each image, as dicts for JSON."""
    what = "palms" if options.pop("palms_only", False) else "hands"
    if not images:
        return []
    chosen = client_options(options)
    found: Any
    if what == "palms":
        found = detect_palms(images, service.networks, chosen)
    else:
        found = hands_in_images(images, service.networks, chosen)
    return [
        {"width": image.shape[1], "height": image.shape[0], what: [one.to_dict() for one in these]}
        for image, these in zip(images, found, strict=True)
    ]


def found_in(row: dict[str, Any]) -> int:
    """How many hands or palms an answer has."""
    return len(row.get("hands", row.get("palms", ())))


# One image; all images of a form, with one call of the networks; one image with gestures.
post_detect = finding(read_image, find_in_image)
post_batch = finding(read_images, find_in_images)
post_gestures = finding(read_image, partial(find_in_image, path="/v1/gestures"), gestures=GESTURES)
