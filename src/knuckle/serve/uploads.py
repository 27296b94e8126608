"""Image files in the bodies of requests."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from knuckle.serve.decode import FORMATS
from knuckle.serve.limits import Limits, Refused

FORM = "multipart/form-data"
TYPES = (*FORMATS.values(), "application/octet-stream", FORM)


async def read_image(request: Request, limits: Limits) -> list[bytes]:
    """The image file of a request: its body, or the first file of a multipart form.

    Raises:
        Refused: 415 for other content types, 413 for too many bytes, 400 for a form without a file.
    """
    kind = content_type(request, TYPES)
    body = await read_body(request, limits.body_bytes)
    return (await files_of_form(request, body, 1))[:1] if kind == FORM else [body]


async def read_images(request: Request, limits: Limits) -> list[bytes]:
    """The image files of a multipart form.

    Raises:
        Refused: 415 for other content types, 413 for too many bytes, 400 for a form without files or with too many.
    """
    content_type(request, (FORM,))
    return await files_of_form(request, await read_body(request, limits.body_bytes), limits.batch_images)


def content_type(request: Request, accepted: tuple[str, ...]) -> str:
    """The content type of a request.

    Raises:
        Refused: 415, it is not one of `accepted`.
    """
    kind = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    if kind not in accepted:
        raise Refused(415, f"Content-Type must be one of {', '.join(accepted)}; got {kind[:80]!r}")
    return kind


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body of a request.

    Raises:
        Refused: 413, it has too many bytes.
    """
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > max_bytes:
        raise Refused(413, f"the body may have at most {max_bytes} bytes, got {length}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise Refused(413, f"the body may have at most {max_bytes} bytes, got more")
    return bytes(body)


async def files_of_form(request: Request, body: bytes, most: int) -> list[bytes]:
    """The files of a multipart form, in its order.

    Raises:
        Refused: 400, the form cannot be read, has no file, or more than `most`.
    """

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(request.headers, stream(), max_files=most, max_fields=8).parse()
    except (MultiPartException, LookupError, ValueError) as error:  # LookupError: an unknown charset
        raise Refused(400, f"the multipart form cannot be read: {getattr(error, 'message', error)}") from error
    try:
        files = [await value.read() for _, value in form.multi_items() if isinstance(value, UploadFile)]
    finally:
        await form.close()
    if not files:
        raise Refused(400, "the multipart form has no file; send one as a field, for example image=@hand.jpg")
    return files
