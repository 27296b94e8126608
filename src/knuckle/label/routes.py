"""The addresses of the labelling page. `serve` checks hosts, origins and limits, here as for its own API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from knuckle.errors import SinkError, SourceError
from knuckle.exports.label_files import LABEL_FORMATS
from knuckle.label.photos import Photos
from knuckle.media.draw_style import JOINT_COLOURS
from knuckle.results import BONES, Colour, HandLandmark
from knuckle.serve.limits import Refused
from knuckle.serve.prelabel import answered, json_body
from knuckle.serve.service import Service

STATIC = Path(__file__).parent / "static"


def label_routes(photos: Photos, service: Service) -> list[Route]:
    """The routes of a session: the page, its photos and their labels."""

    async def done(request: Request, function: Callable[..., Any], *arguments: Any) -> Any:
        """Do something with the photo of a request, in a worker thread."""
        number = request.path_params["number"]
        if number >= len(photos.paths):
            raise Refused(404, f"there is no photo {number}; there are {len(photos.paths)}")
        try:
            return await service.work(function, number, *arguments)
        except SourceError as error:
            raise Refused(422, str(error)) from error

    async def get_overview(request: Request) -> Response:
        rows = await service.work(photos.overview)
        return JSONResponse({**about(photos), "photos": rows, "agreement": await service.work(photos.agreement)})

    async def get_labels(request: Request) -> Response:
        return JSONResponse(await done(request, photos.labels))

    async def put_labels(request: Request) -> Response:
        await done(request, photos.save, await json_body(request))
        return JSONResponse({"saved": True})

    async def post_hand(request: Request) -> Response:
        hand, seen = await done(request, photos.hand_at, (await json_body(request)).get("place"))
        return JSONResponse({"hand": hand, "seen": seen})

    async def get_comparison(request: Request) -> Response:
        return JSONResponse(await done(request, photos.compare))

    async def get_file(request: Request) -> Response:
        name = request.path_params["name"]
        if name != "jsonl" and name not in LABEL_FORMATS:
            raise Refused(404, f"labels are not written as {name}; there are jsonl, {', '.join(LABEL_FORMATS)}")
        try:
            path = await service.work(photos.download, name)
        except (SourceError, SinkError) as error:
            raise Refused(422, str(error)) from error
        return FileResponse(path, filename=path.name, headers={"Cache-Control": "no-store"})

    async def get_image(request: Request) -> Response:
        return Response(await done(request, photos.jpeg), media_type="image/jpeg")

    return [
        Route("/", answered(page("label.html"))),
        Route("/label.js", answered(page("label.js"))),
        Route("/label.css", answered(page("label.css"))),
        Route("/photos", answered(get_overview)),
        Route("/photos/{number:int}", answered(get_labels)),
        Route("/photos/{number:int}", answered(put_labels), methods=["PUT"]),
        Route("/photos/{number:int}/hand", answered(post_hand), methods=["POST"]),
        Route("/photos/{number:int}/image", answered(get_image)),
        Route("/photos/{number:int}/comparison", answered(get_comparison)),
        Route("/labels/{name}", answered(get_file)),
    ]


def page(file: str) -> Callable[[Request], Any]:
    """A handler that sends a file of the page."""

    async def get(request: Request) -> Response:
        return FileResponse(STATIC / file, headers={"Cache-Control": "no-cache"})

    return get


def about(photos: Photos) -> dict[str, Any]:
    """What the page must know of a session, besides its photos."""
    return {
        "out": str(photos.out),
        "bones": [[*pair, as_hex(colour)] for pair, colour in BONES],
        "joints": list(map(as_hex, JOINT_COLOURS)),
        "compares": photos.comparison is not None,
        "held_out": photos.comparison is not None and photos.comparison.held_out is not None,
        "formats": {"jsonl": "Knuckle's JSON lines", **{key: one.title for key, one in LABEL_FORMATS.items()}},
        "names": [point.name.lower().replace("_", " ") for point in HandLandmark],
    }


def as_hex(colour: Colour) -> str:
    """A colour as style sheets write it."""
    return "#" + bytes(colour).hex()
