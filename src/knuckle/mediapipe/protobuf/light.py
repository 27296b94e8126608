"""Messages without the protobuf package: the same fields, methods, text, JSON and bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence
from typing import Any, ClassVar, TypeVar

from knuckle.mediapipe.protobuf import schema, wire
from knuckle.mediapipe.protobuf.schema import Descriptor, FieldDescriptor
from knuckle.mediapipe.protobuf.text_format import text_lines
from knuckle.mediapipe.protobuf.values import CONVERSIONS

M = TypeVar("M", bound="Message")


class Repeated(MutableSequence[M]):
    """A list of messages. It copies what is put in, and single items cannot be replaced."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, message_class: type[M]) -> None:
        self._message_class = message_class
        self._values: list[M] = []

    def add(self, **values: Any) -> M:
        """Append a new message with these fields and return it."""
        self._values.append(self._message_class(**values))
        return self._values[-1]

    def insert(self, index: int, value: M) -> None:
        message = self._message_class()
        message.MergeFrom(value)
        self._values.insert(index, message)

    def MergeFrom(self, other: Iterable[M]) -> None:
        self.extend(other)

    def sort(self, *, key: Callable[[M], Any], reverse: bool = False) -> None:
        self._values.sort(key=key, reverse=reverse)

    def reverse(self) -> None:
        self._values.reverse()

    def __getitem__(self, index: Any) -> Any:
        return self._values[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError("a repeated field does not support item assignment; use CopyFrom on the item")

    def __delitem__(self, index: int | slice) -> None:
        del self._values[index]

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[M]:
        return iter(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (Repeated, list)) and self._values == list(other)

    def __repr__(self) -> str:
        return repr(self._values)


class Message:
    """A record whose fields can be unset; an unset field reads as 0, "" or an empty list."""

    DESCRIPTOR: ClassVar[Descriptor]
    _fields: ClassVar[dict[str, FieldDescriptor]]
    _conversions: ClassVar[dict[str, Callable[[Any], Any]]]  # of the fields that hold one value
    __hash__ = None  # type: ignore[assignment]

    def __init_subclass__(cls) -> None:
        cls._fields = cls.DESCRIPTOR.fields_by_name
        cls._conversions = {f.name: CONVERSIONS[f.type] for f in cls.DESCRIPTOR.fields if not f.is_repeated}
        cls.__module__ = schema.MODULE
        _CLASSES[cls.DESCRIPTOR.name] = cls

    def __init__(self, **values: Any) -> None:
        own = self.__dict__
        for name, value in values.items():
            convert = self._conversions.get(name)
            if name not in self._fields:
                raise ValueError(_no_field(self, name))
            if value is None:
                continue
            if convert is not None:
                own[name] = convert(value)
                continue
            for item in value:
                if isinstance(item, Mapping):
                    getattr(self, name).add(**item)
                else:
                    getattr(self, name).append(item)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._fields:
            raise AttributeError(_no_field(self, name))
        if name not in self._conversions:
            raise AttributeError(f'Assignment not allowed to repeated field "{name}" in protocol message object.')
        self.__dict__[name] = self._conversions[name](value)

    def __getattr__(self, name: str) -> Any:
        field = type(self)._fields.get(name)
        if field is None:
            raise AttributeError(name)
        if field.message_type is None:
            return field.default_value
        return self.__dict__.setdefault(name, Repeated(_CLASSES[field.message_type.name]))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.ListFields() == self.ListFields()

    def ListFields(self) -> list[tuple[FieldDescriptor, Any]]:
        """The fields that are set, with their values; empty lists are not set."""
        fields, values = self.DESCRIPTOR.fields, self.__dict__
        return [(f, values[f.name]) for f in fields if f.name in values and not (f.is_repeated and not values[f.name])]

    def HasField(self, field_name: str) -> bool:
        """Whether a field is set.

        Raises:
            ValueError: the field does not exist or is a list.
        """
        if field_name not in self._fields:
            raise ValueError(_no_field(self, field_name))
        if self._fields[field_name].is_repeated:
            raise ValueError(f"Field {self.DESCRIPTOR.full_name}.{field_name} does not have presence.")
        return field_name in self.__dict__

    def WhichOneof(self, oneof_group: str) -> str | None:
        """Always raises ValueError: these messages have no alternatives."""
        raise ValueError(f'Protocol message {type(self).__name__} has no oneof "{oneof_group}" field.')

    def Clear(self) -> None:
        self.__dict__.clear()

    def ClearField(self, field_name: str) -> None:
        """Unset one field.

        Raises:
            ValueError: the field does not exist.
        """
        if field_name not in self._fields:
            raise ValueError(_no_field(self, field_name))
        self.__dict__.pop(field_name, None)

    def MergeFrom(self, other: Any) -> None:
        """Take over the fields that are set in another message of the same type; lists are appended.

        Raises:
            TypeError: the other message has another type.
        """
        if type(other) is not type(self):
            expected, found = type(self).__name__, type(other).__name__
            raise TypeError(
                f"Parameter to MergeFrom() must be instance of same class: expected {expected} got {found}."
            )
        for field, value in other.ListFields():
            if field.is_repeated:
                getattr(self, field.name).extend(list(value))
            else:
                self.__dict__[field.name] = value

    def CopyFrom(self, other: Any) -> None:
        """Become equal to another message of the same type.

        Raises:
            TypeError: the other message has another type.
        """
        if other is not self:
            copied = type(self)()
            copied.MergeFrom(other)
            self.__dict__.clear()
            self.__dict__.update(copied.__dict__)

    def SerializeToString(self, *, deterministic: bool | None = None) -> bytes:
        """The message in protobuf's binary format. The result is always deterministic."""
        return wire.encode(self)

    SerializePartialToString = SerializeToString

    def ByteSize(self) -> int:
        """The number of bytes of `SerializeToString`."""
        return len(wire.encode(self))

    def MergeFromString(self, serialized: bytes) -> int:
        """Merge a message in binary format into this one; returns the number of bytes.

        Raises:
            DecodeError: the bytes are not a message.
        """
        wire.decode(bytes(serialized), self)
        return len(serialized)

    def ParseFromString(self, serialized: bytes) -> int:
        """Become the message that these bytes describe; returns the number of bytes. It raises a DecodeError."""
        self.Clear()
        return self.MergeFromString(serialized)

    @classmethod
    def FromString(cls: type[M], s: bytes) -> M:
        """A new message from bytes. It raises a DecodeError."""
        message = cls()
        message.MergeFromString(s)
        return message

    def IsInitialized(self) -> bool:
        """True: no field is required."""
        return True

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (), {"serialized": self.SerializeToString()}  # what protobuf's messages pickle

    def __setstate__(self, state: dict[str, bytes]) -> None:
        self.ParseFromString(state["serialized"])

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._fields]

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in text_lines(self))

    __repr__ = __str__


