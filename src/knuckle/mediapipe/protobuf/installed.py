"""The messages as real ones of the protobuf package. Importing this raises ModuleNotFoundError without the package."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.internal import builder

from knuckle.mediapipe.protobuf.schema import (
    CLASSIFICATION_FILE,
    LANDMARK_FILE,
    MESSAGES,
    MODULE,
    PACKAGE,
    FileDescriptor,
)


def message_classes() -> dict[str, Any]:
    """The classes of `schema.MESSAGES` by name. `builder` is what generated code calls, so it is in every version."""
    classes: dict[str, Any] = {}
    pool = descriptor_pool.DescriptorPool()  # MediaPipe may have put files of the same names into the default one
    for file in (LANDMARK_FILE, CLASSIFICATION_FILE):
        pool.Add(_file_proto(file))
        descriptor = pool.FindFileByName(file.name)
        builder.BuildTopDescriptorsAndMessages(descriptor, MODULE, classes)
    return classes


def _file_proto(file: FileDescriptor) -> Any:
    proto = descriptor_pb2.FileDescriptorProto(name=file.name, package=PACKAGE, syntax="proto2")
    for message in MESSAGES:
        if message.file != file:
            continue
        added = proto.message_type.add(name=message.name)
        for field in message.fields:
            part = added.field.add(name=field.name, number=field.number, type=field.type, label=field.label)
            if field.message_type:
                part.type_name = f".{field.message_type.full_name}"
    return proto
