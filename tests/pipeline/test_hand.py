from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from conftest import make_hand, two_hands
from hypothesis import given
from hypothesis import strategies as st

import knuckle
from knuckle import Roi
from knuckle.pipeline.hand import Candidate, HandLandmarker, HandModel, roi_from_landmarks
from knuckle.results import Hand, HandLandmark
from knuckle.testing import FakeNetwork

IMAGE = np.zeros((100, 200, 3), np.uint8)


def outputs(presence: float = 0.9, left_in_mirror: float = 0.2) -> dict[str, list[np.ndarray]]:
    crop_points = np.array([[112, 112, 22.4]] * 21, np.float32).ravel()
    world = np.array([[0.1, 0, 0.05]] * 21, np.float32).ravel()
    arrays = {"Identity": crop_points, "Identity_1": [presence], "Identity_2": [left_in_mirror], "Identity_3": world}
    return {name: [np.array(value, np.float32)] for name, value in arrays.items()}


def test_no_region_gives_no_hand() -> None:
    landmarker = HandLandmarker(FakeNetwork(224, outputs()))
    assert landmarker.gate([]) == [] and landmarker.read(IMAGE, []) == []


def test_crop_points_become_image_pixels_metres_turn_and_z_is_scaled() -> None:
    roi = Roi(60, 40, 56, math.pi / 2)
    (hand,) = HandLandmarker(FakeNetwork(224, outputs())).graph()(IMAGE, [Candidate(roi, 0.7)])
    assert np.allclose(hand.landmarks, [60, 40, 22.4 * 56 / 224 / 0.4], atol=1e-4)
    assert np.allclose(hand.world, [0, 0.1, 0.05], atol=1e-6)
    assert hand.roi == roi and hand.palm_score == 0.7 and hand.track_id is None and hand.visibility is None
    assert hand.landmarks.dtype == np.float32 and hand.landmarks_raw is hand.landmarks


@pytest.mark.parametrize(
    ("mirrored", "probability", "side"),
    [(False, 0.2, "Left"), (True, 0.2, "Right"), (False, 0.7, "Right"), (True, 0.7, "Left")],
)
def test_handedness_follows_whether_the_image_is_mirrored(mirrored: bool, probability: float, side: str) -> None:
    network = FakeNetwork(224, outputs(left_in_mirror=probability))
    (hand,) = HandLandmarker(network, mirrored=mirrored).graph()(IMAGE, [Candidate(Roi(50, 50, 50))])
    assert hand.handedness == side
    assert math.isclose(hand.handedness_score, max(probability, 1 - probability), rel_tol=1e-6)


def test_presence_must_be_above_the_threshold() -> None:
    for presence, count in ((0.4, 0), (0.5, 0), (0.6, 1)):
        landmarker = HandLandmarker(FakeNetwork(224, outputs(presence)))
        assert len(landmarker.graph()(IMAGE, [Candidate(Roi(50, 50, 50))])) == count


@given(st.floats(-3.1, 3.1), st.floats(0.3, 5), st.floats(-300, 300))
def test_a_hand_s_region_moves_turns_and_grows_with_it(angle: float, scale: float, shift: float) -> None:
    hand = make_hand()
    before = roi_from_landmarks(hand.landmarks)
    c, s = math.cos(angle), math.sin(angle)
    spin = np.array([[c, s], [-s, c]]) * scale
    moved = hand.landmarks.astype(np.float64)
    moved[:, :2] = moved[:, :2] @ spin + shift
    after = roi_from_landmarks(moved)
    assert np.allclose([after.x, after.y], np.array([before.x, before.y]) @ spin + shift, atol=1e-3)
    assert math.isclose(after.size, before.size * scale, rel_tol=1e-5)
    assert math.isclose(math.cos(after.angle_rad - before.angle_rad - angle), 1, abs_tol=1e-6)


