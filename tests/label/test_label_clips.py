"""Clips on the labelling page: key frames, the frames between them, and what is saved of both."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_clip
from labelling import labelling
from scene import blank, draw_hand

from knuckle import HandTracker, load
from knuckle.datasets import LabelledHand, open_image, read_dataset
from knuckle.datasets.damage.check import check_datasets
from knuckle.datasets.image_source import moment_in
from knuckle.errors import InputError
from knuckle.evaluate.results import ImagePrediction, Predictions
from knuckle.evaluate.score import score
from knuckle.exports.label_files import write_labels
from knuckle.exports.labels import hand_of_label
from knuckle.geometry import turn
from knuckle.images import Image
from knuckle.label.between import KeyFrame, fill, points_of
from knuckle.label.clip import FLAGGED, LabelledClip
from knuckle.label.compare import Comparison
from knuckle.label.folder import Folder
from knuckle.label.key_frames import choose_key_frames
from knuckle.media.clip_frames import ClipFrames
from knuckle.metrics import palm_size
from knuckle.pipeline.hand import HandLandmarker, roi_from_landmarks
from knuckle.pipeline.networks import Networks
from knuckle.pipeline.options import TrackerOptions
from knuckle.results import ExtraPoints, FloatArray, Hand

CLIP = Path(__file__).parents[2] / "examples" / "hands.mp4"
BEGIN, END, EVERY = 40, 70, 10  # frames of the clip in which both hands move
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
def truth(networks: Networks) -> dict[int, list[LabelledHand]]:
    """What our network sees in part of the rendered clip: the labels that a careful person would give."""
    found = {}
    tracker, frames = HandTracker(networks, smooth=False), ClipFrames(str(CLIP))
    for number in range(BEGIN, END + 1):
        hands = tracker(frames.image(number), frames.times_s[number])
        found[number] = [
            LabelledHand(landmarks=h.landmarks, handedness=h.handedness, track_id=h.track_id) for h in hands
        ]
    frames.close()
    return found


@pytest.fixture(scope="module")
def networks() -> Networks:
    return load("mediapipe-lite")


@pytest.fixture(scope="module")
def network(networks: Networks) -> HandLandmarker:
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
    assert min(frame.doubt for frame in wrong.frames) > FLAGGED
    left = [replace(hand, handedness="Left") for hand in truth[two]]
    sides = fill(frames.image, KeyFrame(one, truth[one]), KeyFrame(two, left), network)
    assert sides.pairs == [(0, 0), (1, 1)] and min(frame.doubt for frame in sides.frames) >= 1
    frames.close()
    unseen = fill(lambda number: blank(), KeyFrame(0, truth[one]), KeyFrame(4, truth[one]), network)
    assert [frame.doubt for frame in unseen.frames] == [1.0] * 3  # interpolated, and said so
    for hand, true in zip(unseen.frames[1].hands, truth[one], strict=True):
        np.testing.assert_allclose(hand.landmarks, true.landmarks, atol=1e-3)


def wave(folder: Path) -> Path:
    """A folder with a clip in which a drawn hand moves to the right by 6 pixels a frame."""
    images = [draw_hand(blank(320, 240), 90 + 6 * k, 110, 120, 0.1) for k in range(COUNT)]
    write_clip(folder / "wave.mp4", images, 15)
    return folder


@pytest.fixture
def clip(tmp_path: Path, networks: Networks) -> Iterator[LabelledClip]:
    """The clip of a session, after the tracker has looked at it."""
    (clip,) = Folder(str(wave(tmp_path)), networks).clips
    while clip.watch_some():
        pass
    yield clip
    clip.frames.close()


def accept(clip: LabelledClip, *numbers: int, **changes: Any) -> None:
    """Accept frames as they are shown, and fill what lies between."""
    for number in numbers:
        clip.save(number, {"hands": clip.labels(number)["hands"], "accepted": True, "doubtful": False} | changes)
    while clip.fill_next():
        pass


def rows(out: Path) -> dict[int, dict[str, Any]]:
    return {row["frame"]: row for row in map(json.loads, out.read_text().splitlines())}


def tip_x(row: dict[str, Any]) -> float:
    return float(row["hands"][0]["landmarks"][8][0])


def test_key_frames_are_labelled_and_the_frames_between_accepted(clip: LabelledClip) -> None:
    out = clip.session.journal.out
    chosen = clip.timeline()
    assert chosen["frames"][0] == chosen["frames"][-1] == "k" and 3 <= chosen["frames"].count("k") <= 4
    assert len(chosen["times"]) == len(chosen["frames"]) == COUNT and chosen["looked"] == 1
    accept(clip, 0, 10)
    filled = clip.timeline()
    assert filled["frames"][0] == filled["frames"][10] == "K" and set(filled["frames"][1:10]) <= set("pfk")
    shown = clip.labels(5)
    assert shown["doubt"] is not None and len(shown["hands"]) == 1 and not shown["accepted"]
    assert clip.accept_stretch(5) == 9
    with pytest.raises(InputError, match="does not lie between"):
        clip.accept_stretch(15)
    before = rows(out)
    assert {k: row["mark"] for k, row in before.items()} == {
        0: "key",
        10: "key",
        **dict.fromkeys(range(1, 10), "between"),
    }
    xs = [row["hands"][0]["landmarks"][9][0] for _, row in sorted(before.items())]
    np.testing.assert_allclose(np.diff(xs), 6, atol=4)
    assert len({row["hands"][0]["track_id"] for row in before.values()}) == 1
    hands = copy.deepcopy(clip.labels(10)["hands"])
    hands[0]["landmarks"][8][0] += 20
    accept(clip, 10, hands=hands)  # now the frames between no longer fit
    assert set(rows(out)) == {0, 10} and clip.timeline()["frames"][5] in "pfk"
    assert 10 < tip_x(clip.labels(9)) - tip_x(before[9]) < 26  # the correction goes along
    clip.accept_stretch(9)
    accept(clip, 10)  # once more, unchanged
    assert len(rows(out)) == 11


def test_key_frames_are_set_and_unset_and_doubtful_ones_left_out(clip: LabelledClip) -> None:
    out = clip.session.journal.out
    accept(clip, 0, 10, 20)
    clip.set_key_frame(5, True)
    assert clip.timeline()["frames"][5] == "k" and clip.labels(5)["mark"] == "key"
    clip.set_key_frame(5, False)
    assert clip.timeline()["frames"][5] in "pf." and clip.labels(5)["mark"] == ""
    clip.set_key_frame(10, False)
    assert set(rows(out)) == {0, 20}
    assert clip.accept_stretch(10) == 19
    accept(clip, 20, accepted=False, doubtful=True)
    assert set(rows(out)) == {0} and clip.timeline()["frames"][20] == "?"


def test_the_hand_keeps_its_number_where_two_key_frames_number_it_differently(clip: LabelledClip) -> None:
    out = clip.session.journal.out
    for number, track_id in ((0, 4), (10, 7), (20, 7)):
        accept(clip, number, hands=[hand | {"track_id": track_id} for hand in clip.labels(number)["hands"]])
    clip.accept_stretch(5)
    assert {k: row["hands"][0]["track_id"] for k, row in rows(out).items()} == dict.fromkeys([*range(11), 20], 4)


def test_the_labels_of_a_clip_are_read_measured_checked_and_trained_on(clip: LabelledClip) -> None:
    accept(clip, 0, 20)
    clip.accept_stretch(3)
    out, folder = clip.session.journal.out, clip.path.parent
    dataset = read_dataset(out)
    (read,) = dataset.clips
    assert not dataset.shots and [shot.frame for shot in read.shots] == list(range(COUNT))
    assert {shot.slices for shot in read.shots} == {("key frames",), ("between key frames",)}
    hands = {(read.source, shot.frame): [hand_of_label(label, "") for label in shot.hands or ()] for shot in read.shots}
    found = [ImagePrediction(*image, image[1] / 15, (320, 240), tuple(these)) for image, these in hands.items()]
    tables = score(dataset, [Predictions("itself", {(one.source, one.frame): one for one in found})]).tables
    assert {"key frames", "between key frames"} <= {table.title for table in tables}
    assert write_labels(dataset, folder / "again.jsonl") == COUNT
    assert [row["mark"] for row in rows(folder / "again.jsonl").values()] == ["key", *["between"] * (COUNT - 2), "key"]
    assert check_datasets([out])[0] == []
    held_out = frozenset([Path(moment_in(read.source, read.shots[-1].time_s)).name])  # as a run names it
    clip.session.comparison = Comparison(clip.session.networks, clip.session.networks, held_out)
    compared = [clip.compare(number) for number in (0, 20)]
    assert [one["counts"] for one in compared] == [False, True] and compared[1]["after"]["missed"] == 0
    pytest.importorskip("torch")
    from knuckle.train.hand.data import read_source

    shots = read_source(str(out)).shots
    assert len(shots) == COUNT
    for number in (2, 18):
        np.testing.assert_array_equal(open_image(shots[number].source), clip.image(number))


def test_a_clip_is_served_and_kept_through_a_kill(tmp_path: Path, networks: Networks) -> None:
    with labelling(wave(tmp_path)) as session:
        for number in (2, 6):
            hands = session.get(f"/clips/0/frames/{number}").json()["hands"]
            labels = {"hands": hands, "accepted": True, "doubtful": False}
            assert session.put(number, labels, "/clips/0/frames").status_code == 200
        assert session.post("/clips/0/frames/3/stretch", {}).json() == {"accepted": 3}
        assert session.put("9/key", {"key": True}, "/clips/0/frames").status_code == 200
        assert session.get("/clips/0/frames/7/image").headers["content-type"] == "image/jpeg"
        for answer, status, says in (
            (session.get("/clips/0/frames/99"), 422, "no frame 99"),
            (session.get("/clips/3"), 404, "there are 1"),
            (session.put(4, {"hands": [{"landmarks": [[1, 2]]}]}, "/clips/0/frames"), 400, "not saved"),
            (session.post("/clips/0/frames/15/stretch", {}), 400, "does not lie between"),
            (session.get("/photos/0"), 404, "there is no photo"),
        ):
            assert answer.status_code == status and says in answer.json()["error"]
        session.process.kill()
        session.process.wait()
    session.out.unlink()  # the log is the truth
    again = Folder(str(tmp_path), networks)
    letters = again.clips[0].timeline()["frames"]
    assert letters[2:7] == "KbbbK" and letters[9] == "k" and again.overview()["clips"][0]["keys_done"] == 2
    assert list(again.comparable()) == ["/clips/0/frames/2", "/clips/0/frames/6"]
    again.clips[0].frames.close()


def test_a_hand_that_nobody_can_track_is_neither_invented_nor_lost_without_a_word(network: HandLandmarker) -> None:
    partial = np.full((21, 2), np.nan, np.float32)
    partial[8] = 40, 50
    hand = LabelledHand(landmarks=partial, handedness="Left")
    stretch = fill(lambda number: blank(), KeyFrame(0, [hand]), KeyFrame(3, [hand]), network)
    assert [frame.hands for frame in stretch.frames] == [[], []] and all(frame.doubt >= 1 for frame in stretch.frames)


def test_missing_points_stay_missing_and_extra_points_go_along(
    truth: dict[int, list[LabelledHand]], network: HandLandmarker
) -> None:
    frames, ends = ClipFrames(str(CLIP)), []
    for number in (BEGIN, BEGIN + 6):
        hand = truth[number][0]
        assert hand.landmarks is not None
        landmarks = hand.landmarks.copy()
        nail, landmarks[20] = landmarks[8:9] - np.array([0, 3, 0]), np.nan
        extra = ExtraPoints(("index_nail",), nail.astype(np.float32), np.full((1, 3), np.nan, np.float32))
        ends.append(KeyFrame(number, [replace(hand, landmarks=landmarks, extra=extra)]))
    stretch = fill(frames.image, *ends, network)
    frames.close()
    for frame in stretch.frames:
        (hand,) = frame.hands
        assert hand.landmarks is not None and hand.extra is not None
        assert np.isnan(hand.landmarks[20]).all() and np.isfinite(hand.landmarks[:20]).all()
        assert np.linalg.norm(hand.extra.landmarks[0, :2] - hand.landmarks[8, :2]) < 0.3 * palm_size(hand.landmarks)
