"""A graph as a picture of boxes and wires that every format is made from, and its text and Mermaid forms.

`diagram_of` reads a running Graph; `inspect.pbtxt` writes GraphConfig text; `inspect.page` draws.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from typing import Any, Literal

from knuckle.graph import Graph, Node
from knuckle.inspect.profile import Cost, NodePath, Profile

PREVIOUS = "previous_call"  # the box that stands for a graph's feedback
Fields = tuple[tuple[str, Any], ...]
Kind = Literal["data", "when", "back", "side"]


@dataclass(frozen=True)
class Port:
    """Where a wire meets a box.

    Attributes:
        name: the value that the wire carries.
        tag: what the box calls it, in capitals; "" where it has no name of its own.
        kind: "data"; "when" decides whether the box runs; "back" comes from the previous call; "side" is a constant.
    """

    name: str
    tag: str = ""
    kind: Kind = "data"


@dataclass(frozen=True)
class Box:
    """One node.

    Attributes:
        calculator: the function, graph or MediaPipe calculator that runs.
        inputs, outputs: its ports.
        name: what tells it from other boxes; "" where nothing does.
        fields: whatever else is known of it, as GraphConfig fields: (("options", (("[x.ext]", (...)),)),).
        about: one sentence.
        inside: the graph that runs in it.
        cost: what it cost, where that was measured.
    """

    calculator: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    name: str = ""
    fields: Fields = ()
    about: str = field(default="", compare=False)
    inside: Diagram | None = field(default=None, compare=False)
    cost: Cost | None = field(default=None, compare=False)

    def settings(self) -> list[tuple[str, Any]]:
        """Its options, flat: [("min_score", 0.5), ...]."""
        return list(_leaves(self.fields))


@dataclass(frozen=True)
class Diagram:
    """A graph: its name, ports to the outside, and boxes in the order they run."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    boxes: tuple[Box, ...]
    fields: Fields = ()

    def all(self) -> Iterator[Diagram]:
        """This one and those inside, each name once."""
        seen: dict[str, Diagram] = {self.name: self}
        for box in self.boxes:
            for inner in box.inside.all() if box.inside else ():
                seen.setdefault(inner.name, inner)
        yield from seen.values()

    @property
    def seconds(self) -> float:
        """What its boxes cost together."""
        return sum(box.cost.total_s for box in self.boxes if box.cost)


def diagrams_of(graph: Graph, profile: Profile | None = None) -> dict[str, Diagram]:
    """The graph and all inside it by name; the costs of one that is used in several places are added up."""
    places: dict[str, list[tuple[NodePath, Graph]]] = {}
    for path, inner in _graphs_in(graph, ()):
        places.setdefault(inner.name, []).append((path, inner))
    return {
        name: diagram_of(found[0][1], profile.costs([path for path, _ in found]) if profile else None)
        for name, found in places.items()
    }


def _graphs_in(graph: Graph, path: NodePath) -> Iterator[tuple[NodePath, Graph]]:
    yield path, graph
    for node in graph.nodes:
        if isinstance(node.run, Graph):
            yield from _graphs_in(node.run, (*path, node.output))


def diagram_of(graph: Graph, costs: Mapping[NodePath, Cost] | None = None, path: NodePath = ()) -> Diagram:
    """The diagram of a running graph, with what its nodes cost where `Profile.costs()` is given."""
    costs = costs or {}
    ports = tuple(Port(name, _tag(name)) for name in graph.inputs)
    loops = tuple(_loopback(name, source) for name, (source, _) in graph.feedback.items())
    boxes = (_box(node, costs, (*path, node.output)) for node in graph.nodes)
    return Diagram(graph.name, ports, (Port(graph.output, _tag(graph.output)),), (*loops, *boxes))


def _loopback(name: str, source: str) -> Box:
    ends = (Port(source, "LOOP", "back"),), (Port(name, "PREV_LOOP"),)
    return Box(PREVIOUS, *ends, name, about="What the previous call of the graph left.")


def _box(node: Node, costs: Mapping[NodePath, Cost], path: NodePath) -> Box:
    inner = node.run if isinstance(node.run, Graph) else None
    tags = inner.inputs if inner else _parameters(node.run, len(node.inputs))
    inputs = [Port(name, _tag(tag)) for name, tag in zip(node.inputs, tags, strict=True)]
    settings = tuple(_settings(node.run))
    return Box(
        node.name,
        (*inputs, *([Port(node.when, "WHEN", "when")] if node.when else [])),
        (Port(node.output, _tag(inner.output) if inner else ""),),
        node.output,
        (("options", ((f"[knuckle.{node.name}.ext]", settings),)),) if settings else (),
        "" if inner else _first_sentence(node.run),
        diagram_of(inner, costs, path) if inner else None,
        costs.get(path),
    )


def _tag(name: str) -> str:
    return name.upper()


