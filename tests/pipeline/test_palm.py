from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from knuckle.pipeline.palm import PalmDetector, PalmModel, anchors, decode_palms, roi_from_palm, suppress
from knuckle.results import Palm
from knuckle.testing import FakeNetwork

STRIDES = PalmModel().strides


def palm_at(x: float, y: float, size: float, score: float = 0.9, angle: float = 0.0) -> Palm:
    """A palm whose fingers point up, turned clockwise by `angle`."""
    offsets = np.array([[0, 0.5], [-0.3, -0.4], [0, -0.5], [0.2, -0.4], [0.4, -0.3], [-0.3, 0.3], [-0.4, 0.1]]) * size
    c, s = math.cos(angle), math.sin(angle)
    keypoints = offsets @ np.array([[c, s], [-s, c]]) + [x, y]
    return Palm(np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2]), keypoints, score)


def test_there_are_2016_anchors_the_fine_grid_first() -> None:
    grid = anchors(192, STRIDES)
    assert grid.shape == (2016, 2)
    assert grid[:2].tolist() == [[4, 4], [4, 4]] and grid[2].tolist() == [12, 4]
    assert grid[1151].tolist() == [188, 188] and grid[1152].tolist() == [8, 8] and grid[-1].tolist() == [184, 184]


def fake(logits: dict[int, float], values: dict[int, np.ndarray]) -> PalmDetector:
    scores, boxes = np.full((2016, 1), -20, np.float32), np.zeros((2016, 18), np.float32)
    for row, logit in logits.items():
        scores[row], boxes[row] = logit, values[row]
    return PalmDetector(FakeNetwork(192, {"Identity": [boxes], "Identity_1": [scores]}))


def test_an_image_without_a_palm_gives_none() -> None:
    assert fake({}, {}).graph()(np.zeros((48, 64, 3), np.uint8)) == []


def test_a_raw_row_becomes_a_palm_in_image_pixels() -> None:
    row = 2 * (24 * 10 + 12)  # the fine grid's cell 12, 10: its centre is at 100, 84 of 192
    values = np.array([1.5, -2, 30, 30, *[4, 5] * 7], np.float32)
    detector = fake({row: 2.0}, {row: values})
    (palm,) = detector.graph()(np.zeros((480, 640, 3), np.uint8))
    scale = 640 / 192  # the longer side fills the letterbox; above and below lie 80 pixels of black
    centre = np.array([101.5 * scale, 82 * scale - 80])
    assert np.allclose(palm.box, [*(centre - 15 * scale), *(centre + 15 * scale)], atol=1e-3)
    assert np.allclose(palm.keypoints, np.array([104 * scale, 89 * scale - 80]), atol=1e-3)
    assert math.isclose(palm.score, 1 / (1 + math.exp(-2)), rel_tol=1e-6)


def test_several_images_give_what_each_gives_alone() -> None:
    rng = np.random.default_rng(3)
    images = [rng.integers(0, 255, (48 + 20 * k, 64, 3)).astype(np.uint8) for k in range(3)]
    boxes = np.stack([np.tile(np.array([k, 0, 30, 30, *[0] * 14], np.float32), (2016, 1)) for k in range(3)])
    scores = np.full((3, 2016, 1), -20, np.float32)
    for k in range(3):
        scores[k, [5, 900 + 40 * k]] = 2.0
    together = PalmDetector(lambda_network(boxes, scores)).in_images(images)
    alone = [
        PalmDetector(lambda_network(boxes[k : k + 1], scores[k : k + 1])).in_images([image])[0]
        for k, image in enumerate(images)
    ]
    assert [[palm.to_dict() for palm in palms] for palms in together] == [
        [palm.to_dict() for palm in palms] for palms in alone
    ]
    assert [len(palms) for palms in together] == [2, 2, 2]


def lambda_network(boxes: np.ndarray, scores: np.ndarray) -> FakeNetwork:
    return FakeNetwork(192, {"Identity": list(boxes), "Identity_1": list(scores)})


