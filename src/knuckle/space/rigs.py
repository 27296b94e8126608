"""`triangulate`: hands in metres from two or more calibrated cameras, matched across views and followed over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np

from knuckle.errors import InputError
from knuckle.extras import required
from knuckle.results import FINGERS, Frame, Hand, Handedness
from knuckle.space.camera import Camera, Floats
from knuckle.space.matching import Group, Seen, group_hands
from knuckle.space.timeline import Timeline
from knuckle.space.views import triangulate_points

View: TypeAlias = Iterable[tuple[Frame | float, Sequence[Hand]]]

SAME_HAND_M, SAME_HAND_M_PER_S = 0.15, 2.0  # a hand is followed over this distance, and this much more a second
FORGET_S = 1.0
# A bone whose length differs by this share from the hand's median over the clip ends in a wrong point.
WRONG_BONE, MIN_FRAMES = 0.4, 15
CHAINS = tuple((0, *joints) for joints in FINGERS.values())


@dataclass(frozen=True, eq=False)
class RigHand:
    """One hand in space at one time.

    Attributes:
        frame: number of the time, from 0.
        time_s: seconds, by the clock of the views.
        track_id: 1, 2, 3, …: the number of the same hand throughout.
        handedness: "Left" or "Right", by the votes of all views over the whole clip.
        points: (21, 3) metres in the world of the cameras' file; NaN where fewer than two views agree.
        std: (21, 3) standard deviations along the world's axes, metres; NaN as above.
        views: (21,) number of views that each point comes from.
        error_px: median reprojection error over the points and the views that they come from, pixels.
        cameras: names of the cameras that see the hand.
    """

    frame: int
    time_s: float
    track_id: int
    handedness: Handedness
    points: Floats
    std: Floats
    views: Floats
    error_px: float
    cameras: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Found:
    """A hand in space before it has a track: the views that show it, and what they say of its handedness."""

    hand: RigHand
    seen: Sequence[Seen]
    left: float


def triangulate(
    tracks: Mapping[str, View] | Sequence[View],
    cameras: Mapping[str, Camera] | Sequence[Camera],
    *,
    times_s: Sequence[float] | None = None,
) -> list[RigHand]:
    """The hands in space, by time and track id, from what two or more calibrated cameras saw.

    At each time the hands of all views are matched by how well they fit together in space, so the order of cameras and
    hands does not matter. Each point is triangulated from the views that agree; views that do not are left out of it.
    Cameras need not be synchronised: hands are interpolated between the frames of each view, by the common clock.

    Args:
        tracks: for each camera its frames with their hands, such as `HandTracker(smooth=False).track(...)`, or pairs of
            a time in seconds and hands. A mapping names the cameras; a sequence is in the order of `cameras`.
        cameras: calibrated cameras with their places, such as `read_cameras(...)`.
        times_s: when hands are wanted, seconds. None: at the frames of the view that has most.

    Raises:
        InputError: there are fewer than two views, a view names no camera, or two cameras stand at one place.
        MissingExtraError: scipy is not installed.
    """
    views = _paired(tracks, cameras)
    timelines, used = [], []
    for camera, view in views:
        timeline = Timeline.of(view)
        timelines.append(timeline)
        used.append(camera if timeline.size is None else camera.at_size(*timeline.size))
    fullest = max(timelines, key=lambda line: len(line.times_s))
    times = fullest.times_s if times_s is None else np.asarray(times_s, np.float64)
    known: set[frozenset[tuple[int, int]]] = set()
    follower = _Follower()
    for frame, time_s in enumerate(times):
        seen = [hand for number, line in enumerate(timelines) for hand in line.at(float(time_s), number)]
        groups = group_hands(used, seen, known)
        follower.add([_found(used, group, frame, float(time_s)) for group in groups], float(time_s))
        for group in groups:
            ids = [(hand.view, hand.track_id) for hand in group.hands if hand.track_id is not None]
            known |= {frozenset(pair) for pair in combinations(ids, 2)}
    return _without_wrong_bones(follower.hands())


def _paired(
    tracks: Mapping[str, View] | Sequence[View], cameras: Mapping[str, Camera] | Sequence[Camera]
) -> list[tuple[Camera, View]]:
    """Each view with its camera, by the cameras' names, so that their order makes no difference."""
    if isinstance(tracks, Mapping):
        by_name = cameras if isinstance(cameras, Mapping) else {camera.name: camera for camera in cameras}
        if missing := [name for name in tracks if name not in by_name]:
            raise InputError(f"no camera is called {missing[0]!r}; cameras are: {', '.join(by_name)}")
        pairs = [(by_name[name], view) for name, view in tracks.items()]
    else:
        ordered = list(cameras.values()) if isinstance(cameras, Mapping) else list(cameras)
        if len(tracks) != len(ordered):
            raise InputError(f"there are {len(tracks)} views and {len(ordered)} cameras; name the views: a mapping")
        pairs = list(zip(ordered, tracks, strict=True))
    if len(pairs) < 2:
        raise InputError(f"triangulation needs two or more views, got {len(pairs)}; for one camera see `locate`")
    pairs.sort(key=lambda pair: (pair[0].name, *pair[0].centre))
    for number, (one, _) in enumerate(pairs):
        for other, _ in pairs[:number]:
            if np.linalg.norm(one.centre - other.centre) < 1e-6:
                raise InputError(
                    f"{other.name} and {one.name} stand at the same place, so they see no depth; their file has no "
                    "rotation and translation, or names one camera twice"
                )
    return pairs


