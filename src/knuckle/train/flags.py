"""Command line flags from frozen dataclasses: one per field, with the field's words in the docstring as help.

A field that holds another dataclass gives the flags of the fields of that dataclass. The metadata of a field may have:
`prefix`, put before the names of these flags; `new_only`, the flags are for new networks only; `metavar`; `flag: None`,
the field has no flag.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import click

Command = Callable[..., Any]
Options = TypeVar("Options")


@dataclass(frozen=True)
class Flag:
    """One flag: the name of its value in Python, its type, default and metadata, its help."""

    name: str
    type: Any
    default: Any
    metadata: Mapping[str, Any]
    help: str


def flags_in(options: type, prefix: str = "", inherited: Mapping[str, Any] | None = None) -> Iterator[Flag]:
    """The flags of a dataclass and of those inside it.

    Args:
        prefix: put before all names.
        inherited: metadata of the field that holds this dataclass.
    """
    types, words = get_type_hints(options), field_help(options)
    for field in dataclasses.fields(options):
        kind, metadata = types[field.name], {**(inherited or {}), **field.metadata}
        if dataclasses.is_dataclass(kind):
            assert isinstance(kind, type)
            yield from flags_in(kind, str(field.metadata.get("prefix", "")), metadata)
        elif "flag" not in metadata:
            yield Flag(prefix + field.name, kind, field.default, metadata, words[field.name])


def add_flags(options: type) -> Callable[[Command], Command]:
    """A decorator that gives a click command the flags of a dataclass."""

    def decorate(command: Command) -> Command:
        for flag in reversed(list(flags_in(options))):
            words = flag.name.replace("_", "-")
            required = flag.default is dataclasses.MISSING
            settings = click_type(flag.type) | {"help": flag.help, "metavar": flag.metadata.get("metavar")}
            if not required:
                settings |= {"default": flag.default, "show_default": flag.default is not None}
            text = f"--{words}/--no-{words}" if flag.type is bool else f"--{words}"
            command = click.option(text, required=required, **settings)(command)
        return command

    return decorate


def click_type(hint: Any) -> dict[str, Any]:
    """How click reads a value of this type."""
    choices = get_args(hint)
    if get_origin(hint) is tuple:
        return {"type": choices[0], **({"multiple": True} if choices[-1] is ... else {"nargs": len(choices)})}
    if choices and all(isinstance(choice, str) for choice in choices):
        return {"type": click.Choice(list(choices))}
    plain = [choice for choice in choices if choice is not type(None)]
    return {"type": plain[0] if plain else hint}


def field_help(options: type) -> dict[str, str]:
    """Field -> its words under `Attributes:` in the docstrings of the class and its bases.

    "a, b: words" describes both fields.
    """
    found: dict[str, str] = {}
    for base in reversed(options.__mro__):
        text = inspect.cleandoc(base.__doc__ or "").partition("Attributes:")[2]
        for entry in re.split(r"\n {4}(?=\w[\w, ]*: )", text.rstrip())[1:]:
            names, _, words = entry.partition(": ")
            sentence = " ".join(words.replace("`", "").split())
            for name in names.split(","):
                found[name.strip()] = sentence[:1].upper() + sentence[1:]
    return found


def from_flags(options: type[Options], values: Mapping[str, Any], prefix: str = "") -> Options:
    """The dataclass with the values of its flags."""
    types, chosen = get_type_hints(options), {}
    for field in dataclasses.fields(options):  # type: ignore[arg-type]
        if dataclasses.is_dataclass(types[field.name]):
            chosen[field.name] = from_flags(types[field.name], values, str(field.metadata.get("prefix", "")))
        elif prefix + field.name in values:
            chosen[field.name] = values[prefix + field.name]
    return options(**chosen)