def test_weak_and_inverted_boxes_are_dropped() -> None:
    good, inverted = np.array([0, 0, 30, 30, *[0] * 14], np.float32), np.array([0, 0, -30, 30, *[0] * 14], np.float32)
    detector = fake({5: -0.01, 900: 3.0, 1500: 3.0}, {5: good, 900: inverted, 1500: good})
    assert len(detector.graph()(np.zeros((100, 100, 3), np.uint8))) == 1


def test_overlapping_palms_become_their_weighted_mean_with_the_best_score() -> None:
    one, other, far = palm_at(100, 100, 50, 0.9), palm_at(104, 100, 50, 0.6), palm_at(300, 100, 50, 0.95)
    first, second = suppress([other, one, far])
    assert first.score == 0.95 and second.score == 0.9
    assert np.allclose(second.box, (one.box * 0.9 + other.box * 0.6) / 1.5, atol=1e-4)
    assert np.allclose(second.keypoints, (one.keypoints * 0.9 + other.keypoints * 0.6) / 1.5, atol=1e-4)


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500), st.floats(1, 200), st.floats(0.5, 1)), max_size=12))
def test_suppression_gives_fewer_palms_best_first_and_none_from_none(rows: list[tuple[float, ...]]) -> None:
    merged = suppress([palm_at(*row) for row in rows])
    scores = [palm.score for palm in merged]
    assert len(merged) <= len(rows) and bool(merged) == bool(rows)
    assert scores == sorted(scores, reverse=True)


@given(st.floats(-3.1, 3.1))
def test_a_palm_s_region_turns_with_it_and_reaches_over_the_fingers(angle: float) -> None:
    roi = roi_from_palm(palm_at(200, 150, 60, angle=angle))
    assert math.isclose(math.cos(roi.angle_rad - angle), 1, abs_tol=1e-6)
    assert math.isclose(roi.size, 156, rel_tol=1e-6)
    assert np.allclose([roi.x, roi.y], [200 + 30 * math.sin(angle), 150 - 30 * math.cos(angle)], atol=1e-4)


def test_the_tasks_api_s_angle_is_26_degrees_off() -> None:
    palm = palm_at(200, 150, 60)
    turned = roi_from_palm(palm, upright_rad=90.0).angle_rad - roi_from_palm(palm).angle_rad
    assert math.isclose(turned, 0.464609, abs_tol=1e-6)


def test_palms_that_overlap_by_more_than_three_tenths_are_one() -> None:
    for shared, count in ((0.29, 2), (0.31, 1)):
        apart = 100 * (1 - 2 * shared / (1 + shared))  # two squares of 100 px overlap by `shared` of their union
        assert len(suppress([palm_at(200, 200, 100), palm_at(200 + apart, 200, 100, 0.8)])) == count


def test_a_score_at_the_threshold_is_enough_whatever_the_threshold() -> None:
    value = np.array([0, 0, 30, 30, *[0] * 14], np.float32)
    raw = {"Identity": np.tile(value, (1, 2016, 1)), "Identity_1": np.full((1, 2016, 1), 1.0, np.float32)}
    raw["Identity_1"][0, 100:] = -1.0
    score = 1 / (1 + math.exp(-1))
    for threshold, count in ((0.0, 2016), (0.2, 2016), (score - 1e-3, 100), (score + 1e-3, 0), (1.0, 0)):
        assert len(decode_palms(raw, (640, 480), 192, PalmModel(), threshold)) == count


def test_a_region_has_2_6_times_the_longer_side_and_moves_by_half_the_height() -> None:
    for width, height in ((40, 80), (80, 40)):
        box = np.array([100 - width / 2, 100 - height / 2, 100 + width / 2, 100 + height / 2])
        roi = roi_from_palm(Palm(box, palm_at(100, 100, 60).keypoints, 0.9))
        assert np.allclose([roi.size, roi.x, roi.y], [2.6 * 80, 100, 100 - height / 2])
