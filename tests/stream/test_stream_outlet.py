"""An outlet never holds up the tracking: slow and lost receivers, the rate limit, names of hands."""

from __future__ import annotations

import threading
import time

import pytest
from conftest import make_hand
from receivers import eventually, frame_of, values_of

from knuckle.results import Frame
from knuckle.stream import outlet as outlets
from knuckle.stream.outlet import DEPTH, Outlet, RateLimit
from knuckle.stream.values import FrameValues, Measure


class Receiver:
    """A destination that tests can block and break."""

    name = "test"

    def __init__(self, waits: bool = True) -> None:
        self.waits = waits
        self.got: list[int] = []
        self.opened = self.closed = 0
        self.free = threading.Event()
        self.free.set()
        self.broken = False

    def open(self, frame: Frame) -> None:
        self.opened += 1
        if self.broken:
            raise ConnectionRefusedError("refused")

    def send(self, values: FrameValues) -> None:
        self.free.wait(10)
        if self.broken:
            raise BrokenPipeError("gone")
        self.got.append(values.frame.index)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlets, "PAUSES_S", (0.01, 0.02))


def started(receiver: Receiver, rate: float | None = None) -> tuple[Outlet, list[str]]:
    said: list[str] = []
    outlet = Outlet(receiver, rate, said.append)
    outlet.start(frame_of())
    return outlet, said


def test_a_slow_receiver_gets_the_newest_frames_and_the_tracking_does_not_wait() -> None:
    receiver = Receiver()
    outlet, said = started(receiver)
    receiver.free.clear()
    start = time.monotonic()
    for index in range(100):
        outlet.write(values_of(index))
    assert time.monotonic() - start < 5  # no write waited for the receiver, which would take 10 s
    receiver.free.set()
    outlet.close()
    assert receiver.got[-DEPTH:] == list(range(100 - DEPTH, 100))
    assert len(receiver.got) == outlet.sent <= DEPTH + 1
    assert outlet.dropped == 100 - outlet.sent and said == []


def test_a_receiver_that_comes_late_is_reported_once_and_found(short_pauses: None) -> None:
    receiver = Receiver()
    receiver.broken = True
    outlet, said = started(receiver)
    for index in range(50):
        outlet.write(values_of(index))
        time.sleep(0.002)
    assert len(said) == 1 and "refused" in said[0] and receiver.opened > 1
    receiver.broken = False

    def goes_on() -> bool:
        outlet.write(values_of(1000))
        return len(said) == 2

    eventually(goes_on)
    outlet.close()
    assert said[1] == "test: connected again" and 1000 in receiver.got
    assert outlet.dropped > 0


def test_a_receiver_that_goes_and_comes_is_reported_once_each_time(short_pauses: None) -> None:
    receiver = Receiver()
    outlet, said = started(receiver)

    def write_until(count: int) -> None:
        def done() -> bool:
            outlet.write(values_of())
            return len(said) == count

        eventually(done)

    for _ in range(2):
        receiver.broken = True
        write_until(len(said) + 1)
        receiver.broken = False
        write_until(len(said) + 1)
    outlet.close()
    assert [line.split(":")[1].split(";")[0] for line in said] == [" gone", " connected again"] * 2


def test_pauses_grow_while_a_receiver_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(outlets.time, "monotonic", lambda: now[0])
    receiver = Receiver(waits=True)
    receiver.broken = True
    outlet = Outlet(receiver, report=lambda line: None)
    outlet._connect(frame_of())
    attempts = []
    for step in range(400):
        now[0], before = step * 0.1, receiver.opened
        outlet._send(values_of())
        if receiver.opened > before:
            attempts.append(now[0])
    assert attempts == pytest.approx([0.5, 1.5, 3.5, 7.5, 15.5, 23.5, 31.5, 39.5], abs=0.2)


def test_a_rate_limit_keeps_the_rate_of_a_camera_that_is_not_exact() -> None:
    for rate, expected in ((10, 10), (30, 30), (100, 30), (None, 30)):
        limit = RateLimit(rate)
        times = [5 + k / 30 + 0.004 * (k % 3 - 1) for k in range(301)]
        assert sum(limit.allows(time_s) for time_s in times) == pytest.approx(10 * expected, abs=4)


@pytest.mark.parametrize("waits", [True, False])
def test_a_receiver_learns_that_a_hand_is_lost_though_that_frame_was_not_sent(waits: bool) -> None:
    class Noting(Receiver):
        lost: list[tuple[str, ...]] = []  # noqa: RUF012

        def send(self, values: FrameValues) -> None:
            super().send(values)
            self.lost.append(values.lost)

    receiver = Noting(waits)
    outlet, _ = started(receiver, rate=5)
    Noting.lost = []
    measure = Measure()
    both = [make_hand(side="Left"), make_hand(side="Right")]
    for hands in ([], both, [], both[:1]):  # all but the first come too early
        outlet.write(measure(frame_of(), hands))
    time.sleep(0.25)
    outlet.write(measure(frame_of(), both[:1]))
    outlet.close()
    assert receiver.lost == [(), ("right",)]


def test_datagrams_leave_in_the_thread_that_tracks() -> None:
    receiver = Receiver(waits=False)
    outlet, _ = started(receiver)
    outlet.write(values_of(7))
    assert receiver.got == [7] and not outlet._thread.is_alive()
    outlet.close()


def hand(side: str, track: int | None) -> object:
    from dataclasses import replace

    return replace(make_hand(side=side), track_id=track)


def test_hands_keep_their_names_while_they_are_followed() -> None:
    measure = Measure()

    def names(*hands: tuple[str, int | None]) -> dict[str, int | None]:
        found = measure(frame_of(), [hand(*one) for one in hands])
        return {value.name: value.hand.track_id for value in found.hands}

    assert names(("Left", 1), ("Left", 2)) == {"left": 1, "left2": 2}
    assert names(("Left", 2), ("Left", 1)) == {"left": 1, "left2": 2}
    assert names(("Left", 2), ("Left", 3)) == {"left2": 2, "left": 3}
    assert names(("Right", 2)) == {"right": 2}
    assert measure(frame_of(), []).lost == ("right",)
    assert measure(frame_of(), []).lost == ()


def test_only_the_wanted_hands_are_sent_in_the_wanted_space() -> None:
    both = [make_hand(side="Left"), make_hand(side="Right")]
    only = Measure("pixels", "right")(frame_of(), both)
    assert [value.name for value in only.hands] == ["right"]
    assert (only.hands[0].points == both[1].landmarks).all()
    assert (Measure("world")(frame_of(), both).hands[0].points == both[0].world).all()
    assert (Measure()(frame_of(), both).hands[0].points == both[0].normalized(640, 480)).all()
