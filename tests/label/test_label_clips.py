"""Clips on the labelling page: key frames, the frames between them, and what is saved of both."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import run
from conftest import write_clip
from labelling import Labelling, labelling
from scene import blank, draw_hand

from knuckle import HandTracker, load
from knuckle.datasets import LabelledHand, open_image, read_dataset
from knuckle.geometry import turn
from knuckle.images import Image
from knuckle.label.between import KeyFrame, fill, points_of
from knuckle.label.clip import FLAGGED
from knuckle.label.key_frames import choose_key_frames
from knuckle.media.clip_frames import ClipFrames
from knuckle.metrics import palm_size
from knuckle.pipeline.hand import HandLandmarker, roi_from_landmarks
from knuckle.pipeline.options import TrackerOptions
from knuckle.results import FloatArray, Hand

CLIP = Path(__file__).parents[2] / "examples" / "hands.mp4"
BEGIN, END, EVERY = 40, 80, 10  # frames of the clip in which both hands move
COUNT = 21  # frames of the drawn clip


def test_key_frames_are_spread_and_denser_where_the_tracker_doubts() -> None:
    even = choose_key_frames([0.0] * 101, 10)
    assert even == list(range(0, 101, 10))
    doubts = np.zeros(101)
    doubts[50:70] = 1.0
    dense = np.array(choose_key_frames(doubts.tolist(), 10))
    assert dense[0] == 0 and dense[-1] == 100 and np.diff(dense).max() <= 21 and np.diff(dense).min() > 2
    assert ((dense >= 50) & (dense < 70)).sum() >= 4 > 2
    doubts = np.zeros(101)
    doubts[33] = 0.1
    assert 33 in choose_key_frames(doubts.tolist(), 10)
    assert choose_key_frames([], 10) == [] and choose_key_frames([0.3], 10) == [0]
    assert choose_key_frames([0.0, 1.0], 10) == [0, 1]


class Spoilt(HandLandmarker):
    """A landmark network that puts some points of each hand beside their place, always in the same way."""

    def read(self, image: Image, rois: Any) -> list[Hand]:
        return [replace(hand, landmarks=spoilt(hand.landmarks)) for hand in super().read(image, rois)]


def spoilt(points: FloatArray) -> FloatArray:
    region, offsets = roi_from_landmarks(points), np.zeros((21, 3), np.float32)
    offsets[[4, 8, 12]] = [0.08, -0.05, 0.0]  # of the side of the region
    return np.asarray(points + turn(offsets, region.angle_rad) * region.size, np.float32)


@pytest.fixture(scope="module")
def truth() -> dict[int, list[LabelledHand]]:
    """What our network sees in part of the rendered clip: the labels that a careful person would give."""
    found = {}
    tracker, frames = HandTracker("mediapipe", smooth=False), ClipFrames(str(CLIP))
    for number in range(BEGIN, END + 1):
        hands = tracker(frames.image(number), frames.times_s[number])
        found[number] = [
            LabelledHand(landmarks=h.landmarks, handedness=h.handedness, track_id=h.track_id) for h in hands
        ]
    frames.close()
    return found


@pytest.fixture(scope="module")
def network() -> HandLandmarker:
    networks = load("mediapipe")
    plain = networks.hand_landmarker(networks.completed(TrackerOptions()))
    return Spoilt(plain.network, plain.model, plain.min_presence, plain.mirrored, plain.std_per_sigma)


def errors(hands: list[LabelledHand], true: list[LabelledHand]) -> list[float]:
    """For each true hand the mean error of the points of the nearest hand, % of the palm size."""
    found = []
    for label in true:
        assert label.landmarks is not None
        unit, points = float(palm_size(label.landmarks)) / 100, label.landmarks[:, :2]
        away = [np.linalg.norm(p[:, :2] - points, axis=1).mean() for p in map(points_of, hands) if p is not None]
        found.append(float(min(away)) / unit)
    return found


def test_between_corrected_key_frames_the_labels_are_right(
    truth: dict[int, list[LabelledHand]], network: HandLandmarker
) -> None:
    frames, ours, plain, line = ClipFrames(str(CLIP)), list[float](), list[float](), list[float]()
    for one in range(BEGIN, END, EVERY):
        ends = [KeyFrame(number, truth[number]) for number in (one, one + EVERY)]
        stretch = fill(frames.image, *ends, network)
        assert len(stretch.frames) == EVERY - 1 and sorted(stretch.pairs) == [(0, 0), (1, 1)]
        for step, frame in enumerate(stretch.frames, 1):
            true = truth[one + step]
            ours += errors(frame.hands, true)
            regions = [roi_from_landmarks(points_of(hand)) for hand in true]  # type: ignore[arg-type]
            read = network.read(frames.image(one + step), regions)
            plain += errors([LabelledHand(landmarks=hand.landmarks) for hand in read], true)
            between = [
                LabelledHand(landmarks=(1 - step / EVERY) * a.landmarks + step / EVERY * b.landmarks)  # type: ignore[operator]
                for a, b in zip(ends[0].hands, ends[1].hands, strict=True)
            ]
            line += errors(between, true)
            assert {hand.track_id for hand in frame.hands} == {hand.track_id for hand in true}
        first, last = stretch.frames[0].hands, stretch.frames[-1].hands
        assert max(errors(first, truth[one + 1]) + errors(last, truth[one + EVERY - 1])) < 12
    frames.close()
    assert np.median(ours) < 0.4 * np.median(plain) and np.median(ours) < 0.6 * np.median(line)


def test_where_tracking_and_key_frames_disagree_is_flagged(
    truth: dict[int, list[LabelledHand]], network: HandLandmarker
) -> None:
    frames, one, two = ClipFrames(str(CLIP)), BEGIN, BEGIN + 4
    right = fill(frames.image, KeyFrame(one, truth[one]), KeyFrame(two, truth[two]), network)
    left_out = KeyFrame(two, truth[two][:1])
    gone = fill(frames.image, KeyFrame(one, truth[one]), left_out, network)
    assert gone.pairs == [(0, 0)] and gone.frames[-1].doubt >= 1 > FLAGGED > max(frame.doubt for frame in right.frames)
    shifted = [replace(hand, landmarks=hand.landmarks + 0.8 * palm_size(hand.landmarks)) for hand in truth[two]]
    wrong = fill(frames.image, KeyFrame(one, truth[one]), KeyFrame(two, shifted), network)
    frames.close()
    assert min(frame.doubt for frame in wrong.frames) > FLAGGED
    unseen = fill(lambda number: blank(), KeyFrame(0, truth[one]), KeyFrame(4, truth[one]), network)
    assert [frame.doubt for frame in unseen.frames] == [1.0] * 3  # interpolated, and said so
    for hand, true in zip(unseen.frames[1].hands, truth[one], strict=True):
        np.testing.assert_allclose(hand.landmarks, true.landmarks, atol=1e-3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clip in which a drawn hand moves to the right, and a photo."""
    images = [draw_hand(blank(320, 240), 90 + 6 * k, 110, 120, 0.1) for k in range(COUNT)]
    write_clip(tmp_path / "wave.mp4", images, 15)
    return tmp_path


