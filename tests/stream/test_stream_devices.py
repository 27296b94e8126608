"""MQTT through a real broker, MIDI through real sockets and a fake port, and a fake of pyvirtualcam."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from receivers import eventually, frame_of, free_port, hands_of, mosquitto, values_of

from knuckle.errors import EngineError, InputError
from knuckle.results import Gesture
from knuckle.stream import midi, outlet
from knuckle.stream.address import Address
from knuckle.stream.midi import MidiDestination
from knuckle.stream.mqtt import MqttDestination
from knuckle.stream.outlet import Outlet
from knuckle.stream.values import Measure
from knuckle.stream.virtual_camera import VirtualCamera

LOCAL = "127.0.0.1"


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "PAUSES_S", (0.05,))


class Subscriber:
    """A client that notes every message of the broker."""

    def __init__(self, port: int) -> None:
        mqtt = pytest.importorskip("paho.mqtt.client")
        self.got: list[tuple[str, str]] = []
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda client, data, message: self.got.append(
            (message.topic, message.payload.decode())
        )
        ready = threading.Event()
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_connect = lambda client, *_: client.subscribe("#")
        self.client.connect(LOCAL, port)
        self.client.loop_start()
        assert ready.wait(5)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_gets_the_hands_and_whether_the_sender_is_there(tmp_path: Path, short_pauses: None) -> None:
    port, said = free_port(), list[str]()
    outlet = Outlet(MqttDestination(Address(LOCAL, port), "home/hands/"), report=said.append)
    outlet.start(frame_of())  # the broker is not there yet
    assert len(said) == 1 and "refused" in said[0]
    measure = Measure()
    with mosquitto(port, tmp_path):
        subscriber = Subscriber(port)

        def sent(topic: str, index: int) -> list[str]:
            outlet.write(measure(frame_of(index), hands_of()))
            time.sleep(0.02)
            return [text for name, text in subscriber.got if name == topic]

        left = json.loads(eventually(lambda: sent("home/hands/left", 1))[-1])
        assert left["name"] == "left" and left["visible"] and len(left["world"]) == 21
        assert json.loads(sent("home/hands/frame", 2)[-1])["hands"] == 2
        eventually(lambda: len(said) == 2 or sent("home/hands/frame", 3) is None)
        outlet.write(measure(frame_of(4), hands_of(1)))
        lost = '{"name":"right","visible":false}'

        def says_so() -> bool:
            outlet.write(measure(frame_of(5), hands_of(1)))
            time.sleep(0.02)
            return ("home/hands/right", lost) in subscriber.got

        eventually(says_so)
        outlet.close()
        states = ["online", "offline"]
        eventually(lambda: [text for name, text in subscriber.got if name == "home/hands/status"] == states)
        subscriber.close()


def test_a_broker_that_ends_does_not_stop_the_tracking(tmp_path: Path, short_pauses: None) -> None:
    port, said = free_port(), list[str]()
    outlet = Outlet(MqttDestination(Address(LOCAL, port), "knuckle"), report=said.append)

    def lines(count: int) -> bool:
        outlet.write(values_of())
        time.sleep(0.01)
        return len(said) == count

    with mosquitto(port, tmp_path):
        outlet.start(frame_of())
        assert said == []
    eventually(lambda: lines(1))
    with mosquitto(port, tmp_path):
        eventually(lambda: lines(2))
    outlet.close()
    assert said[1].endswith("connected again")


def test_a_server_that_speaks_no_mqtt_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr("knuckle.stream.mqtt.CONNECT_S", 0.2)
    with socket.create_server((LOCAL, 0)) as silent:
        said = list[str]()
        outlet = Outlet(MqttDestination(Address(LOCAL, silent.getsockname()[1]), "knuckle"), report=said.append)
        outlet.start(frame_of())
        outlet.close()
    assert len(said) == 1 and "no answer" in said[0]


@pytest.fixture
def midi_server() -> Iterator[tuple[int, list[Any]]]:
    """mido's own server on a socket."""
    sockets = pytest.importorskip("mido.sockets")
    port, got, ended = free_port(), list[Any](), threading.Event()
    server = sockets.PortServer(LOCAL, port)

    def work() -> None:
        connection = server.accept()
        while not ended.is_set():
            got.extend(connection.iter_pending())
            time.sleep(0.005)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield port, got
    ended.set()
    thread.join(5)
    server.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_midi_server_gets_controllers_and_notes(midi_server: tuple[int, list[Any]]) -> None:
    port, got = midi_server
    outlet = Outlet(MidiDestination(Address(LOCAL, port)))
    outlet.start(frame_of())
    measure = Measure()
    pinching = hands_of(1)[0]
    world = pinching.world.copy()
    world[4] = world[8]
    pinching = replace(pinching, world=world)
    for hands in ([hands_of(1)[0]], [hands_of(1)[0]], [pinching], []):
        outlet.write(measure(frame_of(), hands))
    eventually(lambda: len([one for one in got if one.type == "note_off"]) == 2)
    outlet.close()
    assert {one.channel for one in got} == {0}
    notes = [(one.type, one.note) for one in got if one.type.startswith("note")]
    assert notes[:2] == [("note_on", midi.VISIBLE_NOTE), ("note_on", midi.PINCH_NOTE)]
    assert sorted(notes[2:]) == [("note_off", midi.VISIBLE_NOTE), ("note_off", midi.PINCH_NOTE)]
    controls = [(one.control, one.value) for one in got if one.type == "control_change"]
    assert len(controls) == 9 + 1 + sum(control == midi.CURL for control, _ in controls[9:])  # only what changed
    values = dict(controls[:9])
    assert values[midi.X] == round(127 * 400 / 640) and values[midi.Y] == round(127 * (1 - 300 / 480))
    assert values[midi.PINCH] == 0 and dict(controls)[midi.PINCH] == 127


