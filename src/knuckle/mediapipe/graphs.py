"""MediaPipe's tracking graphs, built from our nodes. `knuckle.solutions` and `knuckle.tasks` run them.

They reproduce MediaPipe, so they differ from `knuckle.pipeline.tracker`: no smoothing, no motion prediction, no track
ids; the palm detector runs on every frame with fewer than `max_hands` hands, but not again in the frame that lost a
hand; regions are compared as upright squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum
from functools import partial
from itertools import pairwise
from typing import TypeVar

import numpy as np

from knuckle.errors import InputError
from knuckle.geometry import iou, square_box
from knuckle.graph import Graph, Node
from knuckle.images import Image
from knuckle.pipeline.hand import Candidate, roi_from_landmarks
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.palm import UPRIGHT_RAD, roi_from_palm
from knuckle.pipeline.tracker import Networks
from knuckle.pipeline.tracks import without_duplicates
from knuckle.results import FINGERS, FloatArray, Hand, Palm

SAME_REGION = 0.5  # regions with a higher intersection over union are the same hand
TASKS_UPRIGHT_RAD = 90.0  # MediaPipe reads 90 degrees as radians, which rotates every new region by 26.6 degrees

PALM_CONNECTIONS = ((0, 1), (0, 5), (9, 13), (13, 17), (5, 9), (0, 17))
FINGER_CONNECTIONS = {finger: tuple(pairwise(points)) for finger, points in FINGERS.items()}

T = TypeVar("T")


class HandLandmark(IntEnum):
    """The 21 landmarks with MediaPipe's names. `knuckle.HandLandmark` has shorter ones."""

    WRIST = 0
    THUMB_CMC = 1
    THUMB_MCP = 2
    THUMB_IP = 3
    THUMB_TIP = 4
    INDEX_FINGER_MCP = 5
    INDEX_FINGER_PIP = 6
    INDEX_FINGER_DIP = 7
    INDEX_FINGER_TIP = 8
    MIDDLE_FINGER_MCP = 9
    MIDDLE_FINGER_PIP = 10
    MIDDLE_FINGER_DIP = 11
    MIDDLE_FINGER_TIP = 12
    RING_FINGER_MCP = 13
    RING_FINGER_PIP = 14
    RING_FINGER_DIP = 15
    RING_FINGER_TIP = 16
    PINKY_MCP = 17
    PINKY_PIP = 18
    PINKY_DIP = 19
    PINKY_TIP = 20


class RefusedError(InputError, RuntimeError):
    """Input that MediaPipe rejects with a RuntimeError. It is also a ValueError, like every `InputError`."""


def legacy_tracking(
    networks: Networks,
    *,
    max_hands: int = 2,
    min_palm_score: float = 0.5,
    min_presence: float = 0.5,
    static: bool = False,
) -> Graph:
    """The graph of MediaPipe's legacy Hands: image -> hands in image pixels. Handedness assumes a mirror image.

    Like MediaPipe, it can return more than `max_hands` hands: all tracked hands, and as many new ones.

    Args:
        networks: the loaded networks.
        max_hands: maximum number of palms per frame; the palm detector pauses while this many hands are tracked.
        min_palm_score: minimum palm score; not range-checked.
        min_presence: minimum presence of a hand in its crop; not range-checked.
        static: treat each image independently.
    """
    networks.require_all_points("MediaPipe's interfaces")
    options = TrackerOptions(mirrored=True)
    palm_detector = replace(networks.palm_detector(options), min_score=min_palm_score)
    hand_landmarker = replace(networks.hand_landmarker(options), min_presence=min_presence)
    return Graph(
        "legacy_hand_tracking",
        inputs=["image"],
        nodes=[
            Node(partial(should_search, max_hands=max_hands), ("previous",), "search"),
            Node(palm_detector.graph(), ("image",), "palms", when="search"),
            Node(partial(first, count=max_hands), ("palms",), "best_palms"),
            Node(partial(candidates_from_palms, upright_rad=UPRIGHT_RAD), ("best_palms",), "palm_candidates"),
            Node(later_wins, ("palm_candidates", "previous"), "candidates"),
            Node(hand_landmarker.graph(), ("image", "candidates"), "hands", when="candidates"),
            Node(candidates_from_hands, ("hands",), "next"),
        ],
        output="hands",
        # In static mode the value feeds itself, so it stays empty.
        feedback={"previous": ("previous" if static else "next", ())},
    )


def tasks_detection(
    networks: Networks,
    *,
    max_hands: int = 1,
    min_palm_score: float = 0.5,
    min_presence: float = 0.5,
    upright_rad: float = TASKS_UPRIGHT_RAD,
) -> Graph:
    """The graph of the Tasks HandLandmarker for single images: image, quarter_turns -> hands in image pixels.

    The palm detector sees the image rotated clockwise by `quarter_turns` times 90 degrees. Handedness assumes an image
    that is not mirrored. For the arguments see `tasks_tracking`.
    """
    networks.require_all_points("MediaPipe's interfaces")
    options = TrackerOptions(min_presence=min_presence)
    return Graph(
        "tasks_hand_detection",
        inputs=["image", "quarter_turns"],
        nodes=[
            Node(_turned_palm_detection(networks, min_palm_score), ("image", "quarter_turns"), "palms"),
            Node(partial(first, count=max_hands), ("palms",), "best_palms"),
            Node(partial(candidates_from_palms, upright_rad=upright_rad), ("best_palms",), "candidates"),
            Node(networks.hand_landmarker(options).graph(), ("image", "candidates"), "found_hands", when="candidates"),
            Node(without_duplicates, ("found_hands",), "hands"),
        ],
        output="hands",
    )


