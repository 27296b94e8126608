"""`MotionGestures`: swipe, tap, double pinch, grab, release, wave, circle; with two hands zoom, rotate, frame."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from knuckle.errors import InputError
from knuckle.gestures.calm import CALM_S, Lately
from knuckle.gestures.events import GestureEvent
from knuckle.gestures.pairs import HELD_S, PairGestures
from knuckle.gestures.strokes import (
    Sample,
    Stroke,
    circle_in,
    closing_in,
    pinches_in,
    swipe_in,
    tap_in,
    travel_of,
    wave_in,
)
from knuckle.results import Hand

MEMORY_S = 2.0
MOST_S = 10.0
FRAME_S = 1 / 30  # a hold may be shorter by a frame, since it begins between two
HOLD_TRAVEL = 0.35  # palm lengths that a palm at rest may move
FORGET_S = 0.5  # a hand that was not seen for so long begins anew
ORDER = (circle_in, wave_in, swipe_in, pinches_in, closing_in, tap_in)


class MotionGestures:
    """Recognises gestures in motion in one video; call it with the hands of one frame after the other.

    Lengths are in palm lengths, so it does not matter how near a hand is. Directions are those of the image, also
    where it is a mirror image.

    Args:
        hold_s: lock: a hand must be raised and at rest for so long right before its gesture, and two hands must pinch
            or make an L for so long. 0: no lock, whatever `calm_s` says.
        quiet_s: after a gesture a hand makes no other for so long, as hands come back from a swipe.
        calm_s: lock: how long the hands must have been calm before, as for `GestureLock`; 0: they need not.

    Raises:
        InputError: a value is out of range.
    """

    def __init__(self, hold_s: float = 0.0, quiet_s: float = 0.5, calm_s: float = CALM_S) -> None:
        for name, value in (("hold_s", hold_s), ("quiet_s", quiet_s), ("calm_s", calm_s)):
            if not (isinstance(value, int | float) and 0 <= value <= MOST_S):
                raise InputError(f"{name} must be a number from 0 to {MOST_S}, got {value!r}")
        self.hold_s, self.quiet_s, self.calm_s = hold_s, quiet_s, calm_s
        self.reset()

    def reset(self) -> None:
        """Forget all hands, before another video."""
        self._tracks: dict[int, deque[Sample]] = {}
        self._quiet_until_s: dict[int, float] = {}
        self._pair = PairGestures(max(HELD_S, self.hold_s), self._may_begin)
        self._lately = Lately(self.calm_s, MEMORY_S + self.hold_s)

    def __call__(self, hands: Sequence[Hand], time_s: float) -> list[GestureEvent]:
        """The gestures that end in this frame, and those of two hands that begin, change or end.

        Args:
            hands: hands of the frame. Those without a track id, as photos have them, are ignored.
            time_s: time of the frame in seconds.
        """
        tracked = [hand for hand in hands if hand.track_id is not None and np.isfinite(hand.landmarks).all()]
        if self.hold_s:
            self._lately.notice(tracked, time_s)
        for hand in tracked:
            self._remember(hand, time_s)
        for track_id, samples in list(self._tracks.items()):
            if not 0 <= time_s - samples[-1].time_s <= FORGET_S:
                del self._tracks[track_id]
        events = self._pair(tracked, time_s)
        if not self._pair.pose:
            for hand in tracked:
                events += self._stroke_of(hand.track_id or 0, time_s)
        return events

    def _remember(self, hand: Hand, time_s: float) -> None:
        samples = self._tracks.setdefault(hand.track_id or 0, deque())
        if samples and not 0 < time_s - samples[-1].time_s <= FORGET_S:
            samples.clear()
        samples.append(Sample.of(hand, time_s))
        while time_s - samples[0].time_s > MEMORY_S + self.hold_s:
            samples.popleft()

    def _stroke_of(self, track_id: int, time_s: float) -> list[GestureEvent]:
        """At most one gesture of a hand. Its history begins anew `quiet_s` after one."""
        samples = self._tracks[track_id]
        if time_s < self._quiet_until_s.get(track_id, -math.inf):
            while len(samples) > 1:
                samples.popleft()
        if len(samples) < 4:
            return []
        for find in ORDER:
            stroke = find(list(samples))
            if stroke and self._is_meant(track_id, stroke, samples):
                self._quiet_until_s[track_id] = time_s + self.quiet_s
                how = {"direction": stroke.direction, "speed": stroke.speed, "amount": stroke.amount}
                return [GestureEvent(stroke.name, "once", (track_id,), stroke.start_s, time_s, **how)]  # type: ignore[arg-type]
        return []

    def _is_meant(self, track_id: int, stroke: Stroke, samples: Sequence[Sample]) -> bool:
        """Whether the hand was raised and at rest for `hold_s` before the stroke, and people did little else."""
        before = [one for one in samples if stroke.start_s - self.hold_s - FRAME_S < one.time_s <= stroke.start_s]
        if not self.hold_s:
            return True
        held = bool(before) and before[-1].time_s - before[0].time_s >= self.hold_s - FRAME_S
        at_rest = held and travel_of(before) <= HOLD_TRAVEL and all(one.wrist_below for one in before)
        return at_rest and self._may_begin((track_id,), stroke.start_s)

    def _may_begin(self, track_ids: tuple[int, ...], start_s: float) -> bool:
        """Whether the lock lets a gesture of these hands through that began at this time."""
        if not self.hold_s:
            return True
        lowered = any(self._lately.was_lowered(track_id, start_s) for track_id in track_ids)
        return not lowered and self._lately.was_calm(track_ids, start_s, start_s)
