"""What a file is: a photo, a clip, or neither. Its first bytes decide, then its suffix, because many are misnamed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Kind = Literal["photo", "photo or animation", "clip", "other"]

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib"}
IMAGE_SUFFIXES |= {".tif", ".tiff", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".avif", ".avifs"}
IMAGE_SUFFIXES |= {".heic", ".heif", ".heics", ".heifs", ".hif", ".ppm", ".pgm", ".pbm", ".pnm", ".tga"}
VIDEO_SUFFIXES = {".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".wmv", ".asf", ".flv", ".f4v"}
VIDEO_SUFFIXES |= {".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".3gp", ".3g2", ".ogv", ".mxf", ".dv"}
VIDEO_SUFFIXES |= {".mjpg", ".mjpeg", ".h264", ".264", ".hevc", ".h265", ".265", ".ivf", ".y4m", ".nut"}
RAW_SUFFIXES = {".dng", ".nef", ".nrw", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw", ".x3f"}
SOUND_SUFFIXES = {".mp3", ".m4a", ".m4b", ".aac", ".wav", ".flac", ".ogg", ".oga", ".opus", ".wma", ".mka", ".aiff"}

START = 32  # bytes that tell what a file is
_PHOTO_STARTS: tuple[bytes, ...] = (b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # JPEG, TIFF
_PHOTO_STARTS += (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")  # JPEG 2000: a file, and a bare code stream
_PHOTO_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2", b"avif", b"avis"}
_ANIMATION_STARTS = (b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")  # one picture, or several that are a clip
_CLIP_STARTS: tuple[bytes, ...] = (b"\x1aE\xdf\xa3", b"FLV\x01", b"OggS", b"\0\0\x01\xba", b"\0\0\x01\xb3")
_CLIP_STARTS += (b"0&\xb2u\x8ef\xcf\x11",)  # ASF, that is WMV
_APPLE_DOUBLE = b"\0\x05\x16\x07"


def kind_of(path: Path) -> Kind:
    """What a file is. One that cannot be opened, or begins with nothing known, goes by its suffix."""
    try:
        with path.open("rb") as file:
            start = file.read(START)
    except OSError:
        start = b""
    suffix = path.suffix.lower()
    if start.startswith(_APPLE_DOUBLE) or suffix in SOUND_SUFFIXES:
        return "other"
    known = kind_of_bytes(start)
    if known == "other" and suffix in IMAGE_SUFFIXES | RAW_SUFFIXES:
        return "photo"
    return "clip" if known == "other" and suffix in VIDEO_SUFFIXES else known


def kind_of_bytes(start: bytes) -> Kind:
    """What a file is that begins with these bytes, at least `START`; "other" if they do not tell."""
    brand = start[8:12]
    if start.startswith(_PHOTO_STARTS):
        return "photo"
    if start.startswith(_ANIMATION_STARTS):
        return "photo or animation"
    if start[:4] == b"RIFF" and brand == b"WEBP":
        moves = start[12:16] == b"VP8X" and len(start) > 20 and start[20] & 2
        return "photo or animation" if moves else "photo"
    if start[4:8] == b"ftyp":
        return "clip" if brand not in _PHOTO_BRANDS else "photo or animation" if brand == b"avis" else "photo"
    if start.startswith(_CLIP_STARTS) or (start[:4] == b"RIFF" and brand == b"AVI "):
        return "clip"
    return "other"


def is_hidden(name: str) -> bool:
    """Whether a file or folder is the operating system's own: dot files, AppleDouble (`._photo.jpg`), thumbnails."""
    return name.startswith((".", "@eaDir", "__MACOSX", "$RECYCLE.BIN")) or name.lower() in ("thumbs.db", "desktop.ini")
