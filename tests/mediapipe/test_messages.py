"""Our own messages and those of the protobuf package give the same results."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knuckle.mediapipe.protobuf import json_format as light_json
from knuckle.mediapipe.protobuf import light, schema, text_format, wire

pytest.importorskip("google.protobuf.internal.builder", reason="the protobuf package is not installed")
real_json = pytest.importorskip("google.protobuf.json_format")

from knuckle.mediapipe.protobuf import installed  # noqa: E402  only with the package

REAL, LIGHT = installed.message_classes(), light.message_classes()
NAMES = [message.name for message in schema.MESSAGES]

singles = st.floats(width=32)
points = st.fixed_dictionaries({}, optional=dict.fromkeys(("x", "y", "z", "visibility", "presence"), singles))
classes = st.fixed_dictionaries(
    {},
    optional={
        "index": st.integers(-(2**31), 2**31 - 1),
        "score": singles,
        "label": st.text(),
        "display_name": st.text(),
    },
)
contents = st.one_of(
    points.map(lambda values: ("NormalizedLandmark", values)),
    st.lists(points).map(lambda values: ("LandmarkList", {"landmark": values})),
    classes.map(lambda values: ("Classification", values)),
    st.lists(classes).map(lambda values: ("ClassificationList", {"classification": values})),
    st.lists(st.lists(points, max_size=3).map(lambda values: {"landmark": values})).map(
        lambda values: ("NormalizedLandmarkListCollection", {"landmark_list": values})
    ),
)


def both(name: str, values: dict[str, Any]) -> tuple[Any, Any]:
    return REAL[name](**values), LIGHT[name](**values)


@given(contents)
def test_bytes_json_and_fields_are_the_same(content: tuple[str, dict[str, Any]]) -> None:
    real, ours = both(*content)
    data = real.SerializeToString(deterministic=True)
    assert ours.SerializeToString() == data and ours.ByteSize() == real.ByteSize() == len(data)
    assert light_json.MessageToJson(ours) == real_json.MessageToJson(real)
    assert repr(light_json.MessageToDict(ours, preserving_proto_field_name=True)) == repr(
        real_json.MessageToDict(real, preserving_proto_field_name=True)
    )
    again = type(ours).FromString(data)
    assert again.SerializeToString() == data
    parsed = light_json.Parse(real_json.MessageToJson(real), type(ours)())
    assert light_json.MessageToJson(parsed) == real_json.MessageToJson(real)
    assert [field.name for field, _ in ours.ListFields()] == [field.name for field, _ in real.ListFields()]


@given(contents)
def test_the_printed_text_is_the_same(content: tuple[str, dict[str, Any]]) -> None:
    real, ours = both(*content)
    from google.protobuf import text_format as real_text

    # Versions of the package differ in other letters, and in the sign of what is not a number.
    if str(ours).isascii() and "nan" not in str(ours):
        assert str(ours) == str(real) and repr(ours) == repr(real)
        one_line = text_format.MessageToString(ours, as_one_line=True)
        if "inf" not in one_line:
            assert real_text.Parse(one_line, REAL[content[0]]()) == real


@given(st.binary(max_size=60), st.sampled_from(NAMES))
def test_bytes_that_ours_reads_mean_the_same_to_the_package(data: bytes, name: str) -> None:
    try:
        ours = LIGHT[name].FromString(data)
    except wire.DecodeError:  # also for groups, which newer .proto files cannot have
        return
    assert light_json.MessageToJson(ours) == real_json.MessageToJson(REAL[name].FromString(data))


def test_cut_bytes_are_no_message() -> None:
    data = LIGHT["LandmarkList"](landmark=[{"x": 1.0}]).SerializeToString()
    for broken in (data[:-1], b"\x0a\xff", b"\xff" * 12, b"\x00\x01"):
        with pytest.raises(wire.DecodeError, match="Error parsing message"):
            LIGHT["LandmarkList"].FromString(broken)


@pytest.mark.parametrize("name", NAMES)
def test_descriptors_are_the_same(name: str) -> None:
    real, ours = REAL[name].DESCRIPTOR, LIGHT[name].DESCRIPTOR
    for attribute in ("name", "full_name"):
        assert getattr(real, attribute) == getattr(ours, attribute)
    assert (real.file.name, real.file.package) == (ours.file.name, ours.file.package)
    assert list(real.fields_by_name) == list(ours.fields_by_name)
    for number, field in real.fields_by_number.items():
        mine = ours.fields_by_number[number]
        for attribute in ("name", "number", "type", "cpp_type", "json_name", "camelcase_name", "default_value"):
            assert getattr(field, attribute) == getattr(mine, attribute)
        assert (field.message_type and field.message_type.name) == (mine.message_type and mine.message_type.name)


def result_of(action: Callable[[Any], Any], message: Any) -> str:
    """What an idiom gives, or the kind of its error."""
    try:
        return f"{action(message)!r} {message!r}"
    except Exception as error:
        kinds = (AttributeError, IndexError, TypeError, ValueError)
        return next(kind.__name__ for kind in kinds if isinstance(error, kind))


def merged(message: Any) -> Any:
    other = type(message)()
    other.MergeFrom(message)
    other.MergeFrom(message)
    return other, len(message.landmark)


def copied(message: Any) -> Any:
    first = message.landmark[0]
    message.landmark.append(first)
    first.x = 9
    return message.landmark[-1].x, message.landmark[0] == first


IDIOMS: list[Callable[[Any], Any]] = [
    lambda m: m.landmark[0].HasField("visibility"),
    lambda m: m.HasField("landmark"),
    lambda m: m.landmark[0].HasField("w"),
    lambda m: m.landmark[0].WhichOneof("x"),
    lambda m: (m.landmark[1:], m.landmark[-1].x, len(m.landmark)),
    lambda m: m.landmark[5],
    lambda m: m.landmark.add(x=0.25),
    lambda m: m.landmark.add(w=0.25),
    lambda m: m.landmark.extend([type(m.landmark[0])(x=0.1), m.landmark[0]]),
    lambda m: m.landmark.extend([1]),
    lambda m: m.landmark.append(m),
    lambda m: m.landmark.insert(0, m.landmark[1]),
    lambda m: m.landmark.__setitem__(0, m.landmark[1]),
    lambda m: m.landmark.__delitem__(slice(1, None)),
    lambda m: m.landmark.remove(m.landmark[0]),
    lambda m: m.landmark.pop(),
    lambda m: m.landmark.reverse(),
    lambda m: m.landmark.sort(key=lambda p: -p.x),
    lambda m: m.landmark.MergeFrom(m.landmark[:]),
    lambda m: m.landmark + m.landmark,
    lambda m: m.landmark == [m.landmark[0], m.landmark[1]],
    lambda m: m.landmark == m.landmark[:],
    lambda m: setattr(m, "landmark", []),
    lambda m: setattr(m, "other", 1),
    lambda m: m.other,
    lambda m: setattr(m.landmark[0], "x", True),
    lambda m: setattr(m.landmark[0], "x", "0.5"),
    lambda m: setattr(m.landmark[0], "x", None),
    lambda m: setattr(m.landmark[0], "x", 1e300),
    lambda m: setattr(m.landmark[0], "x", math.pi),
    lambda m: type(m.landmark[0])(x=None),
    lambda m: type(m.landmark[0])(1),
    lambda m: type(m)(landmark=[{"x": 0.5}, m.landmark[0]]),
    lambda m: type(m)(landmark=[{"w": 0.5}]),
    merged,
    copied,
    lambda m: m.landmark[0].CopyFrom(m.landmark[1]),
    lambda m: m.landmark[0].CopyFrom(m),
    lambda m: m.CopyFrom(m),
    lambda m: m.landmark[0].ClearField("x"),
    lambda m: m.landmark[0].ClearField("w"),
    lambda m: m.Clear(),
    lambda m: m.ParseFromString(b""),
    lambda m: m.MergeFromString(m.SerializeToString()),
    lambda m: (m == type(m)(), m != type(m)(), m is None, bool(type(m)()), m.IsInitialized()),
    lambda m: hash(m),
    lambda m: hash(m.landmark),
    lambda m: m.ListFields()[0][1][1].x,
]


@pytest.mark.parametrize("number", range(len(IDIOMS)))
def test_idioms_give_the_same(number: int) -> None:
    values: dict[str, Any] = {"landmark": [{"x": 0.1, "y": 2}, {"x": 0.3, "z": -1e-7, "visibility": 0.5}]}
    real, ours = (result_of(IDIOMS[number], message) for message in both("NormalizedLandmarkList", values))
    assert ours == real


@pytest.mark.parametrize(
    "values",
    [
        {"index": 2**31},
        {"index": 1.5},
        {"index": "1"},
        {"label": 1},
        {"label": b"Left"},
        {"score": b"1"},
        {"other": 1},
    ],
)
def test_fields_take_and_refuse_the_same_values(values: dict[str, Any]) -> None:
    real, ours = (result_of(lambda kind: kind(**values), classes["Classification"]) for classes in (REAL, LIGHT))
    assert ours.split(" <class")[0] == real.split(" <class")[0]


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"landmark": 1}', '{"landmark": [{"x": "a"}]}', '{"landmark": [{"w": 1}]}', '{"lm": []}']
)
def test_the_same_json_is_refused(text: str) -> None:
    for module, kinds in ((real_json, REAL), (light_json, LIGHT)):
        with pytest.raises(module.ParseError):
            module.Parse(text, kinds["LandmarkList"]())
    assert (
        light_json.Parse('{"lm": []}', LIGHT["LandmarkList"](), ignore_unknown_fields=True) == LIGHT["LandmarkList"]()
    )


def test_keywords_of_older_and_newer_versions() -> None:
    point, empty = LIGHT["Landmark"](x=0.123456789), LIGHT["LandmarkList"]()
    zeros = {"y": 0.0, "z": 0.0, "visibility": 0.0, "presence": 0.0}
    assert light_json.MessageToDict(point, including_default_value_fields=True) == {"x": 0.12345679, **zeros}
    assert light_json.MessageToDict(point, float_precision=3) == {"x": 0.123}
    assert light_json.MessageToDict(empty, always_print_fields_with_no_presence=True) == {"landmark": []}
    assert light_json.MessageToDict(empty) == {}


PICKLES = """
import copy, hashlib, pickle, sys
if sys.argv[1] == "light":
    sys.modules["google.protobuf"] = None
from knuckle.solutions import messages
points = messages.LandmarkList(landmark=[messages.Landmark(x=1, y=2, z=3)] * 2)
assert isinstance(points.landmark[0].DESCRIPTOR.name, str) and ("protobuf.light" in str(type(points).__mro__)) == (
    sys.argv[1] == "light"
)
assert pickle.loads(bytes.fromhex(sys.argv[2])) == points if sys.argv[2:] else True
assert pickle.loads(pickle.dumps(points)) == copy.deepcopy(points) == copy.copy(points) == points
print(pickle.dumps(points).hex())
"""


def test_pickles_of_one_kind_load_as_the_other() -> None:
    def run(*arguments: str) -> str:
        done = subprocess.run([sys.executable, "-c", PICKLES, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    real, ours = run("real"), run("light")
    assert run("light", real) == ours and run("real", ours) == real
