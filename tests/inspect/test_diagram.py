from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from operator import add, neg
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from chromium import CHROMIUM, open_browser
from commands import run
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as pillow
from scene import blank, draw_hand

import knuckle
from knuckle.graph import Graph, Node
from knuckle.inspect.diagram import Box, Diagram, Port, as_mermaid, as_text, diagram_of, diagrams_of
from knuckle.inspect.formats import FORMATS
from knuckle.inspect.layout import layout, rails_of, rows_of
from knuckle.inspect.page import as_html, as_svg
from knuckle.inspect.profile import Profile
from knuckle.models import catalogue
from knuckle.pipeline.main_graph import main_graph
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import Networks
from knuckle.testing import FakeNetwork

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def main_diagram() -> Diagram:
    networks = Networks(FakeNetwork(192), FakeNetwork(224), catalogue.BUNDLES["mediapipe"])
    return diagram_of(main_graph(iter(()), networks, TrackerOptions(), bool))


def boxes_of(diagram: Diagram) -> Iterator[Box]:
    for box in diagram.boxes:
        yield box
        if box.inside:
            yield from boxes_of(box.inside)


def scaled(value: int, by: int = 3) -> int:
    """Times a number. This sentence is not shown."""
    return value * by


def test_a_diagram_says_what_a_graph_does() -> None:
    inner = Graph("inner", ["value"], [Node(partial(scaled, by=2), ("value",), "double")], "double")
    nodes = [Node(inner, ("a",), "b", when="a"), Node(add, ("b", "last"), "c")]
    diagram = diagram_of(Graph("outer", ["a"], nodes, "c", {"last": ("c", 0)}))
    loop, nested, leaf = diagram.boxes
    assert diagram.inputs == (Port("a", "A"),) and diagram.outputs == (Port("c", "C"),)
    assert loop.inputs == (Port("c", "LOOP", "back"),) and loop.outputs == (Port("last", "PREV_LOOP"),)
    assert nested.inputs == (Port("a", "VALUE"), Port("a", "WHEN", "when")) and nested.outputs == (Port("b", "DOUBLE"),)
    assert leaf.calculator == "add" and [port.name for port in leaf.inputs] == ["b", "last"]
    assert nested.inside is not None
    (double,) = nested.inside.boxes
    assert (double.calculator, double.about, double.settings) == ("scaled", "Times a number.", (("by", 2),))


def test_text_reads_like_a_program() -> None:
    inner = Graph("inner", ["x"], [Node(neg, ("x",), "minus")], "minus")
    graph = Graph("sums", ["a"], [Node(inner, ("a",), "b", when="a")], "b", {"last": ("b", 0)})
    assert as_text(diagram_of(graph)).splitlines() == [
        "sums(a) -> b",
        "  last = previous_call(previous b)",
        "  b    = inner(a)  when a",
        "      minus = neg(x)",
    ]


def test_a_diagram_shows_the_graph_of_the_tracker(networks: Networks) -> None:
    tracker = knuckle.HandTracker(networks)
    diagram = diagram_of(tracker.graph)
    remembered = ["previous", "clock"]
    assert [box.name for box in diagram.boxes] == [*remembered, *(node.output for node in tracker.graph.nodes)]
    assert {"hand_landmarks", "palm_detection"} <= {inner.name for inner in diagram.all()}
    assert dict(next(box for box in boxes_of(diagram) if box.calculator == "gate").settings)["min_presence"] == 0.5


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_names_every_node_and_value(form: str, main_diagram: Diagram) -> None:
    diagrams = list(main_diagram.all()) if form == "pbtxt" else [main_diagram]
    text = "".join(FORMATS[form](diagram) for diagram in diagrams)
    for box in boxes_of(main_diagram):
        assert box.calculator in text or (form, box.calculator) == ("pbtxt", "previous_call")
        assert all(port.name in text for port in box.outputs)


def test_the_document_shows_the_running_graph(networks: Networks) -> None:
    (shown,) = re.findall(r"```mermaid\n(.*?)```", (ROOT / "docs" / "graph.md").read_text(encoding="utf-8"), re.DOTALL)
    running = as_mermaid(diagram_of(knuckle.HandTracker(networks).graph))
    assert shown == running, "run: make docs"


def test_the_document_s_text_is_the_palm_graph(networks: Networks) -> None:
    palms = networks.palm_detector(TrackerOptions()).graph()
    assert f"$ knuckle graph palm_detection\n{as_text(diagram_of(palms))}```" in (ROOT / "docs" / "graph.md").read_text(
        encoding="utf-8"
    )


def test_mermaid_draws_a_value_once_if_it_is_also_the_condition() -> None:
    graph = Graph("g", ["a"], [Node(neg, ("a",), "b", when="a"), Node(neg, ("b",), "c")], "c", {"z": ("c", 0)})
    assert as_mermaid(diagram_of(graph)).splitlines() == [
        "flowchart TB",
        'g.z["previous_call<br>→ z"]',
        'g.a(["a"])',
        'g.b["neg<br>→ b"]',
        'g.c["neg<br>→ c"]',
        "g.c -. next call .-> g.z",
        "g.a -. when .-> g.b",
        "g.b --> g.c",
    ]


@st.composite
def diagrams(draw: st.DrawFn) -> Diagram:
    """Any graph: a box uses values from boxes above it, or from any box in the previous call."""
    made = ["x"]
    boxes = []
    names = [f"v{k}" for k in range(draw(st.integers(1, 8)))]
    for name in names:
        taken = draw(st.lists(st.sampled_from(made), max_size=4))
        back = draw(st.lists(st.sampled_from(names), max_size=1))
        inputs = [*(Port(value) for value in taken), *(Port(value, "LOOP", "back") for value in back)]
        boxes.append(Box("run", tuple(inputs), (Port(name),), name))
        made.append(name)
    return Diagram("any", (Port("x"),), (Port(draw(st.sampled_from(made))),), tuple(boxes))


