"""MJPEG over HTTP (`multipart/x-mixed-replace`), as network cameras and phones send it.

FFmpeg reads it too, but counts 25 frames per second whatever the camera's rate, and cannot tell an end from a break.
"""

from __future__ import annotations

import http.client
import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from email.message import Message
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from knuckle.errors import SourceError
from knuckle.images import Image, as_rgb
from knuckle.media.live import Break, live_frames
from knuckle.media.reader import Reader
from knuckle.results import Frame

TIMEOUT_S = 10.0  # a camera that is silent for longer is broken
MAX_PART = 64 * 1024 * 1024  # bytes of one picture
MAX_LINE = 65536


def read_mjpeg(pictures: Pictures, live: bool | None) -> Reader:
    """Read a camera that sends MJPEG over HTTP, from its open connection on. `live`: see `read_clip`."""
    waiting, address = [pictures], pictures.address

    def release() -> None:
        while waiting:
            waiting.pop().close()

    def connect() -> Iterator[bytes]:
        with closing(waiting.pop() if waiting else Pictures(address)) as pictures:
            if not pictures.is_mjpeg:
                raise Break("it does not send MJPEG any more")
            yield from pictures

    def frames(reader: Reader) -> Iterator[Frame]:
        return live_frames(reader, connect, picture_of, newest=live is not False)

    return Reader(address, "video" if live is False else "live", frames, release=release)


class Pictures:
    """The JPEG files that a camera sends over one connection.

    Args:
        address: an http:// or https:// address, with `user:password@` where the camera asks for them.

    Attributes:
        kind: the type of the answer, such as "image/jpeg".
        is_mjpeg: the answer is a stream of pictures.

    Raises:
        SourceError: there is no such host, or it refuses.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        plain, opener = _opener(address)
        try:
            self.response: Any = opener.open(plain, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            error.close()
            hint = "; write http://user:password@host/…" if error.code == 401 else ""
            raise SourceError(f"{address} answers {error.code} {error.reason}{hint}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise SourceError(f"{address} cannot be opened: {getattr(error, 'reason', error)}") from error
        headers: Message = self.response.headers
        self.kind = headers.get_content_type()
        self.is_mjpeg = self.kind == "multipart/x-mixed-replace"
        # Some cameras write the two dashes before the boundary into the header, others do not.
        self.boundary = b"--" + str(headers.get_param("boundary", "")).strip('"').lstrip("-").encode()

    def __iter__(self) -> Iterator[bytes]:
        """The pictures as bytes, until the camera says that this was the last one.

        Raises:
            Break: the connection broke off.
        """
        try:
            line = self._line()
            while line.rstrip() != self.boundary + b"--":
                if not line.startswith(self.boundary):
                    line = self._line()  # empty lines, and what stands before the first boundary
                    continue
                length = self._length()
                if length is None:
                    part, line = self._up_to_boundary()
                else:
                    part, line = self._read(length), b""
                if part:
                    yield part
        except EOFError:
            # A response with a stated length, or in chunks, says where it ends; one without just ends.
            if not (self.response.chunked or self.response.length == 0):
                raise Break("the connection was closed") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Break(str(error) or type(error).__name__) from error

    def close(self) -> None:
        """Close the connection."""
        self.response.close()

    def _line(self) -> bytes:
        line: bytes = self.response.readline(MAX_LINE)
        if not line:
            raise EOFError
        return line

    def _length(self) -> int | None:
        """Read the headers of a part; the length of the picture, None if it is not stated."""
        length = None
        while line := self._line().strip():
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length" and value.strip().isdigit():
                length = int(value)
        return length

    def _read(self, length: int) -> bytes:
        if length > MAX_PART:
            raise ValueError(f"a picture of {length} bytes was announced")
        part: bytes = self.response.read(length)
        if len(part) < length:
            raise ValueError("the connection was closed within a picture")
        return part

    def _up_to_boundary(self) -> tuple[bytes, bytes]:
        """A picture of unknown length, and the boundary after it."""
        lines, size = list[bytes](), 0
        while not (line := self._line()).startswith(self.boundary):
            lines.append(line)
            size += len(line)
            if size > MAX_PART:
                raise ValueError(f"no boundary {self.boundary!r} within {MAX_PART} bytes")
        return b"".join(lines).removesuffix(b"\n").removesuffix(b"\r"), line


def picture_of(part: bytes) -> Image | None:
    """The picture, RGB uint8 (height, width, 3); None if it is damaged."""
    from PIL import Image as pillow

    try:
        with pillow.open(io.BytesIO(part)) as opened:
            return as_rgb(opened)
    except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError):
        return None


def _opener(address: str) -> tuple[str, urllib.request.OpenerDirector]:
    """The address without user and password, and what opens it with them."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    plain = urlunsplit(parts._replace(netloc=host))
    handlers: list[urllib.request.BaseHandler] = []
    if parts.username is not None:
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, plain, unquote(parts.username), unquote(parts.password or ""))
        handlers = [urllib.request.HTTPDigestAuthHandler(passwords), urllib.request.HTTPBasicAuthHandler(passwords)]
    opener = urllib.request.build_opener(*handlers)
    opener.addheaders = [("User-Agent", "knuckle")]  # some sites refuse Python's own name
    return plain, opener
