"""Palms of labelled hands: the box that the reference palm detector gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import knuckle
from knuckle.datasets.labels import palm_of
from knuckle.media.sources import load_image
from knuckle.results import PALM_LANDMARKS


def test_palm_square_follows_a_hand_that_moves_grows_or_turns_by_a_quarter() -> None:
    pixels = np.random.default_rng(0).uniform(20, 90, (21, 2)).astype(np.float32)
    palm = palm_of(pixels)
    sides = palm.box[2:] - palm.box[:2]
    assert sides[0] == pytest.approx(sides[1])
    assert np.allclose(palm_of(pixels * 2 + 5).box, palm.box * 2 + 5, atol=1e-3)
    quarter = np.stack([-pixels[:, 1], pixels[:, 0]], 1)
    x0, y0, x1, y1 = palm.box
    assert np.allclose(palm_of(quarter).box, [-y1, x0, -y0, x1], atol=1e-3)


def test_palm_squares_are_those_of_the_reference_detector(shared: Path) -> None:
    scales, shifts = [], []
    for path in sorted((shared / "data/photos/gestures40").iterdir()):
        for palm in knuckle.detect_palms(load_image(path), "mediapipe"):
            points = np.zeros((21, 2), np.float32)
            points[list(PALM_LANDMARKS)] = palm.keypoints
            ours = palm_of(points).box
            size = palm.box[2] - palm.box[0]
            scales.append((ours[2] - ours[0]) / size)
            shifts.append(np.abs((ours[:2] + ours[2:] - palm.box[:2] - palm.box[2:]) / 2 / size).max())
    assert len(scales) > 30
    assert abs(np.median(scales) - 1) < 0.05
    assert np.median(shifts) < 0.05
