"""Pseudo-labels of single hands: a crop of the photo around each hand whose twelve views agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image as pillow

from knuckle.datasets.labels import LabelledHand
from knuckle.images import Image
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.palm import roi_from_palm
from knuckle.pipeline.tracker import Networks
from knuckle.results import FloatArray, Hand
from knuckle.train.autolabel.agreement import LANDMARKS_AGREE, Agreement, label_of, overlaps, read_with_agreement

MARGIN, LONGEST_PX = 1.9, 384  # side of a crop relative to the hand's region; longest side of a written picture
OPTIONS = TrackerOptions(min_palm_score=0.3, min_presence=0.5)


def label_crops(
    image: Image,
    hand_boxes: Sequence[FloatArray] | None,
    networks: Networks,
    rule: Agreement = LANDMARKS_AGREE,
) -> Iterator[tuple[Image, list[LabelledHand]]]:
    """The pictures that are worth keeping of a photo, each with its hand or with none.

    A photo in which people found no hand is kept whole, as a hand-free picture. Where people drew boxes around the
    hands, the largest square beside all boxes is also kept: a picture of faces, arms and clothes.

    Args:
        image: (height, width, 3).
        hand_boxes: (4,) boxes that people drew; () if they found no hand; None if nobody looked.
    """
    if hand_boxes is not None and not hand_boxes:
        yield shrunk(image), []
        return
    landmarker = networks.hand_landmarker(OPTIONS)
    seen: list[Hand] = []
    for palm in networks.palm_detector(OPTIONS).graph()(image):
        hand = read_with_agreement(image, roi_from_palm(palm), landmarker, rule)
        if hand is not None and not overlaps(hand.box, [other.box for other in seen], 0.5):
            seen.append(hand)
            picture, label = crop_around(image, hand)
            yield picture, [label]
    if hand_boxes:
        beside = square_beside(image, [*hand_boxes, *(hand.box for hand in seen)])
        if beside is not None:
            yield shrunk(beside), []


def crop_around(image: Image, hand: Hand) -> tuple[Image, LabelledHand]:
    """The upright neighbourhood of a hand, at most LONGEST_PX a side, and the hand's label in it."""
    reach = MARGIN * hand.roi.size / 2
    x0, y0 = (max(0, math.floor(c - reach)) for c in (hand.roi.x, hand.roi.y))
    near = image[y0 : math.ceil(hand.roi.y + reach), x0 : math.ceil(hand.roi.x + reach)]
    picture = shrunk(near)
    scale = picture.shape[1] / near.shape[1]
    landmarks = (hand.landmarks - [x0, y0, 0] + [0.5, 0.5, 0]) * scale - [0.5, 0.5, 0]  # pixel centres are integers
    return picture, replace(label_of(hand), landmarks=landmarks)


def square_beside(image: Image, boxes: Sequence[FloatArray], attempts: int = 60) -> Image | None:
    """The largest of some random squares of an image that touch no box (enlarged by a fifth); None if all do."""
    rng = np.random.default_rng(len(boxes))
    low, high = np.array([box[:2] for box in boxes]), np.array([box[2:] for box in boxes])
    low, high = low - 0.2 * (high - low), high + 0.2 * (high - low)
    for size in np.sort(rng.uniform(0.2, 0.8, attempts) * min(image.shape[:2]))[::-1].astype(int):
        start = (rng.random(2) * (np.array(image.shape[1::-1]) - size)).astype(int)
        if not ((start < high) & (start + size > low)).all(axis=1).any():
            return image[start[1] : start[1] + size, start[0] : start[0] + size]
    return None


def shrunk(image: Image) -> Image:
    """The image with its longer side at most LONGEST_PX."""
    scale = min(1.0, LONGEST_PX / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(pillow.fromarray(image).resize(size, pillow.Resampling.LANCZOS))
