"""The frames between two key frames: hands tracked from both sides, bent so that they meet the labels of both.

From each key frame the hands are tracked to the other one with the landmark network. What a person corrected in a key
frame, that is how its labels differ from what the network reads there, goes along in the coordinates of the hand. The
two tracks of a hand are blended by their distance in time, so the result meets both key frames. Interpolated labels
are the check: where they and the tracks lie apart, a person should look.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from knuckle.datasets.labels import LabelledHand, Visibility
from knuckle.geometry import is_usable, turn
from knuckle.images import Image
from knuckle.metrics import palm_size
from knuckle.pipeline.hand import STEADY, HandLandmarker, roi_from_landmarks
from knuckle.results import FloatArray

ARRIVES = 1.0  # palm sizes: a track that ends this near to a hand of the other key frame is this hand
OTHER_SIDE = 1.0  # palm sizes: as much farther away counts a hand that is labelled as one of the other side
NEAR = 6.0  # palm sizes: as far may a hand be from where it was, if tracking lost it
SAME = 0.5  # palm sizes: hands nearer to each other are one hand
LOST = 1.0  # the doubt about a hand that no track shows
APART_TRACKS, APART_LINE = 2.0, 0.6  # what the distance of both tracks, and of tracks and interpolation, counts


@dataclass(frozen=True, eq=False)
class KeyFrame:
    """A frame whose labels a person accepted: its number, and its hands with landmarks."""

    number: int
    hands: Sequence[LabelledHand]


@dataclass(frozen=True, eq=False)
class Between:
    """The labels of a frame between two key frames.

    Attributes:
        doubt: of its most doubtful hand, in palm sizes: how far tracking and interpolation lie apart.
    """

    hands: list[LabelledHand]
    doubt: float


@dataclass(frozen=True, eq=False)
class Stretch:
    """What lies between two key frames.

    Attributes:
        frames: in order.
        pairs: the hands that are in both key frames, by their numbers there.
    """

    frames: list[Between]
    pairs: list[tuple[int, int]]


Track = list[FloatArray | None]  # (21, 3) points in each frame on the way, None where the network sees no hand


def fill(
    image: Callable[[int], Image],
    before: KeyFrame,
    after: KeyFrame,
    landmarker: HandLandmarker,
    seen: Callable[[int], Sequence[LabelledHand]] = lambda number: (),
) -> Stretch:
    """Label the frames between two key frames.

    Args:
        image: gives a frame by its number.
        seen: gives the hands that a tracker of its own saw in a frame; where a hand is lost, it may be one of them.
    """
    way = range(before.number, after.number + 1)
    forward = follow(image, before.hands, way, landmarker, seen)
    backward = [track[::-1] for track in follow(image, after.hands, way[::-1], landmarker, seen)]
    pairs = pair(before.hands, after.hands, forward, backward)
    paired, paired_after = {i for i, _ in pairs}, {j for _, j in pairs}
    alone = [(hand, [*forward[i][:-1], None]) for i, hand in enumerate(before.hands) if i not in paired]
    alone += [(hand, [None, *backward[j][1:]]) for j, hand in enumerate(after.hands) if j not in paired_after]
    both = [Pair(before.hands[i], after.hands[j], forward[i], backward[j]) for i, j in pairs]
    frames = []
    for step in range(1, len(way) - 1):
        hands, doubts = list[LabelledHand](), [0.0]
        for one in both:
            points, doubt = one.at(step)
            hands.append(labelled(one.before if 2 * step < len(way) else one.after, points, one.before.track_id))
            doubts.append(doubt)
        for hand, track in alone:
            if track[step] is not None:
                hands.append(labelled(hand, track[step], hand.track_id))
            comes_or_goes = any(
                (other is None) != (track[step] is None) for other in (track[step - 1], track[step + 1])
            )
            never_seen = all(points is None for points in track[1:-1])
            doubts.append(LOST if comes_or_goes or never_seen else 0.0)
        frames.append(Between(hands, max(doubts)))
    return Stretch(frames, pairs)


def follow(
    image: Callable[[int], Image],
    hands: Sequence[LabelledHand],
    way: range,
    landmarker: HandLandmarker,
    seen: Callable[[int], Sequence[LabelledHand]],
) -> list[Track]:
    """Track the hands of the key frame at the beginning of `way` to its end; what a person corrected goes along."""
    labels = [points_of(hand) for hand in hands]
    tracks: list[Track] = [[points] for points in labels]
    last = list(labels)  # where the network saw each hand last
    held = [points is not None for points in labels]
    corrections: list[FloatArray | None] = [None] * len(hands)
    for number in way:
        regions = {k: roi_from_landmarks(points) for k, points in enumerate(last) if points is not None and held[k]}
        regions = {k: region for k, region in regions.items() if is_usable(region)}
        read = dict(zip(regions, landmarker.read(image(number), list(regions.values())), strict=True))
        now = {k: hand.landmarks for k, hand in read.items() if landmarker.gate([hand])}
        if number == way[0]:
            corrections = [
                in_hand(label - now[k], now[k]) if label is not None and k in now else None
                for k, label in enumerate(labels)
            ]
        else:
            now |= found_again(hands, last, now, seen(number))
        for k, track in enumerate(tracks):
            points, correction = now.get(k), corrections[k]
            held[k] = points is not None
            last[k] = last[k] if points is None else points
            if number != way[0]:
                known = points is not None and correction is not None
                track.append(points + from_hand(correction, points) if known else None)  # type: ignore[operator, arg-type]
    return tracks


def found_again(
    hands: Sequence[LabelledHand],
    last: Sequence[FloatArray | None],
    now: Mapping[int, FloatArray],
    seen: Sequence[LabelledHand],
) -> dict[int, FloatArray]:
    """The hands that tracking lost and that another tracker sees: of the same side, near, and no other tracked hand."""
    found: dict[int, FloatArray] = {}
    for k, before in enumerate(last):
        if before is None or k in now:
            continue
        free = [
            points
            for other in seen
            if other.handedness == hands[k].handedness and (points := points_of(other)) is not None
            if all(apart(points, taken) > SAME for taken in [*now.values(), *found.values()])
        ]
        nearest = min(free, key=lambda points: apart(before, points), default=None)
        if nearest is not None and apart(before, nearest) < NEAR:
            found[k] = nearest
    return found


def points_of(hand: LabelledHand) -> FloatArray | None:
    """(21, 3) pixels, NaN for points without a label, z 0 where it has none; None without those that give a region."""
    points = every_point(hand)
    points[np.isfinite(points[:, 0]) & ~np.isfinite(points[:, 2]), 2] = 0
    return points if np.isfinite(points[STEADY]).all() else None


def in_hand(offsets: FloatArray, points: FloatArray) -> FloatArray:
    """(21, 3) offsets in image pixels as shares of the hand at `points`, in its direction."""
    region = roi_from_landmarks(points)
    return np.asarray(turn(offsets, -region.angle_rad) / max(region.size, 1.0), np.float32)


def from_hand(offsets: FloatArray, points: FloatArray) -> FloatArray:
    """The inverse of `in_hand`, for a hand that has moved to `points`."""
    region = roi_from_landmarks(points)
    return np.asarray(turn(offsets, region.angle_rad) * max(region.size, 1.0), np.float32)


def pair(
    before: Sequence[LabelledHand], after: Sequence[LabelledHand], forward: Sequence[Track], backward: Sequence[Track]
) -> list[tuple[int, int]]:
    """Which hand of one key frame is which of the other one: where the tracks arrive, else the nearest of its side."""
    if not before or not after:
        return []
    costs = np.full((len(before), len(after)), np.inf)
    for i, one in enumerate(before):
        for j, other in enumerate(after):
            arrived = [apart(forward[i][-1], points_of(other)), apart(backward[j][0], points_of(one))]
            if min(arrived) <= ARRIVES:
                costs[i, j] = min(arrived) + OTHER_SIDE * are_of_two_sides(one, other)
            elif math.isinf(max(arrived)) and not are_of_two_sides(one, other):
                direct = apart(every_point(one), every_point(other))
                costs[i, j] = ARRIVES + direct if direct < NEAR else np.inf
    limit = 2 * (ARRIVES + OTHER_SIDE + NEAR)
    rows, columns = linear_sum_assignment(np.minimum(costs, limit))
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if costs[i, j] < limit]


def are_of_two_sides(one: LabelledHand, other: LabelledHand) -> bool:
    """Whether one is labelled as a left hand and the other as a right hand."""
    return bool(one.handedness and other.handedness and one.handedness != other.handedness)


def apart(one: FloatArray | None, other: FloatArray | None) -> float:
    """Mean distance of two hands in palm sizes; infinite if one is not known."""
    if one is None or other is None:
        return math.inf
    unit = (float(palm_size(one)) + float(palm_size(other))) / 2
    away = np.linalg.norm(one[:, :2] - other[:, :2], axis=1)
    known = np.isfinite(away)
    return float(away[known].mean()) / max(unit, 1.0) if known.any() and math.isfinite(unit) else math.inf


@dataclass(frozen=True, eq=False)
class Pair:
    """A hand that both key frames have: its labels there, and its tracks from one to the other."""

    before: LabelledHand
    after: LabelledHand
    forward: Track
    backward: Track

    def at(self, step: int) -> tuple[FloatArray, float]:
        """The points of the hand so many frames after the first key frame, and the doubt about them."""
        share = step / (len(self.forward) - 1)
        line = (1 - share) * every_point(self.before) + share * every_point(self.after)
        forward, backward = self.forward[step], self.backward[step]
        if forward is not None and backward is not None:
            tracked, doubt = (1 - share) * forward + share * backward, APART_TRACKS * apart(forward, backward)
        elif forward is not None:
            tracked, doubt = bent(forward, self.forward[-1], points_of(self.after), share)
        elif backward is not None:
            tracked, doubt = bent(backward, self.backward[0], points_of(self.before), 1 - share)
        else:
            return line, LOST
        line = np.where(np.isfinite(line), line, tracked)
        doubt = max(doubt, LOST * are_of_two_sides(self.before, self.after))  # one of the two labels is wrong
        return tracked, max(doubt, APART_LINE * apart(tracked, line))


def bent(
    points: FloatArray, arrived: FloatArray | None, label: FloatArray | None, share: float
) -> tuple[FloatArray, float]:
    """A track that none comes to meet, bent so that it arrives at the label of the other key frame; and the doubt."""
    if arrived is None or label is None:
        return points, LOST
    return points + share * (label - arrived), apart(arrived, label)


def every_point(hand: LabelledHand) -> FloatArray:
    """(21, 3) pixels, NaN for what is not labelled."""
    points = np.full((21, 3), np.nan, np.float32)
    if hand.landmarks is not None:
        points[:, : hand.landmarks.shape[1]] = hand.landmarks
    return points


def labelled(hand: LabelledHand, points: FloatArray | None, track_id: int | None) -> LabelledHand:
    """The nearer key frame's hand at other points. Its metric landmarks and boxes do not belong to these."""
    visibility = hand.visibility
    if visibility is not None:  # which points are outside is found anew
        visibility = np.where(visibility == Visibility.OUTSIDE, Visibility.VISIBLE, visibility).astype(np.uint8)
    extra, before = hand.extra, points_of(hand)
    if extra is not None and before is not None and points is not None and np.isfinite(points[STEADY]).all():
        places = carried(extra.landmarks, before, points)
        extra = replace(extra, landmarks=places, landmarks_raw=places)
    changes = {"box": None, "world": None, "palm": None, "corrected": None, "extra": extra}
    return replace(hand, landmarks=points, visibility=visibility, track_id=track_id, **changes)  # type: ignore[arg-type]


def carried(places: FloatArray, before: FloatArray, points: FloatArray) -> FloatArray:
    """(k, 3) points that lie to a hand at `points` as `places` lie to it at `before`."""
    old, new = roi_from_landmarks(before), roi_from_landmarks(points)
    offsets = places - np.array([old.x, old.y, 0], np.float32)
    moved = turn(offsets, new.angle_rad - old.angle_rad) * (new.size / max(old.size, 1.0))
    return np.asarray(moved + np.array([new.x, new.y, 0]), np.float32)
