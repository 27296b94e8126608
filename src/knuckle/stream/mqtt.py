"""MQTT: a topic for each hand with its values as JSON, and one that says whether the sender is there."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import Any

from knuckle.extras import required
from knuckle.results import Frame
from knuckle.stream.address import Address
from knuckle.stream.messages import hand_object
from knuckle.stream.values import FrameValues

CONNECT_S = 5.0
PORT, TLS_PORT = 1883, 8883
# Topic, content and meaning; docs/stream.md shows them. PREFIX is --prefix without slashes at its ends.
TOPICS = (
    ("PREFIX/status", "`online` or `offline`, retained", "whether the sender is there; the broker says if it is lost"),
    ("PREFIX/frame", "JSON", "`frame`, `time_s`, `width`, `height` and `hands`, the number of hands"),
    ("PREFIX/left, PREFIX/right", "JSON", 'values of a hand; `{"name": "left", "visible": false}` when it is lost'),
)


class MqttDestination:
    """Publishes to a broker with quality of service 0: a frame that is late is worth nothing.

    Args:
        address: the broker; the scheme `mqtts` uses TLS.
        prefix: beginning of all topics.
    """

    waits = True

    def __init__(self, address: Address, prefix: str) -> None:
        self.name, self.address = f"mqtt {address}", address
        self.prefix = prefix.strip("/") or "knuckle"
        self._paho = required("paho.mqtt.client", "mqtt", "MQTT messages")
        self._client: Any = None

    def open(self, frame: Frame) -> None:
        answered, answer = threading.Event(), []

        def on_connect(client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
            answer.append(reason)
            answered.set()

        client = self._paho.Client(self._paho.CallbackAPIVersion.VERSION2)
        client.on_connect, client.connect_timeout = on_connect, CONNECT_S
        client.username_pw_set(self.address.user, self.address.password)
        client.will_set(f"{self.prefix}/status", "offline", retain=True)
        if self.address.scheme == "mqtts":
            client.tls_set()
        self._client = client
        client.connect(self.address.host, self.address.port)
        client.loop_start()
        if not answered.wait(CONNECT_S):
            raise TimeoutError(f"no answer from an MQTT broker within {CONNECT_S:g} s")
        if answer[0].is_failure:
            raise ConnectionRefusedError(f"the broker refuses the connection: {answer[0]}")
        client.publish(f"{self.prefix}/status", "online", retain=True)

    def send(self, values: FrameValues) -> None:
        if not self._client.is_connected():
            raise ConnectionError("the broker closed the connection")
        if self._client.want_write():  # the broker is slow: what is not written yet must not pile up
            raise BlockingIOError
        frame = values.frame
        head = {"frame": frame.index, "time_s": frame.time_s, "width": frame.width, "height": frame.height}
        self._publish("frame", {**head, "hands": len(values.hands)})
        for name in values.lost:
            self._publish(name, {"name": name, "visible": False})
        for hand in values.hands:
            self._publish(hand.name, hand_object(hand))

    def _publish(self, topic: str, content: dict[str, Any]) -> None:
        self._client.publish(f"{self.prefix}/{topic}", json.dumps(content, separators=(",", ":")))

    def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        if client.is_connected():
            with suppress(RuntimeError, ValueError):  # the connection is lost just now
                client.publish(f"{self.prefix}/status", "offline", retain=True).wait_for_publish(1)
        client.disconnect()
        client.loop_stop()
