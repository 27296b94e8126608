"""File names and counts as text.

On Linux a name is bytes, which need not be UTF-8; Python keeps others as surrogates.
"""

from __future__ import annotations

import os


def readable(name: object) -> str:
    """A name for people, tables and terminals: bytes that are no UTF-8 become `\\xe9`."""
    return _bytes_of(str(name)).decode("utf-8", "backslashreplace")


def counted(count: int, what: str) -> str:
    """'1 hand', '2 hands'."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def as_json(name: str) -> str:
    """A name for JSON, which escapes surrogates: `os.fsencode` of it gives the file's own bytes again."""
    return _bytes_of(name).decode("utf-8", "surrogateescape")


def _bytes_of(name: str) -> bytes:
    try:
        return os.fsencode(name)
    except UnicodeEncodeError:  # not from the file system, and this locale cannot encode it
        return name.encode("utf-8", "surrogatepass")
