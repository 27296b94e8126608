"""The result messages of the legacy API: fields by name, `HasField`, and the same text when printed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

M = TypeVar("M", bound="Message")


def single(value: float = 0.0) -> float:
    """Round to single precision, like the fields of MediaPipe's messages."""
    return float(np.float32(value))


class Repeated(list[M], Generic[M]):
    """A list of messages with `add`."""

    def __init__(self, message_type: type[M], items: Iterable[M] = ()) -> None:
        super().__init__(items)
        self.message_type = message_type

    def add(self, **values: Any) -> M:
        """Append a new message with these fields and return it."""
        message = self.message_type(**values)
        self.append(message)
        return message


class Message:
    """A record whose fields can be unset; an unset field reads as 0, "" or an empty list.

    Subclasses list their fields in the order of printing, each with the function that converts its value.
    """

    fields: ClassVar[Mapping[str, Callable[..., Any]]] = {}
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.fields:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}; it has {', '.join(self.fields)}")
        self.__dict__[name] = self.fields[name](value)

    def __getattr__(self, name: str) -> Any:
        if name not in type(self).fields:
            raise AttributeError(name)
        value = type(self).fields[name]()
        if isinstance(value, Repeated):
            self.__dict__[name] = value
        return value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def HasField(self, name: str) -> bool:
        """Whether a field is set.

        Raises:
            ValueError: the field does not exist or is a list.
        """
        if name not in self.fields or isinstance(self.fields[name], partial):
            raise ValueError(f'Protocol message {type(self).__name__} has no singular "{name}" field.')
        return name in self.__dict__

    def CopyFrom(self, other: Message) -> None:
        """Copy all fields of another message of the same type."""
        self.__dict__.clear()
        self.__dict__.update(copy.deepcopy(other.__dict__))

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self._lines())

    __repr__ = __str__

    def _lines(self) -> list[str]:
        lines = []
        for name in self.fields:
            if name not in self.__dict__:
                continue
            value = self.__dict__[name]
            if isinstance(value, Repeated):
                for message in value:
                    lines += [f"{name} {{", *(f"  {line}" for line in message._lines()), "}"]
            else:
                lines.append(f"{name}: {_text(value)}")
        return lines


def _text(value: float | int | str) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, int):
        return str(value)
    short = f"{value:.6g}"
    return short if single(float(short)) == value else f"{value:.9g}"


class NormalizedLandmark(Message):
    """A point: x and z in image widths, y in image heights. Results leave visibility and presence unset."""

    x: float
    y: float
    z: float
    visibility: float
    presence: float
    fields = dict.fromkeys(("x", "y", "z", "visibility", "presence"), single)


class Landmark(NormalizedLandmark):
    """A point in metres."""


class Classification(Message):
    """The handedness of a hand for a mirror image: index 0 "Left" or 1 "Right", and its score, 0.5..1."""

    index: int
    score: float
    label: str
    display_name: str
    fields: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "index": int,
        "score": single,
        "label": str,
        "display_name": str,
    }


class NormalizedLandmarkList(Message):
    """The 21 landmarks of a hand, in the image."""

    landmark: Repeated[NormalizedLandmark]
    fields: ClassVar[Mapping[str, Callable[..., Any]]] = {"landmark": partial(Repeated, NormalizedLandmark)}


class LandmarkList(Message):
    """The 21 world landmarks of a hand, in metres."""

    landmark: Repeated[Landmark]
    fields: ClassVar[Mapping[str, Callable[..., Any]]] = {"landmark": partial(Repeated, Landmark)}


class ClassificationList(Message):
    """The handedness of a hand: exactly one classification."""

    classification: Repeated[Classification]
    fields: ClassVar[Mapping[str, Callable[..., Any]]] = {"classification": partial(Repeated, Classification)}
