"""Visibility: the default bundles give it, drawings use it, MediaPipe's interfaces leave it unset."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import make_hand
from scene import blank, draw_hand

import knuckle
from knuckle.media import columns
from knuckle.media.draw import draw_hands
from knuckle.mediapipe import tasks
from knuckle.pipeline.tracker import Networks
from knuckle.results import FINGERS, Hand, HandLandmark
from knuckle.solutions import hands as legacy

PHOTO = draw_hand(blank(), 300, 220, 240)


@pytest.mark.parametrize("name", ["mediapipe", "mediapipe-lite"])
def test_the_default_bundles_give_visibility(name: str) -> None:
    (hand,) = knuckle.detect(PHOTO, name)
    assert hand.visibility is not None and hand.visibility.shape == (21,) and hand.visibility.dtype == np.float32
    assert ((hand.visibility >= 0) & (hand.visibility <= 1)).all()
    again = Hand.from_dict(json.loads(json.dumps(hand.to_dict())))
    assert again.visibility is not None
    np.testing.assert_allclose(again.visibility, hand.visibility, atol=1e-4)


def test_trackers_give_visibility_and_tables_have_a_column_per_landmark(networks: Networks) -> None:
    (hand,) = knuckle.HandTracker(networks)(PHOTO)
    assert hand.visibility is not None
    row = columns.hand_row(0, hand)
    assert [row[f"{point.name.lower()}_visibility"] for point in HandLandmark] == hand.visibility.tolist()


def test_the_reference_s_interfaces_leave_visibility_unset(networks: Networks) -> None:
    (hand,) = knuckle.detect(PHOTO)
    assert hand.visibility is not None
    with legacy.Hands(static_image_mode=True) as model:
        result = model.process(PHOTO)
    assert result.multi_hand_landmarks and result.multi_hand_world_landmarks
    for part in (result.multi_hand_landmarks, result.multi_hand_world_landmarks):
        assert not any(point.HasField("visibility") for point in part[0].landmark)
    options = tasks.HandLandmarkerOptions(tasks.BaseOptions(model_asset_path="mediapipe"))
    with tasks.HandLandmarker.create_from_options(options) as landmarker:
        found = landmarker.detect(tasks.Image(tasks.ImageFormat.SRGB, PHOTO))
    for points in (found.hand_landmarks, found.hand_world_landmarks):
        assert {point.visibility for point in points[0]} == {None}


def hiding(hidden: list[int]) -> Hand:
    """A hand of 300 pixels with some hidden joints."""
    visibility = np.ones(21, np.float32)
    visibility[hidden] = 0.1
    return replace(make_hand(200, 360, 300), visibility=visibility)


def difference(one: Hand, other: Hand) -> np.ndarray:
    picture = np.full((400, 400, 3), 120, np.uint8)
    drawn = [draw_hands(picture, [hand], labels=False).astype(int) for hand in (one, other)]
    return np.asarray(np.abs(drawn[0] - drawn[1]).max(axis=2))


def test_a_fully_visible_hand_is_drawn_like_one_without_visibility() -> None:
    assert difference(hiding([]), replace(hiding([]), visibility=None)).max() == 0


def test_hidden_joints_are_drawn_fainter_and_the_others_unchanged() -> None:
    hidden = list(FINGERS["ring"][1:])
    hand = hiding(hidden)
    changed = difference(hand, hiding([]))
    x, y = hand.landmarks[:, :2].round().astype(int).T
    assert (changed[y[hidden], x[hidden]] > 25).all()
    kept = [point for point in range(21) if point not in hidden]
    assert (changed[y[kept], x[kept]] == 0).all()
    empty = np.full((400, 400, 3), 120, np.uint8)
    shades = [np.abs(draw_hands(empty, [one], labels=False).astype(int) - 120).sum() for one in (hand, hiding([]))]
    assert 0.7 * shades[1] < shades[0] < shades[1]  # fainter, and still there


@pytest.mark.parametrize("centre", [(200, 360), (-20, 100), (390, 30), (900, 900)])
def test_hidden_landmarks_may_lie_anywhere(centre: tuple[int, int]) -> None:
    hand = replace(make_hand(*centre, 300), visibility=np.zeros(21, np.float32))
    picture = np.full((400, 400, 3), 120, np.uint8)
    drawn = draw_hands(picture, [hand], labels=False)
    assert (drawn != picture).any() == (centre != (900, 900)) and (picture == 120).all()
