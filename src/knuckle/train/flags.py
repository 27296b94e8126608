"""Command line flags out of frozen dataclasses: one for each field, with the docstring's own words as help."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from typing import Any, get_args, get_origin, get_type_hints

import click

Command = Callable[..., Any]


def flags_of(options: type, prefix: str = "") -> Callable[[Command], Command]:
    """A decorator that gives a click command a flag for every field of a dataclass."""

    def decorate(command: Command) -> Command:
        types, said = get_type_hints(options), field_help(options)
        for field in reversed(dataclasses.fields(options)):
            kind = click_type(types[field.name])
            words = (prefix + field.name).replace("_", "-")
            flag = f"--{words}/--no-{words}" if types[field.name] is bool else f"--{words}"
            shown = field.default is not None
            command = click.option(flag, default=field.default, show_default=shown, help=said[field.name], **kind)(
                command
            )
        return command

    return decorate


def click_type(hint: Any) -> dict[str, Any]:
    """How click reads a field of this type."""
    choices = get_args(hint)
    if get_origin(hint) is tuple:
        return {"type": choices[0], "nargs": len(choices)}
    if choices and all(isinstance(choice, str) for choice in choices):
        return {"type": click.Choice(list(choices))}
    plain = [choice for choice in choices if choice is not type(None)]
    return {"type": plain[0] if plain else hint}


def field_help(options: type) -> dict[str, str]:
    """Field -> its words in the docstring's `Attributes:`; "a, b: words" says the same of both."""
    text = inspect.cleandoc(options.__doc__ or "").partition("Attributes:")[2]
    found = {}
    for entry in re.split(r"\n {4}(?=\w[\w, ]*: )", text.rstrip())[1:]:
        names, _, words = entry.partition(": ")
        sentence = " ".join(words.replace("`", "").split())
        for name in names.split(","):
            found[name.strip()] = sentence[:1].upper() + sentence[1:]
    return found


def chosen(options: type, values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values that belong to a dataclass's fields."""
    return {field.name: values[prefix + field.name] for field in dataclasses.fields(options)}