@given(diagrams())
def test_rails_reach_every_port_and_never_overlap(diagram: Diagram) -> None:
    rows = rows_of(diagram)
    rails = rails_of(rows)
    for index, row in enumerate(rows):
        for port in row.inputs:
            assert any(r.name == port.name and r.top <= index <= r.bottom for r in rails)
        lanes = [rail.lane for rail in rails if rail.top <= index <= rail.bottom]
        assert len(lanes) == len(set(lanes))


def test_svg_is_well_formed_and_holds_every_node_once(main_diagram: Diagram) -> None:
    root = ElementTree.fromstring(as_svg(main_diagram))
    titles = [element.text for element in root.iter() if element.get("class") == "title"]
    assert sorted(map(str, titles)) == sorted(box.calculator for box in boxes_of(main_diagram))


def test_the_page_is_self_contained_and_escapes_texts(main_diagram: Diagram) -> None:
    page = as_html(main_diagram)
    assert not re.search(r"https?:|src=|@import|url\(", page)
    odd = Diagram("<g>", (), (), (Box("a<b&c", (), (Port("v"),), settings=(("text", "<i>"),)),))
    assert "&lt;g&gt;" in as_html(odd) and "a&lt;b&amp;c" in as_html(odd) and "&lt;i&gt;" in as_html(odd)
    ElementTree.fromstring(as_svg(odd))


def test_costs_of_a_graph_used_twice_are_added_up() -> None:
    inner = Graph("inner", ["x"], [Node(neg, ("x",), "minus")], "minus")
    graph = Graph("outer", ["a"], [Node(inner, ("a",), "b"), Node(inner, ("b",), "c", when="a")], "c")
    profile = Profile()
    for value in (0, 1, 2):
        graph.run([value], profile)
    (minus,) = diagrams_of(graph, profile)["inner"].boxes
    assert minus.cost is not None and (minus.cost.calls, minus.cost.skips) == (5, 0)
    text = as_text(diagrams_of(graph, profile)["outer"])
    assert re.search(r"c = inner\(b\)  when a +2 +1 +[<\d.]+\n", text)
    page = as_html(diagrams_of(graph, profile)["outer"])
    assert "2 calls, 1 skipped" in page and "3 calls · " in page
    assert "2 calls, 1 skipped" in as_svg(diagrams_of(graph, profile)["outer"])


def test_the_command_shows_each_graph_and_writes_files(tmp_path: Path) -> None:
    shown = run("graph").stdout
    assert shown.startswith("main() -> keep_going\n") and "should_search(memory, kept_hands, now_s)" in shown
    assert run("graph", "hand_detection").stdout.startswith("hand_detection(image) -> hands")
    assert run("graph", "--out", tmp_path / "new" / "g.html").returncode == 0
    assert (tmp_path / "new" / "g.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run("graph", "--out", tmp_path / "texts").returncode == 0
    assert {path.stem for path in (tmp_path / "texts").iterdir()} == {
        "main",
        "hand_tracking",
        "hand_landmarks",
        "palm_detection",
        "verify",
        "hand_renderer",
    }


def test_the_command_refuses_in_one_line(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "file").touch()
    for arguments, words in (
        (("nope",), "there are main, "),
        (("hand_detection", "--profile", clip), "in a run on"),
        (("none.pbtxt",), "there are main, "),
        (("--out", tmp_path / "file" / "g.svg"), "g.svg cannot be written"),
    ):
        done = run("graph", *arguments)
        assert done.returncode == 2 and words in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_the_example_adds_a_node_of_its_own(tmp_path: Path) -> None:
    example = ROOT / "examples" / "gesture_label.py"
    assert len(example.read_text().splitlines()) < 30
    image = blank()
    draw_hand(image, 320, 240, 300)
    pillow.fromarray(image).save(tmp_path / "hand.png")
    done = subprocess.run([sys.executable, example, tmp_path / "hand.png"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.strip().endswith("Left  1: open hand"), done.stderr


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    pytest.importorskip("playwright", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("there is no Chromium here")
    with open_browser("--disable-gpu") as opened:
        yield opened


def test_in_a_browser_subgraphs_open_by_click_and_key_and_show_all_nodes(
    browser: Any, tmp_path: Path, main_diagram: Diagram
) -> None:
    (tmp_path / "g.html").write_text(as_html(main_diagram), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto((tmp_path / "g.html").as_uri())

    def visible() -> list[str]:
        names = page.locator("summary strong")
        return [item.inner_text() for item in names.all() if item.is_visible()]

    top = [box.calculator for box in main_diagram.boxes]
    assert visible() == top
    tracking = page.locator(f"[id='{layout(main_diagram, 'main').node_id(3)}'] > summary")
    tracking.click()
    inside = main_diagram.boxes[3].inside
    assert inside is not None and len(visible()) == len(top) + len(inside.boxes)
    tracking.press("ArrowLeft")
    assert visible() == top
    tracking.press("Enter")
    assert len(visible()) == len(top) + len(inside.boxes)
    page.locator("#all").click()
    assert visible() == [box.calculator for box in boxes_of(main_diagram)]
    for card in page.locator("summary").all():
        size = card.bounding_box()
        assert size["width"] >= 400 and size["height"] >= 50
    page.locator("summary").first.press("ArrowDown")
    assert page.evaluate("document.activeElement.querySelector('strong').innerText") == "image_of"
    paper = [page.evaluate("getComputedStyle(document.body).backgroundColor")]
    page.locator("#theme").click()
    paper.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert paper[0] != paper[1]
    assert messages == []
    page.close()
