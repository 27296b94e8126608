"""`Lately` remembers what the hands of a video did in the last seconds. The locks of gestures ask it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from knuckle.gestures.strokes import PALM
from knuckle.results import Hand

CALM_S = 3.0
"""How long hands must have been calm before a lock lets a gesture through."""
TALKING = 2
"""Hands that begin more gestures than these in `calm_s` talk."""
BUSY = 1.5
"""A hand that moves farther than this in `calm_s` does something else, palm lengths."""
LOWERED_S, LOWERED_PART = 5.0, 1 / 3
"""A hand that moved up or down by more than `BUSY` lately is lowered in the lowest part of where it was."""


class _Seen(NamedTuple):
    """Where a hand was: `place` is the middle of its palm and `size` its palm length, image pixels."""

    time_s: float
    track_id: int
    place: npt.NDArray[np.float64]
    size: float


class Lately:
    """Remembers where all hands were, and which gestures they began.

    Args:
        calm_s: how long hands must have been calm; 0: they always are.
        kept_s: how far in the past the questions may begin, seconds.
    """

    def __init__(self, calm_s: float, kept_s: float = 0.0) -> None:
        self.calm_s, self._kept_s = calm_s, kept_s + max(calm_s, LOWERED_S)
        self._names: dict[int, str] = {}  # what each hand made in the last frame
        self._begun: list[tuple[float, int]] = []  # times at which gestures began, and the hands
        self._seen: list[_Seen] = []

    def notice(self, hands: Sequence[Hand], time_s: float) -> None:
        """Take up the hands of the next frame."""
        names = {hand.track_id: hand.gesture.name for hand in hands if hand.track_id is not None and hand.gesture}
        began = [(time_s, track_id) for track_id, name in names.items() if self._names.get(track_id) != name]
        self._names = names
        self._begun = [one for one in self._begun if 0 <= time_s - one[0] <= self._kept_s] + began
        self._seen = [one for one in self._seen if 0 <= time_s - one.time_s <= self._kept_s]
        for hand in hands:
            if hand.track_id is not None:
                self._seen.append(_Seen(time_s, hand.track_id, middle_of_palm(hand), hand.palm_size))

    def was_calm(self, track_ids: Collection[int], since_s: float, until_s: float) -> bool:
        """Whether people did little else before a gesture of these hands.

        The time asked about starts `calm_s` before `until_s` and ends now. In it at most `TALKING` other gestures
        began, and no other hand moved by more than `BUSY`. A gesture of these hands that began at `since_s` or later is
        the gesture itself and does not count.
        """
        if not self.calm_s:
            return True
        first_s = until_s - self.calm_s
        begun = [one for at_s, one in self._begun if at_s >= first_s and (one not in track_ids or at_s < since_s)]
        if len(begun) > TALKING:
            return False
        for other in {one.track_id for one in self._seen} - set(track_ids):
            places, size = self._places(other, first_s)
            if len(places) and np.ptp(places, axis=0).max() > BUSY * size:
                return False
        return True

    def was_lowered(self, track_id: int, until_s: float) -> bool:
        """Whether a hand had come down, and was at the low end of where it was in the `LOWERED_S` up to this time."""
        places, size = self._places(track_id, until_s - LOWERED_S, until_s)
        height = places[:, 1]
        if not len(height) or np.ptp(height) <= BUSY * size:
            return False
        return bool(height[-1] > height.max() - LOWERED_PART * np.ptp(height))

    def _places(self, track_id: int, first_s: float, last_s: float = math.inf) -> tuple[npt.NDArray[np.float64], float]:
        """(n, 2) places of a hand between two times, and its palm length, image pixels."""
        own = [one for one in self._seen if one.track_id == track_id and first_s <= one.time_s <= last_s]
        size = float(np.median([one.size for one in own])) if own else 0.0
        return np.array([one.place for one in own]).reshape(-1, 2), max(size, 1e-3)


def middle_of_palm(hand: Hand) -> npt.NDArray[np.float64]:
    """(2,) the mean of the wrist and the knuckles, image pixels."""
    return np.asarray(hand.landmarks[PALM, :2].mean(axis=0), np.float64)