@pytest.fixture
def session(folder: Path) -> Iterator[Labelling]:
    with labelling(folder) as running:
        yield running


def until(session: Labelling, is_so: Callable[[Any], bool]) -> Any:
    """The timeline, as soon as something is so."""
    for _ in range(1200):
        timeline = session.get("/clips/0").json()
        if is_so(timeline):
            return timeline
        time.sleep(0.1)
    raise AssertionError(timeline)


def frame(session: Labelling, number: int) -> Any:
    return session.get(f"/clips/0/frames/{number}").json()


def accept(session: Labelling, number: int, **changes: Any) -> None:
    hands = frame(session, number)["hands"]
    answer = session.put(number, {"hands": hands, "accepted": True, "doubtful": False} | changes, "/clips/0/frames")
    assert answer.status_code == 200, answer.text


def rows(session: Labelling) -> dict[int, dict[str, Any]]:
    return {row["frame"]: row for row in map(json.loads, session.out.read_text().splitlines())}


def test_key_frames_are_labelled_and_the_frames_between_accepted_and_kept_through_a_kill(
    session: Labelling, folder: Path
) -> None:
    chosen = until(session, lambda found: found["looked"] == 1)
    assert chosen["frames"][0] == chosen["frames"][-1] == "k" and 3 <= chosen["frames"].count("k") <= 4
    assert len(chosen["times"]) == len(chosen["frames"]) == COUNT
    assert session.get("/clips/0/frames/7/image").headers["content-type"] == "image/jpeg"
    for number in (0, 10):
        accept(session, number)
    filled = until(session, lambda found: not found["waiting"])
    assert filled["frames"][0] == filled["frames"][10] == "K" and set(filled["frames"][1:10]) <= set("pfk")
    shown = frame(session, 5)
    assert shown["doubt"] is not None and len(shown["hands"]) == 1 and not shown["accepted"]
    assert session.post("/clips/0/frames/5/stretch", {}).json() == {"accepted": 9}
    assert session.post("/clips/0/frames/15/stretch", {}).status_code == 400  # it is not between two of them
    assert {number: row["mark"] for number, row in rows(session).items()} == {
        0: "key", 10: "key", **dict.fromkeys(range(1, 10), "between")
    }  # fmt: skip
    xs = [row["hands"][0]["landmarks"][9][0] for _, row in sorted(rows(session).items())]
    np.testing.assert_allclose(np.diff(xs), 6, atol=4)
    assert len({row["hands"][0]["track_id"] for row in rows(session).values()}) == 1
    before = session.out.read_text()
    session.process.kill()
    session.process.wait()
    session.out.unlink()  # the log is the truth
    with labelling(folder) as again:
        assert again.get("/clips/0").json()["frames"][:11] == "K" + "b" * 9 + "K"
        hands = frame(again, 10)["hands"]
        hands[0]["landmarks"][8][0] += 20
        accept(again, 10, hands=hands)  # now the frames between no longer fit
        assert set(rows(again)) == {0, 10} and until(again, lambda found: not found["waiting"])["frames"][5] in "pfk"
        moved = (
            frame(again, 9)["hands"][0]["landmarks"][8][0]
            - json.loads(before.splitlines()[9])["hands"][0]["landmarks"][8][0]
        )
        assert 10 < moved < 26  # the correction goes along


