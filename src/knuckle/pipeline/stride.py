"""`follow`: the hands of a recorded video, frame by frame, or with a stride where they hardly move.

With a stride the tracker looks several frames ahead. If it finds the hands of the frame before at nearly the same
place, or again no hand, the frames between are filled in. Otherwise it goes back and looks at each of them. So the
networks run on fewer frames where nothing happens: the detector on videos without hands, the landmark network on hands
that rest.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np

from knuckle.geometry import wrap_angle
from knuckle.graph import Steps
from knuckle.pipeline.tracker import HandTracker
from knuckle.pipeline.tracks import baseline
from knuckle.results import FloatArray, Frame, Hand, Roi

# Over a stride no landmark may move further than this, in palm baselines.
MAX_MOTION = 0.25
# A stride is at most this long. A hand that comes and goes within it is missed.
MAX_GAP_S = 0.25


def follow(
    tracker: HandTracker, frames: Iterator[Frame], write: Callable[[Frame, list[Hand]], None], stride: int = 1
) -> Steps[None]:
    """Find the hands of each frame, as steps for `together` or `finish`.

    Args:
        tracker: a tracker that has seen no frame of another video.
        frames: the frames of a recorded video.
        write: called with each frame and its hands, in order.
        stride: the networks run at least on every `stride`-th frame; 1: on every frame.
    """
    ahead: deque[Frame] = deque()
    before: list[Hand] = []
    before_s, motion = -math.inf, math.inf  # motion per frame, palm baselines
    one_by_one = 0  # frames to look at before the next try of a stride
    while True:
        wanted = 1 if one_by_one else strides_for(motion, stride)
        ahead.extend(islice(frames, max(0, wanted - len(ahead))))
        if not ahead:
            return
        count = max(1, sum(frame.time_s - before_s <= MAX_GAP_S for frame in islice(ahead, wanted)))
        state = tracker.graph.state
        for frame in islice(ahead, count - 1):
            tracker.skip(frame.time_s)
        hands = yield from tracker.steps(ahead[count - 1].image, ahead[count - 1].time_s)
        moved = motion_between(before, hands)
        if count > 1 and moved > MAX_MOTION:
            tracker.graph.state, one_by_one = state, count
            continue
        for number in range(1, count):
            write(ahead.popleft(), hands_between(before, hands, number / count))
        write(frame := ahead.popleft(), hands)
        before, before_s, motion = hands, frame.time_s, moved / count
        one_by_one = max(0, one_by_one - 1)


def strides_for(motion: float, stride: int) -> int:
    """How many frames to go on by, for a motion per frame in palm baselines."""
    return max(1, min(stride, int(MAX_MOTION / max(motion, 1e-3))))


def motion_between(before: Sequence[Hand], after: Sequence[Hand]) -> float:
    """The largest distance that a landmark moved, in palm baselines; infinite if a hand came or went."""
    if [hand.track_id for hand in before] != [hand.track_id for hand in after]:
        return math.inf
    moves = [
        np.nanmax(np.hypot(*(new.landmarks_raw - old.landmarks_raw)[:, :2].T)) / baseline(new)
        for old, new in zip(before, after, strict=True)
    ]
    return float(max(moves, default=0.0))


def hands_between(before: Sequence[Hand], after: Sequence[Hand], share: float) -> list[Hand]:
    """The hands of a frame between two frames with the same hands; `share` is 0 at the first and 1 at the second."""
    return [hand_between(old, new, share) for old, new in zip(before, after, strict=True)]


def hand_between(old: Hand, new: Hand, share: float) -> Hand:
    """A hand on the straight way from one frame's to another's."""

    def mixed(one: FloatArray, other: FloatArray) -> FloatArray:
        moved: FloatArray = (one + np.float32(share) * (other - one)).astype(one.dtype)
        return moved

    turned = wrap_angle(new.roi.angle_rad - old.roi.angle_rad)
    names = ("landmarks", "landmarks_raw", "world", "world_raw", "visibility", "landmark_std")
    shared = [name for name in names if getattr(old, name) is not None and getattr(new, name) is not None]
    return old.with_rows(
        {name: mixed(old.rows(name), new.rows(name)) for name in shared},
        presence=old.presence + share * (new.presence - old.presence),
        roi=Roi(
            old.roi.x + share * (new.roi.x - old.roi.x),
            old.roi.y + share * (new.roi.y - old.roi.y),
            old.roi.size + share * (new.roi.size - old.roi.size),
            old.roi.angle_rad + share * turned,
        ),
    )
