"""`Timeline`: the hands of one view at any time, interpolated between its frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from knuckle.errors import InputError
from knuckle.results import Frame, Hand
from knuckle.space.camera import Floats
from knuckle.space.matching import Seen

SAME_TIME_S = 1e-4
MAX_STEPS = 2.5  # hands are interpolated between frames that are at most this many usual steps apart
# Standard deviation of image landmarks, in shares of the longer side of the hand's box. It covers what differs between
# views, such as which point of a thick joint a network takes for the landmark.
STD_PX_OF_BOX = 0.04


@dataclass(frozen=True, eq=False)
class Timeline:
    """The frames of one view.

    Attributes:
        times_s: (t,) rising, seconds.
        hands: the hands of each frame.
        size: (width, height) of the frames, pixels; None if only times are known.
    """

    times_s: Floats
    hands: Sequence[Sequence[Hand]]
    size: tuple[int, int] | None

    @classmethod
    def of(cls, view: Iterable[tuple[Frame | float, Sequence[Hand]]]) -> Timeline:
        """Of frames, or times in seconds, with their hands.

        Raises:
            InputError: the times do not rise.
        """
        times, hands, size = [], [], None
        for frame, found in view:
            if isinstance(frame, Frame):
                times.append(float(frame.time_s))
                size = (frame.width, frame.height) if frame.width else size
            else:
                times.append(float(frame))
            hands.append(found)
        times_s = np.array(times, np.float64)
        if not np.isfinite(times_s).all() or (np.diff(times_s) <= 0).any():
            raise InputError("the times of a view must rise from frame to frame; photos have none")
        return cls(times_s, hands, size)

    def at(self, time_s: float, view: int) -> list[Seen]:
        """The hands at this time, as hands of this view."""
        if not len(self.times_s):
            return []
        after = int(np.searchsorted(self.times_s, time_s - SAME_TIME_S))
        if after < len(self.times_s) and abs(self.times_s[after] - time_s) <= SAME_TIME_S:
            return [_seen(hand, view) for hand in self.hands[after]]
        if after in (0, len(self.times_s)):
            return []
        start, end = self.times_s[after - 1], self.times_s[after]
        if end - start > MAX_STEPS * float(np.median(np.diff(self.times_s))):
            return []
        share = (time_s - start) / (end - start)
        later = {hand.track_id: hand for hand in self.hands[after] if hand.track_id is not None}
        return [
            between(_seen(hand, view), _seen(later[hand.track_id], view), share)
            for hand in self.hands[after - 1]
            if hand.track_id in later
        ]


def _seen(hand: Hand, view: int) -> Seen:
    left = hand.handedness_score if hand.handedness == "Left" else 1 - hand.handedness_score
    pixels = hand.landmarks_raw[:, :2].astype(np.float64)
    if hand.landmark_std is None:
        std_px = np.full(21, STD_PX_OF_BOX * max(float(np.ptp(pixels, axis=0).max()), 1.0))
    else:
        std_px = np.maximum(hand.landmark_std.astype(np.float64), 1e-3)
    return Seen(view, pixels, std_px, left, hand.track_id)


def between(one: Seen, other: Seen, share: float) -> Seen:
    """The hand at a share of the time between two frames."""
    pixels = (1 - share) * one.pixels + share * other.pixels
    std_px = (1 - share) * one.std_px + share * other.std_px
    return Seen(one.view, pixels, std_px, (1 - share) * one.left + share * other.left, one.track_id)