def test_key_frames_are_set_and_unset_and_doubtful_ones_left_out(session: Labelling) -> None:
    until(session, lambda found: found["looked"] == 1)
    for number in (0, 10, 20):
        accept(session, number)
    assert session.put("5/key", {"key": True}, "/clips/0/frames").status_code == 200
    assert session.get("/clips/0").json()["frames"][5] == "k" and frame(session, 5)["mark"] == "key"
    session.put("5/key", {"key": False}, "/clips/0/frames")
    assert session.get("/clips/0").json()["frames"][5] in "pf." and frame(session, 5)["mark"] == ""
    session.put("10/key", {"key": False}, "/clips/0/frames")
    assert set(rows(session)) == {0, 20}
    assert session.post("/clips/0/frames/10/stretch", {}).json() == {"accepted": 19}
    accept(session, 20, accepted=False, doubtful=True)
    assert set(rows(session)) == {0} and session.get("/clips/0").json()["frames"][20] == "?"
    for answer, status, says in (
        (session.get("/clips/0/frames/99"), 422, "no frame 99"),
        (session.get("/clips/3"), 404, "there are 1"),
        (session.put(4, {"hands": [{"landmarks": [[1, 2]]}]}, "/clips/0/frames"), 400, "not saved"),
        (session.get("/photos/0"), 404, "there is no photo"),
    ):
        assert answer.status_code == status and says in answer.json()["error"]


def test_the_labels_of_a_clip_are_read_measured_checked_and_trained_on(folder: Path) -> None:
    with labelling(folder) as session:
        until(session, lambda found: found["looked"] == 1)
        for number in (0, 20):
            accept(session, number)
        session.post("/clips/0/frames/3/stretch", {})
    out = folder / "labels.jsonl"
    dataset = read_dataset(out)
    (clip,) = dataset.clips
    assert not dataset.shots and [shot.frame for shot in clip.shots] == list(range(COUNT))
    assert {shot.slices for shot in clip.shots} == {("key frames",), ("between key frames",)}
    report = run("evaluate", str(out), "--models", "mediapipe", "--out", str(folder / "report"))
    assert report.returncode == 0 and "between key frames" in (folder / "report" / "report.md").read_text()
    assert run("datasets", "convert", str(out), str(folder / "again.jsonl")).returncode == 0
    again = [json.loads(line) for line in (folder / "again.jsonl").read_text().splitlines()]
    assert [row["mark"] for row in again] == ["key", *["between"] * (COUNT - 2), "key"]
    assert "nothing found" in run("datasets", "check", "--numbers-only", str(out)).stdout
    pytest.importorskip("torch")
    from knuckle.train.hand.data import read_source

    shots, frames = read_source(str(out)).shots, ClipFrames(str(folder / "wave.mp4"))
    assert len(shots) == COUNT
    for number in (2, 18):
        np.testing.assert_array_equal(open_image(shots[number].source), frames.image(number))
    frames.close()


def test_a_hand_that_nobody_can_track_is_neither_invented_nor_lost_without_a_word(network: HandLandmarker) -> None:
    partial = np.full((21, 2), np.nan, np.float32)
    partial[8] = 40, 50
    hand = LabelledHand(landmarks=partial, handedness="Left")
    stretch = fill(lambda number: blank(), KeyFrame(0, [hand]), KeyFrame(3, [hand]), network)
    assert [frame.hands for frame in stretch.frames] == [[], []] and all(frame.doubt >= 1 for frame in stretch.frames)
