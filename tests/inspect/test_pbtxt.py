"""Graphs as MediaPipe's GraphConfig text."""

from __future__ import annotations

from functools import lru_cache, partial
from operator import add, neg
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from knuckle.errors import InputError
from knuckle.graph import Graph, Node
from knuckle.inspect.diagram import diagram_of
from knuckle.inspect.pbtxt import LOOPBACK, as_pbtxt
from knuckle.models import catalogue
from knuckle.pipeline.main_graph import main_graph
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import Networks
from knuckle.testing import FakeNetwork

# The part of mediapipe/framework/calculator.proto that graphs like ours can use: name, number, type. A type in capitals
# is another message. Options are extensions of CalculatorOptions, which MediaPipe registers; we have none there.
PROTO = {
    "CalculatorOptions": (("merge_fields", 1, "bool"),),
    "InputStreamInfo": (("tag_index", 1, "string"), ("back_edge", 2, "bool")),
    "Node": (
        ("name", 1, "string"),
        ("calculator", 2, "string"),
        ("input_stream", 3, "string*"),
        ("output_stream", 4, "string*"),
        ("input_side_packet", 5, "string*"),
        ("options", 7, "CalculatorOptions"),
        ("input_stream_info", 13, "InputStreamInfo*"),
    ),
    "CalculatorGraphConfig": (
        ("node", 1, "Node*"),
        ("input_stream", 10, "string*"),
        ("output_stream", 15, "string*"),
        ("type", 20, "string"),
    ),
}


@lru_cache
def graph_config() -> Any:
    """The message class CalculatorGraphConfig."""
    file = descriptor_pb2.FileDescriptorProto(
        name="knuckle_test_calculator.proto", package="mediapipe", syntax="proto2"
    )
    field_type = descriptor_pb2.FieldDescriptorProto
    for name, fields in PROTO.items():
        message = file.message_type.add(name=name)
        if name == "CalculatorOptions":
            message.extension_range.add(start=20000, end=536870912)
        for field, number, kind in fields:
            label = field_type.LABEL_REPEATED if kind.endswith("*") else field_type.LABEL_OPTIONAL
            kind = kind.rstrip("*")
            if kind in PROTO:
                of = {"type": field_type.TYPE_MESSAGE, "type_name": f".mediapipe.{kind}"}
            else:
                of = {"type": getattr(field_type, f"TYPE_{kind.upper()}")}
            message.field.add(name=field, number=number, label=label, **of)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("mediapipe.CalculatorGraphConfig"))


def parse(text: str) -> Any:
    return text_format.Parse(text, graph_config()())


def test_running_graphs_parse_as_mediapipe_s_message(networks: Networks) -> None:
    main = diagram_of(main_graph(iter(()), networks, TrackerOptions(), bool))
    assert len(list(main.all())) == 6
    for diagram in main.all():
        config = parse(as_pbtxt(diagram))
        assert config.type == diagram.name and len(config.node) == len(diagram.boxes)
        for node, box in zip(config.node, diagram.boxes, strict=True):
            assert node.calculator in (box.calculator, LOOPBACK) and node.name == box.name
            tagged = [f"{port.tag}:{port.name}" if port.tag else port.name for port in box.inputs]
            assert list(node.input_stream)[len(node.input_stream) - len(tagged) :] == tagged
            assert [stream.split(":")[-1] for stream in node.output_stream] == [port.name for port in box.outputs]


def test_the_parser_rejects_unregistered_options_like_mediapipe() -> None:
    with pytest.raises(text_format.ParseError, match="knuckle"):
        parse('node { calculator: "gate" options { [knuckle.gate.ext] { min_presence: 0.5 } } }')


def test_conditions_and_feedback_are_streams_that_mediapipe_knows() -> None:
    inner = Graph("inner", ["x"], [Node(neg, ("x",), "minus")], "minus")
    nodes = [Node(inner, ("a",), "b", when="a"), Node(add, ("b", "last"), "c")]
    config = parse(as_pbtxt(diagram_of(Graph("outer", ["a"], nodes, "c", {"last": ("c", 0)}))))
    assert (config.type, list(config.input_stream), list(config.output_stream)) == ("outer", ["A:a"], ["C:c"])
    loop, nested, sums = config.node
    assert loop.calculator == LOOPBACK and list(loop.input_stream) == ["MAIN:a", "LOOP:c"]
    assert list(loop.output_stream) == ["PREV_LOOP:last"]
    assert [(info.tag_index, info.back_edge) for info in loop.input_stream_info] == [("LOOP", True)]
    assert nested.calculator == "inner" and list(nested.input_stream) == ["X:a", "WHEN:a"]
    assert sums.calculator == "add" and list(sums.output_stream) == ["c"]


def test_settings_become_comments() -> None:
    def odd(value: Any, text: str, exact: bool) -> Any:
        return value

    node = Node(partial(odd, text='two\nlines "} #', exact=True), ("a",), "b")
    text = as_pbtxt(diagram_of(Graph("g", ["a"], [node], "b")))
    assert '# text: two lines "} #' in text and "# exact: true" in text
    assert [node.calculator for node in parse(text).node] == ["odd"]


def test_a_name_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(InputError, match="bigName"):
        as_pbtxt(diagram_of(Graph("g", ["bigName"], [Node(neg, ("bigName",), "b")], "b")))


def test_a_graph_without_networks_can_be_written() -> None:
    networks = Networks(FakeNetwork(192), FakeNetwork(224), catalogue.BUNDLES["mediapipe"])
    tracking = diagram_of(main_graph(iter(()), networks, TrackerOptions(max_hands=4), bool)).boxes[3].inside
    assert tracking is not None
    text = as_pbtxt(tracking)
    assert "max_hands: 4" in text and 'input_stream: "WHEN:tracked_candidates"' in text
    assert text.count("back_edge: true") == 2 and 'input_stream: "MAIN:image"' in text


def test_nodes_whose_functions_name_no_parameters_have_untagged_streams() -> None:
    diagram = diagram_of(Graph("g", ["a"], [Node(partial(max, 1), ("a",), "b"), Node(add, ("a", "b"), "c")], "c"))
    assert 'input_stream: "a"' in as_pbtxt(diagram)
