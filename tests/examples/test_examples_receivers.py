"""The examples that receive from `knuckle stream`: what they make of the hands of examples/hands.mp4."""

from __future__ import annotations

import io
import json
import re
import runpy
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from receivers import eventually, free_port, mosquitto

import knuckle
from knuckle.stream.address import Address
from knuckle.stream.messages import frame_json
from knuckle.stream.osc import frame_messages
from knuckle.stream.outlet import Outlet
from knuckle.stream.values import FrameValues, Measure

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def frames() -> list[FrameValues]:
    """What is sent of the clip, from second 1 to 3."""
    tracker, measure, found = knuckle.HandTracker(gestures="mediapipe"), Measure(), []
    for frame in knuckle.read(EXAMPLES / "hands.mp4"):
        if 20 <= frame.index <= 100:
            found.append(measure(frame, tracker(frame.image, frame.time_s)))
    return found


class Objects(dict[str, Any]):
    """bpy.data.objects."""

    def new(self, name: str, data: None) -> Any:
        assert len(name) < 64  # Blender cuts longer names
        self[name] = SimpleNamespace(name=name, location=None, empty_display_size=1.0)
        return self[name]


def test_blender_gets_an_object_for_each_point(frames: list[FrameValues], monkeypatch: pytest.MonkeyPatch) -> None:
    objects, linked, timers = Objects(), [], []
    bpy: Any = ModuleType("bpy")
    bpy.data = SimpleNamespace(objects=objects)
    bpy.context = SimpleNamespace(
        scene=SimpleNamespace(collection=SimpleNamespace(objects=SimpleNamespace(link=linked.append)))
    )
    bpy.app = SimpleNamespace(timers=SimpleNamespace(register=lambda update, persistent: timers.append(update)))
    monkeypatch.setitem(sys.modules, "bpy", bpy)
    addon = runpy.run_path(str(EXAMPLES / "blender_hands.py"))
    assert addon["bl_info"]["name"]
    port = free_port(socket.SOCK_DGRAM)
    addon["receiver"].bind(("127.0.0.1", port))
    monkeypatch.setattr(addon["receiver"].__class__, "bind", lambda self, address: None, raising=False)
    addon["register"]()
    (update,) = timers
    assert 0 < update() < 0.1  # nothing arrived yet
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for values in frames[-3:]:
            sender.sendto(frame_json(values).encode(), ("127.0.0.1", port))
    update()
    addon["receiver"].close()
    assert len(objects) == len(linked) == 42
    for hand in frames[-1].hands:
        tip, wrist = (objects[f"{hand.name} {part}"].location for part in ("middle_tip", "wrist"))
        assert tip[2] > wrist[2] + 0.1  # fingers are up
        assert wrist[0] == pytest.approx(hand.points[0, 0] - 0.5, abs=1e-4)
    assert objects["right wrist"].location[0] < objects["left wrist"].location[0]


class Table:
    """A Table DAT of TouchDesigner."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Any]] = {}

    def row(self, name: str) -> list[Any] | None:
        return self.rows.get(name)

    def col(self, index: int) -> list[Any]:
        return [SimpleNamespace(val=name) for name in self.rows]

    def appendRow(self, cells: list[Any]) -> None:
        assert cells[0] not in self.rows
        self.rows[cells[0]] = cells

    def replaceRow(self, name: str, cells: list[Any]) -> None:
        assert name in self.rows
        self.rows[name] = cells

    def deleteRow(self, name: str) -> None:
        del self.rows[name]


def test_touchdesigner_has_a_table_of_the_hands_in_view(frames: list[FrameValues]) -> None:
    from pythonosc.osc_message import OscMessage

    table = Table()
    module = runpy.run_path(str(EXAMPLES / "touchdesigner_table.py"), {"op": {"hands": table}.__getitem__})

    def receive(values: FrameValues) -> None:
        for packet in frame_messages(values, "/knuckle"):
            one = OscMessage(packet)
            module["onReceiveOSC"](None, 0, "", b"", 0.0, one.address, one.params, None)

    for values in frames:
        receive(values)
    last = {hand.name: hand for hand in frames[-1].hands}
    assert table.rows["left/pinch"][1] == pytest.approx(last["left"].pinch, abs=1e-5)
    assert table.rows["right/point/index_tip"][1:] == pytest.approx(last["right"].points[8].tolist(), abs=1e-5)
    assert table.rows["left/gesture"][1] == "Victory"
    receive(FrameValues(frames[-1].frame, (last["left"],), ("right",), 0.0))
    assert not any(name.startswith("right/") for name in table.rows) and "left/pinch" in table.rows


def test_home_assistant_finds_the_hands(
    frames: list[FrameValues], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fake of Home Assistant: it reads the discovery messages, and renders the templates as Jinja does there."""
    mqtt = pytest.importorskip("paho.mqtt.client")
    from jinja2 import Environment

    from knuckle.stream.mqtt import MqttDestination

    port, got = free_port(), dict[str, str]()
    with mosquitto(port, tmp_path):
        monkeypatch.setattr(sys, "argv", ["home_assistant.py", f"127.0.0.1:{port}"])
        runpy.run_path(str(EXAMPLES / "home_assistant.py"), run_name="__main__")
        home = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        ready = threading.Event()
        home.on_message = lambda client, data, message: got.update({message.topic: message.payload.decode()})
        home.on_subscribe = lambda *_: ready.set()
        home.on_connect = lambda client, *_: client.subscribe("#")
        home.connect("127.0.0.1", port)
        home.loop_start()
        assert ready.wait(5)
        configs = eventually(lambda: len(got) >= 6 and dict(got))
        outlet = Outlet(MqttDestination(Address("127.0.0.1", port), "knuckle"))
        outlet.start(frames[-1].frame)

        def is_heard() -> bool:
            outlet.write(frames[-1])  # as a stream does; the first frames may be sent before the broker answers
            return "knuckle/right" in got and got.get("knuckle/status") == "online"

        eventually(is_heard)
        outlet.close()
        home.disconnect()
        home.loop_stop()
    states = {}
    for topic, text in configs.items():
        _, key = re.fullmatch(r"homeassistant/(sensor|binary_sensor)/(\w+)/config", topic).groups()  # type: ignore[union-attr]
        entity = json.loads(text)
        assert entity["unique_id"] == key and entity["availability_topic"] == "knuckle/status"
        template = Environment().from_string(entity["value_template"])
        states[key] = template.render(value_json=json.loads(got[entity["state_topic"]]))
        lost = template.render(value_json={"name": "left", "visible": False})
        assert lost in ("none", "OFF", "0")
    assert states["knuckle_left_gesture"] == states["knuckle_right_gesture"] == "Victory"
    assert states["knuckle_left_pinch"] == "OFF"
    assert 0 <= float(states["knuckle_left_index_curl"]) < 40


