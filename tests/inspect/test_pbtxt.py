from __future__ import annotations

from functools import partial
from operator import add, neg
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knuckle.errors import InputError, SourceError
from knuckle.graph import Graph, Node
from knuckle.inspect.diagram import Box, Diagram, Port, as_text, diagram_of
from knuckle.inspect.pbtxt import LOOPBACK, Word, as_pbtxt, parse, read_pbtxt
from knuckle.models import catalogue
from knuckle.pipeline.main_graph import main_graph
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import Networks
from knuckle.testing import FakeNetwork

COUNTER = """
# Counts what passes.
type: "Counter"
input_stream: "IMAGE:image"  # of any size
input_side_packet: 'LIMIT:limit'
output_stream: "COUNT:count"
max_queue_size: -1

node: <
  calculator: "AddCalculator"
  input_stream: "before"
  input_stream: "CLONE:0:image";
  input_side_packet: "LIMIT:limit",
  output_stream: ["COUNT:count", "OVER:over"]
  options: {
    [mediapipe.AddCalculatorOptions.ext] { step: 0x10 scale: 1.5e-1 label: "a \\"b\\"" " c\\n" mode: FAST exact: true }
  }
  node_options: { [type.googleapis.com/mediapipe.More]: { at: [1, 2, -3] range { begin: 0 end: 1f } } }
>
node {
  calculator: "PreviousLoopbackCalculator"
  input_stream: "MAIN:image"
  input_stream: "LOOP:count"
  input_stream_info: { tag_index: "LOOP" back_edge: true }
  output_stream: "PREV_LOOP:before"
}
"""


def test_text_by_hand_is_understood() -> None:
    diagram = parse(COUNTER)
    assert (diagram.name, diagram.fields) == ("Counter", (("max_queue_size", -1),))
    assert diagram.inputs == (Port("image", "IMAGE"), Port("limit", "LIMIT", "side"))
    assert diagram.outputs == (Port("count", "COUNT"),)
    loop, counts = diagram.boxes
    assert loop.calculator == LOOPBACK, "it runs before what needs its output"
    assert loop.inputs == (Port("image", "MAIN"), Port("count", "LOOP", "back")) and loop.fields == ()
    assert counts.inputs == (Port("before"), Port("image", "CLONE:0"), Port("limit", "LIMIT", "side"))
    assert counts.outputs == (Port("count", "COUNT"), Port("over", "OVER"))
    ((_, options), (_, more)) = counts.fields
    expected: list[tuple[str, Any]] = [
        ("step", 16),
        ("scale", 0.15),
        ("label", 'a "b" c\n'),
        ("mode", "FAST"),
        ("exact", True),
    ]
    assert options == (("[mediapipe.AddCalculatorOptions.ext]", tuple(expected)),)
    assert isinstance(dict(options[0][1])["mode"], Word)
    assert more[0][1] == (("at", 1), ("at", 2), ("at", -3), ("range", (("begin", 0), ("end", 1.0))))


def test_what_is_written_reads_the_same() -> None:
    diagram = parse(COUNTER)
    assert parse(as_pbtxt(diagram)) == diagram
    assert 'input_stream_info { tag_index: "LOOP" back_edge: true }' in as_pbtxt(diagram)


def test_running_graphs_go_round(networks: Networks) -> None:
    main = diagram_of(main_graph(iter(()), networks, TrackerOptions(), bool))
    assert len(list(main.all())) == 6
    for diagram in main.all():
        text = as_pbtxt(diagram)
        again = parse(text)
        assert as_pbtxt(again) == text
        for box, read in zip(diagram.boxes, again.boxes, strict=True):
            assert read == box or read.calculator == LOOPBACK


def test_a_subgraph_is_a_node_of_its_type_and_found_beside_or_below(tmp_path: Path) -> None:
    inner = Graph("inner", ["x"], [Node(neg, ("x",), "minus")], "minus")
    outer = diagram_of(Graph("outer", ["a"], [Node(inner, ("a",), "b", when="a"), Node(neg, ("b",), "c")], "c"))
    (tmp_path / "below").mkdir()
    for diagram, path in zip(outer.all(), (tmp_path / "main.pbtxt", tmp_path / "below" / "other.pbtxt"), strict=True):
        path.write_text(as_pbtxt(diagram), encoding="utf-8")
    (tmp_path / "notes.pbtxt").write_text("not: { a graph }", encoding="utf-8")
    assert as_text(read_pbtxt(tmp_path / "main.pbtxt")) == as_text(outer)


