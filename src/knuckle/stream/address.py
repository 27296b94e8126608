"""HOST:PORT as users write it, checked and resolved before anything is tracked."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from knuckle.errors import InputError

LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class Address:
    """Where a receiver is.

    Attributes:
        host: name or number of the computer.
        port: 1 to 65535.
        scheme: "mqtts" of `mqtts://host:8883`; "" for plain HOST:PORT.
        user, password: of `mqtt://user:password@host`.
        path: what follows the port, such as "/hands".
    """

    host: str
    port: int
    scheme: str = ""
    user: str | None = None
    password: str | None = None
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}{'://' if self.scheme else ''}{host}:{self.port}{self.path}"


def parse_address(text: str, flag: str, port: int | None = None, schemes: tuple[str, ...] = ()) -> Address:
    """The address that a user gave.

    Args:
        text: HOST:PORT, :PORT or PORT for this computer, [IPv6]:PORT, or SCHEME://HOST:PORT/PATH.
        flag: the option, for the error.
        port: port where none is given; None if one must be given.
        schemes: schemes that this option knows.

    Raises:
        InputError: it is none of these, the port is out of range, or the name of the host is unknown.
    """
    scheme = text.partition("://")[0] if "://" in text else ""
    bare = text.partition("://")[2] if scheme else text
    forms = "HOST:PORT" + "".join(f" or {known}://HOST:PORT" for known in schemes)
    expected = f"{flag} needs {forms}, such as {flag} {LOCAL}:{port or 9000}; got {text!r}"
    if scheme not in ("", *schemes):
        raise InputError(expected)
    try:
        parts = urlsplit(f"//{f':{bare}' if bare.isdecimal() else bare}")
        given, found = parts.hostname or LOCAL, parts.port or port
    except ValueError as error:
        raise InputError(f"{expected} ({error})") from error
    if found is None or (parts.path and not scheme) or parts.query or parts.fragment:
        raise InputError(expected)
    try:
        socket.getaddrinfo(given, found)
    except (OSError, UnicodeError) as error:
        raise InputError(f"{flag} {text}: the host {given!r} is unknown; check its name, or give its number") from error
    return Address(given, found, scheme, parts.username, parts.password, parts.path)