def _parameters(run: Callable[..., Any], count: int) -> list[str]:
    """What a function calls its first arguments, "" each where it does not tell."""
    try:
        taken = inspect.signature(run).parameters.values()
    except (TypeError, ValueError):
        return [""] * count
    names = [p.name for p in taken if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[:count] if len(names) >= count else [""] * count


def _settings(run: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """The numbers and words that a node was made with: keywords of a partial, fields of a method's dataclass."""
    keywords = run.keywords if isinstance(run, partial) else {}
    owner = getattr(run.func if isinstance(run, partial) else run, "__self__", None)
    for name, value in [*keywords.items(), ("", owner)]:
        if isinstance(value, (bool, int, float, str)):
            yield name, value
        elif is_dataclass(value):
            plain = ((f.name, getattr(value, f.name)) for f in fields(value))
            yield from ((key, inner) for key, inner in plain if isinstance(inner, (bool, int, float, str)))


def _first_sentence(run: Callable[..., Any]) -> str:
    function = run.func if isinstance(run, partial) else run
    text = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    return text.split(". ")[0].rstrip(".") + "." if text else ""


def _leaves(values: Fields) -> Iterator[tuple[str, Any]]:
    for name, value in values:
        if isinstance(value, tuple):
            yield from _leaves(value)
        else:
            yield name, value


def cost_text(cost: Cost | None) -> str:
    """'104 calls, 3 skipped, 0.41 ms', or nothing where nothing was measured."""
    if cost is None:
        return ""
    skipped = f", {cost.skips} skipped" if cost.skips else ""
    return f"{cost.calls} calls{skipped}" + (f", {milliseconds(cost)} ms" if cost.calls else "")


def milliseconds(cost: Cost) -> str:
    """The median call's, with three digits that mean something."""
    ms = 1000 * cost.median_s
    return f"{ms:.1f}" if ms >= 10 else f"{ms:.2f}" if ms >= 0.1 else f"{ms:.3f}" if ms >= 0.001 else "<0.001"


def as_text(diagram: Diagram) -> str:
    """Like a program: one line per box, nested graphs indented; calls, skips and ms a call where measured."""
    ports = ", ".join(port.name for port in diagram.inputs)
    results = ", ".join(port.name for port in diagram.outputs)
    lines = [(f"{diagram.name}({ports}) -> {results}", None), *_text_lines(diagram, "  ")]
    if not any(cost for _, cost in lines):
        return "\n".join(line for line, _ in lines) + "\n"
    width = max(len(line) for line, _ in lines)
    columns = [f"{'':{width}}  {'calls':>7} {'skips':>7} {'ms/call':>8}"]
    for line, cost in lines:
        figures = f"{cost.calls:7} {cost.skips:7} {milliseconds(cost) if cost.calls else '':>8}" if cost else ""
        columns.append(f"{line:{width}}  {figures}".rstrip())
    return "\n".join(columns) + "\n"


def _text_lines(diagram: Diagram, indent: str) -> list[tuple[str, Cost | None]]:
    made = [", ".join(port.name for port in box.outputs) for box in diagram.boxes]
    width = min(max(map(len, made), default=0), 30)
    lines: list[tuple[str, Cost | None]] = []
    for box, name in zip(diagram.boxes, made, strict=True):
        taken = ", ".join(f"previous {p.name}" if p.kind == "back" else p.name for p in box.inputs if p.kind != "when")
        when = "".join(f"  when {port.name}" for port in box.inputs if port.kind == "when")
        lines.append((f"{indent}{name:{width}} = {box.calculator}({taken}){when}", box.cost))
        lines += _text_lines(box.inside, indent + "    ") if box.inside else []
    return lines


def as_mermaid(diagram: Diagram) -> str:
    """Mermaid text: a box says what runs and what it makes; dotted arrows decide, or reach into the next call."""
    return "\n".join(["flowchart TB", *_mermaid_lines(diagram, diagram.name)[0]]) + "\n"


def _mermaid_lines(diagram: Diagram, scope: str) -> tuple[list[str], dict[str, str]]:
    """The lines of a graph, and the Mermaid node that makes each of its values."""
    makers = {port.name: f"{scope}.{port.name}" for port in diagram.inputs}
    # Mermaid cuts a circle open at the node that it meets first: that must be the one that looks back.
    first: list[str] = []
    lines = [f'{maker}(["{name}"])' for name, maker in makers.items()]
    wires: list[tuple[Port, str]] = []
    for index, box in enumerate(diagram.boxes):
        place = f"{scope}.{box.name or f'{box.calculator}_{index}'}"
        ins: dict[str, str] = {}
        outs: dict[str, str] = {}
        if box.inside:
            inner, inner_makers = _mermaid_lines(box.inside, place)
            lines += [f'subgraph {place}["{box.calculator}"]', "direction TB", *inner, "end"]
            ins, outs = (
                {port.tag: inner_makers.get(port.name, place) for port in ports}
                for ports in (box.inside.inputs, box.inside.outputs)
            )
        else:
            made = "→ " + ", ".join(port.name for port in box.outputs)
            text = "<br>".join(filter(None, (box.calculator, made, cost_text(box.cost))))
            (first if any(port.kind == "back" for port in box.inputs) else lines).append(f'{place}["{text}"]')
        wires += [(port, ins.get(port.tag, place)) for port in box.inputs]
        makers |= {port.name: outs.get(port.tag, place) for port in box.outputs}
    return [*first, *lines, *_mermaid_arrows(wires, makers)], makers


def _mermaid_arrows(wires: list[tuple[Port, str]], makers: Mapping[str, str]) -> Iterator[str]:
    arrows = {"when": "-. when .->", "back": "-. next call .->", "side": "-.->", "data": "-->"}
    deciding = {(port.name, end) for port, end in wires if port.kind == "when"}
    for port, end in wires:
        if port.kind != "data" or (port.name, end) not in deciding:
            yield f"{makers.get(port.name, port.name)} {arrows[port.kind]} {end}"