def test_a_hand_s_region_is_twice_its_steady_box_and_a_tenth_of_that_further_up() -> None:
    points = make_hand(100, 100, 80).landmarks.copy()
    points[[4, 7, 8, 11, 12, 15, 16, 19, 20]] = 1e4  # the tips do not count, nor what lies next to them
    points[9, 0] = points[[5, 13], 0].mean()  # the fingers point straight up
    points[[0, 9], 0] = points[9, 0]
    steady = np.delete(points, [4, 7, 8, 11, 12, 15, 16, 19, 20], axis=0)[:, :2]
    low, high = steady.min(axis=0), steady.max(axis=0)
    roi = roi_from_landmarks(points)
    assert np.allclose([roi.size, roi.angle_rad], [2 * (high - low).max(), 0], atol=1e-4)
    middle = (low + high) / 2
    assert np.allclose([roi.x, roi.y], [middle[0], middle[1] - 0.1 * (high[1] - low[1])], atol=1e-3)


def test_a_region_points_to_the_mean_of_three_joints_of_which_the_middle_counts_twice() -> None:
    for joints in ((5, 9, 13), (6, 10, 14)):
        points = make_hand().landmarks.copy()
        for joint, place in zip(joints, ([30, -70], [10, -90], [-18, -66]), strict=True):
            points[joint, :2] = points[0, :2] + place
        x, y = np.average([[30, -70], [10, -90], [-18, -66]], axis=0, weights=[1, 2, 1])
        assert math.isclose(roi_from_landmarks(points, joints).angle_rad, math.atan2(x, -y), abs_tol=1e-6)


def test_landmarks_have_names() -> None:
    hand = make_hand()
    for point in HandLandmark:
        assert np.array_equal(getattr(hand, point.name.lower()), hand.landmarks[point])
    with pytest.raises(AttributeError):
        _ = hand.index_finger_tip  # type: ignore[attr-defined]


def test_a_hand_goes_to_json_and_back() -> None:
    hand = make_hand(123.456, 77.7)
    again = Hand.from_dict(hand.to_dict())
    assert np.allclose(again.landmarks, hand.landmarks, atol=1e-3)
    assert np.allclose(again.world, hand.world, atol=1e-6)
    assert again.to_dict() == hand.to_dict()


def test_the_network_s_own_error_becomes_a_standard_deviation_in_image_pixels() -> None:
    said = {**outputs(), "log_sigma": [np.log(np.arange(1, 22, dtype=np.float32))]}
    landmarker = HandLandmarker(FakeNetwork(224, said), HandModel(log_sigma="log_sigma"), std_per_sigma=0.5)
    (hand,) = landmarker.read(IMAGE, [Roi(60, 40, 56)])
    assert hand.landmark_std is not None
    assert np.allclose(hand.landmark_std, np.arange(1, 22) * 0.5 * 56 / 224)
    (silent,) = HandLandmarker(FakeNetwork(224, said)).read(IMAGE, [Roi(60, 40, 56)])
    assert silent.landmark_std is None


def test_only_our_landmark_network_tells_its_error_and_it_grows_with_the_image() -> None:
    image = two_hands(0.4)
    assert all(hand.landmark_std is None for hand in knuckle.detect(image, "mediapipe"))
    twice = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    for small, large in zip(knuckle.detect(image, "knuckle-fast"), knuckle.detect(twice, "knuckle-fast"), strict=True):
        assert small.landmark_std is not None and large.landmark_std is not None
        assert small.landmark_std.shape == (21,) and (small.landmark_std > 0.1).all()
        assert np.median(large.landmark_std / small.landmark_std) == pytest.approx(2, rel=0.15)
    tracked = knuckle.HandTracker("knuckle-fast")(image)
    assert all(hand.landmark_std is not None for hand in tracked)


def test_the_error_that_the_network_tells_is_true_on_held_out_photos(shared: Path) -> None:
    """About 68 % of the errors of people's fingertip labels are within one standard deviation, and 95 within two."""
    errors, expected = [], []
    rows = map(json.loads, (shared / "data" / "index.jsonl").read_text().splitlines())
    photos = [row for row in rows if row["source"] == "ti1k"][::2]
    found = knuckle.detect([shared / "data" / row["image"] for row in photos], "knuckle-fast", max_hands=1)
    for row, hands in zip(photos, found, strict=True):
        for hand in hands:
            for name in ("thumb_tip", "index_tip"):
                errors.append(getattr(hand, name)[:2] - row["tips"][name])
                expected.append(hand.landmark_std[HandLandmark[name.upper()]])
    ratios = np.abs(np.array(errors)) / np.array(expected)[:, None]
    assert len(ratios) > 60
    assert 0.58 < (ratios < 1).mean() < 0.8 and (ratios < 2).mean() > 0.88
