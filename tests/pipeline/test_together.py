"""Videos that are tracked side by side give what each gives alone, with fewer calls of the networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from conftest import two_hands
from scene import blank, draw_hand

import knuckle
from knuckle.graph import Call, Steps, finish
from knuckle.models.session import Network, Outputs, Pictures
from knuckle.pipeline.stride import follow
from knuckle.pipeline.together import together
from knuckle.results import Frame, Hand


class Counted:
    """A network that notes how many pictures each call takes."""

    def __init__(self, network: Network) -> None:
        self.network, self.side, self.calls = network, network.side, list[int]()

    def __call__(self, pictures: Pictures) -> Outputs:
        self.calls.append(len(pictures))
        return self.network(pictures)


def videos() -> list[list[Frame]]:
    """Of different lengths: two hands, no hand and then one, another size."""
    one = [two_hands(k / 9) for k in range(10)]
    two = [blank()] * 4 + [draw_hand(blank(), 200 + 5 * k, 220, 230, 0.1) for k in range(8)]
    three = [two_hands(1 - k / 5, 480, 360) for k in range(6)]
    return [[Frame(image, k, k / 30) for k, image in enumerate(images)] for images in (one, two, three)]


def job(frames: list[Frame], networks: knuckle.Networks, found: list[list[Hand]]) -> Steps[int]:
    tracker = knuckle.HandTracker(networks)
    yield from follow(tracker, iter(frames), lambda frame, hands: found.append(hands))
    return len(frames)


def test_side_by_side_each_video_gives_the_same_bits_as_alone() -> None:
    networks = knuckle.load("knuckle", threads=1)
    alone = []
    for frames in videos():
        tracker = knuckle.HandTracker(networks)
        alone.append([tracker(frame.image, frame.time_s) for frame in frames])
    palm, hand = Counted(networks.palm), Counted(networks.hand)
    counted = replace(networks, palm=palm, hand=hand)
    for at_once in (1, 2, 3):
        found: list[list[list[Hand]]] = [[], [], []]
        ends = list(together((job(f, counted, o) for f, o in zip(videos(), found, strict=True)), at_once))
        assert sorted(ends) == [6, 10, 12]
        assert found == alone
        assert any(hands for hands in found[1])
        if at_once == 1:
            calls = len(hand.calls)
        assert len(hand.calls) <= calls
        assert (max(palm.calls) > 1) == (at_once > 1)  # alone, the detector sees one image per call
        calls = min(calls, len(hand.calls))
        palm.calls.clear()
        hand.calls.clear()


def square(batch: np.ndarray) -> Outputs:
    return {"y": batch.astype(float) ** 2}


def asking(numbers: list[int], seen: list[float]) -> Steps[float]:
    """A job that asks for the squares of numbers, one after the other."""
    for number in numbers:
        answer = yield Call(square, np.array([number, number + 1]))
        seen += answer["y"].tolist()
    return sum(seen)


def test_each_job_gets_its_own_answers() -> None:
    first: list[float] = []
    second: list[float] = []
    results = list(together([asking([1, 2], first), asking([5], second)], 2))
    assert (first, second) == ([1, 4, 4, 9], [25, 36])
    assert results == [61, 18]  # in the order in which they end
    assert finish(asking([1, 2], [])) == 18


def test_jobs_are_taken_when_others_end() -> None:
    begun: list[int] = []

    def jobs() -> Iterator[Steps[float]]:
        for number in range(5):
            begun.append(number)
            yield asking([number], [])

    results = together(jobs(), 2)
    next(results)
    assert begun == [0, 1]
    assert len(list(results)) == 4 and begun == [0, 1, 2, 3, 4]


def test_an_error_closes_the_other_jobs() -> None:
    closed: list[str] = []

    def careful() -> Steps[float]:
        try:
            yield Call(square, np.array([1]))
            yield Call(square, np.array([1]))
        finally:
            closed.append("closed")
        return 0.0

    def failing() -> Steps[float]:
        yield Call(square, np.array([1]))
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(together([careful(), failing()], 2))
    assert closed == ["closed"]
