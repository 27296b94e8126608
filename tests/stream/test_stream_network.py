"""OSC, VMC, UDP and WebSocket: what arrives at real receivers, and what happens without them."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest
from receivers import eventually, frame_of, free_port, hands_of, osc_server, running, values_of

from knuckle.errors import InputError
from knuckle.stream.address import Address, parse_address
from knuckle.stream.datagrams import JsonDatagrams
from knuckle.stream.humanoid import BONE_NAMES, avatar_wrist, hand_rotation, humanoid_bones, resting_bones
from knuckle.stream.messages import VALUES, frame_json
from knuckle.stream.osc import MAX_BYTES, OscDestination, message
from knuckle.stream.outlet import Outlet
from knuckle.stream.values import Measure
from knuckle.stream.vmc import VmcDestination

LOCAL = "127.0.0.1"


def test_osc_messages_are_those_that_python_osc_builds() -> None:
    builder = pytest.importorskip("pythonosc.osc_message_builder").OscMessageBuilder("/a/b")
    for value in ("text", 7, 0.25, -3.5):
        builder.add_arg(value)
    assert message("/a/b", "text", 7, floats=[0.25, -3.5]) == builder.build().dgram


def test_an_osc_server_gets_every_value_of_each_hand() -> None:
    with osc_server() as (port, seen):
        outlet = Outlet(OscDestination(Address(LOCAL, port), "/stage/hands/"))
        outlet.start(frame_of())
        measure = Measure()
        outlet.write(measure(frame_of(3), hands_of()))
        outlet.write(measure(frame_of(4), hands_of(1)))
        eventually(lambda: ("/stage/hands/right/visible", (0,)) in seen)
        outlet.close()
    found = dict(reversed(seen))
    assert found["/stage/hands/frame"] == (3, 2, pytest.approx(0.1))
    left = hands_of()[0]
    np.testing.assert_allclose(found["/stage/hands/left/point/index_tip"], left.normalized(640, 480)[8], atol=1e-6)
    np.testing.assert_allclose(found["/stage/hands/left/world"], left.world.ravel(), atol=1e-6)
    expected = {f"{value.name}/{part}" for value in VALUES for part in value.parts}
    expected |= {value.name for value in VALUES if not value.parts} | {"visible"}
    for side in ("left", "right"):
        start = f"/stage/hands/{side}/"
        assert {address.removeprefix(start) for address in found if address.startswith(start)} == expected


def test_packets_fit_into_one_datagram_of_a_network() -> None:
    for destination in (OscDestination(Address(LOCAL, 9)), VmcDestination(Address(LOCAL, 9))):
        assert max(map(len, destination.packets(values_of()))) <= MAX_BYTES


def test_a_vmc_receiver_gets_the_bones_and_the_wrists() -> None:
    with osc_server() as (port, seen):
        outlet = Outlet(VmcDestination(Address(LOCAL, port)))
        outlet.start(frame_of())
        measure = Measure()
        values = measure(frame_of(), hands_of())
        outlet.write(values)
        eventually(lambda: sum(address == "/VMC/Ext/Tra/Pos" for address, _ in seen) == 2)
        shown = {found[0]: found[1:] for address, found in seen if address == "/VMC/Ext/Bone/Pos"}
        outlet.write(measure(frame_of(), []))
        eventually(lambda: sum(address == "/VMC/Ext/Bone/Pos" for address, _ in seen) == 4 * len(BONE_NAMES))
        outlet.close()
    assert set(shown) == {f"{side}{bone}" for side in ("Left", "Right") for bone in BONE_NAMES}
    right = values.hands[1]
    turn = hand_rotation(right.palm, "Right")
    rotations = humanoid_bones(right.hand.world, turn, avatar_wrist(right.position), "Right")
    for bone, rotation in zip(BONE_NAMES, rotations, strict=True):
        np.testing.assert_allclose(shown[f"Right{bone}"], [0, 0, 0, *rotation], atol=1e-6)
    lost = [found[4:] for address, found in seen if address == "/VMC/Ext/Bone/Pos"][2 * len(BONE_NAMES) :]
    np.testing.assert_allclose(lost, [*resting_bones("Left"), *resting_bones("Right")], atol=1e-6)


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((LOCAL, 0))
        receiver.settimeout(5)
        yield receiver


def test_a_datagram_is_a_frame_as_json(udp: socket.socket) -> None:
    outlet = Outlet(JsonDatagrams(Address(LOCAL, udp.getsockname()[1])))
    outlet.start(frame_of())
    outlet.write(values_of(5))
    found = json.loads(udp.recv(65536))
    outlet.close()
    assert (found["frame"], found["width"], found["height"]) == (5, 640, 480)
    assert [hand["name"] for hand in found["hands"]] == ["left", "right"]
    for hand, shown in zip(hands_of(), found["hands"], strict=True):
        assert list(shown) == ["name", "visible", *(value.name for value in VALUES)]
        np.testing.assert_allclose(shown["point"]["pinky_tip"], hand.normalized(640, 480)[20], atol=1e-5)
        np.testing.assert_allclose(shown["world"], hand.world, atol=1e-5)


def test_a_udp_receiver_that_is_not_there_is_reported_once_and_served_when_it_comes() -> None:
    port, said = free_port(socket.SOCK_DGRAM), list[str]()
    outlet = Outlet(JsonDatagrams(Address(LOCAL, port)), report=said.append)
    outlet.start(frame_of())
    for index in range(20):
        outlet.write(values_of(index))
        time.sleep(0.002)
    assert said == [f"udp {LOCAL}:{port}: nobody listens there; tracking goes on and the connection is tried again"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((LOCAL, port))
        receiver.settimeout(5)
        for index in range(20, 30):
            outlet.write(values_of(index))
        assert json.loads(receiver.recv(65536))["frame"] in (20, 21)
        assert said[1:] == [f"udp {LOCAL}:{port}: connected again"]
    outlet.close()


def ws_server() -> Outlet:
    websocket = pytest.importorskip("knuckle.stream.websocket")
    pytest.importorskip("websockets")
    outlet = Outlet(websocket.WebSocketServer(Address(LOCAL, free_port())))
    outlet.start(frame_of())
    return outlet


def test_browsers_get_each_frame_and_slow_ones_the_newest() -> None:
    from websockets.asyncio.client import connect

    outlet = ws_server()
    url = outlet.destination.name.replace("ws ", "ws://")

    async def converse() -> list[int]:
        got = []
        async with connect(url, close_timeout=0.1) as quick, connect(url, max_queue=1, close_timeout=0.1) as slow:
            await asyncio.sleep(0.1)
            for index in range(3):
                outlet.write(values_of(index))
                got.append(json.loads(await quick.recv())["frame"])
            for index in range(3, 3000):
                outlet.write(values_of(index, []))
                if index % 100 == 0:
                    await asyncio.sleep(0.001)
            last = -1
            while last < 2999:  # the newest frame arrives, although frames before it were dropped
                last = json.loads(await asyncio.wait_for(slow.recv(), 5))["frame"]
            return got

    assert asyncio.run(converse()) == [0, 1, 2]
    outlet.close()


def test_a_web_page_of_the_internet_may_not_read_hands() -> None:
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    outlet = ws_server()
    url = outlet.destination.name.replace("ws ", "ws://")
    for origin in (None, "null", "file://", "http://localhost:8000"):
        with connect(url, origin=origin):
            pass
    with pytest.raises(InvalidStatus, match="403"), connect(url, origin="https://example.org"):
        pass
    outlet.close()


def test_a_port_that_is_in_use_is_refused_in_one_line() -> None:
    first = ws_server()
    assert not isinstance(first.destination, str)
    second = Outlet(type(first.destination)(first.destination.address))  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="cannot listen there"):
        second.start(frame_of())
    second.close()
    first.close()


def test_a_client_sends_to_a_server_and_finds_it_again() -> None:
    from websockets.sync.server import serve

    from knuckle.stream.websocket import WebSocketClient

    port, got, said = free_port(), list[int](), list[str]()
    url = f"ws://{LOCAL}:{port}/hands"

    def note(connection: object) -> None:
        for text in connection:  # type: ignore[attr-defined]
            got.append(json.loads(text)["frame"])

    outlet = Outlet(WebSocketClient(url), report=said.append)
    outlet.start(frame_of())
    assert len(said) == 1

    def arrives(index: int) -> bool:
        outlet.write(values_of(index))
        time.sleep(0.02)
        return index in got

    with serve(note, LOCAL, port) as server, running(server):
        eventually(lambda: arrives(1))
        eventually(lambda: len(said) == 2 or (arrives(2) and False))
        outlet.close()
    assert said[1] == f"{url}: connected again"


def test_frames_are_valid_json_without_hands_too() -> None:
    assert json.loads(frame_json(values_of(hands=[])))["hands"] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:9000", Address("localhost", 9000)),
        ("9000", Address(LOCAL, 9000)),
        (":9000", Address(LOCAL, 9000)),
        ("[::1]:9000", Address("::1", 9000)),
        ("mqtts://ann:secret@127.0.0.1", Address(LOCAL, 1883, "mqtts", "ann", "secret")),
    ],
)
def test_addresses_are_read(text: str, expected: Address) -> None:
    port = 1883 if text.startswith("mqtts") else None
    assert parse_address(text, "--x", port, ("mqtts",)) == expected


@pytest.mark.parametrize(
    "text",
    (
        *("", "localhost", "localhost:", "localhost:70000", "localhost:-1", "localhost:osc", "localhost:0"),
        *("ftp://a:1", "a b:9", "::1:9000:", "no-such-host.invalid:9000", "localhost:9000/path"),
    ),
)
def test_bad_addresses_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--osc"):
        parse_address(text, "--osc")
