"""Files in object stores and on servers, through fsspec: `s3://`, `gs://`, `hf://`, `az://`, `sftp://`, `http://` …"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from knuckle.errors import Error, SourceError
from knuckle.extras import required
from knuckle.media.streams import LIVE_PROTOCOLS

PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "hf": "huggingface_hub", "az": "adlfs"}
BLOCK_BYTES = 1 << 22  # read at once: a video is read from its start to its end


def is_remote(address: str) -> bool:
    """Whether fsspec opens this: an address, but not one of a live stream or of a local file."""
    protocol = urlsplit(address).scheme.lower() if "://" in address else ""
    return bool(protocol) and protocol != "file" and protocol not in LIVE_PROTOCOLS


def files_at(address: str, recursive: bool = False) -> list[str]:
    """The addresses of the files that a file, folder or glob stands for, sorted.

    Raises:
        SourceError: there is nothing, or access is refused.
        MissingExtraError: fsspec, or the package for this kind of address, is not installed.
    """
    web = urlsplit(address).scheme.lower() in ("http", "https")
    if web and not address.endswith("/") and "*" not in address.partition("?")[0]:
        return [address]  # asking what it is would fetch it
    with explained(address):
        system, path = _system(address)
        if "*" in address or "[" in address:
            files = system.glob(path)
        elif system.isdir(path):
            files = system.find(path, maxdepth=None if recursive else 1)
        else:
            files = [path] if system.exists(path) else []
        found = sorted(system.unstrip_protocol(file) for file in files)
    if not found:
        raise SourceError(f"there is no file {address}")
    return found


def open_file(address: str) -> Any:
    """Open a file for reading bytes, wherever it is.

    Raises:
        SourceError: it does not exist, or access is refused.
        MissingExtraError: see `files_at`.
    """
    with explained(address):
        if not is_remote(address):
            return open(address.removeprefix("file://"), "rb")
        system, path = _system(address)
        return system.open(path, "rb", block_size=BLOCK_BYTES)


def read_bytes(address: str) -> bytes:
    """All bytes of a file.

    Raises:
        SourceError: it cannot be read.
    """
    with open_file(address) as file, explained(address):
        data: bytes = file.read()
    return data


def _system(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    fsspec = required("fsspec", "batch", f"addresses such as {address}")
    try:
        system, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        package = PACKAGES.get(urlsplit(address).scheme.lower(), "")
        advice = f"pip install {package}" if package else str(error)
        raise SourceError(f"{address} cannot be opened: {advice}") from error
    return system, path


@contextmanager
def explained(address: str) -> Iterator[None]:
    """Turn what file systems raise, which may be anything, into a SourceError that names the address."""
    try:
        yield
    except Error:
        raise
    except FileNotFoundError as error:
        raise SourceError(f"there is no file {address}") from error
    except PermissionError as error:
        raise SourceError(f"access to {address} is refused: {error}") from error
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise SourceError(f"{address} cannot be read: {why}") from error
