"""Drawing hands, palms and regions."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from conftest import make_hand
from scene import blank

import knuckle
from knuckle.media.draw import hand_renderer
from knuckle.results import Palm


def test_drawing_copies_the_image_by_default() -> None:
    image = np.full((480, 640, 3), 90, np.uint8)
    drawn = knuckle.draw_hands(image, [make_hand(300, 300, 200)])
    assert (image == 90).all() and not np.array_equal(drawn, image)
    assert knuckle.draw_hands(image, [make_hand(300, 300, 200)], copy=False) is image
    assert np.array_equal(image, drawn)


@pytest.mark.parametrize("shape", [(480, 640), (20, 20), (1, 1), (2000, 30)])
def test_images_of_any_size_and_hands_anywhere_can_be_drawn(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    far = [make_hand(-500, 9000, 80), make_hand(5, 5, 1), make_hand(1e7, -1e7, 1e5)]
    drawn = knuckle.draw_hands(image, far, boxes=True)
    drawn = knuckle.draw_palms(drawn, [Palm(np.array([-9.0, -9, 1e4, 1e4]), np.zeros((7, 2)), 0.5)])
    assert knuckle.draw_rois(drawn, [hand.roi for hand in far]).shape == image.shape


def test_the_renderer_draws_in_steps_and_skips_invalid_hands() -> None:
    image, whole = blank(320, 240), make_hand(80, 180)
    broken = replace(whole, landmarks=np.where(np.arange(21)[:, None] == 3, np.nan, whole.landmarks))
    assert (knuckle.draw_hands(image, [broken]) == image).all()
    hands = [make_hand(80, 180), make_hand(220, 180, side="Right")]
    steps: dict[str, Any] = {}
    hand_renderer(boxes=True).run([image, hands], lambda step: steps.update({step.node.name: step.value.copy()}))
    assert list(steps) == ["canvas", "drawable", "line_widths", "bones", "joints", "boxes", "labels"]
    pictures = [steps[name] for name in ("canvas", "bones", "joints", "boxes", "labels")]
    assert all((one != other).any() for one, other in pairwise(pictures))
    assert (pictures[-1] == knuckle.draw_hands(image, hands, boxes=True)).all() and (pictures[0] == image).all()
