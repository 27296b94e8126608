"""Measure the overhead of the graph: the main graph with nodes that do nothing, none of them skipped.

    python benchmarks/graph_overhead.py [CALLS]

Writes benchmarks/results/graph_overhead.json. docs/make_tables.py turns it into the table of docs/graph.md.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from knuckle import TrackerOptions
from knuckle.graph import Graph, Node
from knuckle.inspect.profile import Profile
from knuckle.models import catalogue
from knuckle.pipeline.main_graph import main_graph
from knuckle.pipeline.tracker import Networks
from knuckle.testing import FakeNetwork

RESULTS = Path(__file__).resolve().parent / "results" / "graph_overhead.json"
TARGET_US = 50.0  # per frame, without an observer


def nothing(*values: Any) -> bool:
    """Return True, so that no later node is skipped."""
    return True


def emptied(graph: Graph) -> Graph:
    """A copy of a graph, and of the graphs inside it, whose nodes do nothing."""
    nodes = []
    for node in graph.nodes:
        run = emptied(node.run) if isinstance(node.run, Graph) else nothing
        nodes.append(Node(run, node.inputs, node.output, node.when))
    return Graph(graph.name, graph.inputs, nodes, graph.output, graph.feedback)


def count(graph: Graph) -> int:
    """Number of nodes, including those of nested graphs."""
    return sum(1 + (count(node.run) if isinstance(node.run, Graph) else 0) for node in graph.nodes)


def microseconds(call: Callable[[], object], calls: int) -> list[float]:
    """The duration of each of `calls` calls."""
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append(1e6 * (time.perf_counter() - start))
    return times


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    networks = Networks(FakeNetwork(192), FakeNetwork(224), catalogue.BUNDLES["mediapipe"])
    graph = emptied(main_graph(iter(()), networks, TrackerOptions(), nothing))
    profile = Profile()
    runs = {"without observer": lambda: graph.run([]), "with an observer": lambda: graph.run([], nothing)}
    runs["with a profile"] = lambda: graph.run([], profile)
    medians = {}
    print(f"main graph, {count(graph)} empty nodes, {calls} calls: microseconds per frame")
    for name, run in runs.items():
        microseconds(run, 200)
        times = sorted(microseconds(run, calls))
        low, high = times[len(times) // 20], times[-len(times) // 20]
        medians[name] = round(statistics.median(times), 1)
        target = f", target below {TARGET_US:g}" if name == "without observer" else ""
        print(f"{name:16} median {medians[name]:6.1f}, 90 % within {low:.1f} to {high:.1f}{target}")
    RESULTS.write_text(json.dumps({"nodes": count(graph), "microseconds": medians}, indent=2) + "\n")


if __name__ == "__main__":
    main()
