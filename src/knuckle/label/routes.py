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
from knuckle.label.clip import LabelledClip
from knuckle.label.folder import Folder
from knuckle.label.photos import Photos
from knuckle.label.point_rows import drawn, labels_from_page, labels_to_page, to_page
from knuckle.label.rows import jpeg
from knuckle.results import HAND_POINTS, Colour
from knuckle.serve.limits import Refused
from knuckle.serve.requests import answered, json_body
from knuckle.serve.service import Service

STATIC = Path(__file__).parent / "static"
FILES = ("label.js", "stage.js", "edit.js", "clip.js", "server.js", "state.js", "label.css")
IMAGE_ADDRESSES = ("/photos/{number:int}", "/clips/{clip:int}/frames/{number:int}")


def label_routes(folder: Folder, service: Service) -> list[Route]:
    """The routes of a session: the page, and its photos and clips with their labels."""
    get, clip_frame = Answers(folder, service), IMAGE_ADDRESSES[1]
    routes = [Route("/", answered(page("label.html"))), *(Route(f"/{file}", answered(page(file))) for file in FILES)]
    routes += [
        Route("/photos", answered(get.overview)),
        Route("/comparable", answered(get.comparable)),
        Route("/labels/{name}", answered(get.file)),
        Route("/clips/{clip:int}", answered(get.timeline)),
        Route(f"{clip_frame}/key", answered(get.key_frame_set), methods=["PUT"]),
        Route(f"{clip_frame}/stretch", answered(get.stretch_accepted), methods=["POST"]),
    ]
    for image in IMAGE_ADDRESSES:
        routes += [
            Route(image, answered(get.labels)),
            Route(image, answered(get.labels_saved), methods=["PUT"]),
            Route(f"{image}/hand", answered(get.hand), methods=["POST"]),
            Route(f"{image}/image", answered(get.image)),
            Route(f"{image}/comparison", answered(get.comparison)),
        ]
    return routes


class Answers:
    """What each address answers. Everything that takes time is done in worker threads."""

    def __init__(self, folder: Folder, service: Service) -> None:
        self.folder, self.service = folder, service
        self.points = folder.session.networks.bundle.points or HAND_POINTS

    async def done(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Do something in a worker thread."""
        try:
            return await self.service.work(function, *arguments)
        except (SourceError, SinkError) as error:
            raise Refused(422, str(error)) from error

    def images_of(self, request: Request) -> tuple[Photos | LabelledClip, int]:
        """Photos or a clip, and the number of the image in it that a request is about."""
        number = int(request.path_params["number"])
        if "clip" in request.path_params:
            return self.clip_of(request), number
        if number >= len(self.folder.photos):
            raise Refused(404, f"there is no photo {number}; there are {len(self.folder.photos)}")
        return self.folder.photos, number

    def clip_of(self, request: Request) -> LabelledClip:
        number = int(request.path_params["clip"])
        if number >= len(self.folder.clips):
            raise Refused(404, f"there is no clip {number}; there are {len(self.folder.clips)}")
        return self.folder.clips[number]

    async def overview(self, request: Request) -> Response:
        return JSONResponse({**about(self.folder), **await self.done(self.folder.overview)})

    async def labels(self, request: Request) -> Response:
        images, number = self.images_of(request)
        return JSONResponse(labels_to_page(await self.done(images.labels, number), self.points))

    async def labels_saved(self, request: Request) -> Response:
        images, number = self.images_of(request)
        await self.done(images.save, number, labels_from_page(await json_body(request), self.points))
        return JSONResponse({"saved": True})

    async def hand(self, request: Request) -> Response:
        images, number = self.images_of(request)
        hand, seen = await self.done(images.hand_at, number, (await json_body(request)).get("place"))
        return JSONResponse({"hand": to_page(hand, self.points), "seen": seen})

    async def comparison(self, request: Request) -> Response:
        images, number = self.images_of(request)
        return JSONResponse(await self.done(images.compare, number))

    async def image(self, request: Request) -> Response:
        images, number = self.images_of(request)
        content = await self.done(lambda: jpeg(images.image(number)))
        return Response(content, media_type="image/jpeg", headers={"Cache-Control": "no-cache"})

    async def comparable(self, request: Request) -> Response:
        return JSONResponse({"images": await self.done(lambda: list(self.folder.comparable()))})

    async def file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name != "jsonl" and name not in LABEL_FORMATS:
            raise Refused(404, f"labels are not written as {name}; there are jsonl, {', '.join(LABEL_FORMATS)}")
        path = await self.done(self.folder.download, name)
        return FileResponse(path, filename=path.name, headers={"Cache-Control": "no-store"})

    async def timeline(self, request: Request) -> Response:
        return JSONResponse(await self.done(self.clip_of(request).timeline))

    async def key_frame_set(self, request: Request) -> Response:
        is_key = bool((await json_body(request)).get("key"))
        await self.done(self.clip_of(request).set_key_frame, request.path_params["number"], is_key)
        return JSONResponse({"saved": True})

    async def stretch_accepted(self, request: Request) -> Response:
        count = await self.done(self.clip_of(request).accept_stretch, request.path_params["number"])
        return JSONResponse({"accepted": count})


def page(file: str) -> Callable[[Request], Any]:
    """A handler that sends a file of the page."""

    async def get(request: Request) -> Response:
        return FileResponse(STATIC / file, headers={"Cache-Control": "no-cache"})

    return get


def about(folder: Folder) -> dict[str, Any]:
    """What the page must know of a session, besides its photos and clips."""
    comparison = folder.session.comparison
    bones, colours, names = drawn(folder.session.networks.bundle.points or HAND_POINTS)
    return {
        "out": str(folder.out),
        "bones": [[*pair, as_hex(colour)] for pair, colour in bones],
        "joints": list(map(as_hex, colours)),
        "compares": comparison is not None,
        "held_out": comparison is not None and comparison.held_out is not None,
        "formats": {"jsonl": "Knuckle's JSON lines", **{key: one.title for key, one in LABEL_FORMATS.items()}},
        "names": names,
    }


def as_hex(colour: Colour) -> str:
    """A colour as style sheets write it."""
    return "#" + bytes(colour).hex()
