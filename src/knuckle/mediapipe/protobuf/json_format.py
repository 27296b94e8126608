"""JSON of our own messages. Stands in for `google.protobuf.json_format`, with the keywords of all its versions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from knuckle.errors import DAMAGE, InputError, reason_of
from knuckle.mediapipe.protobuf.light import Message
from knuckle.mediapipe.protobuf.schema import FieldDescriptor, Type
from knuckle.mediapipe.protobuf.values import shortest

M = TypeVar("M", bound=Message)

_NAMED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Error(InputError):
    """The base of this module's errors."""


class ParseError(Error):
    """JSON that does not fit the message."""


def MessageToDict(
    message: Message,
    including_default_value_fields: bool = False,
    preserving_proto_field_name: bool = False,
    use_integers_for_enums: bool = False,
    descriptor_pool: Any = None,
    float_precision: int | None = None,
    *,
    always_print_fields_with_no_presence: bool = False,
) -> dict[str, Any]:
    """A message as a dictionary of its set fields.

    Args:
        message: one of our messages.
        including_default_value_fields: also unset fields; a keyword of protobuf before version 5.
        preserving_proto_field_name: "display_name" instead of "displayName".
        use_integers_for_enums: no effect; there are no enums.
        descriptor_pool: no effect.
        float_precision: number of digits; None for as many as single precision needs.
        always_print_fields_with_no_presence: also empty lists; a keyword of protobuf 5 and later.
    """
    values = {field.name: value for field, value in message.ListFields()}
    result: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        as_default = including_default_value_fields or (always_print_fields_with_no_presence and field.is_repeated)
        if field.name not in values and not as_default:
            continue
        value = values.get(field.name, field.default_value)
        if field.is_repeated:
            value = [
                MessageToDict(
                    item,
                    including_default_value_fields,
                    preserving_proto_field_name,
                    float_precision=float_precision,
                    always_print_fields_with_no_presence=always_print_fields_with_no_presence,
                )
                for item in value
            ]
        elif field.type == Type.FLOAT:
            value = _number(value, float_precision)
        result[field.name if preserving_proto_field_name else field.json_name] = value
    return result


def MessageToJson(
    message: Message,
    *,
    indent: int | str | None = 2,
    sort_keys: bool = False,
    ensure_ascii: bool = True,
    **options: Any,
) -> str:
    """A message as JSON text; the other options are those of `MessageToDict`."""
    return json.dumps(MessageToDict(message, **options), indent=indent, sort_keys=sort_keys, ensure_ascii=ensure_ascii)


def Parse(text: str | bytes, message: M, ignore_unknown_fields: bool = False, **options: Any) -> M:
    """Merge JSON text into a message and return it.

    Raises:
        ParseError: the text is not JSON, or does not fit the message.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"Failed to load JSON: {reason_of(error)}") from error
    return ParseDict(values, message, ignore_unknown_fields)


def ParseDict(js_dict: Any, message: M, ignore_unknown_fields: bool = False, **options: Any) -> M:
    """Merge a dictionary into a message and return it. None leaves a field unset.

    Raises:
        ParseError: a field does not exist or has another type.
    """
    if not isinstance(js_dict, Mapping):
        raise ParseError(f"{message.DESCRIPTOR.name} must be a dictionary, got {type(js_dict).__name__}")
    fields = {field.json_name: field for field in message.DESCRIPTOR.fields} | dict(message.DESCRIPTOR.fields_by_name)
    for name, value in js_dict.items():
        field = fields.get(name)
        if field is None and not ignore_unknown_fields:
            known = sorted(message.DESCRIPTOR.fields_by_name)
            raise ParseError(f'{message.DESCRIPTOR.full_name} has no field "{name}"; it has {", ".join(known)}')
        if field is not None and value is not None:
            _set(message, field, value, ignore_unknown_fields)
    return message


def _set(message: Message, field: FieldDescriptor, value: Any, ignore_unknown_fields: bool) -> None:
    if field.is_repeated and isinstance(value, list):
        for item in value:
            ParseDict(item, getattr(message, field.name).add(), ignore_unknown_fields)
        return
    try:
        if field.type == Type.FLOAT:
            value = _NAMED.get(value) if isinstance(value, str) and value in _NAMED else float(value)
        elif field.type == Type.INT32:
            if float(value) != int(value):
                raise ValueError
            value = int(value)
        setattr(message, field.name, value)
    except DAMAGE as error:
        where = f"{message.DESCRIPTOR.name}.{field.name}"
        raise ParseError(f"Failed to parse {where}: {value!r:.60} is no {Type(field.type).name.lower()}") from error


def _number(value: float, digits: int | None) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return shortest(value) if digits is None else float(f"{value:.{digits}g}")
