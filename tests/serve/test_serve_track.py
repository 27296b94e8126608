"""The WebSocket `/v1/track`: a stream of images."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from servers import PATIENCE_S, Running, as_jpeg, pixels, ready, receive, running
from websockets.exceptions import ConnectionClosed, InvalidStatus

import knuckle
from knuckle.serve.limits import Limits


def test_tracking_returns_what_the_library_returns(server: Running, clip_frames: list[Any]) -> None:
    tracker = knuckle.HandTracker("mediapipe", threads=1)
    ids = set()
    with ready(server) as connection:
        for number, image in enumerate(clip_frames[:8]):
            data = as_jpeg(image)
            connection.send(json.dumps({"time_s": number / 15}))
            connection.send(data)
            answer = receive(connection)
            expected = tracker(pixels(data), number / 15)
            assert answer["hands"] == [hand.to_dict() for hand in expected]
            assert (answer["frame"], answer["time_s"], answer["dropped"]) == (number, round(number / 15, 6), [])
            ids |= {hand["track_id"] for hand in answer["hands"]}
    assert ids == {1, 2}


def test_every_image_is_answered_or_reported_as_dropped(server: Running, photo: bytes) -> None:
    processed: list[int] = []
    with ready(server) as connection:
        for _ in range(60):
            connection.send(photo)
        while 59 not in processed:
            answer = receive(connection)
            assert (
                answer["dropped"] == sorted(answer["dropped"]) and max(answer["dropped"], default=-1) < answer["frame"]
            )
            processed += [*answer["dropped"], answer["frame"]]
    assert processed == list(range(60))


def test_options_time_and_memory_follow_text_messages(server: Running, photo: bytes) -> None:
    def ask(connection: Any, **message: Any) -> Any:
        if message:
            connection.send(json.dumps(message))
        connection.send(photo)
        return receive(connection)

    with ready(server) as connection:
        assert len(ask(connection, time_s=1.0)["hands"]) == 2
        assert ask(connection, time_s=0.9)["hands"][0]["track_id"] == 1  # before the one above
        assert "time_s" in ask(connection, time_s=math.inf)["error"]  # the tracker stays usable
        assert receive(connection)["hands"][0]["track_id"] == 1  # the image counts from when it arrived
        assert ask(connection, time_s=2.0)["hands"][0]["track_id"] == 1
        assert ask(connection, time_s=0.5, reset=True)["hands"][0]["track_id"] == 1
        assert len(ask(connection, options={"max_hands": 1}, time_s=0.1)["hands"]) == 1


@pytest.mark.parametrize(
    "message", ["nonsense", "[]", "{}", '{"speed": 2}', '{"options": {"hands": 2}}', '{"time_s": "now"}', "[" * 9999]
)
def test_wrong_messages_are_answered_and_the_stream_goes_on(server: Running, photo: bytes, message: str) -> None:
    with ready(server) as connection:
        connection.send(message)
        assert set(receive(connection)) == {"error"}
        connection.send(b"no picture")
        answer = receive(connection)
        assert answer["frame"] == 0 and "expected a JPEG" in answer["error"]
        connection.send(photo)
        assert receive(connection)["hands"]


def test_a_message_that_is_too_large_ends_the_connection(strict: Running) -> None:
    with ready(strict) as connection, pytest.raises(ConnectionClosed) as closed:
        connection.send(bytes(200_001))
        receive(connection)
    assert closed.value.rcvd.code == 1009


def test_sockets_are_limited_and_their_slots_become_free() -> None:
    with running(limits=Limits(sockets=3, sockets_per_client=2)) as server:
        with ready(server), ready(server), pytest.raises(InvalidStatus) as refused:
            server.track()
        assert refused.value.response.status_code == 503
        assert b"this address has 2 WebSockets" in refused.value.response.body
        deadline = time.monotonic() + PATIENCE_S
        while server.service.sockets.taken and time.monotonic() < deadline:
            time.sleep(0.01)
        with ready(server):
            pass


def test_pages_of_other_sites_cannot_open_a_stream(server: Running) -> None:
    with pytest.raises(InvalidStatus) as refused:
        server.track(origin="https://elsewhere.org")
    assert refused.value.response.status_code == 403
    with ready(server, origin=f"http://127.0.0.1:{server.port}"):
        pass


def test_an_origin_can_be_allowed(photo: bytes) -> None:
    with running(origins=("https://mine.org",)) as server:
        answer = server.post(photo, Origin="https://mine.org")
        assert answer.headers["access-control-allow-origin"] == "https://mine.org"
        assert server.post(photo, Origin="https://elsewhere.org").status_code == 403
        with ready(server, origin="https://mine.org"):
            pass
