"""A diagram drawn: one row a node in the order of execution, a rail a value, as an SVG file or an HTML page.

A rail begins at the row that makes its value and ends at the last row that takes it; the nearer it runs to the
boxes, the shorter it lives. Every row draws its own piece of the rails with heights in percent, so a row can open
and its rails follow without a script.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from importlib.resources import files

from knuckle.inspect.diagram import Box, Diagram, Port, milliseconds
from knuckle.inspect.profile import Cost

PITCH, PAD, GAP = 20, 14, 10  # pixels: between ports, above the first one, below a row
LANE, BEND = 12, 6
LEAST_HEIGHT = 58
COLOURS = 8
TEXT_WIDTH, COST_WIDTH, INSET, LETTER = 470, 120, 14, 5.9
SHARED_STYLE = "/* wires, in the page and in SVG files */"
SVG_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #16181d } .port { font-family: ui-monospace, monospace }
.name { font-size: 20px; font-weight: 650 } .title { font-size: 14px; font-weight: 600 } .note { fill: #69707d }
.end { text-anchor: end } .paper { fill: #f6f7f9 } .card { fill: #fff; stroke: #dfe3e8 }
@media (prefers-color-scheme: dark) {
  text { fill: #eceef2 } .note { fill: #969eab } .paper { fill: #111317 } .card { fill: #191c22; stroke: #2e333c }
}
"""


@dataclass(frozen=True)
class _Row:
    """A box, or the graph's own inputs or outputs."""

    title: str
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    box: Box | None = None

    @property
    def ports(self) -> tuple[Port, ...]:
        return (*self.inputs, *self.outputs)

    @property
    def height(self) -> int:
        return max(LEAST_HEIGHT if self.box else 0, 2 * PAD + PITCH * (len(self.ports) - 1))

    def heights_of(self, name: str, back: bool, made: bool) -> list[int]:
        """Where ports of a value sit, pixels below the row's top."""
        found = [
            index
            for index, port in enumerate(self.ports)
            if port.name == name and (index >= len(self.inputs)) == made and (made or (port.kind == "back") == back)
        ]
        return [PAD + PITCH * index for index in found]


@dataclass(frozen=True)
class _Rail:
    """A value's way down the rows, or up, to the next call."""

    name: str
    top: int
    bottom: int
    back: bool
    colour: int
    lane: int = 0


def _rows(diagram: Diagram) -> list[_Row]:
    rows = [_Row(box.calculator, _merged(box.inputs), box.outputs, box) for box in diagram.boxes]
    first = [_Row("inputs", outputs=diagram.inputs)] if diagram.inputs else []
    last = [_Row("outputs", inputs=diagram.outputs)] if diagram.outputs else []
    return [*first, *rows, *last]


def _rails(rows: list[_Row]) -> list[_Rail]:
    """All rails, each in the lane nearest to the boxes that is free over its length; short ones choose first."""
    makers = {port.name: row for row, r in enumerate(rows) for port in r.outputs}
    spans: dict[tuple[str, bool], list[int]] = {}
    for row, r in enumerate(rows):
        for port in r.inputs:
            if port.name in makers:
                spans.setdefault((port.name, port.kind == "back"), [makers[port.name]]).append(row)
    colours = _colours(rows)
    rails = [_Rail(name, min(at), max(at), back, colours[name]) for (name, back), at in spans.items()]
    placed: list[_Rail] = []
    for rail in sorted(rails, key=lambda rail: (rail.bottom - rail.top, rail.top)):
        taken = {other.lane for other in placed if other.top <= rail.bottom and rail.top <= other.bottom}
        lane = next(lane for lane in range(len(rails)) if lane not in taken)
        placed.append(_Rail(rail.name, rail.top, rail.bottom, rail.back, rail.colour, lane))
    return placed


def _colours(rows: list[_Row]) -> dict[str, int]:
    made = dict.fromkeys(port.name for row in rows for port in row.outputs)
    return {name: index % COLOURS for index, name in enumerate(made)}


def _gutter(rails: list[_Rail]) -> int:
    return LANE * (1 + max((rail.lane for rail in rails), default=-1)) + 14


def _draw_rails(rows: list[_Row], rails: list[_Rail], row: int, scope: str) -> str:
    """SVG of the rails where they pass one row."""
    gutter = _gutter(rails)
    return "".join(_piece(rows[row], rail, row, gutter, scope) for rail in rails if rail.top <= row <= rail.bottom)


