from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knuckle import Roi
from knuckle.errors import InputError
from knuckle.geometry import (
    apply,
    corners,
    crop,
    image_from_crop,
    invert,
    iou,
    letterbox,
    turn,
    whole_image,
    wrap_angle,
)

angles = st.floats(-10, 10)
regions = st.builds(Roi, st.floats(-500, 2000), st.floats(-500, 2000), st.floats(1, 3000), angles)
points = st.lists(st.tuples(st.floats(-3000, 3000), st.floats(-3000, 3000)), min_size=1, max_size=30).map(np.array)


@given(regions, points)
def test_image_to_crop_and_back_is_identity(roi: Roi, these: np.ndarray) -> None:
    affine = image_from_crop(roi, 224)
    assert np.allclose(apply(affine, apply(invert(affine), these)), these, atol=1e-4)


@given(angles)
def test_wrapped_angles_lie_within_half_a_turn_and_point_the_same_way(angle: float) -> None:
    wrapped = wrap_angle(angle)
    assert -math.pi <= wrapped < math.pi
    assert math.isclose(math.cos(wrapped), math.cos(angle), abs_tol=1e-9)
    assert math.isclose(math.sin(wrapped), math.sin(angle), abs_tol=1e-9)


@given(points, angles)
def test_turning_keeps_lengths_and_turns_back(these: np.ndarray, angle: float) -> None:
    turned = turn(these, angle)
    assert np.allclose(np.linalg.norm(turned, axis=1), np.linalg.norm(these, axis=1), atol=1e-6)
    assert np.allclose(turn(turned, -angle), these, atol=1e-6)


@given(regions)
def test_corners_are_where_the_affine_takes_the_crop_s_corners(roi: Roi) -> None:
    crop_corners = np.array([[0, 0], [64, 0], [64, 64], [0, 64]])
    assert np.allclose(corners(roi), apply(image_from_crop(roi, 64), crop_corners), atol=1e-6)


def test_cropping_the_whole_of_a_square_image_at_its_own_size_is_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert np.array_equal(crop(image, whole_image(64, 64), 64), image)
    assert np.array_equal(letterbox(image, 64), image)


def test_a_crop_turned_by_a_quarter_is_the_turned_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    turned = crop(image, Roi(31.5 + 0.5, 31.5 + 0.5, 64, math.pi / 2), 64)
    assert np.array_equal(turned[1:, :], np.rot90(image)[:-1, :])  # crop pixel 0 lies on the edge, so one row is new


def test_outside_the_image_a_crop_repeats_the_edge_and_a_letterbox_is_black() -> None:
    image = np.full((40, 80, 3), 200, np.uint8)
    assert (crop(image, Roi(0, 0, 100), 50) == 200).all()
    assert (crop(image, Roi(-500, -500, 100, 0.3), 50) == 200).all()
    boxed = letterbox(image, 80)
    assert (boxed[:19] == 0).all() and (boxed[-19:] == 0).all() and (boxed[22:58] == 200).all()


def test_a_crop_takes_views_and_read_only_images() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    view = image[::-1, ::-1]
    view.flags.writeable = False
    roi = Roi(30, 30, 40, 0.4)
    assert np.array_equal(crop(view, roi, 32), crop(np.ascontiguousarray(view), roi, 32))
    assert np.array_equal(letterbox(view, 32), letterbox(np.ascontiguousarray(view), 32))


@pytest.mark.parametrize("roi", [Roi(0, 0, 0), Roi(0, 0, -1), Roi(math.nan, 0, 1), Roi(0, 0, math.inf)])
def test_an_impossible_region_is_refused_by_name(roi: Roi) -> None:
    with pytest.raises(InputError, match="region"):
        image_from_crop(roi, 224)


def test_overlap_of_boxes() -> None:
    box = np.array([0.0, 0, 10, 10])
    others = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 10, 20, 20], [3, 3, 3, 3]])
    assert np.allclose(iou(box, others), [1, 1 / 3, 0, 0])
    assert iou(box, np.empty((0, 4))).shape == (0,)
    assert iou(others[3], others[3:])[0] == 0