_CLASSES: dict[str, type[Message]] = {}


def _no_field(message: Message, name: str) -> str:
    return f'Protocol message {type(message).__name__} has no "{name}" field.'


class NormalizedLandmark(Message):
    """A point: x and z in image widths, y in image heights. Results leave visibility and presence unset."""

    DESCRIPTOR = schema.NORMALIZED
    x: float
    y: float
    z: float
    visibility: float
    presence: float


class NormalizedLandmarkList(Message):
    """The 21 landmarks of a hand, in the image."""

    DESCRIPTOR = schema.NORMALIZED_LIST
    landmark: Repeated[NormalizedLandmark]


class NormalizedLandmarkListCollection(Message):
    """The landmarks of several hands, in the image."""

    DESCRIPTOR = schema.NORMALIZED_LISTS
    landmark_list: Repeated[NormalizedLandmarkList]


class Landmark(Message):
    """A point in metres."""

    DESCRIPTOR = schema.LANDMARK
    x: float
    y: float
    z: float
    visibility: float
    presence: float


class LandmarkList(Message):
    """The 21 world landmarks of a hand, in metres."""

    DESCRIPTOR = schema.LANDMARK_LIST
    landmark: Repeated[Landmark]


class LandmarkListCollection(Message):
    """The world landmarks of several hands, in metres."""

    DESCRIPTOR = schema.LANDMARK_LISTS
    landmark_list: Repeated[LandmarkList]


class Classification(Message):
    """The handedness of a hand for a mirror image: index 0 "Left" or 1 "Right", and its score, 0.5..1."""

    DESCRIPTOR = schema.CLASSIFICATION
    index: int
    score: float
    label: str
    display_name: str


class ClassificationList(Message):
    """The handedness of a hand: exactly one classification."""

    DESCRIPTOR = schema.CLASSIFICATION_LIST
    classification: Repeated[Classification]


class ClassificationListCollection(Message):
    """The handedness of several hands."""

    DESCRIPTOR = schema.CLASSIFICATION_LISTS
    classification_list: Repeated[ClassificationList]


def message_classes() -> dict[str, type[Message]]:
    """The classes of `schema.MESSAGES` by name."""
    return dict(_CLASSES)
