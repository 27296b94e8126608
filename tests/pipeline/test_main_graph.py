"""The main graph: frames from a source, hands or palms, drawn images to a sink."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conftest import two_hands

import knuckle
from knuckle.graph import Graph
from knuckle.pipeline.main_graph import main_graph
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import Networks
from knuckle.results import Frame, Hand


def test_it_runs_until_the_caller_stops_it(networks: Networks) -> None:
    frames = [Frame(two_hands(k / 9), k, k / 15) for k in range(10)]
    taken: list[tuple[Frame, list[Hand], Any]] = []

    def on_frame(frame: Frame, hands: list[Hand], picture: Any) -> bool:
        taken.append((frame, hands, picture))
        return frame.index < 6

    graph = main_graph(iter(frames), networks, TrackerOptions(), on_frame)
    assert sum(1 for _ in iter(graph, False)) == 6
    tracker = knuckle.HandTracker(networks)
    for frame, hands, picture in taken:
        expected = tracker(frame.image, frame.time_s)
        assert [hand.track_id for hand in hands] == [hand.track_id for hand in expected] == [1, 2]
        assert (picture == knuckle.draw_hands(frame.image, expected)).all()


def test_it_ends_with_its_source(networks: Networks) -> None:
    for more in ({"stills": True}, {"palms_only": True}, {"draws": False}):
        calls: list[Any] = []
        graph = main_graph(
            iter([Frame(two_hands(0.0))]),
            networks,
            TrackerOptions(),
            lambda *what, calls=calls: not calls.append(what),
            **more,
        )
        assert [graph(), graph()] == [True, False]
        ((_, found, *picture),) = calls
        assert len(found) == 2 and len(picture) == ("draws" not in more)


def test_the_measured_overhead_is_that_of_this_graph(networks: Networks) -> None:
    def count(graph: Graph) -> int:
        return sum(1 + (count(node.run) if isinstance(node.run, Graph) else 0) for node in graph.nodes)

    results = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "graph_overhead.json"
    nodes = count(main_graph(iter(()), networks, TrackerOptions(), bool))
    assert json.loads(results.read_text())["nodes"] == nodes, "run: python benchmarks/graph_overhead.py, make docs"
