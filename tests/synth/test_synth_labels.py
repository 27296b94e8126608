"""Labels: projection, visibility, palms, JSON, and the cameras of crops."""

from __future__ import annotations

import json
import math

import cv2
import numpy as np
import pytest

from knuckle.datasets.hand_json import hand_from_json, hand_to_json
from knuckle.datasets.labels import Visibility
from knuckle.geometry import apply, crop, image_from_crop
from knuckle.results import Roi
from knuckle.synth.camera import labels
from knuckle.synth.render.primitives import Camera, Picture
from knuckle.synth.scene import crops

PINHOLE = Camera(160, 120, 140, 140, 79.5, 59.5)


def hand(depth: float = 0.6) -> np.ndarray:
    """A flat open hand, fingers up, (21, 3) metres in camera space."""
    points = [(0.0, 0.04, depth)]
    for digit in range(5):
        x = (-0.045, -0.025, 0.0, 0.02, 0.04)[digit]
        bottom, top = ((0.02, -0.02), (-0.04, -0.1))[digit > 0]
        points += [(x, bottom + (top - bottom) * k / 3, depth) for k in range(4)]
    return np.array(points, np.float32)


def taken(depth: np.ndarray, ids: np.ndarray) -> Picture:
    return Picture(
        np.zeros((*depth.shape, 3), np.float32),
        depth.astype(np.float32),
        ids.astype(np.uint8),
        (ids > 0).astype(np.float32),
    )


def test_projection_agrees_with_opencv_for_pinholes() -> None:
    points = hand() + np.random.default_rng(0).normal(0, 0.05, (21, 3)).astype(np.float32)
    matrix = np.array([[140, 0, 79.5], [0, 140, 59.5], [0, 0, 1.0]])
    theirs, _ = cv2.projectPoints(points.astype(float), np.zeros(3), np.zeros(3), matrix, np.zeros(4))
    assert np.allclose(labels.project(points, PINHOLE), theirs[:, 0], atol=1e-6)


def test_projection_agrees_with_opencv_for_fisheyes() -> None:
    camera = Camera(160, 120, 140, 140, 79.5, 59.5, (0.05, -0.01, 0.003, 0.0))
    points = hand() * [3, 3, 1]
    matrix = np.array([[140, 0, 79.5], [0, 140, 59.5], [0, 0, 1.0]])
    theirs, _ = cv2.fisheye.projectPoints(
        points.astype(float).reshape(-1, 1, 3), np.zeros(3), np.zeros(3), matrix, np.array(camera.distortion)
    )
    assert np.allclose(labels.project(points, camera), theirs[:, 0], atol=1e-6)


def test_depth_in_pixels_has_the_scale_of_the_picture_at_the_wrist() -> None:
    points = hand()
    points[8, 2] -= 0.05
    empty = taken(np.full((120, 160), np.inf), np.zeros((120, 160)))
    found = labels.label_hand(points, "Left", PINHOLE, empty, 1)
    width_px = np.hypot(*(found.landmarks[5, :2] - found.landmarks[17, :2]))
    width_m = np.linalg.norm(points[5] - points[17])
    assert found.landmarks[8, 2] / -0.05 == pytest.approx(width_px / width_m, rel=1e-4)
    assert found.landmarks[0, 2] == 0
    assert np.allclose(found.world + found.centre, points, atol=1e-6)


def test_visibility_distinguishes_all_four_cases() -> None:
    points = hand()
    points[20] = [2.0, 0, 0.6]  # outside
    depth = np.full((120, 160), 0.595)
    ids = np.ones((120, 160))
    x, y = np.rint(labels.project(points, PINHOLE)).astype(int).T
    depth[y[8], x[8]] = 0.5  # its own hand, 10 cm in front
    depth[y[12], x[12]], ids[y[12], x[12]] = 0.4, 2  # another hand
    seen, by_itself = labels.landmark_visibility(points, PINHOLE, taken(depth, ids), 1)
    assert seen[8] == Visibility.HIDDEN and np.flatnonzero(by_itself).tolist() == [8]
    assert seen[12] == Visibility.HIDDEN
    assert seen[20] == Visibility.OUTSIDE
    assert (np.delete(seen, [8, 12, 20]) == Visibility.VISIBLE).all()