def _piece(row: _Row, rail: _Rail, index: int, gutter: int, scope: str) -> str:
    x = gutter - 14 - LANE * rail.lane
    made = index == (rail.bottom if rail.back else rail.top)
    ports = row.heights_of(rail.name, rail.back, made)
    begins, ends = index == rail.top, index == rail.bottom
    low = f"{ports[0] + BEND}" if begins and ports else "0"
    high = f"{ports[-1] - BEND}" if ends and ports else "100%"
    parts = [f'<line x1="{x}" y1="{low}" x2="{x}" y2="{high}"/>']
    for y in ports:
        if begins and y == ports[0]:
            parts.append(f'<path d="M{gutter},{y}H{x + BEND}Q{x},{y} {x},{y + BEND}"/>')
        elif ends and y == ports[-1]:
            parts.append(f'<path d="M{x},{y - BEND}Q{x},{y} {x + BEND},{y}H{gutter}"/>')
        else:
            parts.append(f'<path d="M{x},{y}H{gutter}"/><circle cx="{x}" cy="{y}" r="3"/>')
    kind = " back" if rail.back else ""
    return f'<g class="rail c{rail.colour}{kind}" data-value="{escape(scope)}.{escape(rail.name)}">{"".join(parts)}</g>'


def _place(scope: str, box: Box, row: int) -> str:
    return f"{scope}.{box.name or row}"


def _label(port: Port) -> tuple[str, str, str]:
    """A port's name, and what must be said before and after it."""
    before = {"when": "when ", "back": "previous ", "side": "constant "}.get(port.kind, "")
    own = port.tag.lower()
    return before, port.name, "" if own in (port.name, "loop", "prev_loop", "when") else f" as {own}" if own else ""


def _merged(ports: tuple[Port, ...]) -> tuple[Port, ...]:
    """A value that a box takes and that also decides whether it runs is drawn once."""
    deciding = {port.name for port in ports if port.kind == "when"}
    taken = {port.name for port in ports if port.kind == "data"}
    return tuple(
        replace(port, kind="when") if port.name in deciding else port
        for port in ports
        if not (port.kind == "when" and port.name in taken)
    )


def as_html(diagram: Diagram) -> str:
    """A page that needs nothing else: subgraphs open and close by click or key, light and dark."""
    graphs = list(diagram.all())
    facts = [_number(sum(len(inner.boxes) for inner in graphs), "node")]
    if len(graphs) > 1:
        facts.append(_number(len(graphs) - 1, "subgraph"))
    frames = max((box.cost.calls + box.cost.skips for box in diagram.boxes if box.cost), default=0)
    if frames:
        facts += [_number(frames, "call"), f"{1000 * diagram.seconds / frames:.2f} ms a call"]
    texts = {"title": escape(diagram.name), "facts": " · ".join(facts)}
    texts["graph"] = _html_graph(diagram, diagram.name, diagram.seconds)
    page = _template()
    for name, text in texts.items():
        page = page.replace(f"<!--{name}-->", text)
    return page


def _template() -> str:
    return files("knuckle.inspect").joinpath("page.html").read_text(encoding="utf-8")


def _ports_width(rows: list[_Row]) -> int:
    letters = max((len("".join(_label(port))) for row in rows for port in row.ports), default=0)
    return round(7.3 * letters) + 44


def _about(box: Box) -> str:
    if box.inside:
        return box.about or _number(len(box.inside.boxes), "node") + " inside"
    return box.about or ", ".join(f"{name} {_value(value)}" for name, value in box.settings())


def _number(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _counts(cost: Cost) -> str:
    return _number(cost.calls, "call") + (f", {cost.skips} skipped" if cost.skips else "")


def _html_graph(diagram: Diagram, scope: str, total_s: float) -> str:
    rows = _rows(diagram)
    rails = _rails(rows)
    gutter, ports_width = _gutter(rails), _ports_width(rows)
    colours, items = _colours(rows), []
    for index, row in enumerate(rows):
        wires = f'<svg class="rails" width="{gutter}">{_draw_rails(rows, rails, index, scope)}</svg>'
        ports = _html_ports(row, scope, colours)
        box = row.box
        inner = _html_box(box, ports, _place(scope, box, index), total_s) if box else _html_ends(row, ports)
        items.append(f'<li style="--height:{row.height}px">{wires}{inner}</li>')
    return f'<ol class="graph" style="--gutter:{gutter}px;--ports:{ports_width}px">{"".join(items)}</ol>'


def _html_ports(row: _Row, scope: str, colours: dict[str, int]) -> str:
    parts = []
    for index, port in enumerate(row.ports):
        before, name, after = (escape(text) for text in _label(port))
        side = "out" if index >= len(row.inputs) else "in"
        kind = f"{side} {port.kind} c{colours[port.name]}" if port.name in colours else f"{side} {port.kind}"
        value = f"{escape(scope)}.{name}"
        text = f"<i>{before}</i><b>{name}</b><i>{after}</i>"
        parts.append(f'<span class="port {kind}" data-value="{value}">{text}</span>')
    return f'<span class="ports">{"".join(parts)}</span>'


def _html_ends(row: _Row, ports: str) -> str:
    return f'<div class="ends">{ports}<span class="what"><em>{row.title}</em></span></div>'


def _html_box(box: Box, ports: str, place: str, total_s: float) -> str:
    cost = ""
    if box.cost:
        share = box.cost.total_s / total_s if total_s else 0.0
        ms = f"{milliseconds(box.cost)} <small>ms</small>" if box.cost.calls else "–"
        bar = f'<span class="bar"><span style="width:{100 * share:.1f}%"></span></span>'
        figures = f"<b>{ms}</b><small>{_counts(box.cost)}</small>{bar}"
        cost = f'<span class="cost" title="{100 * share:.1f} % of the time">{figures}</span>'
    what = f'<span class="what"><strong>{escape(box.calculator)}</strong><small>{escape(_about(box))}</small></span>'
    kind = "subgraph" if box.inside else "leaf"
    inside = _html_graph(box.inside, place, total_s) if box.inside else ""
    return (
        f'<details class="{kind}" id="{escape(place)}"><summary>{ports}{what}{cost}</summary>'
        f'<div class="inside">{_html_settings(box)}{inside}</div></details>'
    )


def _html_settings(box: Box) -> str:
    settings = box.settings()
    if not settings:
        return "" if box.inside else '<p class="none">no settings</p>'
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(_value(value))}</dd></div>" for name, value in settings)
    return f"<dl>{cells}</dl>"


