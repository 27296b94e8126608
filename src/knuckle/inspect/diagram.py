"""A graph as plain data: nodes as boxes, values as the ports between them. All formats are made from it.

`diagram_of` reads a running Graph. This module writes the text and Mermaid formats, `page` HTML and SVG, and `pbtxt`
MediaPipe's GraphConfig.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from typing import Any, Literal

from knuckle.graph import Graph, Node
from knuckle.inspect.profile import Cost, NodePath, Profile

PREVIOUS = "previous_call"  # the box that stands for the feedback of a graph
Kind = Literal["data", "when", "back"]
Setting = tuple[str, bool | int | float | str]


@dataclass(frozen=True)
class Port:
    """An input or output of a box.

    Attributes:
        name: the value at this port.
        tag: the name of the parameter, in capitals; "" if it has none.
        kind: "data" for values, "when" if the value decides whether the box runs, "back" if the next call uses it.
    """

    name: str
    tag: str = ""
    kind: Kind = "data"


@dataclass(frozen=True)
class Box:
    """One node.

    Attributes:
        calculator: name of the function or graph that runs.
        inputs, outputs: its ports.
        name: unique within the graph.
        settings: the numbers and texts that the node was made with, such as ("min_score", 0.5).
        about: one sentence.
        inside: the graph that runs in it.
        cost: its cost, if it was measured.
    """

    calculator: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    name: str = ""
    settings: tuple[Setting, ...] = ()
    about: str = field(default="", compare=False)
    inside: Diagram | None = field(default=None, compare=False)
    cost: Cost | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Diagram:
    """A graph: its name, its inputs and outputs, and its boxes in the order of execution."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    boxes: tuple[Box, ...]

    def all(self) -> Iterator[Diagram]:
        """This diagram and all diagrams inside it, each name once."""
        by_name: dict[str, Diagram] = {self.name: self}
        for box in self.boxes:
            for inner in box.inside.all() if box.inside else ():
                by_name.setdefault(inner.name, inner)
        yield from by_name.values()

    @property
    def seconds(self) -> float:
        """The cost of all boxes, in seconds."""
        return sum(box.cost.total_s for box in self.boxes if box.cost)


def diagrams_of(graph: Graph, profile: Profile | None = None) -> dict[str, Diagram]:
    """The diagrams of a graph and of all graphs inside it, by name.

    If a graph is used more than once, its costs are added up.
    """
    graphs: dict[str, Graph] = {}
    paths: dict[str, list[NodePath]] = {}
    for path, inner in _graphs_in(graph, ()):
        graphs.setdefault(inner.name, inner)
        paths.setdefault(inner.name, []).append(path)
    return {name: diagram_of(inner, profile.costs(paths[name]) if profile else None) for name, inner in graphs.items()}


def _graphs_in(graph: Graph, path: NodePath) -> Iterator[tuple[NodePath, Graph]]:
    yield path, graph
    for node in graph.nodes:
        if isinstance(node.run, Graph):
            yield from _graphs_in(node.run, (*path, node.output))


def diagram_of(graph: Graph, costs: Mapping[NodePath, Cost] | None = None, path: NodePath = ()) -> Diagram:
    """The diagram of a running graph.

    Args:
        graph: the graph.
        costs: from `Profile.costs()`.
        path: the output names that lead to this graph in `costs`.
    """
    costs = costs or {}
    inputs = tuple(Port(name, name.upper()) for name in graph.inputs)
    boxes = []
    for name, (source, _) in graph.feedback.items():
        ends = (Port(source, "LOOP", "back"),), (Port(name, "PREV_LOOP"),)
        boxes.append(Box(PREVIOUS, *ends, name, about="The value from the previous call."))
    boxes += [_box(node, costs, (*path, node.output)) for node in graph.nodes]
    return Diagram(graph.name, inputs, (Port(graph.output, graph.output.upper()),), tuple(boxes))


def _box(node: Node, costs: Mapping[NodePath, Cost], path: NodePath) -> Box:
    inner = node.run if isinstance(node.run, Graph) else None
    tags = inner.inputs if inner else _parameters(node.run, len(node.inputs))
    inputs = [Port(name, tag.upper()) for name, tag in zip(node.inputs, tags, strict=True)]
    if node.when:
        inputs.append(Port(node.when, "WHEN", "when"))
    return Box(
        node.name,
        tuple(inputs),
        (Port(node.output, inner.output.upper() if inner else ""),),
        node.output,
        tuple(_settings(node.run)),
        "" if inner else _first_sentence(node.run),
        diagram_of(inner, costs, path) if inner else None,
        costs.get(path),
    )


