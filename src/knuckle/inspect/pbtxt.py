"""MediaPipe's GraphConfig text: write our graphs as such, read any.

https://ai.google.dev/edge/mediapipe/framework/framework_concepts/graphs describes the fields,
https://protobuf.dev/reference/protobuf/textformat-spec/ the text.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from knuckle.errors import Error, InputError, SourceError
from knuckle.inspect.diagram import PREVIOUS, Box, Diagram, Fields, Port

LOOPBACK = "PreviousLoopbackCalculator"
PORT_FIELDS = ("input_stream", "output_stream", "input_side_packet", "output_side_packet")
TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<number>-?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[fF]?(?![\w.]))
      | (?P<word>-?[A-Za-z_]\w*)
      | (?P<name>\[\s*[A-Za-z_][\w./-]*\s*\])
      | (?P<mark>[{}<>:;,\[\]])""",
    re.VERBOSE,
)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
STREAM = re.compile(r"(?:(?P<tag>[A-Z_][A-Z0-9_]*(?::\d+)?):)?(?P<name>[a-z_][a-z0-9_]*)")


class Word(str):
    """A bare word of the text, such as an enum's value; strings are in quotes."""


def read_pbtxt(path: str | os.PathLike[str]) -> Diagram:
    """The graph in a .pbtxt file; subgraphs are found by their `type` in the .pbtxt files of its folder and below.

    Raises:
        SourceError: the file cannot be read.
        InputError: it is no GraphConfig text; the message says where.
    """
    diagram = _read(Path(path))
    beside: dict[str, Diagram] = {}
    for other in sorted(Path(path).parent.rglob("*.pbtxt")):
        try:
            found = _read(other)
        except Error:
            continue  # some other kind of text
        beside.setdefault(found.name, found)
    return _nest(diagram, beside, frozenset({diagram.name}))


def _read(path: Path) -> Diagram:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return parse(text, path.stem, str(path))


def _nest(diagram: Diagram, known: dict[str, Diagram], around: frozenset[str]) -> Diagram:
    boxes = []
    for box in diagram.boxes:
        inner = known.get(box.calculator) if box.calculator not in around else None
        boxes.append(replace(box, inside=_nest(inner, known, around | {inner.name})) if inner else box)
    return replace(diagram, boxes=tuple(boxes))


def parse(text: str, name: str = "graph", where: str = "text") -> Diagram:
    """GraphConfig text as a diagram, its nodes in an order in which they can run; comments are lost.

    Args:
        name: of the graph, where the text has no `type`.
        where: what errors call the text.

    Raises:
        InputError: the text is damaged, or a stream's name is none; the message names the line.
    """
    config = _parse_fields(text, where)
    wrong = [key for key, value in config if key == "node" and not isinstance(value, tuple)]
    if wrong or not any(key == "node" for key, _ in config):
        raise InputError(f"{where} is no graph: it has no node {{ }}")
    named = next((str(value) for key, value in config if key == "type"), name)
    boxes = tuple(_parse_box(value, where) for key, value in config if key == "node")
    rest = tuple((key, value) for key, value in config if key not in (*PORT_FIELDS, "node", "type"))
    return Diagram(named, _ports(config, "input", where), _ports(config, "output", where), _in_order(boxes), rest)


def _parse_box(fields: Fields, where: str) -> Box:
    single = {key: str(value) for key, value in fields if key in ("calculator", "name")}
    if "calculator" not in single:
        raise InputError(f"{where}: a node names no calculator")
    rest, back = [], set()
    for key, value in fields:
        info = dict(value) if key == "input_stream_info" else {}
        if info.get("back_edge") is True and set(info) <= {"tag_index", "back_edge"}:
            back.add(str(info.get("tag_index", "")))
        elif key not in (*PORT_FIELDS, "calculator", "name"):
            rest.append((key, value))
    inputs = _ports(fields, "input", where, frozenset(back))
    return Box(single["calculator"], inputs, _ports(fields, "output", where), single.get("name", ""), tuple(rest))


def _ports(fields: Fields, side: str, where: str, back: frozenset[str] = frozenset()) -> tuple[Port, ...]:
    ports, untagged = [], 0
    for key, value in fields:
        if key not in (f"{side}_stream", f"{side}_side_packet"):
            continue
        match = STREAM.fullmatch(str(value))
        if match is None:
            raise InputError(f"{where}: {value!r} is no stream; those are name, TAG:name or TAG:index:name")
        tag, kind = match["tag"] or "", "side" if key.endswith("packet") else "data"
        known = {tag, tag.removesuffix(":0")} if tag else {f":{untagged}", *([""] if untagged == 0 else [])}
        known |= {f"{tag}:0"} if tag and ":" not in tag else set()
        untagged += not tag and kind == "data"
        kind = "back" if known & back else "when" if tag == "WHEN" else kind
        ports.append(Port(match["name"], tag, kind))  # type: ignore[arg-type]
    return tuple(ports)


def _in_order(boxes: tuple[Box, ...]) -> tuple[Box, ...]:
    """As they stand, but none before those that make its values; what runs in circles comes last."""
    waiting, ordered = list(boxes), []
    while waiting:
        unmade = Counter(port.name for box in waiting for port in box.outputs)
        ready = next(
            (b for b in waiting if not any(unmade[p.name] for p in b.inputs if p.kind != "back")),
            waiting[0],
        )
        waiting.remove(ready)
        ordered.append(ready)
    return tuple(ordered)


def _parse_fields(text: str, where: str) -> Fields:
    tokens = list(_tokens(text, where))
    fields, end = _message(tokens, 0, "end", where)
    return fields if end == len(tokens) - 1 else _fail(tokens[end], where)


Token = tuple[str, str, int]


