from __future__ import annotations

import gc
import json
import re
import time
import weakref
from operator import add, neg
from pathlib import Path

import numpy as np
import pytest
from commands import run

import knuckle
from knuckle.errors import SinkError
from knuckle.graph import Graph, Node
from knuckle.images import Image
from knuckle.inspect import profile as profile_module
from knuckle.inspect.profile import Profile
from knuckle.pipeline.tracker import Networks


class Clock:
    """A clock that only moves while a node naps, so that times are exact on any machine."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def nap(self, seconds: float) -> float:
        self.now_s += seconds
        return seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now_s)
    return clock


def naps(clock: Clock) -> Graph:
    inner = Graph("inner", ["s"], [Node(clock.nap, ("s",), "slept"), Node(neg, ("slept",), "minus")], "minus")
    nodes = [Node(inner, ("a",), "b", when="a"), Node(inner, ("a",), "c"), Node(add, ("a", "c"), "d")]
    return Graph("outer", ["a"], nodes, "d")


def test_calls_skips_and_time_are_counted_for_each_place_of_a_subgraph(clock: Clock) -> None:
    graph, profile = naps(clock), Profile()
    for seconds in (0.0, 0.01, 0.02):
        graph.run([seconds], profile)
    costs = profile.costs()
    assert set(costs) == {("b",), ("b", "slept"), ("b", "minus"), ("c",), ("c", "slept"), ("c", "minus"), ("d",)}
    assert (costs["b",].calls, costs["b",].skips) == (2, 1) and (costs["c",].calls, costs["c",].skips) == (3, 0)
    assert costs["b", "slept"].calls == 2 and costs["c", "slept"].calls == 3
    assert (costs["c", "slept"].total_s, costs["c", "slept"].median_s) == pytest.approx((0.03, 0.01))
    assert costs["c",].total_s == pytest.approx(0.03) and costs["d",].total_s == 0
    joined = profile.costs([("b",), ("c",)])
    assert set(joined) == {("slept",), ("minus",)} and joined["slept",].calls == 5


def test_a_node_that_never_ran_costs_nothing() -> None:
    profile = Profile()
    Graph("g", ["a"], [Node(neg, ("a",), "b", when="a")], "b").run([0], profile)
    cost = profile.costs()["b",]
    assert (cost.calls, cost.skips, cost.total_s, cost.median_s) == (0, 1, 0.0, 0.0)
    assert Profile().trace()["traceEvents"] == []


def test_the_trace_nests_as_the_graphs_do(tmp_path: Path, clock: Clock) -> None:
    graph, profile = naps(clock), Profile()
    for seconds in (0.0, 0.002):
        graph.run([seconds], profile)
    profile.write_trace(tmp_path / "t.json")
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    assert [event["args"]["output"] for event in events[:4]] == ["c", "c.slept", "c.minus", "d"]
    assert {event["ph"] for event in events} == {"X"} and min(event["ts"] for event in events) == 0
    for outer, inner in (
        (e, f) for e in events for f in events if f["args"]["output"].startswith(e["args"]["output"] + ".")
    ):
        apart = inner["ts"] > outer["ts"] + outer["dur"] or inner["ts"] + inner["dur"] < outer["ts"]
        assert apart or outer["ts"] <= inner["ts"] <= outer["ts"] + outer["dur"]
    with pytest.raises(SinkError, match="cannot be written"):
        profile.write_trace(tmp_path / "none" / "t.json")


def test_a_long_run_keeps_no_pictures_and_a_short_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_module, "TRACED_CALLS", 3)
    made: list[weakref.ref[Image]] = []

    def picture(seed: int) -> Image:
        image = np.zeros((4, 4, 3), np.uint8)
        made.append(weakref.ref(image))
        return image

    graph, profile = Graph("g", ["a"], [Node(picture, ("a",), "b")], "b"), Profile()
    for seed in range(10):
        graph.run([seed], profile)
    gc.collect()
    assert all(image() is None for image in made)
    assert profile.costs()["b",].calls == 10
    assert len(profile.trace()["traceEvents"]) == 3  # type: ignore[arg-type]


def test_a_tracker_is_profiled_as_it_runs(networks: Networks, clip_frames: list[Image]) -> None:
    tracker, profile = knuckle.HandTracker(networks), Profile()
    tracker.observe = profile
    for frame in clip_frames[:5]:
        tracker(frame)
    costs = profile.costs()
    assert (costs["tracked_hands",].calls, costs["tracked_hands",].skips) == (4, 1)
    assert costs["found_hands", "raw"].calls == 1 and costs["hands",].calls == 5
    assert costs["tracked_hands",].total_s > costs["tracked_hands", "raw"].total_s > 0


def test_the_command_shows_costs_and_writes_the_trace(tmp_path: Path, clip: Path) -> None:
    done = run("graph", "--profile", clip, "--out", tmp_path / "g.html")
    assert done.returncode == 0 and "g.trace.json" in done.stderr, done.stderr
    page = (tmp_path / "g.html").read_text(encoding="utf-8")
    assert "31 calls · " in page and "29 calls, 1 skipped" in page
    events = json.loads((tmp_path / "g.trace.json").read_text())["traceEvents"]
    assert sum(event["name"] == "hand_tracking" for event in events) == 30
    shown = run("graph", "hand_landmarks", "--profile", clip, cwd=tmp_path)
    assert re.search(r"gate\(read_hands\) +31 +0 ", shown.stdout), shown.stdout
    assert (tmp_path / "hand_landmarks.trace.json").exists()
