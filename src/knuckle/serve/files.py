"""The built page and the model bundles, compressed where the client can take it."""

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
from knuckle.serve.service import Service, refusal

PAGE = Path(__file__).parent / "page"
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
    ".tflite": "application/octet-stream",
    ".task": "application/octet-stream",
    ".webmanifest": "application/manifest+json",
}
ENCODINGS = {"br": ".br", "gzip": ".gz"}  # best first, with the suffix of files that `make web` compressed
PIECE = 1 << 16
FOREVER, ASK = "public, max-age=31536000, immutable", "no-cache"
MISSING = "The page is not built; in a checkout, run: make web\nThe API is there all the same, see /v1\n"


def accepted(request: Request) -> list[str]:
    """The encodings of `ENCODINGS` that the client takes, best first; `br;q=0` refuses."""
    given = [part.replace(" ", "").lower() for part in request.headers.get("accept-encoding", "").split(",")]
    offered = {part.partition(";")[0] for part in given if not part.endswith((";q=0", ";q=0.0"))}
    return [encoding for encoding in ENCODINGS if encoding in offered]


async def get_page(request: Request) -> Response:
    """A file of the built page; names under assets/ carry a hash of their content, so they never change."""
    if not (PAGE / "index.html").is_file():
        return PlainTextResponse(MISSING, 404)
    name = request.path_params["path"] or "index.html"
    files = StaticFiles(directory=PAGE)
    for encoding in ("br", "gzip", None):
        if encoding in (*accepted(request), None):
            try:
                response = await files.get_response(name + ENCODINGS.get(encoding or "", ""), request.scope)
            except HTTPException:
                continue
            return _labelled(response, name, encoding)
    return refusal(Refused(404, f"there is no {request.url.path}"))


def _labelled(response: Response, name: str, encoding: str | None) -> Response:
    response.headers["Cache-Control"] = FOREVER if name.startswith("assets/") else ASK
    response.headers["Vary"] = "Accept-Encoding"
    if not isinstance(response, NotModifiedResponse):
        suffix = Path(name).suffix
        response.headers["Content-Type"] = TYPES.get(suffix) or mimetypes.guess_type(name)[0] or TYPES[".task"]
        if encoding:
            response.headers["Content-Encoding"] = encoding
    return response


def public_bundles(service: Service) -> dict[str, catalogue.Bundle]:
    """What the page may load: the server's own bundle, the published ones that are in the cache, and ours."""
    own = service.networks.bundle
    there = catalogue.available()
    published = {
        name: bundle for name in (*catalogue.BUNDLES, *catalogue.PACKAGED) if (bundle := there.get(name)) is not None
    }
    return {own.name: own, **published}


async def get_bundles(request: Request) -> Response:
    """The list: {"default": name, "bundles": [bundle.json and its size in bytes, …]}."""
    service: Service = request.app.state.service
    rows = [
        {**json.loads(bundle.to_json()), "bytes": sum(p.stat().st_size for p in (bundle.palm_path, bundle.hand_path))}
        for bundle in public_bundles(service).values()
    ]
    return JSONResponse({"default": service.networks.bundle.name, "bundles": rows}, headers={"Cache-Control": ASK})


async def get_model(request: Request) -> Response:
    """One file of a bundle: bundle.json or one of its networks, nothing else."""
    service: Service = request.app.state.service
    bundle = public_bundles(service).get(request.path_params["bundle"])
    name = request.path_params["file"]
    if bundle is None or name not in ("bundle.json", bundle.palm.file, bundle.hand.file):
        return refusal(Refused(404, f"there is no {request.url.path}; /models/ lists what there is"))
    if name == "bundle.json":
        return Response(bundle.to_json(), media_type="application/json", headers={"Cache-Control": ASK})
    sha256 = bundle.palm.sha256 if name == bundle.palm.file else bundle.hand.sha256
    encoding = next(iter(accepted(request)), "")
    headers = {"Cache-Control": ASK, "ETag": f'"{sha256}{encoding}"', "Vary": "Accept-Encoding"}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = await service.work(packed, bundle.folder / name, sha256, encoding)
    if encoding:
        headers["Content-Encoding"] = encoding
    # In pieces, so that a client has the time limit for each of them and not for the whole.
    pieces = (body[i : i + PIECE] for i in range(0, len(body), PIECE))
    headers["Content-Length"] = str(len(body))
    return StreamingResponse(pieces, media_type=TYPES[".tflite"], headers=headers)


@lru_cache(maxsize=8)
def packed(path: Path, sha256: str, encoding: str) -> bytes:
    """A file's bytes in an encoding. Brotli at 9 takes a second for the default bundle; 8 MB become 5.8."""
    data = path.read_bytes()
    if encoding == "br":
        compressed: bytes = brotli.compress(data, quality=9)
        return compressed
    return gzip.compress(data, 6) if encoding == "gzip" else data
