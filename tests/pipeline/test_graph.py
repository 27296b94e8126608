from __future__ import annotations

import pickle
from operator import add, mul, neg

import pytest

from knuckle.errors import InputError
from knuckle.graph import Graph, Node, Step


def counter() -> Graph:
    """Sums what it is given, call by call."""
    return Graph("sum", ["x"], [Node(add, ("before", "x"), "total")], "total", {"before": ("total", 0)})


def test_nodes_run_in_order_and_the_output_is_returned() -> None:
    graph = Graph("g", ["a", "b"], [Node(add, ("a", "b"), "c"), Node(mul, ("c", "c"), "d")], "d")
    assert graph(1, 2) == 9


def test_feedback_carries_a_value_to_the_next_call_until_reset() -> None:
    graph = counter()
    assert [graph(k) for k in (1, 2, 3)] == [1, 3, 6]
    graph.reset()
    assert graph(5) == 5


def test_a_node_is_skipped_if_its_condition_is_empty() -> None:
    nodes = [Node(neg, ("a",), "b", when="a", otherwise="none")]
    graph = Graph("g", ["a"], nodes, "b")
    assert graph(3) == -3
    assert graph(0) == "none"


def test_a_graph_is_a_node_of_another_and_resets_with_it() -> None:
    outer = Graph("outer", ["x"], [Node(counter(), ("x",), "sum"), Node(neg, ("sum",), "minus")], "minus")
    assert [outer(2), outer(2)] == [-2, -4]
    outer.reset()
    assert outer(2) == -2


def test_the_observer_is_told_about_every_node_with_its_path() -> None:
    outer = Graph("outer", ["x"], [Node(counter(), ("x",), "sum", when="x"), Node(neg, ("sum",), "minus")], "minus")
    heard: list[Step] = []
    outer.run([2], heard.append)
    assert [step.path for step in heard] == [("outer", "sum", "total"), ("outer", "sum"), ("outer", "minus")]
    assert [step.value for step in heard] == [2, 2, -2]
    assert not any(step.skipped for step in heard)


def test_a_call_that_raises_does_not_change_the_memory() -> None:
    graph = counter()
    graph(1)
    with pytest.raises(TypeError):
        graph("text")
    assert graph(1) == 2


def test_a_graph_with_memory_can_be_pickled() -> None:
    graph = counter()
    graph(4)
    assert pickle.loads(pickle.dumps(graph))(1) == 5


@pytest.mark.parametrize(
    ("nodes", "output", "feedback", "words"),
    [
        ([Node(neg, ("b",), "c")], "c", {}, "needs"),
        ([Node(neg, ("a",), "b", when="c")], "b", {}, "needs"),
        ([Node(neg, ("a",), "a")], "a", {}, "twice"),
        ([Node(neg, ("a",), "b")], "c", {}, "nothing produces"),
        ([Node(neg, ("a",), "b")], "b", {"before": ("c", 0)}, "nothing produces"),
    ],
)
def test_a_badly_wired_graph_is_refused_when_it_is_built(
    nodes: list[Node], output: str, feedback: dict[str, tuple[str, int]], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        Graph("g", ["a"], nodes, output, feedback)


def test_one_function_of_a_graph_can_be_exchanged() -> None:
    graph = Graph("sums", ["x"], [Node(lambda x: x + 1, ("x",), "y"), Node(lambda y: 2 * y, ("y",), "z")], "z")
    other = graph.with_function("y", lambda x: x + 10)
    assert (graph(1), other(1)) == (4, 22)
    with pytest.raises(InputError, match="no node that makes 'w'"):
        graph.with_function("w", lambda x: x)
