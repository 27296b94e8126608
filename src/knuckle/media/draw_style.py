"""`DrawStyle`: what is drawn of a hand, and in which colours."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from knuckle.errors import InputError
from knuckle.extras import cv2
from knuckle.results import BONES, FINGER_COLOURS, PALM_COLOUR, Colour, Hand
from knuckle.results.point_set import NAMES

ColourBy = Literal["finger", "hand", "depth", "confidence"]

JOINT_COLOURS = [PALM_COLOUR] + [colour for colour in FINGER_COLOURS.values() for _ in range(4)]
SIDE_COLOURS: dict[str, Colour] = {"Left": (37, 99, 235), "Right": (219, 39, 119)}
# One colour per track id, in turn. They differ in lightness too, for people who do not tell all hues apart.
TRACK_COLOURS: tuple[Colour, ...] = (
    (86, 180, 233),
    (240, 138, 36),
    (204, 121, 167),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (120, 140, 255),
    (235, 235, 235),
)
DETECTION_COLOUR: Colour = (250, 204, 21)
OUTLINE: Colour = (24, 24, 27)
DEPTH_SPAN = 0.6  # palm sizes from the wrist's depth to the ends of the colour scale


@dataclass(frozen=True)
class DrawStyle:
    """What `draw_hands` and `HandDrawer` draw; every field is also a keyword of those.

    Attributes:
        colours: "finger": one colour per finger. "hand": one per hand, by its track id, or by its side on photos.
            "depth": from red (near) to blue (far) around the wrist's depth. "confidence": from red (0) to green (1), by
            the visibility of each joint, or by the presence of the hand if the network has no visibility output.
        line_width: width of the bones in pixels of the image; None: by the size of the image and of the hand.
        landmarks: draw bones and joints.
        boxes: draw the box around the landmarks.
        regions: draw the region that the landmark network saw.
        labels: write "Left" or "Right" beside the hand, never on a hand. Without free room there is no label.
        ids: write the track id, beside the side if that is written.
        gestures: write the gesture beside them, if gestures were recognised.
        trails_s: draw the path of the index fingertip over so many seconds; needs a `HandDrawer`.
        fps: write the frames per second that the program reaches; needs a `HandDrawer`.

    Raises:
        InputError: a value is out of range.
    """

    colours: ColourBy = "finger"
    line_width: float | None = None
    landmarks: bool = True
    boxes: bool = False
    regions: bool = False
    labels: bool = True
    ids: bool = True
    gestures: bool = True
    trails_s: float = 0.0
    fps: bool = False

    def __post_init__(self) -> None:
        if self.colours not in get_args(ColourBy):
            raise InputError(f"colours must be one of {', '.join(get_args(ColourBy))}, got {self.colours!r}")
        if self.line_width is not None and not 0 < self.line_width <= 200:
            raise InputError(f"line_width must be above 0 and at most 200 pixels, got {self.line_width}")
        if not 0 <= self.trails_s < math.inf:
            raise InputError(f"trails_s must be a number of seconds from 0, got {self.trails_s}")

    @classmethod
    def of(cls, style: DrawStyle | None, changes: dict[str, Any]) -> DrawStyle:
        """`style` (default: all defaults) with the keyword changes.

        Raises:
            InputError: a keyword is no part of a style, or a value is out of range.
        """
        if unknown := set(changes) - set(cls.__dataclass_fields__):
            known = ", ".join(cls.__dataclass_fields__)
            raise InputError(f"a style has no {', '.join(sorted(unknown))}; it has: {known}")
        return replace(style or cls(), **changes)


def colour_of_point(name: str) -> Colour:
    """The colour of the finger that a point's name begins with, or that of the palm."""
    return FINGER_COLOURS.get(name.partition("_")[0], PALM_COLOUR)


def hand_colour(hand: Hand, by: ColourBy = "hand") -> Colour:
    """The colour of a whole hand: by its track id, or by its side if it has none or `by` is not "hand"."""
    if by != "hand" or hand.track_id is None:
        return SIDE_COLOURS[hand.handedness]
    return TRACK_COLOURS[(hand.track_id - 1) % len(TRACK_COLOURS)]


def joint_colours(hand: Hand, by: ColourBy) -> list[Colour]:
    """21 colours, one per landmark, then those of the points beyond the 21."""
    if by == "finger":
        return JOINT_COLOURS if hand.extra is None else [*JOINT_COLOURS, *map(colour_of_point, hand.extra.names)]
    count = 21 if hand.extra is None else 21 + len(hand.extra)
    if by == "hand":
        return [hand_colour(hand)] * count
    if by == "confidence":
        shares = np.full(count, hand.presence) if hand.visibility is None else hand.rows("visibility")
        hues = 60 * np.clip(shares, 0, 1)  # OpenCV's: 0 red, 60 green
    else:
        nearness = -np.nan_to_num(hand.rows("landmarks")[:, 2]) / max(DEPTH_SPAN * hand.palm_size, 1e-6)
        hues = 60 - 60 * np.clip(nearness, -1, 1)  # 0 red, 60 green, 120 blue
    hsv = np.dstack([hues, np.full(count, 200), np.full(count, 245)]).round().astype(np.uint8)
    return [(int(r), int(g), int(b)) for r, g, b in cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0]]


def bone_colours(hand: Hand, by: ColourBy) -> list[tuple[list[int], Colour]]:
    """The bones, as pairs of rows, each with its colour: the mean of its ends, or the finger's.

    Bones to points that the hand does not have (NaN) are left out. Rows from 21 on are those of `hand.extra`.
    """
    bones = list(BONES)
    if hand.extra is not None:
        rows = [*NAMES, *hand.extra.names]
        pairs = zip(hand.extra.parents, hand.extra.names, strict=True)
        bones += [([rows.index(a), rows.index(b)], colour_of_point(b)) for a, b in pairs if a in rows]
    known = hand.rows("landmarks")[:, 0]
    if (known != known).any():
        bones = [(pair, colour) for pair, colour in bones if not np.isnan(known[pair]).any()]
    if by == "finger":
        return bones
    joints = np.array(joint_colours(hand, by), np.float64)
    means = [joints[pair].mean(axis=0).round().astype(int).tolist() for pair, _ in bones]
    return [(pair, (r, g, b)) for (pair, _), (r, g, b) in zip(bones, means, strict=True)]
