"""Protobuf's text format for our own messages: what `print` shows. Stands in for `google.protobuf.text_format`."""

from __future__ import annotations

from typing import Any

from knuckle.mediapipe.protobuf.values import single

_ESCAPES = {"\\": "\\\\", '"': '\\"', "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def MessageToString(message: Any, as_utf8: bool = True, as_one_line: bool = False) -> str:
    """A message as text, on several lines or on one. Text is always UTF-8."""
    lines = text_lines(message)
    return " ".join(line.strip() for line in lines) if as_one_line else "".join(f"{line}\n" for line in lines)


def text_lines(message: Any) -> list[str]:
    """The lines of the text."""
    lines = []
    for field, value in message.ListFields():
        if field.is_repeated:
            for item in value:
                lines += [f"{field.name} {{", *(f"  {line}" for line in text_lines(item)), "}"]
        else:
            lines.append(f"{field.name}: {_text(value)}")
    return lines


def _text(value: float | int | str) -> str:
    if isinstance(value, str):
        return f'"{"".join(map(_escaped, value))}"'
    if isinstance(value, int):
        return str(value)
    short = f"{value:.6g}"
    return short if single(float(short)) == value or value != value else f"{value:.9g}"


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    return letter if letter.isprintable() or letter > "\x7f" else f"\\{ord(letter):03o}"
