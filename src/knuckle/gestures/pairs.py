"""Gestures of two hands: zoom and rotate while both pinch, frame while both make an L. They begin, change and end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knuckle.gestures.events import GestureEvent, Phase
from knuckle.results import Hand

PINCHED, PARTED = 0.3, 0.5  # distance of thumb and index finger, palm lengths, at which a pinch begins and ends


@dataclass
class PairGestures:
    """Follows the two hands of a video; call it with the hands of one frame after the other."""

    names: tuple[str, ...] = ()
    track_ids: tuple[int, ...] = ()
    start_s: float = 0.0
    first_span: float = 1.0
    angle_rad: float = 0.0
    turned_rad: float = 0.0
    last: tuple[GestureEvent, ...] = ()

    def __call__(self, hands: Sequence[Hand], time_s: float) -> list[GestureEvent]:
        """What begins, changes or ends in this frame. Hands have track ids."""
        pair = sorted(hands, key=lambda hand: hand.track_id or 0)
        ids = tuple(hand.track_id or 0 for hand in pair)
        names = self._names(pair) if len(pair) == 2 else ()
        events = []
        if self.names and (names != self.names or ids != self.track_ids):
            events = [in_phase(event, "end", time_s) for event in self.last]
            self.names, self.last = (), ()
        if not names:
            return events
        points = [(hand.landmarks[4, :2] + hand.landmarks[8, :2]) / 2 for hand in pair]
        x, y = (points[1] - points[0]).tolist()
        span, angle = max(math.hypot(x, y), 1e-3), math.atan2(y, x)
        phase: Phase = "change"
        if not self.names:
            phase = "begin"
            self.names, self.track_ids, self.start_s = names, ids, time_s
            self.first_span, self.angle_rad, self.turned_rad = span, angle, 0.0
        self.turned_rad += math.remainder(angle - self.angle_rad, 2 * math.pi)
        self.angle_rad = angle
        self.last = tuple(self._event(name, phase, time_s, span, pair) for name in names)
        return [*events, *self.last]

    def _names(self, pair: Sequence[Hand]) -> tuple[str, ...]:
        limit = PARTED if "zoom" in self.names else PINCHED
        if all(hand.distance("thumb_tip", "index_tip") < limit for hand in pair):
            return ("zoom", "rotate")
        extended = [{name for name in ("index", "middle", "ring", "pinky") if hand.is_extended(name)} for hand in pair]
        thumbs_out = all(hand.distance("thumb_tip", "index_tip") > 0.8 for hand in pair)
        return ("frame",) if thumbs_out and extended == [{"index"}, {"index"}] else ()

    def _event(self, name: str, phase: Phase, time_s: float, span: float, pair: Sequence[Hand]) -> GestureEvent:
        direction, amount, box = None, 1.0, None
        if name == "zoom":
            amount = span / self.first_span
            direction = "out" if amount >= 1 else "in"
        elif name == "rotate":
            amount = self.turned_rad
            direction = "clockwise" if amount >= 0 else "counterclockwise"
        else:
            corners = np.concatenate([hand.landmarks[[2, 4, 8], :2] for hand in pair])
            (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
            box = (x0, y0, x1, y1)
        return GestureEvent(
            name, phase, self.track_ids, self.start_s, time_s, direction=direction, amount=amount, box=box
        )


def in_phase(event: GestureEvent, phase: Phase, time_s: float) -> GestureEvent:
    return GestureEvent(**{**vars(event), "phase": phase, "end_s": time_s})