def test_what_lies_behind_a_hand_does_not_hide_it() -> None:
    wall = taken(np.full((120, 160), 2.0), np.full((120, 160), 9))
    assert (labels.landmark_visibility(hand(), PINHOLE, wall, 1)[0] == Visibility.VISIBLE).all()


def test_labels_survive_a_round_trip_through_json() -> None:
    empty = taken(np.full((120, 160), np.inf), np.zeros((120, 160)))
    before = labels.label_hand(hand(), "Right", PINHOLE, empty, 3, 2, {"pose": "open"})
    after = hand_from_json(json.loads(json.dumps(hand_to_json(before))), details=True)
    assert np.allclose(after.landmarks, before.landmarks, atol=1e-3)
    assert np.allclose(after.world, before.world, atol=1e-5)
    assert np.array_equal(after.visibility, before.visibility)
    assert np.allclose(after.palm, before.palm, atol=1e-3)
    assert (after.handedness, after.mask_id, after.track_id, after.about) == ("Right", 3, 2, {"pose": "open"})


def test_broken_labels_are_refused_in_one_line() -> None:
    empty = taken(np.full((120, 160), np.inf), np.zeros((120, 160)))
    found = hand_to_json(labels.label_hand(hand(), "Right", PINHOLE, empty, 3))
    for name in ("landmarks", "world", "visibility"):
        with pytest.raises(ValueError, match="21"):
            hand_from_json({**found, name: found[name][:20]})


def test_cameras_survive_a_round_trip_through_json() -> None:
    found = labels.camera_to_dict(PINHOLE, np.eye(3), np.zeros(3))
    assert labels.camera_from_dict(json.loads(json.dumps(found))) == PINHOLE


@pytest.mark.parametrize("distortion", [(), (0.04, 0.0, 0.0, 0.0)])
@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5, math.pi])
def test_a_crops_camera_sees_what_the_crop_shows(angle: float, distortion: tuple[float, ...]) -> None:
    frame = Camera(640, 480, 500, 500, 319.5, 239.5, distortion)
    roi = Roi(412.3, 155.8, 180.0, angle)
    camera, roll = crops.camera_of(frame, roi, 224)
    points = hand(0.5)
    points += np.array([0.07, -0.06, 0], np.float32)
    in_crop = labels.project(points @ roll.T, camera)
    assert np.allclose(apply(image_from_crop(roi, 224), in_crop), labels.project(points, frame), atol=1e-6)


def test_crops_without_error_hold_the_hand_upright() -> None:
    pixels = labels.project(hand(), PINHOLE)
    for kind in ("palm", "track"):
        roi = crops.region_of(pixels, kind)
        assert abs(roi.angle_rad) < 0.1
        inside = np.abs(pixels - [roi.x, roi.y]).max(0)
        assert (inside < roi.size / 2).all()


def test_repeated_edges_are_what_the_trackers_crop_shows() -> None:
    rng = np.random.default_rng(0)
    frame = Camera(100, 80, 90, 90, 49.5, 39.5)
    image = cv2.GaussianBlur(rng.integers(0, 255, (80, 100, 3)).astype(np.uint8), (0, 0), 3)
    roi = Roi(85, 60, 70, 0.6)
    wide = cv2.copyMakeBorder(image, 100, 100, 100, 100, cv2.BORDER_CONSTANT)
    without = crop(wide, Roi(185, 160, 70, 0.6), 64)
    picture = taken(np.ones((64, 64)), np.ones((64, 64)))
    repeated = crops.repeat_edges(
        Picture(without.astype(np.float32), picture.depth, picture.ids, picture.cover), frame, roi, 64
    )
    theirs = crop(image, roi, 64).astype(float)
    assert np.median(np.abs(repeated.rgb - theirs)) < 2
    ys, xs = np.nonzero(repeated.ids == 0)
    assert crops.beyond_frame(np.stack([xs, ys], 1), frame, roi, 64).mean() > 0.95
