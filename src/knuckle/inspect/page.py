"""A graph as an HTML page, where subgraphs open and close, and as an SVG file, where all are open."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from knuckle.inspect.diagram import Box, Diagram, milliseconds
from knuckle.inspect.layout import PAD, PITCH, Layout, Piece, Row, layout, port_label
from knuckle.inspect.profile import Cost
from knuckle.media.names import counted

GAP, INSET = 10, 14  # pixels below a row, and around a subgraph in the SVG file
TEXT_WIDTH, COST_WIDTH = 470, 120  # pixels of a row of the SVG file
LETTER = 5.9  # pixels of a letter of a description


def as_html(diagram: Diagram) -> str:
    """A page without links to other files; it follows the light or dark setting of the browser."""
    graphs = list(diagram.all())
    facts = [counted(sum(len(inner.boxes) for inner in graphs), "node")]
    if len(graphs) > 1:
        facts.append(counted(len(graphs) - 1, "subgraph"))
    calls = max((box.cost.calls + box.cost.skips for box in diagram.boxes if box.cost), default=0)
    if calls:
        facts += [counted(calls, "call"), f"{1000 * diagram.seconds / calls:.2f} ms a call"]
    return _render("graph.html", diagram=diagram, facts=" · ".join(facts), total_s=diagram.seconds)


def as_svg(diagram: Diagram) -> str:
    """An SVG file with all subgraphs open; it follows the light or dark setting of the viewer."""
    return _render("graph.svg", diagram=diagram, graph=_measure(diagram, diagram.name))


@dataclass(frozen=True)
class SizedRow:
    """A row of the SVG file: its position and height in pixels, with the graph inside it."""

    row: Row
    pieces: tuple[Piece, ...]
    y: int
    height: int
    inside: SizedGraph | None


@dataclass(frozen=True)
class SizedGraph:
    """A graph of the SVG file with its size in pixels; `card` is the width of its rows."""

    layout: Layout
    rows: tuple[SizedRow, ...]
    card: int
    height: int

    @property
    def width(self) -> int:
        return self.layout.gutter + self.card


def _measure(diagram: Diagram, scope: str) -> SizedGraph:
    """Sizes of a graph and of all graphs inside it."""
    made = layout(diagram, scope)
    card, y, rows = made.ports_width + TEXT_WIDTH, 0, []
    for index, row in enumerate(made.rows):
        inside = _measure(row.box.inside, made.node_id(index)) if row.box and row.box.inside else None
        height = row.height
        if inside:
            card, height = max(card, inside.width + 2 * INSET), height + inside.height + INSET
        rows.append(SizedRow(row, made.pieces[index], y, height, inside))
        y += height + GAP
    return SizedGraph(made, tuple(rows), card, y)


def about(box: Box) -> str:
    """One line about a node: its description, what is inside it, or its settings."""
    if box.about or not box.inside:
        return box.about or ", ".join(f"{name} {setting_text(value)}" for name, value in box.settings)
    return counted(len(box.inside.boxes), "node") + " inside"


def setting_text(value: object) -> str:
    """A setting in short: 0.5 and not 0.5000000001."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def calls_text(cost: Cost) -> str:
    """'104 calls, 3 skipped'."""
    return counted(cost.calls, "call") + (f", {cost.skips} skipped" if cost.skips else "")


def clipped(text: str) -> str:
    """The text, cut off where the costs of its row begin in the SVG file."""
    longest = int((TEXT_WIDTH - COST_WIDTH) / LETTER)
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _render(name: str, **values: Any) -> str:
    """Fill in a template of the folder `templates`; texts are escaped."""
    page: str = _templates().get_template(name).render(values)
    return page + "\n"


@lru_cache
def _templates() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("knuckle.inspect"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    functions = (about, calls_text, clipped, layout, milliseconds, port_label, setting_text)
    environment.globals.update({function.__name__: function for function in functions})
    environment.globals.update(GAP=GAP, INSET=INSET, PAD=PAD, PITCH=PITCH)
    return environment
