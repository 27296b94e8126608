"""The fields of MediaPipe's result messages, as landmark.proto and classification.proto define them.

Descriptors have the attribute names of the protobuf package, because scripts read them from `message.DESCRIPTOR`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

PACKAGE = "mediapipe"
_FOLDER = "mediapipe/framework/formats/"


class Type(IntEnum):
    """Protobuf's numbers of the types that occur here."""

    FLOAT = 2
    INT32 = 5
    STRING = 9
    MESSAGE = 11


_DEFAULTS: dict[Type, Any] = {Type.FLOAT: 0.0, Type.INT32: 0, Type.STRING: "", Type.MESSAGE: ()}
_CPP_TYPES = {Type.FLOAT: 6, Type.INT32: 1, Type.STRING: 9, Type.MESSAGE: 10}


@dataclass(frozen=True)
class FieldDescriptor:
    """One field. A field that holds messages is a list; all others hold one value that can be unset."""

    name: str
    number: int
    type: Type
    message_type: Descriptor | None = None

    @property
    def is_repeated(self) -> bool:
        return self.type == Type.MESSAGE

    @property
    def label(self) -> int:
        """1 for optional, 3 for repeated."""
        return 3 if self.is_repeated else 1

    @property
    def cpp_type(self) -> int:
        return _CPP_TYPES[self.type]

    @property
    def default_value(self) -> Any:
        return [] if self.is_repeated else _DEFAULTS[self.type]

    @property
    def json_name(self) -> str:
        """The name in camel case."""
        first, *others = self.name.split("_")
        return first + "".join(word.capitalize() for word in others)

    camelcase_name = json_name


@dataclass(frozen=True)
class FileDescriptor:
    """The .proto file of a message."""

    name: str
    package: str = PACKAGE


@dataclass(frozen=True)
class Descriptor:
    """A message type."""

    name: str
    file: FileDescriptor
    fields: tuple[FieldDescriptor, ...]

    @property
    def full_name(self) -> str:
        return f"{PACKAGE}.{self.name}"

    @property
    def fields_by_name(self) -> dict[str, FieldDescriptor]:
        return {field.name: field for field in self.fields}

    @property
    def fields_by_number(self) -> dict[int, FieldDescriptor]:
        return {field.number: field for field in self.fields}


LANDMARK_FILE = FileDescriptor(_FOLDER + "landmark.proto")
CLASSIFICATION_FILE = FileDescriptor(_FOLDER + "classification.proto")
_POINT = tuple(
    FieldDescriptor(name, number, Type.FLOAT)
    for number, name in enumerate(("x", "y", "z", "visibility", "presence"), start=1)
)


def _list_of(item: Descriptor, field: str, name: str) -> Descriptor:
    return Descriptor(name, item.file, (FieldDescriptor(field, 1, Type.MESSAGE, item),))


LANDMARK = Descriptor("Landmark", LANDMARK_FILE, _POINT)
LANDMARK_LIST = _list_of(LANDMARK, "landmark", "LandmarkList")
LANDMARK_LISTS = _list_of(LANDMARK_LIST, "landmark_list", "LandmarkListCollection")
NORMALIZED = Descriptor("NormalizedLandmark", LANDMARK_FILE, _POINT)
NORMALIZED_LIST = _list_of(NORMALIZED, "landmark", "NormalizedLandmarkList")
NORMALIZED_LISTS = _list_of(NORMALIZED_LIST, "landmark_list", "NormalizedLandmarkListCollection")
CLASSIFICATION = Descriptor(
    "Classification",
    CLASSIFICATION_FILE,
    (
        FieldDescriptor("index", 1, Type.INT32),
        FieldDescriptor("score", 2, Type.FLOAT),
        FieldDescriptor("label", 3, Type.STRING),
        FieldDescriptor("display_name", 4, Type.STRING),
    ),
)
CLASSIFICATION_LIST = _list_of(CLASSIFICATION, "classification", "ClassificationList")
CLASSIFICATION_LISTS = _list_of(CLASSIFICATION_LIST, "classification_list", "ClassificationListCollection")

MESSAGES = (
    LANDMARK,
    LANDMARK_LIST,
    LANDMARK_LISTS,
    NORMALIZED,
    NORMALIZED_LIST,
    NORMALIZED_LISTS,
    CLASSIFICATION,
    CLASSIFICATION_LIST,
    CLASSIFICATION_LISTS,
)
MODULE = "knuckle.mediapipe.solutions.messages"  # where pickle finds the classes, whoever made them