class FakePort:
    """A port that notes what it is sent."""

    def __init__(self, name: str, virtual: bool = False) -> None:
        self.name, self.virtual, self.closed, self.got = name, virtual, False, list[Any]()

    def send(self, message: Any) -> None:
        self.got.append(message)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("asked", ["through", "virtual"])
def test_ports_are_found_by_a_part_of_their_name(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mido, opened = pytest.importorskip("mido"), list[FakePort]()
    monkeypatch.setattr(mido, "get_output_names", lambda: ["Midi Through Port-0", "Synth 20:0"])

    def open_output(name: str, virtual: bool = False) -> FakePort:
        opened.append(FakePort(name, virtual))
        return opened[-1]

    monkeypatch.setattr(mido, "open_output", open_output)
    outlet = Outlet(MidiDestination(asked))
    outlet.start(frame_of())
    outlet.write(values_of())
    outlet.close()
    (port,) = opened
    assert port.virtual == (asked == "virtual") and port.closed
    assert {message.channel for message in port.got} == {0, 1}
    on = {(m.channel, m.note) for m in port.got if m.type == "note_on"}
    assert on == {(m.channel, m.note) for m in port.got if m.type == "note_off"}  # no note stays on
    with pytest.raises(InputError, match="Midi Through Port-0, Synth 20:0"):
        MidiDestination("piano")


def test_a_system_without_virtual_ports_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    mido = pytest.importorskip("mido")

    def refuse(name: str, virtual: bool) -> None:
        raise NotImplementedError("Virtual ports are not supported by the Windows MultiMedia API.")

    monkeypatch.setattr(mido, "get_output_names", lambda: [])
    monkeypatch.setattr(mido, "open_output", refuse)
    with pytest.raises(EngineError, match="makes no virtual MIDI ports"):
        Outlet(MidiDestination("virtual")).start(frame_of())


def test_gestures_are_notes(midi_server: tuple[int, list[Any]]) -> None:
    port, got = midi_server
    outlet = Outlet(MidiDestination(Address(LOCAL, port), ("Open_Palm", "Victory")))
    outlet.start(frame_of())
    for gesture in (None, Gesture("Victory", 0.9), Gesture("Open_Palm", 0.8), Gesture("Other", 0.8)):
        outlet.write(values_of(hands=[replace(hands_of(1)[0], gesture=gesture)]))
    outlet.close()
    eventually(lambda: ("note_off", midi.VISIBLE_NOTE) in [(m.type, getattr(m, "note", 0)) for m in got])
    notes = [(m.type, m.note, m.velocity) for m in got if m.type.startswith("note") and m.note >= midi.GESTURE_NOTE]
    first, second = midi.GESTURE_NOTE, midi.GESTURE_NOTE + 1
    assert notes == [
        ("note_on", second, 114),
        ("note_off", second, 64),
        ("note_on", first, 102),
        ("note_off", first, 64),
    ]


def test_a_pinch_does_not_flicker() -> None:
    hand = replace(values_of().hands[0], pinch=0.7)
    assert midi.PINCH_NOTE in midi.notes_of(hand, {midi.PINCH_NOTE})
    assert midi.PINCH_NOTE not in midi.notes_of(hand, set())


class FakeCamera:
    """pyvirtualcam.Camera, as far as it is used."""

    made: list[FakeCamera]

    def __init__(self, width: int, height: int, fps: float) -> None:
        self.width, self.height, self.fps, self.device = width, height, fps, "/dev/video7"
        self.shown, self.closed = list[Any](), False
        self.made.append(self)

    def send(self, picture: Any) -> None:
        assert picture.shape == (self.height, self.width, 3) and picture.dtype == np.uint8
        self.shown.append(picture)

    def close(self) -> None:
        self.closed = True


def test_a_virtual_camera_shows_the_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCamera.made = []
    monkeypatch.setitem(__import__("sys").modules, "pyvirtualcam", SimpleNamespace(Camera=FakeCamera))
    outlet = Outlet(VirtualCamera(25))
    outlet.start(frame_of())
    outlet.write(values_of())
    outlet.close()
    (camera,) = FakeCamera.made
    assert (camera.width, camera.height, camera.fps, camera.closed) == (640, 480, 25, True)
    (picture,) = camera.shown
    x, y = hands_of()[0].landmarks[8, :2].astype(int)
    assert picture[y - 3 : y + 4, x - 3 : x + 4].max() > 100  # the tip of the index finger is drawn on black


def test_without_a_virtual_camera_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("'v4l2loopback' backend: No v4l2 loopback device found.\n")

    monkeypatch.setitem(__import__("sys").modules, "pyvirtualcam", SimpleNamespace(Camera=refuse))
    with pytest.raises(EngineError, match="modprobe v4l2loopback") as caught:
        Outlet(VirtualCamera()).start(frame_of())
    assert "\n" not in str(caught.value)