def fields_of_unity(source: str) -> dict[str, dict[str, str]]:
    """The fields of each serializable class: name -> type."""
    found: dict[str, dict[str, str]] = {}
    for name, body in re.findall(r"\[Serializable\] public class (\w+) \{(.*?)\}\n", source):
        found[name] = {}
        for kind, names in re.findall(r"public ([\w\[\]]+) ([\w, ]+);", body):
            found[name] |= dict.fromkeys(re.split(r", *", names), kind)
    return found


def test_unity_s_classes_fit_the_messages(frames: list[FrameValues]) -> None:
    """JsonUtility fills fields that have the names of keys; a list of lists or a dictionary is no field."""
    source = (EXAMPLES / "UnityHands.cs").read_text()
    classes = fields_of_unity(source)
    assert set(classes) == {"Curl", "Points", "HandValues", "HandFrame"}

    def check(kind: str, value: Any) -> None:
        if kind.endswith("[]"):
            assert isinstance(value, list)
            for item in value:
                check(kind[:-2], item)
        elif kind in classes:
            for name, inner in classes[kind].items():
                check(inner, value[name])
        else:
            assert isinstance(value, {"int": int, "float": (int, float), "string": str}[kind])

    check("HandFrame", json.loads(frame_json(frames[-1])))


@pytest.mark.parametrize(("name", "grammar"), [("UnityHands.cs", "tree_sitter_c_sharp")])
def test_snippets_have_no_syntax_errors(name: str, grammar: str) -> None:
    tree_sitter, language = pytest.importorskip("tree_sitter"), pytest.importorskip(grammar)
    parser = tree_sitter.Parser(tree_sitter.Language(language.language()))
    assert not parser.parse((EXAMPLES / name).read_bytes()).root_node.has_error
    assert parser.parse((EXAMPLES / name).read_bytes() + b"class {").root_node.has_error


def test_the_snippet_for_godot_has_no_syntax_errors_and_uses_keys_that_are_sent(frames: list[FrameValues]) -> None:
    source = (EXAMPLES / "godot_hands.gd").read_text()
    frame = json.loads(frame_json(frames[-1]))
    for variable, content in (("frame", frame), ("hand", frame["hands"][0])):
        keys = set(re.findall(rf'{variable}\["(\w+)"\]', source))
        assert keys and keys <= set(content)
    check = shutil.which("gdparse")  # of gdtoolkit 4
    if check:
        done = subprocess.run([check, EXAMPLES / "godot_hands.gd"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_browser_source_of_obs_draws_the_hands(frames: list[FrameValues]) -> None:
    import chromium

    if not chromium.CHROMIUM:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    from knuckle.stream.websocket import WebSocketServer

    port = free_port()
    outlet = Outlet(WebSocketServer(Address("127.0.0.1", port)))
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium.CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 640, "height": 480})
        page.goto(f"{(EXAMPLES / 'obs_hands.html').as_uri()}?port={port}")  # before there is a server
        time.sleep(0.2)
        outlet.start(frames[-1].frame)

        def is_drawn() -> Any:
            outlet.write(frames[-1])
            return page.evaluate("canvas.width") == 640

        eventually(is_drawn)
        shot = page.screenshot(omit_background=True)
        browser.close()
    outlet.close()
    pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("RGBA"))
    drawn = pixels[..., 3] > 0
    assert 0.01 < drawn.mean() < 0.2  # the rest stays transparent
    for hand in frames[-1].hands:
        for x, y, _ in hand.hand.landmarks:
            assert drawn[max(int(y) - 3, 0) : int(y) + 4, max(int(x) - 3, 0) : int(x) + 4].any()
