"""From the options of `knuckle stream` to destinations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knuckle.errors import InputError
from knuckle.stream.address import Address, parse_address
from knuckle.stream.datagrams import JsonDatagrams
from knuckle.stream.midi import MidiDestination
from knuckle.stream.mqtt import PORT, TLS_PORT, MqttDestination
from knuckle.stream.osc import OscDestination
from knuckle.stream.outlet import Destination
from knuckle.stream.values import Sides, Space
from knuckle.stream.virtual_camera import VirtualCamera
from knuckle.stream.vmc import VmcDestination
from knuckle.stream.websocket import WebSocketClient, WebSocketServer


@dataclass(frozen=True)
class StreamOptions:
    """What is sent, and how often.

    Attributes:
        rate: at most so many frames a second; None for all.
        hands: which hands are sent.
        space: coordinates of the points: shares of the image, pixels, or metres around the hand's centre.
        prefix: beginning of OSC addresses and MQTT topics.
        gestures: names of the gestures that MIDI has notes for.

    Raises:
        InputError: a value is out of range.
    """

    rate: float | None = None
    hands: Sides = "both"
    space: Space = "normalized"
    prefix: str = "knuckle"
    gestures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate <= 1000:
            raise InputError(f"rate must be above 0 and at most 1000 frames a second, got {self.rate}")
        if not re.fullmatch(r"[A-Za-z0-9_./-]{0,200}", self.prefix):
            raise InputError(f"prefix may hold letters, digits, - _ . and /, got {self.prefix!r:.80}")


def destinations(
    given: Mapping[str, Sequence[str]], options: StreamOptions, virtual_camera: bool = False
) -> list[Destination]:
    """The receivers that a user named.

    Args:
        given: addresses by the name of the option without dashes: osc, vmc, udp, ws, mqtt, midi.
        options: what is sent.
        virtual_camera: also show the frames on a virtual camera.

    Raises:
        InputError: an address cannot be used, or there is no receiver.
        MissingExtraError: a package is not installed.
    """
    found: list[Destination] = [
        *(OscDestination(parse_address(text, "--osc"), options.prefix) for text in given.get("osc", ())),
        *(VmcDestination(parse_address(text, "--vmc", 39539)) for text in given.get("vmc", ())),
        *(JsonDatagrams(parse_address(text, "--udp")) for text in given.get("udp", ())),
        *(web_socket(text) for text in given.get("ws", ())),
        *(mqtt(text, options.prefix) for text in given.get("mqtt", ())),
        *(midi(text, options.gestures) for text in given.get("midi", ())),
    ]
    if virtual_camera:
        found.append(VirtualCamera(options.rate))
    if not found:
        raise InputError("name a receiver: --osc, --vmc, --udp, --ws, --mqtt or --midi, or --virtual-camera")
    return found


def web_socket(text: str) -> Destination:
    """A server for HOST:PORT, a client for ws://… and wss://…"""
    address = parse_address(text, "--ws", 443 if text.startswith("wss://") else None, ("ws", "wss"))
    return WebSocketClient(text) if address.scheme else WebSocketServer(address)


def mqtt(text: str, prefix: str) -> Destination:
    """A broker at HOST, HOST:PORT, mqtt://USER:PASSWORD@HOST:PORT or mqtts://…"""
    port = TLS_PORT if text.startswith("mqtts://") else PORT
    return MqttDestination(parse_address(text, "--mqtt", port, ("mqtt", "mqtts")), prefix)


def midi(text: str, gestures: tuple[str, ...]) -> Destination:
    """A `mido.sockets` server for HOST:PORT, else a port by its name."""
    host, colon, port = text.rpartition(":")
    is_address = bool(colon) and port.isdecimal() and " " not in host  # ALSA's names look like "Synth 20:0"
    target: str | Address = parse_address(text, "--midi") if is_address else text
    return MidiDestination(target, gestures)
