"""A socket layer that reaches this computer only and remembers who was asked for; also a program, see `main`."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

LOCAL_NAMES = {"", "localhost", "localhost.localdomain", socket.gethostname()}
PATIENCE_S = 120  # for an answer of a server
UP, GET_FLAGS, SET_FLAGS = 1, 0x8913, 0x8914  # of Linux' network interfaces


class NetworkUsed(OSError):
    """Something tried to reach another computer."""


def is_here(host: Any) -> bool:
    """Whether a host is this computer."""
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name.lower() in LOCAL_NAMES
    return address.is_loopback or address.is_unspecified


@contextmanager
def this_computer_only() -> Iterator[list[str]]:
    """Refuse names and addresses of other computers; the list gets each host that was asked for."""
    asked: list[str] = []
    kept = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
    look_up = socket.getaddrinfo

    def check(host: Any) -> None:
        if not is_here(host):
            asked.append(str(host))
            raise NetworkUsed(f"{host} is not this computer")

    def guarded(name: str) -> Callable[..., Any]:
        def call(self: socket.socket, *arguments: Any) -> Any:
            address = arguments[-1]
            if isinstance(address, tuple) and self.family in (socket.AF_INET, socket.AF_INET6):
                check(address[0])
            return kept[name](self, *arguments)

        return call

    def guarded_look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        check(host)
        return look_up(host, *arguments, **options)

    try:
        for name in kept:
            setattr(socket.socket, name, guarded(name))
        socket.getaddrinfo = guarded_look_up
        yield asked
    finally:
        for name, function in kept.items():
            setattr(socket.socket, name, function)
        socket.getaddrinfo = look_up


def loopback_up() -> None:
    """Switch the loopback interface on, which a new network namespace has switched off."""
    import fcntl  # Windows has no such module, and no namespaces

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        (flags,) = struct.unpack("16xH14x", fcntl.ioctl(control, GET_FLAGS, request))
        fcntl.ioctl(control, SET_FLAGS, struct.pack("16sH14s", b"lo", flags | UP, b""))


def stop_when_it_answers(port: int) -> None:
    """Ask a server of this process for its page, and then end it as Ctrl-C does."""
    while True:
        with suppress(OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE_S) as page:
                page.read()
            break
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    """Run commands of `knuckle`, a JSON list of lists of arguments; print how each ended and whom it asked for.

    Commands with `--port` serve until their page was asked for.
    """
    from knuckle.cli import main as knuckle

    if sys.argv[2:] == ["--namespace"]:
        loopback_up()
    ends = []
    for arguments in json.loads(sys.argv[1]):
        with this_computer_only() as asked:
            if "--port" in arguments:
                port = int(arguments[arguments.index("--port") + 1])
                threading.Thread(target=stop_when_it_answers, args=(port,), daemon=True).start()
            try:
                knuckle(arguments)
            except SystemExit as end:
                ends.append([arguments[0], end.code or 0, sorted(set(asked))])
    print("\n" + json.dumps(ends))


if __name__ == "__main__":
    main()
