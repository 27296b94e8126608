"""UDP: the socket that OSC, VMC and JSON datagrams share, and the destination for JSON."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod

from knuckle.results import Frame
from knuckle.stream.address import Address
from knuckle.stream.messages import frame_json
from knuckle.stream.values import FrameValues


class Datagrams(ABC):
    """A destination that sends datagrams; a subclass says which, in `packets`.

    A socket that is connected learns when nobody listens on another port of a computer that is there.

    Args:
        protocol: "osc", "vmc" or "udp", for messages.
        address: where to.
    """

    waits = False

    def __init__(self, protocol: str, address: Address) -> None:
        self.name, self.address = f"{protocol} {address}", address
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
        self._family, self._target = found[0], found[4]
        self._socket: socket.socket | None = None

    def open(self, frame: Frame) -> None:
        self._socket = socket.socket(self._family, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setblocking(False)
        self._socket.connect(self._target)

    def send(self, values: FrameValues) -> None:
        assert self._socket is not None
        try:
            for packet in self.packets(values):
                self._socket.send(packet)
        except ConnectionRefusedError as error:
            raise ConnectionRefusedError(error.errno, "nobody listens there") from error

    @abstractmethod
    def packets(self, values: FrameValues) -> list[bytes]:
        """The datagrams of one frame."""

    def close(self) -> None:
        if self._socket:
            self._socket.close()


class JsonDatagrams(Datagrams):
    """Sends each frame as one datagram of JSON."""

    def __init__(self, address: Address) -> None:
        super().__init__("udp", address)

    def packets(self, values: FrameValues) -> list[bytes]:
        return [frame_json(values).encode()]
