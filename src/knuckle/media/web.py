"""What an address gives: a photo, an animation, or a video or live stream, which FFmpeg opens."""

from __future__ import annotations

import io
import time
from contextlib import closing
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from knuckle.errors import SourceError
from knuckle.media.clips import read_clip
from knuckle.media.kinds import START, VIDEO_SUFFIXES, kind_of_bytes
from knuckle.media.photo_files import is_animation
from knuckle.media.photos import read_animation, read_photo_data
from knuckle.media.reader import Reader

MAX_BYTES = 200_000_000  # of a photo
MAX_S = 60.0  # for a photo to arrive
STREAM_SUFFIXES = VIDEO_SUFFIXES | {".m3u8", ".mpd", ".ism"}
VIDEO_SITES = (
    *("youtube.com", "youtu.be", "vimeo.com", "dailymotion.com", "tiktok.com", "instagram.com", "facebook.com"),
    *("fb.watch", "twitch.tv", "bilibili.com", "twitter.com", "x.com", "reddit.com", "nicovideo.jp"),
)


def read_address(address: str, live: bool | None = None) -> Reader:
    """Read what an address gives: a photo, an animation, MJPEG of a camera, or what FFmpeg opens.

    Args:
        address: http, https, or another protocol, which is left to FFmpeg.
        live: see `knuckle.read`.

    Raises:
        SourceError: it is a web page, the server refuses or is silent, or a photo is larger than `MAX_BYTES`.
    """
    try:
        parts = urlsplit(address)
        host, suffix = (parts.hostname or "").lower(), PurePosixPath(parts.path).suffix.lower()
    except ValueError as error:
        raise SourceError(f"{address} is no address: {error}") from error
    if parts.scheme.lower() not in ("http", "https"):
        return read_clip(address, live)
    if suffix not in STREAM_SUFFIXES and any(host == site or host.endswith(f".{site}") for site in VIDEO_SITES):
        raise SourceError(f"{address} is a page of a video site, not a video; {_with_yt_dlp(address)}")

    from http.client import HTTPException

    from knuckle.media.mjpeg import Pictures, read_mjpeg

    try:
        answer = Pictures(address)
    except SourceError as error:
        if isinstance(error.__cause__, HTTPException):  # not quite HTTP, as some cameras speak it
            return read_clip(address, live)
        raise
    if answer.is_mjpeg:
        return read_mjpeg(answer, live)
    with closing(answer):
        data = _photo_in(answer.response, answer.kind, address)
    if data is None:
        return read_clip(address, live)
    if is_animation(io.BytesIO(data)):
        return read_animation(address, lambda: io.BytesIO(data))
    return read_photo_data(address, lambda: io.BytesIO(data))


def _with_yt_dlp(address: str) -> str:
    return (
        f"fetch the video first: pip install yt-dlp, then yt-dlp -o clip.mp4 '{address}', then knuckle track clip.mp4"
    )


def _photo_in(answer: Any, kind: str, address: str) -> bytes | None:
    """The file of a photo; None if the answer is something else, which is not read to its end."""
    from http.client import HTTPException

    start_s = time.monotonic()
    try:
        start: bytes = answer.read(START)
        if kind_of_bytes(start) in ("photo", "photo or animation") or kind.startswith("image/"):
            return start + _rest_of(answer, address, start_s)
    except (OSError, ValueError, HTTPException) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{address} cannot be read: {error or type(error).__name__}") from error
    if kind in ("text/html", "application/xhtml+xml"):
        raise SourceError(f"{address} is a web page, not a photo or video; {_with_yt_dlp(address)}")
    return None


def _rest_of(answer: Any, address: str, start_s: float) -> bytes:
    """What follows the bytes that were read, within the limits of size and time."""
    parts, count = [], 0
    while part := answer.read1(1 << 20):
        parts.append(part)
        count += len(part)
        if count > MAX_BYTES:
            raise SourceError(f"the photo {address} is larger than {MAX_BYTES // 1_000_000} MB")
        if time.monotonic() - start_s > MAX_S:
            raise SourceError(f"the photo {address} did not arrive within {MAX_S:g} s")
    return b"".join(parts)
