"""Protobuf's binary format for our own messages (https://protobuf.dev/programming-guides/encoding)."""

from __future__ import annotations

import struct
from typing import Any

from knuckle.errors import InputError
from knuckle.mediapipe.protobuf.schema import FieldDescriptor, Type

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_WIRE_TYPES = {Type.FLOAT: _FOUR_BYTES, Type.INT32: _VARINT, Type.STRING: _LENGTH, Type.MESSAGE: _LENGTH}
_SIZES = {_VARINT: 0, _EIGHT_BYTES: 8, _FOUR_BYTES: 4}  # of what follows the key and the number
_MASK_64 = (1 << 64) - 1


class DecodeError(InputError):
    """Bytes that are not a message."""


def encode(message: Any) -> bytes:
    """The bytes of a message."""
    data = bytearray()
    for field, value in message.ListFields():
        key = _varint(field.number << 3 | _WIRE_TYPES[field.type])
        if field.type == Type.FLOAT:
            data += key + struct.pack("<f", value)
        elif field.type == Type.INT32:
            data += key + _varint(value & _MASK_64)  # negative numbers have 64 bits
        else:
            for text in [value.encode()] if field.type == Type.STRING else [encode(item) for item in value]:
                data += key + _varint(len(text)) + text
    return bytes(data)


def decode(data: bytes, message: Any) -> None:
    """Add the fields in `data` to a message. Fields that it does not have are skipped.

    Raises:
        DecodeError: the data are not a message.
    """
    fields = message.DESCRIPTOR.fields_by_number
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        number, wire_type = key >> 3, key & 7
        if wire_type in (_VARINT, _LENGTH):
            value, at = _read_varint(data, at)
        size = value if wire_type == _LENGTH else _SIZES.get(wire_type, len(data))
        if not number or key > 0xFFFFFFFF or at + size > len(data):  # keys have 32 bits
            raise DecodeError(f"Error parsing message with type '{message.DESCRIPTOR.full_name}'")
        field = fields.get(number)
        if field and _WIRE_TYPES[field.type] == wire_type:
            _set(message, field, value if wire_type == _VARINT else data[at : at + size])
        at += size


def _set(message: Any, field: FieldDescriptor, content: Any) -> None:
    """Set a field from its bytes, or from its number."""
    if field.type == Type.MESSAGE:
        decode(content, getattr(message, field.name).add())
    elif field.type == Type.FLOAT:
        setattr(message, field.name, struct.unpack("<f", content)[0])
    elif field.type == Type.STRING:
        setattr(message, field.name, content.decode(errors="replace"))
    else:
        low = content & 0xFFFFFFFF
        setattr(message, field.name, low - (low >> 31 << 32))


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A number and the position behind it."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value & _MASK_64, at
    raise DecodeError("Error parsing message: a number has no end")
