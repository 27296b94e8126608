"""`Run`: frames in, results to sinks and a window, and what it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import two_hands
from PIL import Image as pillow

import knuckle
from knuckle.errors import Error, SinkError
from knuckle.media.sources import Reader, read
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.run import Run
from knuckle.pipeline.smooth import OfflineSmoother, two_sided
from knuckle.pipeline.tracker import HandTracker, Networks
from knuckle.results import Frame, Hand


@dataclass
class Kept:
    """A sink that keeps what it gets."""

    pairs: list[tuple[Frame, list[Any]]] = field(default_factory=list)
    problems: list[Error] = field(default_factory=list)

    def write(self, frame: Frame, found: Sequence[Any]) -> None:
        self.pairs.append((frame, list(found)))


@dataclass
class Shown:
    """A window that the user closes after some frames."""

    closes_at: int
    frames: int = 0

    def show(self, frame: Frame, found: Sequence[Any]) -> bool:
        self.frames += 1
        return self.frames < self.closes_at


def run_over(reader: Reader, networks: Networks, **more: Any) -> tuple[Run, Kept, int]:
    """A finished run, what its sink kept, and how often it told its progress."""
    sink = Kept()
    run, told = Run(reader, networks, TrackerOptions(), sinks=[sink], **more), list[float]()  # type: ignore[list-item]
    run.run(iter(reader), lambda: told.append(run.wall_s))
    assert told == sorted(told)
    return run, sink, len(told)


def fields_of(hands: Sequence[Hand]) -> list[tuple[Any, ...]]:
    return [(hand.track_id, hand.handedness, hand.landmarks.tolist()) for hand in hands]


def test_every_frame_of_a_clip_is_written_counted_and_told(clip: Path, networks: Networks) -> None:
    expected = list(HandTracker(networks).track(clip))
    with read(clip) as reader:
        run, sink, told = run_over(reader, networks)
    assert [frame.index for frame, _ in sink.pairs] == list(range(30)) and told == run.frames == 30
    assert [fields_of(hands) for _, hands in sink.pairs] == [fields_of(hands) for _, hands in expected]
    assert run.found == sum(len(hands) for _, hands in expected) == 60
    assert (run.frames_with, run.ids, run.what) == (30, {1, 2}, "hands")
    assert not (run.failed or run.stopped or run.closed)
    assert 0.1 * run.wall_s < run.inference_s < run.wall_s


def test_photos_are_looked_at_one_by_one_and_have_no_ids(tmp_path: Path, networks: Networks) -> None:
    for name, picture in (("a.png", two_hands(0.0)), ("b.png", np.zeros((48, 64, 3), np.uint8))):
        pillow.fromarray(picture).save(tmp_path / name)
    with read(tmp_path) as reader:
        run, sink, _ = run_over(reader, networks)
    assert [len(found) for _, found in sink.pairs] == [2, 0]
    assert (run.frames, run.found, run.frames_with, run.ids) == (2, 2, 1, set())


def test_palms_only_gives_palms(clip: Path, networks: Networks) -> None:
    with read(clip) as reader:
        run, sink, _ = run_over(reader, networks, palms_only=True)
    assert run.what == "palms" and run.ids == set() and run.inference_s > 0
    assert run.found == sum(len(palms) for _, palms in sink.pairs) > 50
    expected = knuckle.detect_palms(sink.pairs[7][0].image, networks)
    assert [palm.to_dict() for palm in sink.pairs[7][1]] == [palm.to_dict() for palm in expected]


def test_a_smoother_delays_frames_and_loses_none(clip: Path, networks: Networks) -> None:
    expected = list(two_sided(HandTracker(networks).track(clip)))
    with read(clip) as reader:
        run, sink, told = run_over(reader, networks, smoother=OfflineSmoother())
    assert told == run.frames == 30
    assert [fields_of(hands) for _, hands in sink.pairs] == [fields_of(hands) for _, hands in expected]


def test_places_are_given_before_hands_are_written(clip: Path, networks: Networks) -> None:
    def named(frame: Frame, hands: list[Hand]) -> list[Hand]:
        return [replace(hand, presence=frame.index / 100) for hand in hands]

    with read(clip) as reader:
        _, sink, _ = run_over(reader, networks, place=named)
    assert all(hand.presence == frame.index / 100 for frame, hands in sink.pairs for hand in hands)


def test_closing_the_window_ends_the_run_after_its_frame(clip: Path, networks: Networks) -> None:
    window = Shown(closes_at=4)
    with read(clip) as reader:
        run, sink, told = run_over(reader, networks, window=window)
    assert (run.closed, run.frames, len(sink.pairs), told) == (True, 4, 4, 3)
    window = Shown(closes_at=1000)
    with read(clip) as reader:
        run, *_ = run_over(reader, networks, window=window)
    assert not run.closed and window.frames == 30


@pytest.mark.parametrize("smooth", [False, True])
def test_ctrl_c_stops_a_run_and_keeps_what_was_found(clip: Path, networks: Networks, smooth: bool) -> None:
    def interrupted(reader: Reader) -> Iterator[Frame]:
        for frame in reader:
            if frame.index == 5:
                raise KeyboardInterrupt
            yield frame

    sink = Kept()
    with read(clip) as reader:
        smoother = OfflineSmoother() if smooth else None
        run = Run(reader, networks, TrackerOptions(), sinks=[sink], smoother=smoother)  # type: ignore[list-item]
        run.run(interrupted(reader), lambda: None)
    assert run.stopped and not run.closed and run.frames == len(sink.pairs) == 5 and run.wall_s > 0


def test_starting_again_gives_new_hands_new_ids_from_1(networks: Networks, clip: Path) -> None:
    sink = Kept()
    with read(clip) as reader:
        run = Run(reader, networks, TrackerOptions(), sinks=[sink], smoother=OfflineSmoother())  # type: ignore[list-item]
        run.start_again()  # before the first frame there is nothing to forget
        old = run.smoother

        def jump() -> None:
            if run._running and len(seen) == 3:
                run.start_again()
            seen.append(run.frames)

        seen: list[int] = []
        frames = [Frame(two_hands(0.0), k, k / 30) for k in range(4)]
        frames += [Frame(np.zeros((480, 640, 3), np.uint8), 4, 4 / 30), Frame(two_hands(0.9), 5, 5 / 30)]
        run.run(iter(frames), jump)
    assert run.smoother is not old
    ids = [[hand.track_id for hand in found] for _, found in sink.pairs]
    assert ids[-1] == [1, 2], "the hands after the jump would be 3 and 4"


def test_what_went_wrong_makes_a_run_a_failed_one(clip: Path, networks: Networks) -> None:
    with read(clip) as reader:
        sink = Kept()
        run = Run(reader, networks, TrackerOptions(), sinks=[Kept(), sink])  # type: ignore[list-item]
        assert not run.failed and run.sink_problems == []
        problem = SinkError("disk full")
        sink.problems.append(problem)
        assert run.failed and run.sink_problems == [problem]
        sink.problems.clear()
        run.errors.append(problem)
        assert run.failed


def test_drawing_is_asked_for(clip: Path, networks: Networks) -> None:
    with read(clip) as reader:
        run = Run(reader, networks, TrackerOptions())
        names = [[node.output for node in run.graph(iter(()), draws).nodes] for draws in (False, True)]
    assert len(names[1]) == len(names[0]) + 1
