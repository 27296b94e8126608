"""Drawing hands, palms and regions on single images."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from conftest import make_hand
from scene import blank

import knuckle
from knuckle import DrawStyle, InputError
from knuckle.media.draw import hand_renderer
from knuckle.media.draw_style import TRACK_COLOURS, hand_colour, joint_colours
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
    for point, value in ((3, np.inf), (0, np.nan)):
        broken = replace(whole, landmarks=np.where(np.arange(21)[:, None] == point, value, whole.landmarks))
        assert (knuckle.draw_hands(image, [broken]) == image).all()
    lacking = replace(whole, landmarks=np.where(np.arange(21)[:, None] == 3, np.nan, whole.landmarks))
    assert not (knuckle.draw_hands(image, [lacking]) == image).all()
    hands = [make_hand(80, 180), make_hand(220, 180, side="Right")]
    steps: dict[str, Any] = {}
    hand_renderer(DrawStyle(boxes=True)).run(
        [image, hands], lambda step: steps.update({step.node.name: step.value.copy()})
    )
    assert list(steps) == ["canvas", "drawable", "line_widths", "bones", "joints", "boxes", "labels"]
    pictures = [steps[name] for name in ("canvas", "bones", "joints", "boxes", "labels")]
    assert all((one != other).any() for one, other in pairwise(pictures))
    assert (pictures[-1] == knuckle.draw_hands(image, hands, boxes=True)).all() and (pictures[0] == image).all()


def test_colours_say_what_was_asked_for() -> None:
    deep = make_hand(100, 200, 120)
    landmarks = deep.landmarks.copy()
    landmarks[:, 2] = np.linspace(-80, 80, 21)
    hand = replace(deep, landmarks=landmarks, track_id=2, visibility=np.linspace(0, 1, 21))
    red, green, blue = (np.array(joint_colours(hand, "depth"))[:, k].astype(int) for k in range(3))
    assert red[0] > 200 > blue[0] and blue[-1] > 200 > red[-1] and green[10] > 200
    confidence = np.array(joint_colours(hand, "confidence")).astype(int)
    assert (np.diff(confidence[:, 1]) >= 0).all() and confidence[0, 1] < 60 and confidence[-1, 0] < 60
    assert joint_colours(hand, "hand") == [TRACK_COLOURS[1]] * 21
    assert hand_colour(replace(hand, track_id=3)) != hand_colour(hand)
    assert hand_colour(replace(hand, track_id=None)) == hand_colour(hand, "finger")
    assert len({tuple(colour) for colour in joint_colours(hand, "finger")}) == 6


@pytest.mark.parametrize(
    "change",
    [
        {"colours": "hand"},
        {"line_width": 9},
        {"landmarks": False},
        {"boxes": True},
        {"regions": True},
        {"labels": False},
    ],
)
def test_every_part_of_a_style_changes_the_picture(change: dict[str, Any]) -> None:
    image, hand = blank(320, 240), replace(make_hand(150, 180, 100), track_id=4)
    assert (knuckle.draw_hands(image, [hand], **change) != knuckle.draw_hands(image, [hand])).any()
    assert (knuckle.draw_hands(image, [hand], DrawStyle(**change)) == knuckle.draw_hands(image, [hand], **change)).all()


def test_nothing_is_drawn_if_nothing_is_asked_for() -> None:
    image = blank(320, 240)
    style = DrawStyle(landmarks=False, labels=False, ids=False)
    assert (knuckle.draw_hands(image, [make_hand(150, 180, 100)], style) == image).all()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"colours": "pink"}, "finger, hand, depth, confidence"),
        ({"line_width": 0}, "line_width"),
        ({"trails_s": -1}, "trails_s"),
        ({"glow": True}, "glow"),
        ({"trails_s": 1}, "HandDrawer"),
        ({"fps": True}, "HandDrawer"),
    ],
)
def test_styles_are_checked(bad: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        knuckle.draw_hands(blank(), [], **bad)


def covered_by_labels(size: tuple[int, int], hands: list[Any]) -> tuple[int, int]:
    """Pixels that labels change, in total and among those within a finger's width of a bone."""
    image = np.full((size[1], size[0], 3), 120, np.uint8)
    bare = np.abs(knuckle.draw_hands(image, hands, labels=False, ids=False).astype(int) - image).sum(axis=2) > 0
    only = DrawStyle(landmarks=False)
    labelled = np.abs(knuckle.draw_hands(image, hands, only).astype(int) - image).sum(axis=2) > 0
    return int(labelled.sum()), int((labelled & bare).sum())


def test_labels_are_drawn_and_never_cover_a_hand() -> None:
    rng = np.random.default_rng(0)
    drawn = 0
    for _ in range(60):
        hands = [
            replace(make_hand(rng.uniform(-20, 340), rng.uniform(20, 300), rng.uniform(30, 220)), track_id=k + 1)
            for k in range(rng.integers(1, 4))
        ]
        total, on_hands = covered_by_labels((320, 240), hands)
        drawn += total > 0
        assert on_hands == 0
    assert drawn > 50


def test_a_hand_that_fills_the_image_gets_no_label() -> None:
    assert covered_by_labels((64, 48), [make_hand(32, 46, 60)]) == (0, 0)


def test_labels_of_two_hands_in_one_place_do_not_overlap() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    one, other = make_hand(150, 180, 80), make_hand(152, 180, 80, side="Right")
    style = DrawStyle(landmarks=False)
    areas = [
        (knuckle.draw_hands(image, hands, style) > 0).any(axis=2).sum() for hands in ([one], [other], [one, other])
    ]
    assert areas[2] >= 0.98 * (areas[0] + areas[1])


@pytest.mark.parametrize("hands", [make_hand(), [[make_hand()]], [None], "hands"])
def test_what_is_no_list_of_hands_is_not_drawn(hands: Any) -> None:
    with pytest.raises(InputError, match="a list of the hands of one image"):
        knuckle.draw_hands(blank(64, 64), hands)