def as_svg(diagram: Diagram) -> str:
    """An SVG file with all subgraphs open, light or dark as the viewer is set."""
    body, width, height = _svg_graph(diagram, diagram.name)
    width, height, name = width + 40, height + 70, escape(diagram.name)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f"<title>{name}</title><style>{_template().split(SHARED_STYLE)[1]}{SVG_STYLE}</style>"
        f'<rect class="paper" width="100%" height="100%"/><text class="name" x="20" y="36">{name}</text>'
        f'<svg x="20" y="56" overflow="visible">{body}</svg></svg>\n'
    )


def _svg_graph(diagram: Diagram, scope: str) -> tuple[str, int, int]:
    """A graph's markup, width and height."""
    rows = _rows(diagram)
    rails = _rails(rows)
    gutter, ports_width = _gutter(rails), _ports_width(rows)
    places = [_place(scope, row.box, index) if row.box else "" for index, row in enumerate(rows)]
    inner = [
        _svg_graph(row.box.inside, place) if row.box and row.box.inside else ("", 0, 0)
        for row, place in zip(rows, places, strict=True)
    ]
    card = max([ports_width + TEXT_WIDTH, *(width + 2 * INSET for _, width, _ in inner if width)])
    parts, y = [], 0
    for index, (row, (nested, _, nested_height)) in enumerate(zip(rows, inner, strict=True)):
        height = row.height + (nested_height + INSET if nested else 0)
        wires = _draw_rails(rows, rails, index, scope)
        parts.append(f'<svg y="{y}" width="{gutter}" height="{height + GAP}" overflow="visible">{wires}</svg>')
        inside = f'<svg x="{INSET}" y="{row.height}" overflow="visible">{nested}</svg>' if nested else ""
        texts = _svg_texts(row, ports_width, card)
        frame = f'<rect class="card" width="{card}" height="{height}" rx="8"/>' if row.box else ""
        parts.append(f'<g transform="translate({gutter},{y})">{frame}{texts}{inside}</g>')
        y += height + GAP
    return "".join(parts), gutter + card, y


def _svg_texts(row: _Row, ports_width: int, card: int) -> str:
    lines = []
    for index, port in enumerate(row.ports):
        before, name, after = (escape(text) for text in _label(port))
        arrow = "◂" if index >= len(row.inputs) else "▸"
        text = f'{arrow} <tspan class="note">{before}</tspan>{name}<tspan class="note">{after}</tspan>'
        lines.append(f'<text x="8" y="{PAD + PITCH * index + 4}" class="port">{text}</text>')
    if row.box is None:
        return f'{"".join(lines)}<text class="note" x="{ports_width}" y="{PAD + 4}">{row.title}</text>'
    middle = row.height // 2
    about = _clipped(_about(row.box), TEXT_WIDTH - COST_WIDTH)
    lines.append(f'<text x="{ports_width}" y="{middle - 4}" class="title">{escape(row.title)}</text>')
    lines.append(f'<text x="{ports_width}" y="{middle + 14}" class="note">{escape(about)}</text>')
    if cost := row.box.cost:
        ms = f"{milliseconds(cost)} ms" if cost.calls else "–"
        lines.append(f'<text x="{card - 14}" y="{middle - 4}" class="title end">{ms}</text>')
        lines.append(f'<text x="{card - 14}" y="{middle + 14}" class="note end">{_counts(cost)}</text>')
    return "".join(lines)


def _clipped(text: str, width: int) -> str:
    longest = int(width / LETTER)
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
