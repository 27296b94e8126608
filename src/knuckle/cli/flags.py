"""Groups of flags that belong together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from knuckle.results import PointSet, point_set_of

Command = Callable[..., Any]


def with_flags(flags: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """A decorator that adds these flags to a command, in this order."""

    def add(command: Command) -> Command:
        for flag in reversed(flags):
            command = flag(command)
        return command

    return add


class PointSetType(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions only
    """A set of points: its name, or the .json file that describes it."""

    name = "points"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> PointSet:
        return value if isinstance(value, PointSet) else point_set_of(value)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "NAME|FILE.json"
