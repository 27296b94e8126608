"""The layout of a drawn graph: one row per node, in the order of execution, and one rail per value.

A rail is a vertical line beside the rows. It starts at the row that produces the value and ends at the last row that
uses it. Short rails run closest to the rows. Each row draws its own piece of every rail that passes it, so that a row
can grow when its subgraph is opened.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from knuckle.inspect.diagram import Box, Diagram, Port

PITCH, PAD = 20, 14  # pixels between two ports, and above the first one
LANE, BEND, MARGIN = 12, 6, 14  # pixels between two rails, radius of their corners, space beside the rows
MIN_HEIGHT = 58  # pixels of a row with a node
COLOURS = 8
LETTER = 7.3  # pixels of a letter of a port's name


@dataclass(frozen=True)
class Row:
    """A node, or the inputs or outputs of the graph itself."""

    title: str
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    box: Box | None = None

    @property
    def ports(self) -> tuple[Port, ...]:
        return (*self.inputs, *self.outputs)

    @property
    def height(self) -> int:
        """Pixels, without the subgraph."""
        return max(MIN_HEIGHT if self.box else 0, 2 * PAD + PITCH * (len(self.ports) - 1))

    def port_ys(self, name: str, back: bool, made: bool) -> list[int]:
        """The positions of a value's ports, in pixels below the top of the row.

        Args:
            name: the value.
            back: whether to look for inputs that take it from the previous call.
            made: whether to look for outputs instead of inputs.
        """
        count = len(self.inputs)
        found = []
        for index, port in enumerate(self.ports):
            is_output = index >= count
            if port.name == name and is_output == made and (made or (port.kind == "back") == back):
                found.append(PAD + PITCH * index)
        return found


@dataclass(frozen=True)
class Rail:
    """The line of one value, from row `top` to row `bottom`, in one of the lanes beside the rows."""

    name: str
    top: int
    bottom: int
    back: bool
    colour: int
    lane: int = 0


@dataclass(frozen=True)
class Piece:
    """The part of a rail beside one row: a vertical line, branches to the ports, and dots where they branch off.

    `low` and `high` are pixels below the top of the row, or "100%" for its lower end.
    """

    value: str
    colour: int
    back: bool
    x: int
    low: int
    high: int | str
    paths: tuple[str, ...]
    dots: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The rows of a graph with their pieces of rails.

    Attributes:
        scope: path of the graph's node, such as "main.hands"; it makes names unique on a page.
        rows: the rows, from top to bottom.
        pieces: for each row its pieces of rails.
        colours: for each value the index of its colour.
        gutter: width of the space for the rails, pixels.
        ports_width: width of the space for the names of the ports, pixels.
    """

    scope: str
    rows: tuple[Row, ...]
    pieces: tuple[tuple[Piece, ...], ...]
    colours: dict[str, int]
    gutter: int
    ports_width: int

    def node_id(self, index: int) -> str:
        """The unique name of the node in a row."""
        box = self.rows[index].box
        return f"{self.scope}.{(box.name if box else '') or index}"


def layout(diagram: Diagram, scope: str) -> Layout:
    """Lay out one graph, without those inside it."""
    rows = rows_of(diagram)
    rails = rails_of(rows)
    gutter = LANE * (1 + max((rail.lane for rail in rails), default=-1)) + MARGIN
    pieces = []
    for index, row in enumerate(rows):
        passing = [rail for rail in rails if rail.top <= index <= rail.bottom]
        pieces.append(tuple(_piece(row, rail, index, gutter, scope) for rail in passing))
    letters = max((len("".join(port_label(port))) for row in rows for port in row.ports), default=0)
    return Layout(scope, tuple(rows), tuple(pieces), _colours(rows), gutter, round(LETTER * letters) + 44)


def rows_of(diagram: Diagram) -> list[Row]:
    """The inputs of the graph, its nodes, and its outputs."""
    rows = [Row("inputs", outputs=diagram.inputs)] if diagram.inputs else []
    rows += [Row(box.calculator, _merged(box.inputs), box.outputs, box) for box in diagram.boxes]
    if diagram.outputs:
        rows.append(Row("outputs", inputs=diagram.outputs))
    return rows


def _merged(ports: tuple[Port, ...]) -> tuple[Port, ...]:
    """If a value is both an argument and the condition of a node, one port that is drawn as a condition."""
    conditions = {port.name for port in ports if port.kind == "when"}
    arguments = {port.name for port in ports if port.kind == "data"}
    merged = []
    for port in ports:
        if port.kind == "when" and port.name in arguments:
            continue  # the argument of the same name stands for both
        merged.append(replace(port, kind="when") if port.name in conditions else port)
    return tuple(merged)


def rails_of(rows: list[Row]) -> list[Rail]:
    """All rails. Each takes the free lane closest to the rows; short ones choose first."""
    makers = {port.name: index for index, row in enumerate(rows) for port in row.outputs}
    spans: dict[tuple[str, bool], list[int]] = {}
    for index, row in enumerate(rows):
        for port in row.inputs:
            if port.name in makers:
                spans.setdefault((port.name, port.kind == "back"), [makers[port.name]]).append(index)
    colours = _colours(rows)
    rails = [Rail(name, min(at), max(at), back, colours[name]) for (name, back), at in spans.items()]
    done: list[Rail] = []
    for rail in sorted(rails, key=lambda rail: (rail.bottom - rail.top, rail.top)):
        occupied = {other.lane for other in done if other.top <= rail.bottom and rail.top <= other.bottom}
        done.append(replace(rail, lane=next(lane for lane in range(len(rails)) if lane not in occupied)))
    return done


def _colours(rows: list[Row]) -> dict[str, int]:
    made = dict.fromkeys(port.name for row in rows for port in row.outputs)
    return {name: index % COLOURS for index, name in enumerate(made)}


def _piece(row: Row, rail: Rail, index: int, gutter: int, scope: str) -> Piece:
    x = gutter - MARGIN - LANE * rail.lane
    made = index == (rail.bottom if rail.back else rail.top)
    ys = row.port_ys(rail.name, rail.back, made)
    begins, ends = index == rail.top and bool(ys), index == rail.bottom and bool(ys)
    paths, dots = [], []
    for y in ys:
        if begins and y == ys[0]:
            paths.append(f"M{gutter},{y}H{x + BEND}Q{x},{y} {x},{y + BEND}")
        elif ends and y == ys[-1]:
            paths.append(f"M{x},{y - BEND}Q{x},{y} {x + BEND},{y}H{gutter}")
        else:
            paths.append(f"M{x},{y}H{gutter}")
            dots.append(y)
    low, high = ys[0] + BEND if begins else 0, ys[-1] - BEND if ends else "100%"
    return Piece(f"{scope}.{rail.name}", rail.colour, rail.back, x, low, high, tuple(paths), tuple(dots))


def port_label(port: Port) -> tuple[str, str, str]:
    """The text before a port's name, the name, and the text after it, such as ("when ", "rois", "") or "x as y"."""
    before = {"when": "when ", "back": "previous "}.get(port.kind, "")
    own = port.tag.lower()
    is_obvious = own in ("", port.name, "loop", "prev_loop", "when")
    return before, port.name, "" if is_obvious else f" as {own}"
