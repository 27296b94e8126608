"""Groups of flags that belong together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Command = Callable[..., Any]


def with_flags(flags: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """A decorator that adds these flags to a command, in this order."""

    def add(command: Command) -> Command:
        for flag in reversed(flags):
            command = flag(command)
        return command

    return add
