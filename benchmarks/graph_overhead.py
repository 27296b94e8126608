"""What the graph itself costs a frame: the main graph with every node emptied and none skipped.

python benchmarks/graph_overhead.py [CALLS]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from knuckle import TrackerOptions
from knuckle.graph import Graph, Node
from knuckle.inspect.profile import Profile
from knuckle.models import catalogue
from knuckle.pipeline.main_graph import main_graph
from knuckle.pipeline.tracker import Networks
from knuckle.testing import FakeNetwork

WANTED_US = 50.0


def nothing(*values: Any) -> bool:
    """True, so that no node below is skipped."""
    return True


def emptied(graph: Graph) -> Graph:
    """The same wiring, nested graphs too, around nodes that do nothing."""
    nodes = [
        Node(emptied(node.run) if isinstance(node.run, Graph) else nothing, node.inputs, node.output, node.when)
        for node in graph.nodes
    ]
    return Graph(graph.name, graph.inputs, nodes, graph.output, graph.feedback)


def count(graph: Graph) -> int:
    return sum(1 + (count(node.run) if isinstance(node.run, Graph) else 0) for node in graph.nodes)


def microseconds(call: Callable[[], object], calls: int) -> list[float]:
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append(1e6 * (time.perf_counter() - start))
    return times


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    networks = Networks(FakeNetwork(192), FakeNetwork(224), catalogue.BUNDLES[catalogue.DEFAULT])
    graph = emptied(main_graph(iter(()), networks, TrackerOptions(), nothing))
    profile = Profile()
    runs = {"plain": lambda: graph.run([]), "observed": lambda: graph.run([], nothing)}
    runs["profiled"] = lambda: graph.run([], profile)
    print(f"main graph, {count(graph)} nodes emptied, {calls} calls: microseconds a frame")
    for name, run in runs.items():
        microseconds(run, 200)
        times = sorted(microseconds(run, calls))
        low, high = times[len(times) // 20], times[-len(times) // 20]
        verdict = f", wanted below {WANTED_US:g}" if name == "plain" else ""
        print(f"{name:9} median {statistics.median(times):6.1f}, 90 % within {low:.1f} to {high:.1f}{verdict}")


if __name__ == "__main__":
    main()