def _parameters(run: Callable[..., Any], count: int) -> list[str]:
    """The names of a function's first parameters; "" for each if they are unknown."""
    try:
        taken = inspect.signature(run).parameters.values()
    except (TypeError, ValueError):
        return [""] * count
    names = [p.name for p in taken if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[:count] if len(names) >= count else [""] * count


def _settings(run: Callable[..., Any]) -> Iterator[Setting]:
    """The numbers and texts that a node was made with: keywords of a partial, fields of a dataclass."""
    keywords = run.keywords if isinstance(run, partial) else {}
    owner = getattr(run.func if isinstance(run, partial) else run, "__self__", None)
    for name, value in [*keywords.items(), ("", owner)]:
        if is_dataclass(value):
            named = [(item.name, getattr(value, item.name)) for item in fields(value)]
        else:
            named = [(name, value)]
        yield from ((key, setting) for key, setting in named if isinstance(setting, (bool, int, float, str)))


def _first_sentence(run: Callable[..., Any]) -> str:
    function = run.func if isinstance(run, partial) else run
    text = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    return text.split(". ")[0].rstrip(".") + "." if text else ""


def cost_text(cost: Cost | None) -> str:
    """The cost as '104 calls, 3 skipped, 0.41 ms'; "" if it was not measured."""
    if cost is None:
        return ""
    skipped = f", {cost.skips} skipped" if cost.skips else ""
    return f"{cost.calls} calls{skipped}" + (f", {milliseconds(cost)} ms" if cost.calls else "")


def milliseconds(cost: Cost) -> str:
    """The median duration of a call in milliseconds, with about three significant digits."""
    ms = 1000 * cost.median_s
    return f"{ms:.1f}" if ms >= 10 else f"{ms:.2f}" if ms >= 0.1 else f"{ms:.3f}" if ms >= 0.001 else "<0.001"


def as_text(diagram: Diagram) -> str:
    """The graph like a program: one line per box, nested graphs indented; with costs if they were measured."""
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
    """Mermaid text. Dotted arrows show values that decide whether a node runs, or that the next call uses."""
    return "\n".join(["flowchart TB", *_mermaid_lines(diagram, diagram.name)[0]]) + "\n"


def _mermaid_lines(diagram: Diagram, scope: str) -> tuple[list[str], dict[str, str]]:
    """The lines of a graph, and for each of its values the Mermaid node that produces it."""
    makers = {port.name: f"{scope}.{port.name}" for port in diagram.inputs}
    # Mermaid breaks a cycle at the node that it meets first, which must be the box of the feedback.
    first: list[str] = []
    lines = [f'{maker}(["{name}"])' for name, maker in makers.items()]
    wires: list[tuple[Port, str]] = []
    for index, box in enumerate(diagram.boxes):
        node_id = f"{scope}.{box.name or f'{box.calculator}_{index}'}"
        ins: dict[str, str] = {}
        outs: dict[str, str] = {}
        if box.inside:
            inner, inner_makers = _mermaid_lines(box.inside, node_id)
            lines += [f'subgraph {node_id}["{box.calculator}"]', "direction TB", *inner, "end"]
            ins = {port.tag: inner_makers.get(port.name, node_id) for port in box.inside.inputs}
            outs = {port.tag: inner_makers.get(port.name, node_id) for port in box.inside.outputs}
        else:
            made = "→ " + ", ".join(port.name for port in box.outputs)
            text = "<br>".join(filter(None, (box.calculator, made, cost_text(box.cost))))
            (first if any(port.kind == "back" for port in box.inputs) else lines).append(f'{node_id}["{text}"]')
        wires += [(port, ins.get(port.tag, node_id)) for port in box.inputs]
        makers |= {port.name: outs.get(port.tag, node_id) for port in box.outputs}
    return [*first, *lines, *_mermaid_arrows(wires, makers)], makers


def _mermaid_arrows(wires: list[tuple[Port, str]], makers: Mapping[str, str]) -> Iterator[str]:
    arrows = {"when": "-. when .->", "back": "-. next call .->", "data": "-->"}
    deciding = {(port.name, end) for port, end in wires if port.kind == "when"}
    for port, end in wires:
        if port.kind != "data" or (port.name, end) not in deciding:
            yield f"{makers.get(port.name, port.name)} {arrows[port.kind]} {end}"
