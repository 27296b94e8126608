"""Static files: the built page and the model bundles, compressed if the client supports it."""

from __future__ import annotations

import gzip
import json
import mimetypes
from functools import lru_cache
from pathlib import Path

import brotli  # type: ignore[import-untyped]
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from knuckle.models import catalogue
from knuckle.serve.limits import Refused
from knuckle.serve.service import Service, error_response

PAGE = Path(__file__).parent / "page"
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
    ".tflite": "application/octet-stream",
    ".task": "application/octet-stream",
    ".webmanifest": "application/manifest+json",
}
ENCODINGS = {"br": ".br", "gzip": ".gz"}  # best first, each with the suffix of the files that `make web` compresses
PIECE_BYTES = 1 << 16
FOREVER, REVALIDATE = "public, max-age=31536000, immutable", "no-cache"
NOT_BUILT = "The page is not built. In a checkout, run: make web\nThe API works without it, see /v1\n"


def accepted(request: Request) -> list[str]:
    """The encodings of `ENCODINGS` that the client accepts, best first; `br;q=0` means that it does not."""
    given = [part.replace(" ", "").lower() for part in request.headers.get("accept-encoding", "").split(",")]
    offered = {part.partition(";")[0] for part in given if not part.endswith((";q=0", ";q=0.0"))}
    return [encoding for encoding in ENCODINGS if encoding in offered]


async def get_page(request: Request) -> Response:
    """A file of the page. Names below assets/ contain a hash of the content, so browsers may keep them forever."""
    if not (PAGE / "index.html").is_file():
        return PlainTextResponse(NOT_BUILT, 404)
    name = request.path_params["path"] or "index.html"
    files = StaticFiles(directory=PAGE)
    for encoding in (*accepted(request), ""):
        try:
            response = await files.get_response(name + ENCODINGS.get(encoding, ""), request.scope)
        except HTTPException:  # there is no such file, or it is not compressed like this
            continue
        return with_headers(response, name, encoding)
    return error_response(Refused(404, f"{request.url.path} does not exist"))


def with_headers(response: Response, name: str, encoding: str) -> Response:
    """Add caching, type and encoding of a file to its response."""
    response.headers["Cache-Control"] = FOREVER if name.startswith("assets/") else REVALIDATE
    response.headers["Vary"] = "Accept-Encoding"
    if not isinstance(response, NotModifiedResponse):
        suffix = Path(name).suffix
        response.headers["Content-Type"] = TYPES.get(suffix) or mimetypes.guess_type(name)[0] or TYPES[".task"]
        if encoding:
            response.headers["Content-Encoding"] = encoding
    return response


def public_bundles(service: Service) -> dict[str, catalogue.Bundle]:
    """The bundles that the page may load: the server's own, and the published ones that are on this computer."""
    own = service.networks.bundle
    found = {own.name: own}
    available = catalogue.available()
    for name in (*catalogue.BUNDLES, *catalogue.PACKAGED):
        bundle = available.get(name)
        if bundle is not None:
            found[name] = bundle
    return found


async def get_bundles(request: Request) -> Response:
    """The list of bundles: {"default": name, "bundles": [bundle.json and the size in bytes, …]}."""
    service: Service = request.app.state.service
    rows = []
    for bundle in public_bundles(service).values():
        loaded = (bundle.palm_int8 or bundle.palm, bundle.hand_int8 or bundle.hand)  # by the page, on the CPU
        size = sum((bundle.folder / network.file).stat().st_size for network in loaded)
        rows.append({**json.loads(bundle.to_json()), "bytes": size})
    return JSONResponse(
        {"default": service.networks.bundle.name, "bundles": rows}, headers={"Cache-Control": REVALIDATE}
    )


async def get_model(request: Request) -> Response:
    """One file of a bundle: bundle.json or one of its networks."""
    service: Service = request.app.state.service
    bundle = public_bundles(service).get(request.path_params["bundle"])
    name = request.path_params["file"]
    networks = {network.file: network.sha256 for network in bundle.files()} if bundle else {}
    if bundle is None or name not in ("bundle.json", *networks):
        return error_response(Refused(404, f"{request.url.path} does not exist; /models/ lists the bundles"))
    if name == "bundle.json":
        return Response(bundle.to_json(), media_type="application/json", headers={"Cache-Control": REVALIDATE})
    sha256 = networks[name]
    encoding = next(iter(accepted(request)), "")
    headers = {"Cache-Control": REVALIDATE, "ETag": f'"{sha256}{encoding}"', "Vary": "Accept-Encoding"}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = await service.work(compressed, bundle.folder / name, sha256, encoding)
    if encoding:
        headers["Content-Encoding"] = encoding
    # In pieces, because the client has the time limit for each piece and not for the whole file.
    pieces = (body[i : i + PIECE_BYTES] for i in range(0, len(body), PIECE_BYTES))
    headers["Content-Length"] = str(len(body))
    return StreamingResponse(pieces, media_type=TYPES[".tflite"], headers=headers)


@lru_cache(maxsize=8)
def compressed(path: Path, sha256: str, encoding: str) -> bytes:
    """The bytes of a file in an encoding; the hash makes changed files new entries of the cache."""
    data = path.read_bytes()
    if encoding == "br":  # weights hardly compress: quality 9 takes eight times as long, and saves 0.5 % more
        packed: bytes = brotli.compress(data, quality=5)
        return packed
    return gzip.compress(data, 6) if encoding == "gzip" else data