def test_a_graph_that_names_itself_is_not_opened_for_ever(tmp_path: Path) -> None:
    for name, other in (("A", "B"), ("B", "A")):
        text = f'type: "{name}" node {{ calculator: "{other}" }} node {{ calculator: "{name}" }}'
        (tmp_path / f"{name}.pbtxt").write_text(text, encoding="utf-8")
    diagram = read_pbtxt(tmp_path / "A.pbtxt")
    assert diagram.boxes[0].inside is not None and diagram.boxes[0].inside.boxes[0].inside is None


def test_nodes_come_in_an_order_in_which_they_can_run() -> None:
    text = """
    input_stream: "a"
    node { calculator: "Third" input_stream: "c" output_stream: "d" }
    node { calculator: "Second" input_stream: "b" output_stream: "c" }
    node { calculator: "First" input_stream: "a" output_stream: "b" }
    node { calculator: "Round" input_stream: "f" output_stream: "e" }
    node { calculator: "About" input_stream: "e" output_stream: "f" }
    """
    assert [box.calculator for box in parse(text, "g").boxes] == ["First", "Second", "Third", "Round", "About"]


def test_back_edges_are_found_by_tag_and_index() -> None:
    info = 'input_stream_info {{ tag_index: "{}" back_edge: true }}'
    for stream, index in (("LOOP:b", "LOOP:0"), ("LOOP:0:b", "LOOP"), ("b", ":0"), ("b", "")):
        text = f'node {{ calculator: "C" input_stream: "{stream}" {info.format(index)} output_stream: "b" }}'
        (box,) = parse(text).boxes
        assert [port.kind for port in box.inputs] == ["back"] and parse(as_pbtxt(parse(text))) == parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no graph"),
        ('input_stream: "a"', "is no graph"),
        ('node: "a"', "is no graph"),
        ("node { }", "names no calculator"),
        ('node { calculator: "A" input_stream: "Image" }', "'Image' is no stream"),
        ('node {\n  calculator: "A"\n', "line 3: did not expect 'end'"),
        ('node {\n  calculator "A" }', "line 2: did not expect"),
        ("node {\n\n  calculator: @ }", "line 3: cannot read '@ }'"),
        ('node { calculator: "A" } }', "did not expect '}'"),
        ("node { calculator: [1 2] }", "did not expect '2'"),
        ('node { calculator: "A', "cannot read"),
    ],
)
def test_damaged_text_is_refused_with_the_place(text: str, words: str) -> None:
    with pytest.raises(InputError, match=r"graph\.pbtxt") as error:
        parse(text, "graph", "graph.pbtxt")
    assert words in str(error.value)


def test_files_that_cannot_be_read_and_names_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "bytes.pbtxt").write_bytes(b"\xff\xfe\x00")
    for name in ("bytes.pbtxt", "none.pbtxt"):
        with pytest.raises(SourceError, match=name):
            read_pbtxt(tmp_path / name)
    with pytest.raises(InputError, match="bigName"):
        as_pbtxt(diagram_of(Graph("g", ["bigName"], [Node(neg, ("bigName",), "b")], "b")))


SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=("Cs", "Cc"))),
    st.just('two\nlines\t\\ "'),
    st.from_regex("[A-Z][A-Z_]*", fullmatch=True).map(Word),
)
NAMES = st.from_regex("[a-z][a-z0-9_]{0,5}", fullmatch=True)
FIELDS = st.recursive(SCALARS, lambda inner: st.lists(st.tuples(NAMES, inner), max_size=3).map(tuple), max_leaves=8)


@given(st.lists(st.tuples(NAMES.map(lambda name: f"x_{name}"), FIELDS), max_size=4).map(tuple))
def test_any_fields_go_round(fields: Any) -> None:
    diagram = Diagram("g", (), (), (Box("C", (), (), fields=fields),), fields)
    assert parse(as_pbtxt(diagram)) == diagram


def test_a_graph_without_networks_can_be_written() -> None:
    networks = Networks(FakeNetwork(192), FakeNetwork(224), catalogue.BUNDLES[catalogue.DEFAULT])
    tracking = diagram_of(main_graph(iter(()), networks, TrackerOptions(max_hands=4), bool)).boxes[3].inside
    assert tracking is not None
    text = as_pbtxt(tracking)
    assert "max_hands: 4" in text and 'input_stream: "WHEN:tracked_candidates"' in text
    assert text.count("back_edge: true") == 1 and 'input_stream: "MAIN:image"' in text


def test_nodes_whose_functions_name_no_parameters_have_untagged_streams() -> None:
    diagram = diagram_of(Graph("g", ["a"], [Node(partial(max, 1), ("a",), "b"), Node(add, ("a", "b"), "c")], "c"))
    assert 'input_stream: "a"' in as_pbtxt(diagram)
