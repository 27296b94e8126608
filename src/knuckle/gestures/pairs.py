"""Gestures of two hands: zoom and rotate while both pinch, frame while both make an L. They begin, change and end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from knuckle.gestures.events import GestureEvent, Phase
from knuckle.gestures.strokes import PARTED, PINCHED, gap
from knuckle.results import Hand

HELD_S = 0.15
ZOOMED, TURNED_RAD = 1.1, math.radians(10)  # a zoom or a rotation begins with a change as large as this


@dataclass
class PairGestures:
    """Follows the two hands of a video; call it with the hands of one frame after the other.

    Hands that hold something pinch it all the time, so a pinch counts only of hands that were seen parted before. A
    zoom begins when the distance has changed, a rotation when the direction has; what they say is since the pinch.

    Attributes:
        held_s: both hands must pinch, or make an L, for so long.
        may_begin: whether a gesture of these two hands counts that began at this time.
        pose: what both hands do: "pinch", "frame" or nothing.
        track_ids: the two hands.
        start_s, first_span, angle_rad, turned_rad: when that began, their distance then, direction now and turn since.
        parted: hands that were seen with thumb and index finger apart.
        last: the last event of each gesture under way.
    """

    held_s: float = HELD_S
    may_begin: Callable[[tuple[int, ...], float], bool] = lambda track_ids, start_s: True
    pose: str = ""
    track_ids: tuple[int, ...] = ()
    start_s: float = 0.0
    first_span: float = 1.0
    angle_rad: float = 0.0
    turned_rad: float = 0.0
    parted: frozenset[int] = frozenset()
    last: dict[str, GestureEvent] = field(default_factory=dict)

    def __call__(self, hands: Sequence[Hand], time_s: float) -> list[GestureEvent]:
        """What begins, changes or ends in this frame. Hands have track ids."""
        pair = sorted(hands, key=lambda hand: hand.track_id or 0)
        ids = tuple(hand.track_id or 0 for hand in pair)
        apart = {hand.track_id or 0 for hand in pair if gap(hand) > PARTED}
        self.parted |= apart
        pose = self._pose(pair, ids) if len(pair) == 2 else ""
        events = []
        if self.pose and (pose != self.pose or ids != self.track_ids):
            events = [replace(event, phase="end", end_s=time_s) for event in self.last.values()]
            self.pose, self.last = "", {}
        if not pose:
            return events
        points = [(hand.landmarks[4, :2] + hand.landmarks[8, :2]) / 2 for hand in pair]
        x, y = (points[1] - points[0]).tolist()
        span, angle = max(math.hypot(x, y), 1e-3), math.atan2(y, x)
        if not self.pose:
            self.pose, self.track_ids, self.start_s = pose, ids, time_s
            self.first_span, self.angle_rad, self.turned_rad = span, angle, 0.0
        self.turned_rad += math.remainder(angle - self.angle_rad, 2 * math.pi)
        self.angle_rad = angle
        if time_s - self.start_s < self.held_s - 1e-6:
            return events
        if not self.last and not self.may_begin(ids, self.start_s):
            return events
        for name in self._names(span):
            phase: Phase = "change" if name in self.last else "begin"
            self.last[name] = self._event(name, phase, time_s, span, pair)
            events.append(self.last[name])
        return events

    def _pose(self, pair: Sequence[Hand], ids: tuple[int, ...]) -> str:
        limit = PARTED if self.pose == "pinch" else PINCHED
        if all(gap(hand) < limit for hand in pair):
            return "pinch" if self.parted.issuperset(ids) else ""
        extended = [{name for name in ("index", "middle", "ring", "pinky") if hand.is_extended(name)} for hand in pair]
        return "frame" if all(gap(hand) > 0.8 for hand in pair) and extended == [{"index"}, {"index"}] else ""

    def _names(self, span: float) -> list[str]:
        """The gestures under way, and those that begin now."""
        if self.pose == "frame":
            return ["frame"]
        zooms = max(span / self.first_span, self.first_span / span) >= ZOOMED
        begun = {"zoom": zooms, "rotate": abs(self.turned_rad) >= TURNED_RAD}
        return [name for name, begins in begun.items() if begins or name in self.last]

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
