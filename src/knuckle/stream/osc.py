"""OSC (Open Sound Control): packets, and the destination that gives every value of a hand its own address."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from knuckle.extras import required
from knuckle.stream.address import Address
from knuckle.stream.datagrams import Datagrams
from knuckle.stream.messages import hand_rows
from knuckle.stream.values import FrameValues

MAX_BYTES = 1400  # a datagram of more is split by most networks, and lost when one of its parts is
PREFIX = "/knuckle"


def message(address: str, *arguments: str | int, floats: Any = ()) -> bytes:
    """An OSC message.

    The head of a message, up to its floats, is always the same, so it is built once. That makes a frame ten times as
    fast as building each message anew.

    Args:
        address: such as "/knuckle/left/pinch".
        arguments: texts and integers.
        floats: numbers that follow, of any shape.
    """
    numbers = np.asarray(floats, ">f4")
    return _head(address, arguments, numbers.size) + numbers.tobytes()


@lru_cache(maxsize=4096)
def _head(address: str, arguments: tuple[str | int, ...], floats: int) -> bytes:
    builder = required("pythonosc.osc_message_builder", "osc", "OSC and VMC").OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    for _ in range(floats):
        builder.add_arg(0.0, "f")
    built: bytes = builder.build().dgram
    return built[: len(built) - 4 * floats]


def bundles(messages: Iterable[bytes]) -> list[bytes]:
    """Messages in as few bundles as fit into datagrams of `MAX_BYTES`, for immediate use, in their order."""
    builder = required("pythonosc.osc_bundle_builder", "osc", "OSC and VMC")
    empty: bytes = builder.OscBundleBuilder(builder.IMMEDIATELY).build().dgram
    packets, parts, size = [], [empty], len(empty)
    for one in messages:
        if len(parts) > 1 and size + 4 + len(one) > MAX_BYTES:
            packets.append(b"".join(parts))
            parts, size = [empty], len(empty)
        parts += [len(one).to_bytes(4, "big"), one]
        size += 4 + len(one)
    return [*packets, b"".join(parts)]


class OscDestination(Datagrams):
    """Sends each frame as OSC bundles.

    Args:
        address: where to.
        prefix: beginning of all addresses.
    """

    def __init__(self, address: Address, prefix: str = PREFIX) -> None:
        super().__init__("osc", address)
        self.prefix = "/" + prefix.strip("/") if prefix.strip("/") else ""
        message(self.prefix or "/")  # fails here if the package is missing

    def packets(self, values: FrameValues) -> list[bytes]:
        return bundles(frame_messages(values, self.prefix))


def frame_messages(values: FrameValues, prefix: str) -> list[bytes]:
    """The OSC messages of one frame; docs/stream.md lists them."""
    frame = values.frame
    found = [message(f"{prefix}/frame", frame.index, len(values.hands), floats=[frame.time_s])]
    for name in values.lost:
        found.append(message(f"{prefix}/{name}/visible", 0))
    for hand in values.hands:
        start = f"{prefix}/{hand.name}/"
        found.append(message(start + "visible", 1))
        for name, content in hand_rows(hand):
            if isinstance(content, (str, int)):
                found.append(message(start + name, content))
            else:
                found.append(message(start + name, floats=content))
    return found