def _found(cameras: Sequence[Camera], group: Group, frame: int, time_s: float) -> _Found:
    """The hand that these views show."""
    points = triangulate_points(group.sightings)
    errors = points.errors_px[points.used]
    hand = RigHand(
        frame,
        time_s,
        0,
        "Left",
        points.points,
        points.std,
        points.used.sum(axis=0),
        float(np.median(errors)) if len(errors) else float("nan"),
        tuple(cameras[one.view].name for one in group.hands),
    )
    return _Found(hand, group.hands, float(np.mean([one.left for one in group.hands])))


class _Follower:
    """Gives hands in space their track ids: the nearest hand of the recent past, or one that the same tracks showed."""

    def __init__(self) -> None:
        self._tracks: dict[int, list[_Found]] = {}

    def add(self, found: Sequence[_Found], time_s: float) -> None:
        """Take up the hands of the next time."""
        optimize = required("scipy.optimize", "space", "hands in several views")
        recent = [number for number, track in self._tracks.items() if time_s - track[-1].hand.time_s <= FORGET_S]
        costs = np.full((len(found), len(recent)), np.inf)
        for i, one in enumerate(found):
            for j, number in enumerate(recent):
                costs[i, j] = self._cost(one, self._tracks[number])
        limited = np.minimum(costs, 1e3)
        owners = {
            i: recent[j] for i, j in zip(*optimize.linear_sum_assignment(limited), strict=True) if costs[i, j] < 1
        }
        for i, one in enumerate(found):
            number = owners.get(i, len(self._tracks) + 1)
            self._tracks.setdefault(number, []).append(one)

    @staticmethod
    def _cost(one: _Found, track: Sequence[_Found]) -> float:
        """Distance from the last hand of a track, in reaches; less if the same tracks show it; inf if out of reach."""
        last = track[-1]
        reach = SAME_HAND_M + SAME_HAND_M_PER_S * (one.hand.time_s - last.hand.time_s)
        apart = np.linalg.norm(one.hand.points - last.hand.points, axis=1)
        distance = float(np.median(apart[np.isfinite(apart)])) / reach if np.isfinite(apart).any() else np.inf
        ids = {(hand.view, hand.track_id) for hand in last.seen if hand.track_id is not None}
        shared = any((hand.view, hand.track_id) in ids for hand in one.seen)
        if not np.isfinite(distance) or distance >= 1:
            return float("inf")
        other_side = abs(one.left - float(np.mean([found.left for found in track[-30:]])))
        return distance * (0.5 if shared else 1.0) + 0.4 * other_side

    def hands(self) -> list[RigHand]:
        """All hands with the ids and the handedness of their tracks."""
        hands = []
        for number, track in self._tracks.items():
            side: Handedness = "Left" if np.mean([found.left for found in track]) >= 0.5 else "Right"
            hands += [replace(found.hand, track_id=number, handedness=side) for found in track]
        return sorted(hands, key=lambda hand: (hand.frame, hand.track_id))


def _without_wrong_bones(hands: Sequence[RigHand]) -> list[RigHand]:
    """The hands without points at the end of a bone that is much longer or shorter than it is over the clip."""
    lengths: dict[int, list[Floats]] = {}
    for hand in hands:
        lengths.setdefault(hand.track_id, []).append(bone_lengths(hand.points))
    known = {number: median_lengths(rows) for number, rows in lengths.items() if len(rows) >= MIN_FRAMES}
    return [_checked(hand, known[hand.track_id]) if hand.track_id in known else hand for hand in hands]


def _checked(hand: RigHand, lengths: Floats) -> RigHand:
    """The hand without the points of wrong bones, and without what hangs on them."""
    off = np.abs(bone_lengths(hand.points) / lengths - 1) > WRONG_BONE  # (5, 4), from the palm to the tip
    lost = np.logical_or.accumulate(off, axis=1)
    if not lost.any() or lost.all():
        return hand
    points, std, views = hand.points.copy(), hand.std.copy(), hand.views.copy()
    for finger, chain in enumerate(CHAINS):
        gone = [joint for joint, wrong in zip(chain[1:], lost[finger], strict=True) if wrong]
        points[gone], std[gone], views[gone] = np.nan, np.nan, 0
    return replace(hand, points=points, std=std, views=views)


def bone_lengths(points: Floats) -> Floats:
    """(5, 4) lengths of the bones of each finger, from the wrist to the tip, in the unit of the (21, 3) points."""
    chains = points[np.array(CHAINS)]
    return np.asarray(np.linalg.norm(np.diff(chains, axis=1), axis=-1))


def median_lengths(rows: Sequence[Floats]) -> Floats:
    """(5, 4) medians of bone lengths that may be NaN; NaN where all are."""
    stacked = np.ma.masked_invalid(np.stack(rows))
    medians: Any = np.ma
    return np.asarray(medians.filled(medians.median(stacked, axis=0), np.nan), np.float64)