def _tokens(text: str, where: str) -> Iterator[Token]:
    """(kind, text, line) of each, an "end" last."""
    at, line = 0, 1
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise InputError(f"{where}, line {line}: cannot read {text[at : at + 20].splitlines()[0]!r}")
        if match.lastgroup != "space":
            yield str(match.lastgroup), match[0], line
        at, line = match.end(), line + match[0].count("\n")
    yield "end", "end", line


def _fail(token: Token, where: str) -> Any:
    raise InputError(f"{where}, line {token[2]}: did not expect {token[1]!r}")


def _message(tokens: list[Token], at: int, end: str, where: str) -> tuple[Fields, int]:
    """The fields up to the token `end`, and where that stands."""
    fields: list[tuple[str, Any]] = []
    while tokens[at][1] != end or tokens[at][0] == "text":
        kind, key, _ = tokens[at]
        if kind not in ("word", "name"):
            _fail(tokens[at], where)
        key, at = re.sub(r"\s", "", key), at + 1
        colon = tokens[at][1] == ":" and tokens[at][0] == "mark"
        at += colon
        if not colon and tokens[at][1] not in ("{", "<"):
            _fail(tokens[at], where)
        values, at = _values(tokens, at, where)
        fields += [(key, value) for value in values]
        at += tokens[at][1] in (",", ";") and tokens[at][0] == "mark"
    return tuple(fields), at


def _values(tokens: list[Token], at: int, where: str) -> tuple[list[Any], int]:
    """One value, or several in brackets."""
    if tokens[at][0] == "name":  # [WORD] is read as a name
        return [_word(tokens[at][1].strip("[] "))], at + 1
    if tokens[at][:2] != ("mark", "["):
        value, at = _value(tokens, at, where)
        return [value], at
    values, at = [], at + 1
    while tokens[at][:2] != ("mark", "]"):
        value, at = _value(tokens, at, where)
        values.append(value)
        if tokens[at][1] not in (",", "]"):
            _fail(tokens[at], where)
        at += tokens[at][1] == ","
    return values, at + 1


def _value(tokens: list[Token], at: int, where: str) -> tuple[Any, int]:
    kind, text, _ = tokens[at]
    if kind == "mark" and text in ("{", "<"):
        fields, at = _message(tokens, at + 1, "}" if text == "{" else ">", where)
        return fields, at + 1
    if kind == "number":
        return _number(text), at + 1
    if kind == "word":
        return _word(text), at + 1
    if kind != "text":
        _fail(tokens[at], where)
    whole = ""
    while tokens[at][0] == "text":  # strings that stand side by side are one
        whole += re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), tokens[at][1][1:-1])
        at += 1
    return whole, at


def _number(text: str) -> int | float:
    if "x" in text.lower():
        return int(text, 16)
    plain = text.rstrip("fF")
    return int(plain) if re.fullmatch(r"-?\d+", plain) and plain == text else float(plain)


def _word(text: str) -> bool | Word:
    return text == "true" if text in ("true", "false") else Word(text)


def as_pbtxt(diagram: Diagram) -> str:
    """GraphConfig text of one graph; those inside it are nodes of their type (`Diagram.all` gives them too).

    A `when` is the input WHEN; what comes from the previous call arrives through a PreviousLoopbackCalculator.

    Raises:
        InputError: a value has a name that GraphConfig does not allow.
    """
    lines = [f'type: "{diagram.name}"', *_port_lines(diagram.inputs, "input"), *_port_lines(diagram.outputs, "output")]
    lines += _field_lines(diagram.fields, "")
    for box in diagram.boxes:
        shown = _as_loopback(box, diagram) if box.calculator == PREVIOUS else box
        named = [f'name: "{shown.name}"'] if shown.name else []
        inner = [f'calculator: "{shown.calculator}"', *named, *_port_lines(shown.inputs, "input")]
        for tag in (
            tag for port, tag in zip(shown.inputs, _tag_indices(shown.inputs), strict=True) if port.kind == "back"
        ):
            inner.append(f'input_stream_info {{ tag_index: "{tag}" back_edge: true }}')
        inner += [*_port_lines(shown.outputs, "output"), *_field_lines(shown.fields, "")]
        lines += ["", "node {", *(f"  {line}" for line in inner), "}"]
    return "\n".join(lines) + "\n"


def _as_loopback(box: Box, diagram: Diagram) -> Box:
    """Under its name there, with the stream that tells it of each new call, if there is one."""
    clock = tuple(Port(port.name, "MAIN") for port in diagram.inputs[:1])
    return replace(box, calculator=LOOPBACK, inputs=(*clock, *box.inputs))


def _tag_indices(ports: tuple[Port, ...]) -> Iterator[str]:
    untagged = 0
    for port in ports:
        yield port.tag or f":{untagged}"
        untagged += not port.tag and port.kind != "side"


def _port_lines(ports: tuple[Port, ...], side: str) -> list[str]:
    lines = []
    for port in ports:
        text = f"{port.tag}:{port.name}" if port.tag else port.name
        if not STREAM.fullmatch(text):
            raise InputError(f"GraphConfig needs names of lower-case letters, digits and _, got {port.name!r}")
        lines.append(f'{side}_{"side_packet" if port.kind == "side" else "stream"}: "{text}"')
    return lines


def _field_lines(fields: Fields, indent: str) -> list[str]:
    lines = []
    for name, value in fields:
        if isinstance(value, tuple):
            lines += [f"{indent}{name} {{", *_field_lines(value, indent + "  "), f"{indent}}}"]
        else:
            lines.append(f"{indent}{name}: {_scalar(value)}")
    return lines


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and not isinstance(value, Word):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        return f'"{escaped}"'
    return str(value)