def tasks_tracking(
    networks: Networks,
    *,
    max_hands: int = 1,
    min_palm_score: float = 0.5,
    min_presence: float = 0.5,
    min_overlap: float = 0.5,
    upright_rad: float = TASKS_UPRIGHT_RAD,
) -> Graph:
    """The graph of the Tasks HandLandmarker for video: image, quarter_turns -> hands in image pixels.

    Args:
        networks: the loaded networks.
        max_hands: maximum number of hands.
        min_palm_score: minimum palm score; not range-checked.
        min_presence: minimum presence of a hand in its crop, 0..1.
        min_overlap: a palm is ignored if its region overlaps that of a tracked hand by more than this intersection
            over union.
        upright_rad: angle from the wrist to the middle MCP joint of an upright palm. `palm.UPRIGHT_RAD` gives upright
            crops; the default reproduces MediaPipe.

    Raises:
        InputError: `min_presence` is out of range.
    """
    networks.require_all_points("MediaPipe's interfaces")
    options = TrackerOptions(min_presence=min_presence)
    return Graph(
        "tasks_hand_tracking",
        inputs=["image", "quarter_turns"],
        nodes=[
            Node(partial(should_search, max_hands=max_hands), ("previous",), "search"),
            Node(_turned_palm_detection(networks, min_palm_score), ("image", "quarter_turns"), "palms", when="search"),
            Node(partial(first, count=max_hands), ("palms",), "best_palms"),
            Node(partial(candidates_from_palms, upright_rad=upright_rad), ("best_palms",), "palm_candidates"),
            Node(partial(earlier_wins, overlap=min_overlap), ("previous", "palm_candidates"), "associated"),
            Node(partial(first, count=max_hands), ("associated",), "candidates"),
            Node(networks.hand_landmarker(options).graph(), ("image", "candidates"), "found_hands", when="candidates"),
            Node(without_duplicates, ("found_hands",), "hands"),
            Node(candidates_from_hands, ("hands",), "next"),
        ],
        output="hands",
        feedback={"previous": ("next", ())},
    )


def _turned_palm_detection(networks: Networks, min_palm_score: float) -> Graph:
    palm_detector = replace(networks.palm_detector(TrackerOptions()), min_score=min_palm_score)
    return Graph(
        "turned_palm_detection",
        inputs=["image", "quarter_turns"],
        nodes=[
            Node(turned, ("image", "quarter_turns"), "upright_image"),
            Node(palm_detector.graph(), ("upright_image",), "upright_palms"),
            Node(turned_back, ("upright_palms", "image", "quarter_turns"), "palms"),
        ],
        output="palms",
    )


def should_search(previous: Sequence[Candidate], max_hands: int) -> bool:
    """Whether there is room for more hands."""
    return len(previous) < max_hands


def first(items: Sequence[T], count: int) -> list[T]:
    """The first `count` items."""
    return list(items[:count])


def candidates_from_palms(palms: Sequence[Palm], upright_rad: float) -> list[Candidate]:
    """The region of each palm."""
    return [Candidate(roi_from_palm(palm, upright_rad), palm.score) for palm in palms]


def candidates_from_hands(hands: Sequence[Hand]) -> list[Candidate]:
    """The region of each hand, from its landmarks."""
    return [Candidate(roi_from_landmarks(hand.landmarks_raw)) for hand in hands]


def later_wins(palm_candidates: Sequence[Candidate], previous: Sequence[Candidate]) -> list[Candidate]:
    """All candidates; each later one replaces the earlier ones that it overlaps by more than `SAME_REGION`."""
    kept: list[Candidate] = []
    for candidate in (*palm_candidates, *previous):
        kept = [*(other for other in kept if overlap_of(candidate, other) <= SAME_REGION), candidate]
    return kept


def earlier_wins(
    previous: Sequence[Candidate], palm_candidates: Sequence[Candidate], overlap: float
) -> list[Candidate]:
    """The previous candidates, then the palms that overlap no candidate before them by more than `overlap`."""
    kept = list(previous)
    for candidate in palm_candidates:
        if all(overlap_of(candidate, other) <= overlap for other in kept):
            kept.append(candidate)
    return kept


def overlap_of(one: Candidate, other: Candidate) -> float:
    """Intersection over union of two regions, ignoring their rotation."""
    return float(iou(square_box(one.roi), square_box(other.roi)[None])[0])


def turned(image: Image, quarter_turns: int) -> Image:
    """The image rotated clockwise by `quarter_turns` times 90 degrees.

    Like MediaPipe, it moves a pixel from x to width - x. Pixel centres are at integers, so a reversed axis starts with
    a black pixel and loses its first one.
    """
    if not quarter_turns % 4:
        return image
    down, right = {1: (0, 1), 2: (1, 1), 3: (1, 0)}[quarter_turns % 4]
    straight = np.rot90(image, -quarter_turns)
    return np.pad(straight, ((down, 0), (right, 0), (0, 0)))[: straight.shape[0], : straight.shape[1]]


def turned_back(palms: Sequence[Palm], image: Image, quarter_turns: int) -> list[Palm]:
    """Palms of the rotated image in pixels of the image itself."""
    width, height, turns = image.shape[1], image.shape[0], quarter_turns % 4

    def back(points: FloatArray) -> FloatArray:
        x, y = points[:, 0], points[:, 1]
        unrotated = {1: (y, height - x), 2: (width - x, height - y), 3: (width - y, x)}
        return np.stack(unrotated[turns], axis=1)

    if not turns:
        return list(palms)
    found = []
    for palm in palms:
        corners = back(palm.box.reshape(2, 2))
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        found.append(replace(palm, box=box, keypoints=back(palm.keypoints)))
    return found
